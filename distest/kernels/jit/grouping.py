"""numba loops of `distest.kernels.grouping`."""

from typing import Any

from distest.kernels.jit._jit import i32, i64, kernel, load_be, u8

Array = Any


@kernel
def encode(samples: Array, start: int, stride: int, n: int, size: int, out: Array) -> None:
    """out[i] = 1 + position of samples[i] in its group of `size` symbols from start + i * stride on, else 0."""
    at = i32(start)
    for i in range(samples.size):
        d = samples[i] - at
        d += i32(n) * i32(d < 0)
        out[i] = u8((d + i32(1)) * i32(d < i32(size)))
        at += i32(stride)
        at -= i32(n) * i32(at >= i32(n))


@kernel
def count(codes: Array, start: int, stride: int, n: int, tally: Array) -> None:
    """tally[x] += how many codes name symbol x; the mirror of encode. Runs of eight zeros are skipped at once."""
    at = i64(start)
    eight = 8 * stride % n
    i = 0
    while i < codes.size - 8:
        if load_be(codes, i) == 0:
            i += 8
            at += eight
            at -= n * i64(at >= n)
            continue
        for _ in range(8):
            c = i64(codes[i])
            if c > 0:
                x = at + c - 1
                tally[x - n * i64(x >= n)] += 1
            i += 1
            at += stride
            at -= n * i64(at >= n)
    while i < codes.size:
        c = i64(codes[i])
        if c > 0:
            x = at + c - 1
            tally[x - n * i64(x >= n)] += 1
        i += 1
        at += stride
        at -= n * i64(at >= n)
