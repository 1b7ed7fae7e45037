"""numba loops of `distest.kernels.quantise`: norms, stochastic rounding and packing in one pass over a bucket."""

from math import sqrt
from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, u8, u32, u64
from distest.kernels.jit._lanes import (
    LANES,
    add,
    as_float,
    bits_of,
    both,
    differ,
    down,
    either,
    f32,
    f64,
    fetch_soon,
    float_of,
    squares_into,
    sub,
    up,
    whole,
)
from distest.kernels.jit.planes import pack_block, unpack_block
from distest.kernels.jit.splitmix import GAMMA, mix

Array = Any
UNIFORM, OFFSET, POWERS, POWERS_OFF, TABLE, TABLE_OFF = 0, 1, 2, 3, 4, 5
MAX, L2, CLIPPED, GIVEN = 0, 1, 2, 3
AHEAD = 4096  # least number of coordinates between what is worked on and what is fetched
MAGNITUDE = u32(0x7FFFFFFF)
ONE = u32(0x3F800000)


# ---- norms


@inline
def _greatest(bits: Array) -> Any:
    """Greatest magnitude; as integers, because that is a vector instruction and magnitudes order alike."""
    top = u32(0)
    for j in range(bits.size):
        here = both(bits[j], MAGNITUDE)
        top = here if here > top else top
    return float_of(top)


@inline
def _square_sum(x: Array, sums: Array) -> Any:
    groups = x.size // LANES
    squares_into(x, i64(groups), sums)
    for j in range(x.size - groups * LANES):
        here = f64(x[groups * LANES + j])
        sums[j] += here * here
    span = LANES
    while span > 1:
        span //= 2
        for j in range(span):
            sums[j] += sums[j + span]
    return sums[0]


@kernel
def norm_of(x: Array, bits: Array, norm: int, clip: float, sums: Array) -> Any:
    """The norm of a bucket, float32: MAX, L2, the greatest but at most clip root mean squares (CLIPPED), or clip."""
    if norm == GIVEN:
        return f32(clip)
    if norm == MAX:
        return _greatest(bits)
    square = _square_sum(x, sums)
    found = sqrt(square) if norm == L2 else clip * sqrt(square / x.size)
    highest = f64(_greatest(bits)) if norm == CLIPPED else f64(3.4028234663852886e38)
    least = f64(1.401298464324817e-45) if square > 0 else f64(0)  # what is not 0 does not round to 0
    return f32(max(min(found, highest), least))


# ---- stochastic rounding: bits of a coordinate and 16 random bits to a symbol


@inline
def _uniform(bits: Any, chance: Any, scale: Any, top: Any, sign: Any) -> Any:
    fixed = float_of(both(bits, MAGNITUDE)) * scale + f32(0.5)
    fixed = whole(fixed if fixed < top else top)
    return either(down(add(fixed, chance), u32(16)), both(down(bits, sign), up(u32(1), sub(u32(31), sign))))


@inline
def _offset(bits: Any, chance: Any, scale: Any, top: Any, sign: Any) -> Any:
    fixed = float_of(bits) * scale + top * f32(0.5) + f32(0.5)
    fixed = fixed if fixed < top else top
    fixed = whole(fixed if fixed > f32(0) else f32(0))
    step = down(add(fixed, chance), u32(16))
    half = up(u32(1), sub(u32(31), sign))
    return differ(step, half) if step >= half else sub(sub(up(half, u32(1)), u32(1)), step)


@inline
def _powers(bits: Any, chance: Any, scale: Any, lift: Any, edge: Any, sign: Any) -> Any:
    """edge: the bits of the lowest level 2^-s; lift: 2^s."""
    share = bits_of(float_of(both(bits, MAGNITUDE)) * scale)
    share = share if share < ONE else ONE
    rounded = down(add(add(share, up(chance, u32(7))), u32(64)), u32(23))
    index = add(sub(rounded, down(edge, u32(23))), u32(1))
    low = down(add(whole(float_of(share) * lift * f32(65536) + f32(0.5)), chance), u32(16))
    index = index if share >= edge else low
    return either(index, both(down(bits, sign), up(u32(1), sub(u32(31), sign))))


@inline
def _powers_off(bits: Any, chance: Any, scale: Any, lift: Any, edge: Any, sign: Any) -> Any:
    share = bits_of(float_of(both(bits, MAGNITUDE)) * scale)
    share = share if share < ONE else ONE
    rounded = down(add(add(share, up(chance, u32(7))), u32(64)), u32(23))
    kept = whole(float_of(share) * lift * f32(32768) + f32(0.5))
    flip = down(sub(add(chance, u32(32768)), kept), u32(16))
    index = sub(rounded, down(edge, u32(23)))
    far = share >= edge
    index = index if far else u32(0)
    flip = u32(0) if far else flip
    side = differ(down(bits, u32(31)), flip)
    return either(index, up(side, sub(u32(31), sign)))


