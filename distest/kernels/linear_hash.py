"""Loops of the linear hashes: bit j of a hash is the parity of a row, a t-bit vector, and the symbol.

Rows are planar, uint32 (bits, servers). A tally holds, for every character v of GF(2)^t, the sum of the signs
the servers sent for it; one Walsh-Hadamard transform turns it into counts of symbols.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.below import below

Rows = NDArray[np.uint32]
Codes = NDArray[np.uint8]
Ints = NDArray[np.int64]

T_MAX = 31
# For t = 1..31 the least primitive polynomial of degree t over GF(2), without its leading term; bit k is X^k.
TAILS = (
    *(0x1, 0x3, 0x3, 0x3, 0x5, 0x3, 0x3, 0x1D, 0x11, 0x9, 0x5, 0x53, 0x1B, 0x2B, 0x3, 0x2D),
    *(0x9, 0x27, 0x27, 0x9, 0x5, 0x3, 0x21, 0x1B, 0x9, 0x47, 0x27, 0x9, 0x5, 0x53, 0x9),
)


def times_alpha(a: Rows, t: int) -> Rows:
    """alpha * a in GF(2^t), elementwise: shift, and reduce by the polynomial where a bit falls out."""
    out = (a << np.uint32(1)) & np.uint32((1 << t) - 1)
    return out ^ np.uint32(TAILS[t - 1]) * (a >> np.uint32(t - 1))


@lru_cache(maxsize=4)
def powers(t: int) -> Rows:
    """alpha^0 .. alpha^(2^t - 2), uint32 (2^t - 1,): every non-zero vector once. Read-only."""
    out = np.ones((1 << t) - 1, np.uint32)
    done = 1
    while done < out.size:
        more = min(done, out.size - done)
        out[done : done + more] = _product(out[:more], _next_power(int(out[done - 1]), t), t)
        done += more
    out.flags.writeable = False
    return out


def _next_power(a: int, t: int) -> int:
    return int(times_alpha(np.array([a], np.uint32), t)[0])


def _product(a: Rows, c: int, t: int) -> Rows:
    """c * a in GF(2^t), elementwise."""
    out = np.zeros_like(a)
    for j in range(c.bit_length()):
        if c >> j & 1:
            out ^= a
        a = times_alpha(a, t)
    return out


def field_rows(words: NDArray[np.uint64], t: int, bits: int) -> Rows:
    """Rows a, alpha a, alpha^2 a, ... with a = 1 + floor(word (2^t - 1) / 2^64), one word (m,) a server."""
    if worth_compiling(words.size * bits):
        rows = np.empty((bits, words.size), np.uint32)
        jitted("linear_hash").field_rows(np.ascontiguousarray(words), t, TAILS[t - 1], rows)
        return rows
    planes = [below(words, (1 << t) - 1).astype(np.uint32) + np.uint32(1)]
    for _ in range(1, bits):
        planes.append(times_alpha(planes[-1], t))
    return np.stack(planes)


def full_rank_rows(words: NDArray[np.uint64], t: int, bits: int) -> tuple[Rows, Ints]:
    """The first `bits` independent vectors among the t-bit pieces of each server's words (m, w), from the top.

    Each piece that depends on those before it is passed over, so the rows are a uniform full-rank matrix.
    Returns the rows and the servers whose words did not hold enough pieces, whose columns mean nothing.
    """
    m = words.shape[0]
    rows = np.zeros((bits, m), np.uint32)
    if worth_compiling(4 * words.size * (64 // t)):
        left = np.empty(m, np.int64)
        scratch = np.empty((bits, 512), np.uint32)
        loop = jitted("linear_hash").full_rank_rows
        return rows, left[: loop(np.ascontiguousarray(words), t, scratch, rows, left)]
    shifts = np.uint64(64 - t) - np.uint64(t) * np.arange(64 // t, dtype=np.uint64)
    pieces = (words[:, :, None] >> shifts).astype(np.uint32) & np.uint32((1 << t) - 1)
    found = np.zeros(m, np.int64)
    reduced = np.zeros((bits, m), np.uint32)
    everyone = np.arange(m)
    for piece in pieces.reshape(m, -1).T:
        rest = piece.copy()
        for row in reduced:  # rows not found yet are zero and change nothing
            rest = np.minimum(rest, rest ^ row)
        new = everyone[(rest != 0) & (found < bits)]
        reduced[found[new], new] = rest[new]
        rows[found[new], new] = piece[new]
        found[new] += 1
    return rows, np.flatnonzero(found < bits)


def cycle_rows(block: range, t: int, bits: int) -> Rows:
    """Rows of the cycle: row j of server i is alpha^(i mod C + C j) with C = (2^t - 1) / (2^bits - 1).

    `bits` divides t. The columns may run on behind the last server of the block.
    """
    cycle = cycle_length(t, bits)
    table = powers(t)[: bits * cycle].reshape(bits, cycle)
    order = (block.start + block.step * np.arange(cycle)) % cycle
    repeats = -(-len(block) // cycle)
    once = table[:, order if repeats > 1 else order[: len(block)]]
    rows = np.empty((bits, repeats, once.shape[1]), np.uint32)
    rows[:] = once[:, None, :]
    return rows.reshape(bits, -1)


def cycle_length(t: int, bits: int) -> int:
    """Number of subspaces of 2^bits vectors that share nothing but 0 and fill GF(2)^t."""
    return ((1 << t) - 1) // ((1 << bits) - 1)


def encode(samples: NDArray[np.int32], rows: Rows) -> Codes:
    """Hash of each server's sample, uint8 (m,): bit j is the parity of row j and the sample."""
    out = np.zeros(samples.size, np.uint8)
    if worth_compiling(rows.size):
        jitted("linear_hash").encode(np.ascontiguousarray(samples), rows, out)
        return out
    x = samples.astype(np.uint32)
    for j, row in enumerate(rows):
        out |= (np.bitwise_count(row[: x.size] & x) & np.uint8(1)) << np.uint8(j)
    return out


def accumulate(codes: Codes, rows: Rows, sums: Ints) -> None:
    """Add to sums[v], int64 (2^t,), the (-1)^(u . code) of all servers and u != 0 with sum_j u_j row_j = v."""
    bits = len(rows)
    steps = np.array([(k & -k).bit_length() - 1 for k in range(1, 1 << bits)], np.int64)
    if worth_compiling(codes.size * steps.size):
        jitted("linear_hash").accumulate(np.ascontiguousarray(codes), rows, steps, sums)
        return
    v = np.zeros(codes.size, np.uint32)
    sign = np.ones(codes.size, np.int64)
    for j in steps.tolist():
        v ^= rows[j, : codes.size]
        sign *= 1 - 2 * (codes >> np.uint8(j) & np.uint8(1)).astype(np.int64)
        np.add.at(sums, v, sign)


def hadamard(values: Ints) -> Ints:
    """The Walsh-Hadamard transform sum_v values[v] (-1)^(v . x), int64 (2^t,); exact while sums fit in 63 bits."""
    out = np.array(values, np.int64)
    if worth_compiling(out.size):
        jitted("linear_hash").hadamard(out)
        return out
    half = 1
    while half < out.size:
        pairs = out.reshape(-1, 2, half)
        pairs[:] = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1)
        half *= 2
    return out
