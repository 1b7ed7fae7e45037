"""numba loops of `distest.kernels.quantise`: norms, stochastic rounding and packing in one pass over a bucket."""

from math import sqrt
from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, u32, u64
from distest.kernels.jit._lanes import (
    GROUP,
    LANES,
    both,
    f32,
    f64,
    fetch_soon,
    float_of,
    highest,
    load,
    most,
    squares_into,
    sum_of_squares,
)
from distest.kernels.jit.planes import pack_block, pack_tail, unpack_block, unpack_tail
from distest.kernels.jit.rounding import (
    MAGNITUDE,
    OFFSET,
    TABLE,
    round_apart,
    round_piece,
    values_apart,
    values_of,
)
from distest.kernels.jit.splitmix import GAMMA, mix

Array = Any
MAX, L2, CLIPPED, GIVEN = 0, 1, 2, 3
GREATEST, LEAST = 3.4028234663852886e38, 1.401298464324817e-45  # float32, above 0
AHEAD = (
    4096  # least number of coordinates between what is worked on and what is fetched: 1024 is too few beyond the cache
)


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
def folded(sums: Array) -> Any:
    """LANES interleaved sums as one: lane j + 16 is added to lane j, and so on with half as many."""
    span = LANES
    while span > 1:
        span //= 2
        for j in range(span):
            sums[j] += sums[j + span]
    return sums[0]


@inline
def _square_sum(x: Array, sums: Array) -> Any:
    groups = x.size // LANES
    squares_into(x, i64(groups), sums)
    for j in range(x.size - groups * LANES):
        here = f64(x[groups * LANES + j])
        sums[j] += here * here
    return folded(sums)


@inline
def _length(square: Any) -> Any:
    """The root of a sum of squares as a float32 that is finite, and 0 only where that is 0."""
    return f32(max(min(sqrt(square), f64(GREATEST)), f64(LEAST) if square > 0 else f64(0)))


@inline
def norm_of(x: Array, bits: Array, norm: int, clip: float, sums: Array) -> Any:
    """The norm of a bucket, float32: MAX, L2, the greatest but at most clip root mean squares (CLIPPED), or clip."""
    if norm == GIVEN:
        return f32(clip)
    if norm == MAX:
        return _greatest(bits)
    square = _square_sum(x, sums)
    if norm == L2:
        return _length(square)
    found = min(clip * sqrt(square / x.size), f64(_greatest(bits)))
    return f32(max(found, f64(LEAST) if square > 0 else f64(0)))


# ---- a whole vector


