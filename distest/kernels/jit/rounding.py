"""numba loops of `distest.kernels.quantise`: bits of coordinates and random bits to symbols, and symbols to values.

All in vectors of GROUP numbers, the last of which takes up what one before has done already, or what is behind the end.
"""

from typing import Any

from distest.kernels.jit._jit import inline, kernel, u8, u32
from distest.kernels.jit._lanes import (
    GROUP,
    add,
    as_float,
    bits_of,
    both,
    byte,
    differ,
    down,
    either,
    f32,
    float_of,
    least,
    load,
    most,
    pick,
    plus,
    signed,
    store,
    sub,
    times,
    up,
    whole,
    word,
)

Array = Any
UNIFORM, OFFSET, POWERS, POWERS_OFF, TABLE, TABLE_OFF = 0, 1, 2, 3, 4, 5
MAGNITUDE = u32(0x7FFFFFFF)
SIGN = u32(0x80000000)
ONE = u32(0x3F800000)


# ---- stochastic rounding: bits of a coordinate and 16 random bits to a symbol


@inline
def _beside(index: Any, bits: Any, sign: Any) -> Any:
    """A symbol of the index of a level and the sign, which is bit 31 - sign."""
    return byte(either(index, both(down(bits, sign), up(u32(1), sub(u32(31), sign)))))


@inline
def _uniform(bits: Any, chance: Any, scale: Any, top: Any, within: bool, sign: Any) -> Any:
    """within: whether no coordinate comes out above top, the place of the highest level, by more than chances bear."""
    fixed = plus(times(float_of(both(bits, MAGNITUDE)), scale), f32(0.5))
    if not within:
        fixed = least(fixed, top)
    return _beside(down(add(whole(fixed), chance), u32(16)), bits, sign)


@inline
def _offset(bits: Any, chance: Any, scale: Any, top: Any, sign: Any) -> Any:
    exact = plus(plus(times(float_of(bits), scale), top * f32(0.5)), f32(0.5))
    step = down(add(whole(most(least(exact, top), f32(0))), chance), u32(16))
    half = up(u32(1), sub(u32(31), sign))
    return byte(pick(step, half, differ(step, half), sub(sub(up(half, u32(1)), u32(1)), step)))


@inline
def _powers(bits: Any, chance: Any, scale: Any, lift: Any, edge: Any, within: bool, sign: Any) -> Any:
    """chance: 16 bits that stand at 2^7, and 2^6, which rounds what is below. edge: the bits of the lowest level 2^-s.

    lift: 2^(s + 23). Below the lowest level the share of it takes the place of a mantissa.
    """
    share = bits_of(times(float_of(both(bits, MAGNITUDE)), scale))
    if not within:
        share = least(share, ONE)
    near = whole(times(float_of(share), lift))
    passed = pick(share, edge, sub(share, sub(edge, u32(1 << 23))), near)
    return _beside(down(add(passed, chance), u32(23)), bits, sign)


@inline
def _powers_off(bits: Any, chance: Any, scale: Any, lift: Any, edge: Any, within: bool, sign: Any) -> Any:
    """As above; below the lowest level the sign is what chance decides."""
    share = bits_of(times(float_of(both(bits, MAGNITUDE)), scale))
    if not within:
        share = least(share, ONE)
    kept = whole(plus(times(float_of(share), lift * f32(2.0**-8)), f32(0.5)))
    flip = down(sub(add(down(chance, u32(7)), u32(32768)), kept), u32(16))
    index = pick(share, edge, down(add(sub(share, edge), chance), u32(23)), u32(0))
    side = differ(down(bits, u32(31)), pick(share, edge, u32(0), flip))
    return byte(either(index, up(side, sub(u32(31), sign))))


@inline
def _table(bits: Any, chance: Any, scale: Any, levels: Array, gaps: Array, sign: Any, off: bool) -> Any:
    """One coordinate."""
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
def _low(draws: Any) -> Any:
    return both(draws, u32(0xFFFF))


@inline
def _high(draws: Any) -> Any:
    return down(draws, u32(16))


@inline
def _low_higher(draws: Any) -> Any:
    return either(both(up(draws, u32(7)), u32(0x7FFF80)), u32(64))


@inline
def _high_higher(draws: Any) -> Any:
    return either(both(down(draws, u32(9)), u32(0x7FFF80)), u32(64))


@inline
def _keep(first: Any, second: Any, at: int, half: int, nibbles: bool, symbols: Array) -> None:
    if nibbles:
        store(symbols, at, either(up(first, u8(4)), second))
    else:
        store(symbols, at, first)
        store(symbols, half + at, second)


