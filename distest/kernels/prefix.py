"""Prefix codes: rows of symbols symbol by symbol, and streams of small symbols by tables.

A code of single symbols is described to the loops by a `Column`: a kind, three integers, perhaps tables.
`decode_rows` reads any mixture of columns in one pass. `encode_table` and `decode_table` are the fast road
for long streams of symbols below 256 of one code: several symbols a store, several symbols a look-up, long
words by the slow road.

Source of the tables: Choueka, Klein, Perl, "Efficient variants of Huffman codes in high level languages"
(1985).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.bitpack import SPARE, Bytes, Codes

Ints = NDArray[np.int64]

HIGH = 1 << 62  # the largest symbol of the universal codes
SIGNED_HIGH = 1 << 32  # the largest of the signed one
MOST_ONES = 1 << 20  # a unary run of this many ones is no code word, so no decoder runs on for ever
FIXED, TRUNCATED, GAMMA, DELTA, OMEGA, GOLOMB, HUFFMAN, SIGNED_OMEGA = range(8)
ENDED, INVALID, TAKEN = -1, -2, -3
WINDOW = 14  # bits of a look-up in decode_table: four of them fit in the 57 bits of one load
LOOKUP = 12  # bits of the look-up of a Huffman code
# Offsets in the table of a Huffman code. The shortest length stands where the last word of length 0 would.
STARTS_AT = 66
LOOKUP_AT = STARTS_AT + 65
SYMBOLS_AT = LOOKUP_AT + (1 << LOOKUP)
PYTHON = 32  # a symbol in the Python loop costs about as much as this many in a numpy pass

NO_TABLE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """How the loops read one symbol: kind, its three integers, shortest word in bits, tables int64.

    FIXED: width, domain. TRUNCATED: short width, cutoff. GOLOMB: short width, cutoff, parameter. HUFFMAN:
    tables.
    """

    kind: int
    a: int = 0
    b: int = 0
    c: int = 0
    shortest: int = 1
    table: Ints = field(default_factory=lambda: NO_TABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Tables of one code for symbols below 256, made by `stream`; a width of 0 is no such symbol.

    pairs: both words of any two symbols. taken, found: the words that 2^WINDOW bits start with.
    """

    column: Column
    codes: Codes
    widths: Bytes
    pairs: Codes
    taken: NDArray[np.uint16]
    found: Codes


def phase_in(n: int) -> tuple[int, int]:
    """Short width and cutoff of the truncated binary code of 0..n-1: below the cutoff no further bit."""
    short = n.bit_length() - 1
    return short, (2 << short) - n


def stream(column: Column, codes: Codes, widths: Bytes) -> Stream:
    """Tables of a code from the words of symbols 0..255: uint64 (256,), and uint8 (256,) bits, 64 at most."""
    pairs = np.empty(1 << 16, np.uint64)
    taken = np.empty(1 << WINDOW, np.uint16)
    found = np.empty(1 << WINDOW, np.uint64)
    loops = jitted("streams")
    loops.build_pairs(codes, widths, pairs)
    loops.build_windows(codes, widths, np.empty(1 << WINDOW, np.uint16), taken, found)
    return Stream(column, codes, widths, pairs, taken, found)


