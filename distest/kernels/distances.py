"""Loops of buckets one by one, by distances between coordinates off 0: as `sgd/sparse.py` says.

The bits of a bucket: its mode, 2 of them, in the code SHORTEST alone; its norm, float32; for RICE a parameter, 5; in
Elias omega how many coordinates are told, plus 1; for each the distance from the one before, then the sign and the
index of the level. Where a norm is 0 nothing follows.

The numpy path builds every word of every mode and takes the shortest list; the kernels add up lengths from tables.
"""

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.kernels import bitpack, prefix, quantise
from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.bitpack import Bytes, Codes
from distest.kernels.quantise import Floats, Levels

ZERO, FIXED, ELIAS, RICE = range(4)
SHORTEST = 4  # a code: the shortest of the four modes, each bucket in its own
MODE_BITS, NORM_BITS, PARAMETER_BITS = 2, 32, 5
INFINITE = 0x7F800000  # the least pattern that is no norm
LONGEST = 31  # ones of a Rice word: what is further takes a larger parameter, so that a word has at most 64 bits
TRIED = (-2, -1, 0, 1)  # parameters, beside the digits of the mean distance

# what may be wrong with bits
(MODE_ENDS, NORM_ENDS, BAD_NORM, ZERO_TOLD, FIXED_ENDS, PARAMETER_ENDS, BAD_COUNT, BAD_WORD, BEYOND) = range(1, 10)

NEAR = 1 << 10  # distances whose omega words are in a table
WINDOW = 13  # bits of a look-up: four of them fit in the 57 bits of one load
ROWS = WINDOW - 1  # look-ups: omega, then Rice with the parameters below ROWS - 2; the last has no word
PYTHON = 32  # a coordinate in the Python loop costs about as much as this many in a numpy pass

_SIGN = prefix.Column(prefix.FIXED, 1, 2, shortest=1)
_COUNT = (prefix.Column(prefix.OMEGA),)
_Word = tuple[int, int]