@inline
def round_piece(
    bits: Array, at: int, draws: Array, half: int, kind: int, width: int, steps: int, norm: Any, within: bool,
    levels: Array, gaps: Array, nibbles: bool, symbols: Array, to: int,
) -> None:  # fmt: skip
    """Symbols, from symbols[to] on, of the 2 half coordinates of a piece, from bits[at] on.

    bits, draws: uint32; draw j is for coordinates j and j + half. Where half is below GROUP both have GROUP numbers
    more than that, and in any case symbols may be written up to GROUP - 1 behind the last. within: whether norm is at
    least every magnitude (and, where levels are uniform, width below 8). nibbles: two symbols of 4 bits to a byte, j
    and j + half; never with a table.
    """
    sign, top = u32(32 - width), f32(steps << 16)
    scale = f32(steps << (15 if kind == OFFSET else 16)) / norm if kind <= OFFSET else f32(1) / norm
    edge, lift = u32((127 - steps) << 23), float_of(u32((150 + steps) << 23))
    last = max(half - GROUP, 0)
    if kind == UNIFORM:
        for start in range(0, half, GROUP):
            j = min(start, last)
            some = load(draws, j)
            first = _uniform(load(bits, at + j), _low(some), scale, top, within, sign)
            second = _uniform(load(bits, at + half + j), _high(some), scale, top, within, sign)
            _keep(first, second, to + j, half, nibbles, symbols)
    elif kind == OFFSET:
        for start in range(0, half, GROUP):
            j = min(start, last)
            some = load(draws, j)
            first = _offset(load(bits, at + j), _low(some), scale, top, sign)
            second = _offset(load(bits, at + half + j), _high(some), scale, top, sign)
            _keep(first, second, to + j, half, nibbles, symbols)
    elif kind == POWERS:
        for start in range(0, half, GROUP):
            j = min(start, last)
            some = load(draws, j)
            first = _powers(load(bits, at + j), _low_higher(some), scale, lift, edge, within, sign)
            second = _powers(load(bits, at + half + j), _high_higher(some), scale, lift, edge, within, sign)
            _keep(first, second, to + j, half, nibbles, symbols)
    elif kind == POWERS_OFF:
        for start in range(0, half, GROUP):
            j = min(start, last)
            some = load(draws, j)
            first = _powers_off(load(bits, at + j), _low_higher(some), scale, lift, edge, within, sign)
            second = _powers_off(load(bits, at + half + j), _high_higher(some), scale, lift, edge, within, sign)
            _keep(first, second, to + j, half, nibbles, symbols)
    else:
        off = kind == TABLE_OFF
        for j in range(half):
            one = u8(_table(bits[at + j], _low(draws[j]), scale, levels, gaps, sign, off))
            other = u8(_table(bits[at + half + j], _high(draws[j]), scale, levels, gaps, sign, off))
            symbols[to + j] = one
            symbols[to + half + j] = other


@kernel
def round_apart(
    bits: Array, at: int, draws: Array, half: int, kind: int, width: int, steps: int, norm: Any, within: bool,
    levels: Array, gaps: Array, symbols: Array, to: int,
) -> None:  # fmt: skip
    """`round_piece` as a function of its own, which compiles sooner and takes a little longer to call."""
    round_piece(bits, at, draws, half, kind, width, steps, norm, within, levels, gaps, False, symbols, to)


# ---- and back


@inline
def _unit(norm: Any, steps: int) -> Any:
    """norm / steps, so that steps of them are a finite number."""
    unit = norm / f32(steps)
    if unit * f32(steps) > f32(3.4028234663852886e38):
        unit = float_of(sub(bits_of(unit), u32(1)))
    return unit


@inline
def _some(symbols: Array, first: int, at: int, nibbles: bool) -> Any:
    if not nibbles:
        return load(symbols, first + at)
    if at < 256:
        return down(load(symbols, first + at), u8(4))
    return both(load(symbols, first + at - 256), u8(15))


@inline
def _give(
    value: Any, at: int, scale: Any, adding: bool, share: Any, base: Array, begin: int, out: Array, to: int
) -> None:  # fmt: skip
    if adding:
        store(out, to + at, plus(times(load(base, begin + at), share), times(value, scale)))
    else:
        store(out, to + at, value)


@inline
def values_of(
    symbols: Array, first: int, count: int, nibbles: bool, kind: int, width: int, steps: int, norm: Any, levels: Array,
    scale: Any, adding: bool, share: Any, base: Array, begin: int, out: Array, to: int,
) -> None:  # fmt: skip
    """What `count` symbols mean, from symbols[first] on, to out from out[to] on; or share * base + scale times it, with
    the base from base[begin] on.

    All in one bucket, and a multiple of GROUP of them. nibbles: 512 symbols of 4 bits, two to a byte, j and j + 256;
    never with a table.
    """
    half, left = u8(1 << (width - 1)), u32(32 - width)
    mask = u8((1 << (width - 1)) - 1)
    if kind == UNIFORM:
        unit = _unit(norm, steps)
        for at in range(0, count, GROUP):
            some = _some(symbols, first, at, nibbles)
            level = signed(pick(some, half, sub(half, some), some))
            _give(times(as_float(level), unit), at, scale, adding, share, base, begin, out, to)
    elif kind == OFFSET:
        unit = _unit(norm, steps)
        for at in range(0, count, GROUP):
            some = _some(symbols, first, at, nibbles)
            size = times(as_float(either(up(word(both(some, mask)), u32(1)), u32(1))), unit)
            sign = both(up(word(some), left), SIGN)
            _give(float_of(differ(bits_of(size), sign)), at, scale, adding, share, base, begin, out, to)
    elif kind <= POWERS_OFF:
        bottom = u32(126 - steps + (kind == POWERS_OFF))
        lowest = u32(kind == POWERS)  # index of the lowest level that is not 0
        for at in range(0, count, GROUP):
            some = _some(symbols, first, at, nibbles)
            index = word(both(some, mask))
            power = either(up(add(index, bottom), u32(23)), both(up(word(some), left), SIGN))
            _give(
                times(float_of(pick(index, lowest, power, u32(0))), norm),
                at,
                scale,
                adding,
                share,
                base,
                begin,
                out,
                to,
            )
    else:
        for j in range(count):
            some = symbols[first + j]
            level = levels[both(some, mask)]
            value = (f32(0) - level if some >= half else level) * norm
            out[to + j] = base[begin + j] * share + scale * value if adding else value


@kernel
def values_apart(
    symbols: Array, first: int, count: int, kind: int, width: int, steps: int, norm: Any, levels: Array, scale: Any,
    adding: bool, share: Any, base: Array, out: Array, to: int,
) -> None:  # fmt: skip
    """`values_of` as a function of its own, of symbols of one byte."""
    values_of(symbols, first, count, False, kind, width, steps, norm, levels, scale, adding, share, base, to, out, to)
