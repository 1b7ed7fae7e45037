"""Arithmetic that stays in its lanes: numba widens what it computes with small integers to 64 bits, these do not.

Both operands have one type, which is the type of the result. Shifts are below the width of the type.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from distest.kernels.jit._jit import intrinsic

LANES = 32  # partial sums of `squares_into`

f32: Any = np.float32  # Any: machine words inside a kernel
f64: Any = np.float64


@intrinsic
def add(typing_context: Any, a: Any, b: Any) -> Any:
    """a + b, modulo the type."""
    return a(a, a), lambda context, builder, signature, args: builder.add(*args)


@intrinsic
def sub(typing_context: Any, a: Any, b: Any) -> Any:
    """a - b, modulo the type."""
    return a(a, a), lambda context, builder, signature, args: builder.sub(*args)


@intrinsic
def both(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in a and in b."""
    return a(a, a), lambda context, builder, signature, args: builder.and_(*args)


@intrinsic
def either(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in a or in b."""
    return a(a, a), lambda context, builder, signature, args: builder.or_(*args)


@intrinsic
def differ(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in one of a and b."""
    return a(a, a), lambda context, builder, signature, args: builder.xor(*args)


@intrinsic
def up(typing_context: Any, a: Any, b: Any) -> Any:
    """a shifted to the left by b."""
    return a(a, a), lambda context, builder, signature, args: builder.shl(*args)


@intrinsic
def down(typing_context: Any, a: Any, b: Any) -> Any:
    """a shifted to the right by b, zeros coming in."""
    return a(a, a), lambda context, builder, signature, args: builder.lshr(*args)


@intrinsic
def whole(typing_context: Any, x: Any) -> Any:
    """A float32 in 0..2^31 without its fraction, uint32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fptosi(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def as_float(typing_context: Any, x: Any) -> Any:
    """A uint32 below 2^31 as the nearest float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(args[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def float_of(typing_context: Any, bits: Any) -> Any:
    """The float32 with these bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """The bits of a float32, uint32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def squares_into(typing_context: Any, x: Any, groups: Any, sums: Any) -> Any:
    """sums[l] = x[l]^2 + x[l + LANES]^2 + ... over `groups` groups of LANES, added in this order in float64.

    x: float32, contiguous. sums: float64 (LANES,). Spelled as vectors, because a compiler may not reorder sums of
    floats and would add them one by one.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0]).data
        target = context.make_array(signature.args[2])(context, builder, args[2]).data
        narrow, wide = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.DoubleType(), LANES)
        total = cgutils.alloca_once(builder, wide)  # type: ignore[no-untyped-call]  # numba has no types here
        builder.store(ir.Constant(wide, [0.0] * LANES), total)
        with cgutils.for_range(builder, args[1]) as loop:
            place = builder.gep(source, [builder.mul(loop.index, ir.Constant(loop.index.type, LANES))])
            some = builder.load(builder.bitcast(place, narrow.as_pointer()))
            some.align = 4
            some = builder.fpext(some, wide)
            builder.store(builder.fadd(builder.load(total), builder.fmul(some, some)), total)
        builder.store(builder.load(total), builder.bitcast(target, wide.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.void(x, types.int64, sums), generate


@intrinsic
def fetch_soon(typing_context: Any, x: Any, at: Any) -> Any:
    """A hint that x[at] will be read; `at` may be beyond the end. x: contiguous."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        builder.call(hint, [builder.bitcast(place, byte), word(0), word(2), word(1)])
        return context.get_dummy_value()

    return types.void(x, types.int64), generate