def encode(norms: Floats, symbols: Bytes, d: int, bucket: int, levels: Levels, code: int) -> tuple[Bytes, int]:
    """The bits of d coordinates in buckets, with bitpack.SPARE behind, and how many.

    norms: one a bucket, 0 or above. symbols: of the buckets whose norm is not 0, end to end, as `quantise` gives them.
    code: ELIAS, RICE or SHORTEST.
    """
    if not worth_compiling(PYTHON * d):
        return _encode(norms.view(np.uint32).tolist(), symbols.tolist(), d, bucket, levels, code)
    out = np.empty(_room(d, bucket, norms.size, levels, code) // 8 + bitpack.SPARE, np.uint8)
    low = np.uint8((1 << (levels.width - 1)) - 1 if levels.zero else 0)
    told, gaps = np.empty(bucket, np.uint8), np.empty(bucket, np.uint32)
    n_bits = int(
        jitted("distances").encode(
            norms.view(np.uint32), symbols, d, bucket, levels.width, low, code, _near(), _words(levels), told, gaps, out
        )
    )
    end = (n_bits + 7) // 8 + bitpack.SPARE
    out[end - bitpack.SPARE : end] = 0
    return out[:end], n_bits


def decode(
    data: Bytes, at: int, limit: int, bucket: int, levels: Levels, code: int, out: Floats, scale: float | None
) -> tuple[int, int, int, int]:
    """out = the vector whose bits begin at `at`, or, with a scale, out += scale * the vector.

    data: with bitpack.SPARE behind; bits from `limit` on are not seen. Returns the bit behind the vector, 0 or what is
    wrong, and then the bucket where: those before it are in `out` already; and how many of the bits are values, signs
    and levels.
    """
    if not worth_compiling(PYTHON * out.size):
        return _decode(data, at, limit, bucket, levels, code, out, scale)
    every = np.arange(max(1 << levels.width, quantise.GROUP), dtype=np.uint8)
    at, status, place, own = jitted("distances").decode(
        data, at, limit, bucket, levels.width, levels.zero, top(levels), code, _windows(levels), levels.code,
        levels.steps, quantise.tables(levels)[0], every, np.empty(every.size, np.float32),
        np.float32(1 if scale is None else scale), scale is not None, out,
    )  # fmt: skip
    return int(at), int(status), int(place), int(own)


def top(levels: Levels) -> int:
    """The greatest index of a level, 1 for the lowest that is not 0."""
    return levels.magnitudes().size - levels.zero


def omega(n: int) -> _Word:
    """Elias' recursive code of n >= 1: word and bits."""
    code, width = 0, 1
    while n > 1:
        code |= n << width
        width += n.bit_length()
        n = n.bit_length() - 1
    return code, width


def gamma(n: int) -> _Word:
    """Elias gamma of n >= 1."""
    return n, 2 * n.bit_length() - 1


def rice(n: int, b: int) -> _Word:
    """Rice's code of n >= 0 with b low bits."""
    ones = n >> b
    return ((2 << ones) - 2) << b | n & ((1 << b) - 1), ones + 1 + b


def _signed(symbol: int, levels: Levels, word: Callable[[int], _Word]) -> _Word:
    """The sign and the word of the level of a symbol that is told."""
    half = 1 << (levels.width - 1)
    code, width = word((symbol & (half - 1)) + (not levels.zero))
    return code | (symbol >= half) << width, width + 1


# ---- tables of the kernels


@cache
def _near() -> Codes:
    """Omega words of 0 (none) to NEAR - 1, times 64, plus their bits; uint64."""
    return np.array([0, *(code << 6 | width for code, width in map(omega, range(1, NEAR)))], np.uint64)


@lru_cache(maxsize=64)
def _words(levels: Levels) -> Codes:
    """Sign and level of each symbol, in omega and in gamma, times 64, plus bits; uint64 (2, 256)."""
    table = np.zeros((2, 256), np.uint64)
    for row, word in zip(table, (omega, gamma), strict=True):
        for symbol in range(levels.zero, 1 << levels.width):
            if symbol != 1 << (levels.width - 1) or not levels.zero:
                code, width = _signed(symbol, levels, word)
                row[symbol] = code << 6 | width
    return table


@lru_cache(maxsize=16)
def _windows(levels: Levels) -> NDArray[np.uint32]:
    """What the next WINDOW bits say of a coordinate, or 0: 2^20 times the distance, plus 2^12 times the symbol, plus
    2^6 times the bits of sign and level, plus all bits. So the bits of four are added up at once.

    uint32 (ROWS * 2^WINDOW,), row by row: omega, Rice's parameters 0, 1, ..., and one of zeros.
    """
    table = np.zeros((ROWS, 1 << WINDOW), np.uint32)
    half = 1 << (levels.width - 1)
    for row in range(ROWS - 1):
        for symbol in range(2 * half):
            index = (symbol & (half - 1)) + (not levels.zero)
            if not 1 <= index <= top(levels):
                continue
            level, width = _signed(symbol, levels, gamma if row else omega)
            for gap in range(1, 1 << WINDOW):
                distance, more = rice(gap - 1, row - 1) if row else omega(gap)
                if more + width > WINDOW:
                    break
                free = WINDOW - more - width
                first = (distance << width | level) << free
                table[row, first : first + (1 << free)] = gap << 20 | symbol << 12 | width << 6 | more + width
    return table.ravel()


def _room(d: int, bucket: int, buckets: int, levels: Levels, code: int) -> int:
    """Bits that no vector passes.

    SHORTEST takes no more than FIXED. In a bucket of B coordinates of which k are told, distances add up to B at most,
    and the omega word of g has at most 1.5 g bits. Rice words have no more than those of the parameter b tried first,
    at most B + k b; and k b <= B (1 + log2(B / 32)), since 2^b is at most B / (2 k), or B / 16 for the furthest.
    """
    head = MODE_BITS + NORM_BITS + PARAMETER_BITS + 64
    if code == SHORTEST:
        return head * buckets + levels.width * d
    longest = int((_words(levels)[code - ELIAS] & np.uint64(63)).max())
    return head * buckets + (longest + 2 + ((bucket // 32).bit_length() if code == RICE else 0)) * d


# ---- the same without kernels, for small vectors


def _encode(norms: list[int], symbols: list[int], d: int, bucket: int, levels: Levels, code: int) -> tuple[Bytes, int]:
    """norms: their bits."""
    words: list[_Word] = []
    low, at = (1 << (levels.width - 1)) - 1, 0
    for place, norm in enumerate(norms):
        mine = symbols[at : at + (min(bucket, d - place * bucket) if norm else 0)]
        at += len(mine)
        places = [j for j, symbol in enumerate(mine) if symbol & low or not levels.zero]
        gaps = [j - before for j, before in zip(places, [-1, *places], strict=False)]
        told = [mine[j] for j in places]
        count, b = omega(len(told) + 1), _parameter(gaps)
        by_omega, by_gamma = ([_signed(symbol, levels, word) for symbol in told] for word in (omega, gamma))
        elias = [count, *_by_turns([omega(gap) for gap in gaps], by_omega)]
        by_rice = [(b, PARAMETER_BITS), count, *_by_turns([rice(gap - 1, b) for gap in gaps], by_gamma)]
        head = (norm, NORM_BITS)
        if code != SHORTEST:
            words += [head, *((elias if code == ELIAS else by_rice) if norm else [])]
        elif not told:
            words.append((ZERO, MODE_BITS))
        else:
            modes = ((FIXED, [(symbol, levels.width) for symbol in mine]), (ELIAS, elias), (RICE, by_rice))
            mode, shortest = min(modes, key=lambda each: sum(width for _, width in each[1]))
            words += [(mode, MODE_BITS), head, *shortest]
    codes, widths = zip(*words, strict=True) if words else ((), ())
    return bitpack.pack(np.array(codes, np.uint64), np.array(widths, np.uint8))


def _by_turns(first: list[_Word], second: list[_Word]) -> list[_Word]:
    return [word for both in zip(first, second, strict=True) for word in both]


def _parameter(gaps: list[int]) -> int:
    """The Rice parameter of a bucket: the best, the first of equals, of four near log2 of the mean distance less 1."""
    if not gaps:
        return 0
    least = (max(gaps) - 1) // (LONGEST + 1)
    middle = (sum(gaps) // len(gaps) - 1).bit_length()
    tried = [max(middle + step, least.bit_length()) for step in TRIED]
    return min(tried, key=lambda b: sum((gap - 1 >> b) + 1 + b for gap in gaps))


def _decode(
    data: Bytes, at: int, limit: int, bucket: int, levels: Levels, code: int, out: Floats, scale: float | None
) -> tuple[int, int, int, int]:
    if scale is None:
        out[...] = 0
    own = 0
    for place, begin in enumerate(range(0, out.size, bucket)):
        here = out[begin : begin + bucket]
        mode = code
        if code == SHORTEST:
            if at + MODE_BITS > limit:
                return at, MODE_ENDS, place, own
            mode, at = _number(data, at, MODE_BITS)
        if mode == ZERO:
            continue
        if at + NORM_BITS > limit:
            return at, NORM_ENDS, place, own
        pattern, at = _number(data, at, NORM_BITS)
        if pattern >= INFINITE:
            return at, BAD_NORM, place, own
        if pattern == 0:
            if code == SHORTEST:
                return at, ZERO_TOLD, place, own
            continue
        places, symbols, at, status = _told(data, at, limit, mode, here.size, levels)
        if status:
            return at, status, place, own
        word = gamma if mode == RICE else omega
        own += sum(levels.width if mode == FIXED else _signed(x, levels, word)[1] for x in symbols.tolist())
        norm = np.full(symbols.size, np.uint32(pattern)).view(np.float32)
        said = quantise.values(symbols, norm, levels)
        if scale is None:
            here[places] = said
        else:
            here[places] += np.float32(scale) * said
    return at, 0, 0, own


def _told(
    data: Bytes, at: int, limit: int, mode: int, size: int, levels: Levels
) -> tuple[NDArray[np.int64], Bytes, int, int]:
    """Of what is behind the norm of a bucket: places, their symbols, the bit behind it, and 0 or what is wrong."""
    none = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    if mode == FIXED:
        if at + size * levels.width > limit:
            return *none, at, FIXED_ENDS
        found = bitpack.unpack(data, at, levels.width, size).astype(np.uint8)
        return np.arange(size), found, at + size * levels.width, 0
    row = prefix.Column(prefix.OMEGA), _SIGN, prefix.Column(prefix.OMEGA)
    if mode == RICE:
        if at + PARAMETER_BITS > limit:
            return *none, at, PARAMETER_ENDS
        b, at = _number(data, at, PARAMETER_BITS)
        golomb = prefix.Column(prefix.GOLOMB, b, 1 << b, 1 << b, shortest=1 + b)
        row = golomb, _SIGN, prefix.Column(prefix.GAMMA)
    count, lengths, status = prefix.decode_rows(data, at, limit, 1, 1, _COUNT)
    if status or not 1 <= int(count[0, 0]) <= size + 1:
        return *none, at, BAD_COUNT
    at += int(lengths[0])
    rows, lengths, status = prefix.decode_rows(data, at, limit, int(count[0, 0]) - 1, 3, row)
    if status:
        return *none, at, BAD_WORD
    gaps, negative, index = rows.T
    gaps += mode == RICE
    if rows.size and (max(int(gaps.max()), int(gaps.sum())) > size or int(index.max()) > top(levels)):
        return *none, at, BEYOND
    symbols = negative << (levels.width - 1) | index - (not levels.zero)
    return np.cumsum(gaps) - 1, symbols.astype(np.uint8), at + int(lengths.sum()), 0


def _number(data: Bytes, at: int, width: int) -> tuple[int, int]:
    """A number of `width` bits, and the bit behind it."""
    return int(bitpack.unpack(data, at, width, 1)[0]), at + width
