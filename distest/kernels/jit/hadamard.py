"""numba loops of `distest.kernels.hadamard`."""

from typing import Any

from llvmlite import ir
from numba import types

from distest.kernels.jit._jit import intrinsic, kernel, u32, u64

Array = Any
_LANES = 16
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)


@intrinsic
def butterflies_of_16(typing_context: Any, array: Any, offset: Any) -> Any:
    """The butterflies of half-widths 1, 2, 4, 8 on 16 numbers of a float32 array; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), _VECTOR.as_pointer())
        x = builder.load(place)
        x.align = 4
        for half in (1, 2, 4, 8):
            i32 = ir.VectorType(ir.IntType(32), _LANES)
            low = ir.Constant(i32, [i & ~half for i in range(_LANES)])
            high = ir.Constant(i32, [i | half for i in range(_LANES)])
            a, b = builder.shuffle_vector(x, x, low), builder.shuffle_vector(x, x, high)
            pick = ir.Constant(i32, [i + _LANES * (i & half > 0) for i in range(_LANES)])
            x = builder.shuffle_vector(builder.fadd(a, b), builder.fsub(a, b), pick)
        builder.store(x, place).align = 4
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


@kernel
def transform(x: Array) -> None:
    """Butterflies in place, small half-widths first, two of them in one pass over what fits."""
    n = u64(x.size)
    half = u64(1)
    if n >= u64(16):
        for start in range(u64(0), n, u64(16)):
            butterflies_of_16(x, u64(start))
        half = u64(16)
    while half < n:
        if half >= u64(16) and u64(4) * half <= n:
            for start in range(u64(0), n, u64(4) * half):
                p = x[start : start + half]
                q = x[start + half : start + u64(2) * half]
                r = x[start + u64(2) * half : start + u64(3) * half]
                s = x[start + u64(3) * half : start + u64(4) * half]
                for i in range(p.size):
                    a, b, c, d = p[i], q[i], r[i], s[i]
                    e, f, g, h = a + b, a - b, c + d, c - d
                    p[i], q[i], r[i], s[i] = e + g, f + h, e - g, f - h
            half *= u64(4)
            continue
        for start in range(u64(0), n, u64(2) * half):
            p = x[start : start + half]
            q = x[start + half : start + u64(2) * half]
            for i in range(p.size):
                a, b = p[i], q[i]
                p[i], q[i] = a + b, a - b
        half *= u64(2)


@kernel
def flip(x: Array, words: Array) -> None:
    """The signs of uint32 bit patterns."""
    whole = x.size // 64
    for k in range(whole):
        word = words[k]
        part = x[64 * k : 64 * k + 64]
        for i in range(64):
            part[i] ^= u32(((word << u64(i)) >> u64(63)) << u64(31))
    for i in range(64 * whole, x.size):
        x[i] ^= u32(((words[i // 64] << u64(i % 64)) >> u64(63)) << u64(31))