@inline
def norm_of_blocks(x: Array, bits: Array, begin: int, bucket: int, norm: int) -> Any:
    """The norm, MAX or L2, of a bucket of whole blocks."""
    if norm == MAX:
        tops = both(load(bits, begin), MAGNITUDE)
        for block in range(begin, begin + bucket, 512):
            for j in range(0, 512, GROUP):
                tops = most(tops, both(load(bits, block + j), MAGNITUDE))
        return float_of(highest(tops))
    return _length(sum_of_squares(x, begin, bucket // LANES))


@inline
def ordinary(size: Any) -> Any:
    """Whether a norm can be divided by as it is."""
    return size >= f32(2.0**-60) and size <= f32(2.0**60)


@inline
def rounded(
    bits: Array, here: int, base: Any, kind: int, width: int, steps: int, size: Any, levels: Array, strides: Array,
    draws: Array, halves: Array, symbols: Array, out: Array, at: int,
) -> None:  # fmt: skip
    """A block of 512 coordinates, from bits[here] on, to out[at] on, rounded by the words from `base` on."""
    within, nibbles = width < 8 or kind > OFFSET, width == 4
    for j in range(128):
        draws[j] = mix(base + strides[j])
    target, to = (out, at) if nibbles else (symbols, 0)
    round_piece(bits, here, halves, 256, kind, width, steps, size, within, levels, levels, nibbles, target, to)
    if not nibbles:
        pack_block(symbols[:512], width, out[at : at + 64 * width])


@kernel
def encode_blocks(
    x: Array, bits: Array, bucket: int, norm: int, kind: int, width: int, steps: int, levels: Array, start: Any,
    strides: Array, draws: Array, halves: Array, symbols: Array, norms: Array, out: Array,
) -> Any:  # fmt: skip
    """As `encode_apart` for buckets that are whole blocks of 512, up to one whose norm is out of the ordinary.

    Returns how many buckets are done, and how many bytes of out. norm: MAX or L2; kind: none with a table. Most vectors
    are nothing else, and all lengths in here are known when the machine code is made.
    """
    at = 0
    for place in range(norms.size):
        begin = place * bucket
        if begin + bucket > x.size:
            return place, at
        size = norm_of_blocks(x, bits, begin, bucket, norm)
        norms[place] = size
        if size == f32(0):
            continue
        if not ordinary(size):
            return place, at
        for here in range(begin, begin + bucket, 512):
            for line in range(0, 512, 16):
                fetch_soon(bits, i64(here + max(bucket, AHEAD) + line))
            base = start + u64(here >> 2) * GAMMA
            rounded(
                bits, here, base, kind, width, steps, size, levels, strides, draws, halves, symbols, out, at
            )  # fmt: skip
            at += 64 * width
    return norms.size, at


@kernel
def encode_apart(
    x: Array, bits: Array, bucket: int, norm: int, clip: float, kind: int, width: int, steps: int, levels: Array,
    gaps: Array, start: Any, strides: Array, words: Array, draws: Array, halves: Array, room: Array, room_bits: Array,
    sums: Array, symbols: Array, norms: Array, out: Array, packed: bool, done: int, at: int,
) -> int:  # fmt: skip
    """Norms and symbols of all buckets but the first `done`. Returns how many symbols wait at the start of `symbols`.

    words: uint64 words of all pieces, or none where they follow from start (the key and worker); strides: the
    multiples of GAMMA within a piece, because multiplying 64 bits is slow. draws: scratch for the words of a piece,
    halves: the same memory as uint32; room, room_bits: the same memory as float32 and uint32, zeros, for a piece;
    both with room for GROUP numbers at least, room and symbols with as many behind. packed: whole blocks of 512
    symbols go to out, from out[at] on; if not, every symbol stays in `symbols`.
    """
    each = strides.size
    piece, half, ahead = 4 * each, 2 * each, max(bucket, AHEAD)
    within = norm <= L2 and (width < 8 or kind > OFFSET)
    fill, number = 0, done * ((bucket + piece - 1) // piece)
    for place in range(done, norms.size):
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
            first = u64(number * each)
            number += 1
            count = min(end - here, piece)
            if count <= 0:
                continue
            if words.size:
                for j in range(each):
                    draws[j] = words[i64(first) + j]
            else:
                base = start + first * GAMMA
                for j in range(each):
                    draws[j] = mix(base + strides[j])
            for line in range(0, piece, 16):
                fetch_soon(bits, i64(here + ahead + line))  # the next bucket, for its norm
            some, source = bits, here
            if count < piece or factor != f32(1) or half < GROUP:
                for j in range(count):
                    room[j] = x[here + j] * factor
                for j in range(count, piece):
                    room[j] = f32(0)
                some, source = room_bits, 0
            round_apart(
                some, source, halves, half, kind, width, steps, size * factor, within, levels, gaps, symbols, fill
            )  # fmt: skip
            fill += count
            if packed and fill >= 512:
                pack_block(symbols[:512], width, out[at : at + 64 * width])
                at += 64 * width
                fill -= 512
                for j in range(fill):
                    symbols[j] = symbols[512 + j]
    return fill


@inline
def _present(norms: Array, bucket: int, d: int) -> int:
    """Coordinates of the buckets whose norm is not 0."""
    count = 0
    for place in range(norms.size):
        count += min(bucket, d - place * bucket) if norms[place] != f32(0) else 0
    return count


@kernel
def encode(
    x: Array, bits: Array, bucket: int, norm: int, clip: float, kind: int, width: int, steps: int, levels: Array,
    gaps: Array, start: Any, strides: Array, words: Array, draws: Array, halves: Array, room: Array, room_bits: Array,
    sums: Array, symbols: Array, norms: Array, out: Array,
) -> int:  # fmt: skip
    """Norms, and all symbols packed in out; returns how many they are. Scratch as in `encode_apart`."""
    place = at = 0
    if words.size == 0 and bucket % 512 == 0 and norm <= L2 and kind < TABLE:
        place, at = encode_blocks(
            x, bits, bucket, norm, kind, width, steps, levels, start, strides, draws, halves, symbols, norms, out
        )  # fmt: skip
    if place == norms.size:
        return at * 8 // width
    waiting = encode_apart(
        x, bits, bucket, norm, clip, kind, width, steps, levels, gaps, start, strides, words, draws, halves, room,
        room_bits, sums, symbols, norms, out, True, place, at,
    )  # fmt: skip
    count = _present(norms, bucket, x.size)
    pack_tail(symbols, waiting, width, out, (count - waiting) * width // 8)
    return count


@kernel
def decode_blocks(
    data: Array, norms: Array, bucket: int, kind: int, width: int, steps: int, levels: Array, symbols: Array,
    scale: Any, adding: bool, share: Any, base: Array, out: Array,
) -> int:  # fmt: skip
    """As `decode_apart` for the buckets that are whole blocks of 512, which norms are those of; all are packed in data.

    Returns how many bytes of data these take.
    """
    at, nibbles = 0, width == 4 and kind < TABLE
    for place in range(norms.size):
        begin = place * bucket
        if norms[place] == f32(0):
            for j in range(begin, begin + bucket):
                out[j] = base[j] * share if adding else f32(0)
            continue
        for here in range(begin, begin + bucket, 512):
            for line in range(0, 512, 16):
                fetch_soon(out, i64(here + AHEAD + line))
                fetch_soon(base, i64(here + AHEAD + line))
            if not nibbles:
                unpack_block(data[at : at + 64 * width], width, symbols)
            some, first = (data, at) if nibbles else (symbols, 0)
            values_of(
                some, first, 512, nibbles, kind, width, steps, norms[place], levels, scale, adding, share, base, here,
                out, here,
            )  # fmt: skip
            at += 64 * width
    return at


@kernel
def decode_apart(
    data: Array, blocks: int, tail: Array, norms: Array, bucket: int, kind: int, width: int, steps: int,
    levels: Array, symbols: Array, values: Array, scale: Any, adding: bool, share: Any, base: Array, out: Array,
) -> None:  # fmt: skip
    """out = the vector, or share * base + scale * the vector; base may be out.

    data: `blocks` packed blocks; tail: symbols behind them. symbols, values: scratch for 512 and GROUP behind them.
    """
    at = 512
    block = 0
    for place in range(norms.size):
        begin = place * bucket
        end = min(out.size, begin + bucket)
        if norms[place] == f32(0):
            for j in range(begin, end):
                out[j] = base[j] * share if adding else f32(0)
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
                fetch_soon(base, i64(begin + AHEAD + line))
            if count % GROUP == 0:
                values_apart(
                    symbols, at, count, kind, width, steps, norms[place], levels, scale, adding, share, base, out, begin
                )  # fmt: skip
            else:
                more = (count + GROUP - 1) // GROUP * GROUP
                values_apart(
                    symbols, at, more, kind, width, steps, norms[place], levels, scale, False, share, values, values, 0
                )  # fmt: skip
                for j in range(count):
                    out[begin + j] = base[begin + j] * share + scale * values[j] if adding else values[j]
            at += count
            begin += count


@kernel
def decode(
    data: Array, norms: Array, bucket: int, kind: int, width: int, steps: int, levels: Array, symbols: Array,
    tail: Array, values: Array, scale: Any, adding: bool, share: Any, base: Array, out: Array,
) -> None:  # fmt: skip
    """`decode_apart`, and before it `decode_blocks` where buckets are whole blocks. tail: scratch for 511 symbols."""
    whole = at = 0
    if bucket % 512 == 0:
        whole = out.size // bucket
        at = decode_blocks(
            data, norms[:whole], bucket, kind, width, steps, levels, symbols, scale, adding, share, base, out
        )  # fmt: skip
    if whole == norms.size:
        return
    done = whole * bucket
    count = _present(norms[whole:], bucket, out.size - done)
    unpack_tail(data, at + count // 512 * 64 * width, width, count % 512, tail)
    decode_apart(
        data[at:], count // 512, tail[: count % 512], norms[whole:], bucket, kind, width, steps, levels, symbols,
        values, scale, adding, share, base[done:], out[done:],
    )  # fmt: skip
