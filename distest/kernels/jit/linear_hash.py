"""numba loops of `distest.kernels.linear_hash`."""

from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, parity, u8, u32, u64
from distest.kernels.jit.below import below

Array = Any


@kernel
def field_rows(words: Array, t: int, tail: int, rows: Array) -> None:
    """rows[j, i] = alpha^j a_i with a_i = 1 + floor(words[i] (2^t - 1) / 2^64)."""
    most = u64((1 << t) - 1)
    top, low = u32(t - 1), u32(tail)
    mask = u32(most)
    for i in range(words.size):
        a = u32(below(words[i], most)) + u32(1)
        rows[0, i] = a
        for j in range(1, rows.shape[0]):
            a = u32((a << u32(1)) & mask) ^ u32(low * (a >> top))
            rows[j, i] = a


@inline
def next_independent(word: Any, t: Any, pieces: Any, found: Any, i: Any, reduced: Array, rows: Array) -> Any:
    """Take rows for server i from the pieces of a word; returns how many it has then."""
    for _ in range(pieces):
        piece = u32(word >> u64(64 - t))
        word <<= u64(t)
        rest = piece
        for j in range(found):
            rest = min(rest, rest ^ reduced[j, 0])  # clears the leading bit of reduced[j]
        if rest != 0 and found < rows.shape[0]:
            reduced[found, 0] = rest
            rows[found, i] = piece
            found += 1
    return found


@kernel
def full_rank_rows(words: Array, t: int, reduced: Array, rows: Array, left: Array) -> int:
    """rows[:, i] = the first independent vectors among the t-bit pieces of words[i], from the top.

    Servers whose words do not hold enough of them are put into `left`; returns how many they are. `reduced` is
    scratch, uint32, one line a row. Most servers can keep their first pieces: whether they are independent is found
    out for a line of servers at once, and only the others are looked at one by one.
    """
    bits, span = reduced.shape
    pieces = 64 // t
    mask = u64((1 << t) - 1)
    short = 0
    for start in range(0, words.shape[0], span):
        size = min(span, words.shape[0] - start)
        for j in range(bits):
            k = j // pieces
            down = u64(64 - t * (j % pieces + 1))
            for i in range(size):
                piece = u32((words[start + i, k] >> down) & mask)
                rows[j, start + i] = piece
                reduced[j, i] = piece
            for before in range(j):
                for i in range(size):
                    rest = reduced[j, i]
                    reduced[j, i] = min(rest, rest ^ reduced[before, i])
        bad = 0
        for i in range(size):
            lowest = reduced[0, i]
            for j in range(1, bits):
                lowest = min(lowest, reduced[j, i])
            left[short + bad] = start + i
            bad += i64(lowest == 0)
        kept = short
        for place in range(short, short + bad):
            i = left[place]
            found = 0
            for k in range(words.shape[1]):
                found = next_independent(words[i, k], t, pieces, found, i, reduced, rows)
            if found < bits:
                left[kept] = i
                kept += 1
        short = kept
    return short


@kernel
def encode(samples: Array, rows: Array, out: Array) -> None:
    """Bit j of out[i] = parity of rows[j, i] & samples[i]."""
    out[:] = u8(0)
    for j in range(rows.shape[0]):
        for i in range(out.size):
            out[i] |= u8(parity(u64(rows[j, i] & u32(samples[i]))) << u64(j))


@kernel
def accumulate(codes: Array, rows: Array, steps: Array, sums: Array) -> None:
    """sums[v] += (-1)^(u . codes[i]) for every u != 0, where v is the sum of the rows that u names.

    steps[k] is the row that comes in or goes out at step k of a Gray code, so each v costs one exclusive or.
    """
    for i in range(codes.size):
        code = u64(codes[i])
        v = u32(0)
        minus = u64(0)
        for k in range(steps.size):
            j = steps[k]
            v ^= rows[j, i]
            minus ^= code >> u64(j)
            sums[i64(v)] += i64(1) - i64((minus & u64(1)) << u64(1))


@kernel
def hadamard(values: Array) -> None:
    """Walsh-Hadamard transform of int64 values, in place; the size is a power of two."""
    half = 1
    while half < values.size:
        for start in range(0, values.size, 2 * half):
            for i in range(start, start + half):
                a, b = values[i], values[i + half]
                values[i], values[i + half] = a + b, a - b
        half *= 2
