"""Arithmetic coding of how often each symbol occurs in a row of samples, in integers alone: bit-exact everywhere.

The domain is halved, and halved again: of R samples in a part of k symbols, x lie in its first half. Parts without a
sample are skipped, so a row of s samples takes O(s log n) steps. Laws of x given R and the halves a + c = k:

- BINOMIAL: Bin(R, a/k), the law of the counts where samples are uniform.
- MULTISET: weights C(x+a-1, x) C(R-x+c-1, R-x), the law of the counts where all multisets are equally likely.

For R = 1 both say that each of the k symbols is as likely as the others, and its place ends the part in one step.
Otherwise weights are walked from the mode outwards by the ratios of neighbours, in fixed point: 2^62 at the mode,
rounded down at each step; a weight w has the frequency (w >> shift) + 1, and what lies beyond the walk has 1. So no
outcome is impossible and no table is kept but the totals of small R (`CAP`).

The coder: a message is a number in [low, low + range) / 2^(at + 63), with 2^62 < range <= 2^63 after each step. It
ends with the shortest bits that keep it there whatever follows, at, at + 1 or at + 2 of them; the reader knows the
same interval once it has decoded the row, so it knows where the message ended, and refuses other bits.

Source: Rissanen, "Generalized Kraft inequality and arithmetic coding" (1976); Moffat, Neal, Witten, "Arithmetic coding
revisited" (1998); lengths: docs/bounds.md, Proposition P5.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.bitpack import SPARE, Bytes, room
from distest.kernels.prefix import ENDED, INVALID

BINOMIAL, MULTISET = 0, 1
CAP = 4095  # totals of up to this many samples are kept
FULL = 44  # the frequencies of a table add up to at most 2^44 and its number of outcomes
MOST = 1 << 24  # samples of a row
STEP_BITS = 46  # no outcome takes as much
PYTHON = 64  # a sample in the Python loop costs about as much as this many items of a numpy pass
_TOP, _UNIT = 62, 1 << 63
Ints = NDArray[np.int64]
Span = tuple[int, int, int, int]


def encode(rows: Ints, n: int, law: int) -> tuple[Bytes, int, Ints]:
    """Messages of rows int64 (m, s), each sorted, symbols 0..n-1: bytes with SPARE, bits in all, bits of each (m,)."""
    if worth_compiling(PYTHON * rows.size):
        return _encode(np.ascontiguousarray(rows), n, law)
    whole, lengths = 0, np.zeros(len(rows), np.int64)
    for i, row in enumerate(rows.tolist()):
        code, length = _message(row, n, law)
        whole, lengths[i] = whole << length | code, length
    n_bits = int(lengths.sum())
    data = room(n_bits)
    data[: data.size - SPARE] = np.frombuffer((whole << -n_bits % 8).to_bytes((n_bits + 7) // 8, "big"), np.uint8)
    return data, n_bits, lengths


def decode(data: Bytes, at: int, limit: int, m: int, s: int, n: int, law: int) -> tuple[Ints, Ints, int]:
    """Sorted rows int64 (m, s), bits of each (m,), and a status, 0 or ENDED or INVALID: then rows before the bad one.

    Reads from bit `at` on and nothing that changes with bits from `limit` on.
    """
    rows, lengths = np.zeros((m, s), np.int64), np.zeros(m, np.int64)
    if worth_compiling(PYTHON * m * s):
        twin = jitted("arithmetic")
        done = twin.decode(data, at, limit, n, law, _spans(n, s), np.zeros((64, 4), np.int64), rows, lengths)
        good, bad = divmod(-1 - done, 2)
        return (rows, lengths, 0) if done == 0 else (rows[:good], lengths[:good], INVALID if bad else ENDED)
    raw = data.tobytes()
    for i in range(m):
        row, length = _decoded(raw, at, limit, s, n, law)
        if length < 0:
            return rows[:i], lengths[:i], length
        rows[i], lengths[i], at = row, length, at + length
    return rows, lengths, 0


def _encode(rows: Ints, n: int, law: int) -> tuple[Bytes, int, Ints]:
    m, s = rows.shape
    steps = min(n - 1, s * max(1, (n - 1).bit_length()))
    longest = STEP_BITS * steps + 192
    words, lengths = np.zeros((longest + 4 * m * s) // 64 + 2, np.uint64), np.zeros(m, np.int64)
    spans, stack, row, at = _spans(n, s), np.zeros((64, 5), np.int64), 0, 0
    while True:
        row, at = jitted("arithmetic").encode(rows, n, law, longest, spans, stack, words, row, at, lengths)
        if row == m:
            break
        words = np.concatenate((words, np.zeros(words.size + longest // 64, np.uint64)))
    out = room(at)
    used = words[: (at + 63) // 64].byteswap().view(np.uint8)
    out[: out.size - SPARE] = used[: out.size - SPARE]
    return out, at, lengths


def _spans(n: int, s: int) -> Ints:
    """Empty places for the totals of each kind of part and each R up to CAP; R = 0 is for larger ones."""
    return np.zeros((2 * (n - 1).bit_length() + 2, min(s, CAP) + 1, 4), np.int64)


# ---- the same in Python, for small inputs


def _message(row: list[int], n: int, law: int) -> tuple[int, int]:
    """The code word of a sorted row as a number, and its length."""
    low, span, at = 0, _UNIT, 0
    parts = [(0, n, 0, len(row))]
    while parts:
        first, k, begin, end = parts.pop()
        count = end - begin
        if count == 0 or k == 1:
            continue
        if count == 1:
            below, frequency, total = row[begin] - first, 1, k
        else:
            a = (k + 1) // 2
            middle = begin
            while middle < end and row[middle] < first + a:
                middle += 1
            below, frequency, total = _place(middle - begin, count, a, k - a, law)
            parts += [(first + a, k - a, middle, end), (first, a, begin, middle)]
        each = span // total
        span = each * frequency
        shift = 63 - (span - 1).bit_length()
        low, span, at = (low + each * below) << shift, span << shift, at + shift
    more, up = _ending(low, span)
    return (low + up) >> (63 - more), at + more


def _decoded(raw: bytes, start: int, limit: int, s: int, n: int, law: int) -> tuple[list[int], int]:
    """The sorted row whose code word starts at a bit, and its length; or a status below 0 in its place."""
    row: list[int] = []
    value, span, at = _bits(raw, start, 63), _UNIT, start
    parts = [(0, n, s)]
    while parts:
        first, k, count = parts.pop()
        if count == 0 or k == 1:
            row += [first] * count
            continue
        a = (k + 1) // 2
        total = k if count == 1 else _span(count, a, k - a, law)[1]
        each = span // total
        target = value // each
        if target >= total:
            return row, INVALID
        if count == 1:
            below, frequency = target, 1
            row.append(first + target)
        else:
            x, below, frequency = _found(target, count, a, k - a, law)
            parts += [(first + a, k - a, count - x), (first, a, x)]
        value, span = value - each * below, each * frequency
        shift = 63 - (span - 1).bit_length()
        value, span = value << shift | _bits(raw, at + 63, shift), span << shift
        at += shift
        if at > limit:
            return row, ENDED
    more, up = _ending(_bits(raw, at, 63) - value, span)
    if at + more > limit:
        return row, ENDED
    return row, at + more - start if up <= value < up + (_UNIT >> more) else INVALID


def _bits(raw: bytes, at: int, width: int) -> int:
    """`width` bits from bit `at` on, zeros behind the end."""
    piece = raw[at >> 3 : (at + width + 7) >> 3]
    missing = 8 * ((at + width + 7) // 8 - (at >> 3) - len(piece))
    return int.from_bytes(piece, "big") << missing >> (-(at + width) % 8) & ((1 << width) - 1)


def _ending(low: int, span: int) -> tuple[int, int]:
    """The fewest bits more, 0 to 2, that stay in [low, low + span) whatever follows, and how far up they lie."""
    for more in (0, 1, 2):
        unit = _UNIT >> more
        up = -low % unit
        if up + unit <= span:
            return more, up
    raise AssertionError("an interval of more than 2^62 holds a multiple of 2^61 and all that follows it")


def _ratio(x: int, count: int, a: int, c: int, law: int) -> tuple[int, int]:
    """The weight of x + 1 over that of x, as a fraction."""
    if law == BINOMIAL:
        return (count - x) * a, (x + 1) * c
    return (x + a) * (count - x), (x + 1) * (count - x + c - 1)


def _scaled(weight: int, numerator: int, denominator: int) -> int:
    """weight * numerator / denominator, at most 1, in 32 fractional bits, rounded down."""
    shift = max(0, denominator.bit_length() - 31)
    ratio = ((numerator >> shift) << 32) // (denominator >> shift)
    return ((weight >> 31) * ratio + ((weight & 0x7FFFFFFF) * ratio >> 31)) >> 1


def _mode(count: int, a: int, c: int, law: int) -> int:
    if law == BINOMIAL:
        return (count + 1) * a // (a + c)
    return 0 if a == 1 else max(0, -((c - 1 - (a - 1) * count) // (a + c - 2)))


@lru_cache(maxsize=1 << 16)
def _span(count: int, a: int, c: int, law: int) -> Span:
    """Frequencies from the mode up, all of them, and the first and last x of the walk."""
    shift = _TOP - FULL + count.bit_length()
    mode = _mode(count, a, c, law)
    up, high, weight = (1 << _TOP >> shift) + 1, mode, 1 << _TOP
    while high < count:
        weight = _scaled(weight, *_ratio(high, count, a, c, law))
        if not weight >> shift:
            break
        up, high = up + (weight >> shift) + 1, high + 1
    total, low, weight = up, mode, 1 << _TOP
    while low > 0:
        weight = _scaled(weight, *_ratio(low - 1, count, a, c, law)[::-1])
        if not weight >> shift:
            break
        total, low = total + (weight >> shift) + 1, low - 1
    return up, total + count - (high - low), low, high


def _place(x: int, count: int, a: int, c: int, law: int) -> tuple[int, int, int]:
    """Frequencies below x, its own, and all of them, in the order: mode and up, down from the mode, then the rest."""
    up, total, low, high = _span(count, a, c, law)
    if not low <= x <= high:
        walked = total - (count - (high - low))
        return walked + (x if x < low else x - (high - low + 1)), 1, total
    shift = _TOP - FULL + count.bit_length()
    here, weight = _mode(count, a, c, law), 1 << _TOP
    below = 0 if x >= here else up
    while here < x:
        below += (weight >> shift) + 1
        weight = _scaled(weight, *_ratio(here, count, a, c, law))
        here += 1
    while here > x:
        weight = _scaled(weight, *_ratio(here - 1, count, a, c, law)[::-1])
        here -= 1
        below += ((weight >> shift) + 1) * (here > x)
    return below, (weight >> shift) + 1, total


def _found(target: int, count: int, a: int, c: int, law: int) -> tuple[int, int, int]:
    """The x whose frequencies hold the target, those below it, and its own."""
    up, total, low, high = _span(count, a, c, law)
    walked = total - (count - (high - low))
    if target >= walked:
        rest = target - walked
        return (rest if rest < low else rest + (high - low + 1)), target, 1
    shift = _TOP - FULL + count.bit_length()
    here, weight, below = _mode(count, a, c, law), 1 << _TOP, 0
    if target < up:
        while target >= below + (weight >> shift) + 1:
            below += (weight >> shift) + 1
            weight = _scaled(weight, *_ratio(here, count, a, c, law))
            here += 1
        return here, below, (weight >> shift) + 1
    below = up
    while True:
        weight = _scaled(weight, *_ratio(here - 1, count, a, c, law)[::-1])
        here -= 1
        if target < below + (weight >> shift) + 1:
            return here, below, (weight >> shift) + 1
        below += (weight >> shift) + 1