def encode_table(symbols: Bytes, code: Stream) -> tuple[Bytes, int]:
    """The words of uint8 symbols (N,), end to end: bytes (with SPARE) and the number of bits.

    Every symbol has a word (the caller has looked). The same bits as `bitpack.pack` of words and widths.
    """
    symbols = np.ascontiguousarray(symbols)
    high = int(symbols.max()) if symbols.size else 0
    widest = int(code.widths[: high + 1].max())
    out = np.empty((symbols.size * widest + 7) // 8 + SPARE, np.uint8)
    n_bits = int(jitted("streams").encode_stream(symbols, code.pairs, code.codes, code.widths, out))
    end = (n_bits + 7) // 8 + SPARE
    out[end - SPARE : end] = 0
    return out[:end], n_bits


def decode_table(data: Bytes, at: int, limit: int, count: int, code: Stream) -> tuple[Bytes, int, int]:
    """Up to `count` symbols from bit `at` on, bits from `limit` on unseen: symbols uint8, the bit behind
    them, status.

    Status 0: all of them. ENDED, INVALID: the next one does not decode. TAKEN: the next one is 256 or more.
    """
    out = np.empty(count, np.uint8)
    column = np.array([code.column.kind, code.column.a, code.column.b, code.column.c])
    done, at, status = jitted("streams").decode_stream(
        data, at, limit, column, code.column.table, code.taken, code.found, out
    )
    return out[:done], int(at), int(status)


def decode_rows(
    data: Bytes, at: int, limit: int, m: int, f: int, columns: tuple[Column, ...]
) -> tuple[Ints, Ints, int]:
    """m rows of f symbols from bit `at` on, bits from `limit` on unseen.

    columns: one for all fields, or f. Returns values int64 (m, f), the bits of each row int64 (m,), and
    the status: 0, or ENDED or INVALID, and then the arrays hold only the rows before the one that does not
    decode.
    """
    shortest = m * sum(column.shortest for column in columns) * (f if len(columns) == 1 else 1)
    if shortest > limit - at:  # before memory is asked for
        return np.empty((0, f), np.int64), np.empty(0, np.int64), ENDED
    values, lengths = np.empty((m, f), np.int64), np.empty(m, np.int64)
    if not worth_compiling(PYTHON * values.size):
        done, status = _decode_rows(data, at, limit, columns, values, lengths)
        return values[:done], lengths[:done], status
    plan = np.array([[column.kind, column.a, column.b, column.c] for column in columns], np.int64)
    tables = NO_TABLE
    if any(column.table.size for column in columns):
        sizes = [0, *(column.table.size for column in columns[:-1])]
        plan[:, 1] += np.cumsum(sizes) * (plan[:, 0] == HUFFMAN)
        tables = columns[0].table if len(columns) == 1 else np.concatenate([column.table for column in columns])
    done, status = jitted("prefix").decode_rows(data, at, limit, plan, tables, values, lengths)
    return values[:done], lengths[:done], int(status)


def _decode_rows(
    data: Bytes, at: int, limit: int, columns: tuple[Column, ...], values: Ints, lengths: Ints
) -> tuple[int, int]:
    """decode_rows for few symbols, in Python."""
    peek = _Peek(data, limit)
    m, f = values.shape
    each = columns * f if len(columns) == 1 else columns
    for i in range(m):
        start = at
        for j in range(f):
            x, at = _one(peek, at, each[j])
            if x < 0:
                return i, x
            values[i, j] = x
        lengths[i] = at - start
    return m, 0


class _Peek:
    """Bits at any position, as Python integers."""

    __slots__ = ("_view", "limit")

    def __init__(self, data: Bytes, limit: int):
        self._view, self.limit = np.ascontiguousarray(data).data, limit

    def bits(self, at: int, width: int) -> int:
        last = (at + width + 7) >> 3
        word = int.from_bytes(self._view[at >> 3 : last], "big")
        return (word >> (8 * last - at - width)) & ((1 << width) - 1)

    def ended(self, at: int) -> bool:
        return at > self.limit


def _one(peek: _Peek, at: int, column: Column) -> tuple[int, int]:
    """One symbol and the bit behind it, or ENDED or INVALID: what the kernel of the same name does."""
    if column.kind == GAMMA:
        return _gamma(peek, at)
    if column.kind == DELTA:
        length, at = _gamma(peek, at)
        if length < 0 or length > 63:
            return (length if length < 0 else INVALID), at
        return _tail(peek, at, 1, length - 1)
    if column.kind == OMEGA:
        return _omega(peek, at)
    if column.kind == SIGNED_OMEGA:
        return _signed_omega(peek, at)
    if column.kind == GOLOMB:
        return _golomb(peek, at, column)
    if column.kind == TRUNCATED:
        return _phase_in(peek, at, column.a, column.b)
    if column.kind == HUFFMAN:
        return _huffman(peek, at, column.table)
    if peek.ended(at + column.a):
        return ENDED, at
    x = peek.bits(at, column.a)
    return (x if x < column.b else INVALID), at + column.a


def _tail(peek: _Peek, at: int, head: int, width: int) -> tuple[int, int]:
    """The value whose leading bits are `head` and whose other bits come next."""
    if peek.ended(at + width):
        return ENDED, at
    x = (head << width) | peek.bits(at, width)
    return (x if x <= HIGH else INVALID), at + width


def _gamma(peek: _Peek, at: int) -> tuple[int, int]:
    zeros = 64 - peek.bits(at, 64).bit_length()
    if peek.ended(at + zeros + 1):
        return ENDED, at
    if zeros > 62:
        return INVALID, at
    return _tail(peek, at + zeros + 1, 1, zeros)


def _omega(peek: _Peek, at: int) -> tuple[int, int]:
    x = 1
    while True:
        if peek.ended(at + 1):
            return ENDED, at
        if peek.bits(at, 1) == 0:
            return x, at + 1
        if x > 62:
            return INVALID, at
        x, at = _tail(peek, at, 0, x + 1)
        if x < 0:
            return x, at


def _signed_omega(peek: _Peek, at: int) -> tuple[int, int]:
    x, at = _omega(peek, at)
    if x < 2:
        return (x if x < 0 else 0), at
    if peek.ended(at + 1):
        return ENDED, at
    folded = 2 * x - 3 + peek.bits(at, 1)
    return (folded if folded <= SIGNED_HIGH else INVALID), at + 1


def _golomb(peek: _Peek, at: int, column: Column) -> tuple[int, int]:
    quotient = 0
    while (ones := 57 - (peek.bits(at, 57) ^ ((1 << 57) - 1)).bit_length()) == 57:
        if peek.ended(at + 57):
            return ENDED, at
        quotient, at = quotient + 57, at + 57
        if quotient >= MOST_ONES:
            return INVALID, at
    quotient, at = quotient + ones, at + ones + 1
    if peek.ended(at):
        return ENDED, at
    if quotient >= MOST_ONES:
        return INVALID, at
    r, at = _phase_in(peek, at, column.a, column.b)
    return (r if r < 0 else quotient * column.c + r), at


def _phase_in(peek: _Peek, at: int, short: int, cutoff: int) -> tuple[int, int]:
    if peek.ended(at + short):
        return ENDED, at
    r, at = peek.bits(at, short), at + short
    if r < cutoff:
        return r, at
    if peek.ended(at + 1):
        return ENDED, at
    return 2 * r + peek.bits(at, 1) - cutoff, at + 1


def _huffman(peek: _Peek, at: int, table: Ints) -> tuple[int, int]:
    v = peek.bits(at, 64)
    entry = int(table[LOOKUP_AT + (v >> (64 - LOOKUP))])
    if entry:
        return ENDED if peek.ended(at + (entry & 255)) else entry >> 8, at + (entry & 255)
    longest = int(table[0])
    length = max(int(table[1]), LOOKUP + 1)
    last = table[1:STARTS_AT].view(np.uint64)
    while length <= longest and v > int(last[length]):
        length += 1
    if length > longest:
        return ENDED if peek.ended(at + 1) else INVALID, at
    if peek.ended(at + length):
        return ENDED, at
    index = (int(table[STARTS_AT + length]) + (v >> (64 - length))) & ((1 << 64) - 1)
    return int(table[SYMBOLS_AT + index]), at + length