@inline
def _table(bits: Any, chance: Any, scale: Any, levels: Array, gaps: Array, sign: Any, off: bool) -> Any:
    share = float_of(both(bits, MAGNITUDE)) * scale
    share = share if share < f32(1) else f32(1)
    side = down(bits, u32(31))
    if off and share < levels[0]:
        kept = whole(share / levels[0] * f32(32768) + f32(0.5))
        flip = down(sub(add(chance, u32(32768)), kept), u32(16))
        return up(differ(side, flip), sub(u32(31), sign))
    cell = 0
    for step in (64, 32, 16, 8, 4, 2, 1):
        cell += step if share >= levels[cell + step] else 0
    passed = whole((share - levels[cell]) * gaps[cell] * f32(65536) + f32(0.5))
    index = add(u32(cell), down(add(passed, chance), u32(16)))
    return either(index, up(side, sub(u32(31), sign)))


@inline
def _low(draws: Array, j: int) -> Any:
    return both(draws[j], u32(0xFFFF))


@inline
def _high(draws: Array, j: int) -> Any:
    return down(draws[j], u32(16))


@kernel
def round_piece(
    bits: Array, draws: Array, kind: int, width: int, steps: int, norm: Any, levels: Array, gaps: Array, symbols: Array
) -> None:
    """Symbols of the coordinates of a piece. draws: uint32, one for coordinates j and j + half."""
    half = draws.size
    first, second = bits[:half], bits[half : 2 * half]
    low, high = symbols[:half], symbols[half : 2 * half]
    sign, top = u32(32 - width), f32(steps << 16)
    scale = f32(steps << (15 if kind == OFFSET else 16)) / norm if kind <= OFFSET else f32(1) / norm
    if kind == UNIFORM:
        for j in range(half):
            low[j] = u8(_uniform(first[j], _low(draws, j), scale, top, sign))
            high[j] = u8(_uniform(second[j], _high(draws, j), scale, top, sign))
    elif kind == OFFSET:
        for j in range(half):
            low[j] = u8(_offset(first[j], _low(draws, j), scale, top, sign))
            high[j] = u8(_offset(second[j], _high(draws, j), scale, top, sign))
    elif kind == POWERS:
        edge, lift = u32((127 - steps) << 23), float_of(u32((127 + steps) << 23))
        for j in range(half):
            low[j] = u8(_powers(first[j], _low(draws, j), scale, lift, edge, sign))
            high[j] = u8(_powers(second[j], _high(draws, j), scale, lift, edge, sign))
    elif kind == POWERS_OFF:
        edge, lift = u32((127 - steps) << 23), float_of(u32((127 + steps) << 23))
        for j in range(half):
            low[j] = u8(_powers_off(first[j], _low(draws, j), scale, lift, edge, sign))
            high[j] = u8(_powers_off(second[j], _high(draws, j), scale, lift, edge, sign))
    else:
        off = kind == TABLE_OFF
        for j in range(half):
            low[j] = u8(_table(first[j], _low(draws, j), scale, levels, gaps, sign, off))
            high[j] = u8(_table(second[j], _high(draws, j), scale, levels, gaps, sign, off))


