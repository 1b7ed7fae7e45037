"""numba loops of `distest.kernels.watched`."""

from typing import Any

from distest.kernels.jit._jit import i32, i64, kernel

Array = Any


@kernel
def encode(
    samples: Array, first: int, stride: int, asked: int, order: Array, table: Array, counts: Array, out: Array
) -> None:
    """out[i, r] = table[question, count] for report first + i * stride + r. counts: room for out.shape[1] numbers."""
    bits = out.shape[1]
    for i in range(out.shape[0]):
        visit = (first + i * stride) // asked
        at = first + i * stride - visit * asked
        if bits == 1:  # a plain comparison runs over many samples at once
            hits = i32(0)
            for j in range(samples.shape[1]):
                hits += i32(samples[i, j] == i32(at))
            out[i, 0] = table[order[visit % order.size], hits]
            continue
        for r in range(bits):
            counts[r] = 0
        for j in range(samples.shape[1]):
            x = i64(samples[i, j])
            d = x - at
            d += asked * i64(d < 0)
            if d < bits and x < asked:
                counts[d] += 1
        for r in range(bits):
            later = i64(at + r >= asked)
            out[i, r] = table[order[(visit + later) % order.size], counts[r]]


@kernel
def count(flags: Array, first: int, stride: int, asked: int, order: Array, tally: Array) -> None:
    """tally[coordinate, question] += flags[i, r] for report first + i * stride + r; the mirror of encode."""
    for i in range(flags.shape[0]):
        visit = (first + i * stride) // asked
        at = first + i * stride - visit * asked
        for r in range(flags.shape[1]):
            later = i64(at + r >= asked)
            tally[at + r - asked * later, order[(visit + later) % order.size]] += i64(flags[i, r])