@kernel
def encode(
    x: Array, bits: Array, bucket: int, norm: int, clip: float, kind: int, width: int, steps: int, levels: Array,
    gaps: Array, start: Any, strides: Array, words: Array, draws: Array, halves: Array, room: Array, room_bits: Array,
    sums: Array, symbols: Array, norms: Array, out: Array, packed: bool,
) -> int:  # fmt: skip
    """Norms and symbols of all buckets. Returns how many symbols wait at the start of `symbols`.

    words: uint64 words of all pieces, or none where they follow from start (the key and worker); strides: the
    multiples of GAMMA within a piece, because multiplying 64 bits is slow. draws: scratch for
    those of a piece, halves: the same memory as uint32; room, room_bits: the same memory as float32 and uint32, zeros,
    for a piece. packed: whole blocks of 512 symbols go to out; if not, every symbol stays in `symbols`.
    """
    piece, ahead = 4 * draws.size, max(bucket, AHEAD)
    fill = at = number = 0
    for place in range(norms.size):
        begin = place * bucket
        end = min(x.size, begin + bucket)
        size = norm_of(x[begin:end], bits[begin:end], norm, clip, sums)
        norms[place] = size
        if size == f32(0):
            number += (bucket + piece - 1) // piece
            continue
        factor = f32(1)
        if size < f32(2.0**-60):
            factor = f32(2.0**64)
        elif size > f32(2.0**60):
            factor = f32(2.0**-64)
        for here in range(begin, begin + bucket, piece):
            first = u64(number * draws.size)
            number += 1
            count = min(end - here, piece)
            if count <= 0:
                continue
            if words.size:
                for j in range(draws.size):
                    draws[j] = words[i64(first) + j]
            else:
                base = start + first * GAMMA
                for j in range(draws.size):
                    draws[j] = mix(base + strides[j])
            for line in range(0, piece, 16):
                fetch_soon(bits, i64(here + ahead + line))  # the next bucket, for its norm
            some = bits[here : here + count]
            if count < piece or factor != f32(1):
                for j in range(count):
                    room[j] = x[here + j] * factor
                for j in range(count, piece):
                    room[j] = f32(0)
                some = room_bits
            round_piece(some, halves, kind, width, steps, size * factor, levels, gaps, symbols[fill : fill + piece])
            fill += count
            if packed and fill >= 512:
                pack_block(symbols[:512], width, out[at : at + 64 * width])
                at += 64 * width
                fill -= 512
                for j in range(fill):
                    symbols[j] = symbols[512 + j]
    return fill


# ---- and back


@inline
def _unit(norm: Any, steps: int) -> Any:
    """norm / steps, so that steps of them are a finite number."""
    unit = norm / f32(steps)
    if unit * f32(steps) > f32(3.4028234663852886e38):
        unit = float_of(sub(bits_of(unit), u32(1)))
    return unit


@inline
def _signed(value: Any, symbol: Any, sign: Any) -> Any:
    return float_of(differ(bits_of(value), up(down(symbol, sub(u32(31), sign)), u32(31))))


@kernel
def values_of(symbols: Array, kind: int, width: int, steps: int, norm: Any, levels: Array, out: Array) -> None:
    """What the symbols of a piece of a bucket mean, float32."""
    sign, mask = u32(32 - width), u32((1 << (width - 1)) - 1)
    if kind == UNIFORM:
        unit = _unit(norm, steps)
        for j in range(out.size):
            symbol = u32(symbols[j])
            out[j] = _signed(as_float(both(symbol, mask)) * unit, symbol, sign)
    elif kind == OFFSET:
        unit = _unit(norm, steps)
        for j in range(out.size):
            symbol = u32(symbols[j])
            out[j] = _signed(as_float(either(up(both(symbol, mask), u32(1)), u32(1))) * unit, symbol, sign)
    elif kind <= POWERS_OFF:
        base = u32(126 - steps + (kind == POWERS_OFF))
        zero = u32(0) if kind == POWERS else u32(255)  # the index that means 0, if any
        for j in range(out.size):
            symbol = u32(symbols[j])
            index = both(symbol, mask)
            power = up(add(index, base), u32(23))
            power = power if index != zero else u32(0)
            out[j] = _signed(float_of(power) * norm, symbol, sign)
    else:
        for j in range(out.size):
            symbol = u32(symbols[j])
            out[j] = _signed(levels[both(symbol, mask)] * norm, symbol, sign)


@kernel
def decode(
    data: Array, blocks: int, tail: Array, norms: Array, bucket: int, kind: int, width: int, steps: int,
    levels: Array, symbols: Array, values: Array, scale: Any, adding: bool, out: Array,
) -> None:  # fmt: skip
    """out = the vector, or out += scale * the vector.

    data: `blocks` packed blocks; tail: symbols behind them. symbols, values: scratch for 512.
    """
    at = 512
    block = 0
    for place in range(norms.size):
        begin = place * bucket
        end = min(out.size, begin + bucket)
        if norms[place] == f32(0):
            if not adding:
                for j in range(begin, end):
                    out[j] = f32(0)
            continue
        while begin < end:
            if at == 512:
                at = 0
                if block < blocks:
                    unpack_block(data[64 * width * block : 64 * width * (block + 1)], width, symbols)
                else:
                    for j in range(tail.size):
                        symbols[j] = tail[j]
                block += 1
            count = min(end - begin, 512 - at)
            for line in range(0, count, 16):
                fetch_soon(out, i64(begin + AHEAD + line))
            some, target = symbols[at : at + count], out[begin : begin + count]
            if adding:
                values_of(some, kind, width, steps, norms[place], levels, values[:count])
                for j in range(count):
                    target[j] += scale * values[j]
            else:
                values_of(some, kind, width, steps, norms[place], levels, target)
            at += count
            begin += count
