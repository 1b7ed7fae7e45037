"""Arithmetic that stays in its lanes: numba widens what it computes with small integers to 64 bits, these do not.

An operand is a number, or a vector of 64 of them: as many as a plane of one bit has bytes in a block, and what one
load of bytes takes. A number next to a vector counts for all 64. Loops of numbers are vectorised by the compiler as
well, but symbols of one byte go through memory there, and stay in registers here. Both operands have one type, which
is the type of the result. Shifts are below the width of the type.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import models, register_model

from distest.kernels.jit._jit import intrinsic

LANES = 32  # partial sums of `squares_into`
GROUP = 64  # numbers of a vector

f32: Any = np.float32  # Any: machine words inside a kernel
f64: Any = np.float64

_FUSED = bool(binding.get_host_cpu_features().get("fma"))


class Vector(types.Type):
    """GROUP numbers of one type, in registers."""

    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(name=f"Vector({element})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """A vector of LLVM."""

    def __init__(self, manager: Any, kind: Any) -> None:
        element = manager.lookup(kind.element).get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, GROUP))  # type: ignore[no-untyped-call]  # numba has no types here


def _wider(a: Any, b: Any) -> Any:
    """The type of what is made of a and b."""
    return b if isinstance(b, Vector) else a


def _like(kind: Any, element: Any) -> Any:
    """The type of as many `element` as `kind` has numbers."""
    return Vector(element) if isinstance(kind, Vector) else element


def _spread(builder: Any, value: Any, to: Any) -> Any:
    """A number as the vector of the LLVM type `to`, if that is one."""
    if value.type == to or not isinstance(to, ir.VectorType):
        return value
    first = builder.insert_element(ir.Constant(to, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), to.count), [0] * to.count))


def _two(operation: Callable[[Any, Any, Any], Any], a: Any, b: Any) -> Any:
    """Signature and code of an operation of a builder on two operands of one type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = context.get_value_type(signature.return_type)
        return operation(builder, *(_spread(builder, each, to) for each in args))

    wide = _wider(a, b)
    element = wide.element if isinstance(wide, Vector) else wide
    return wide(*(each if isinstance(each, Vector) else element for each in (a, b))), generate


def _cast(operation: Callable[[Any, Any, Any], Any], x: Any, element: Any) -> Any:
    """Signature and code of an operation of a builder that makes numbers of another type of each number of x."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return operation(builder, args[0], context.get_value_type(signature.return_type))

    return _like(x, element)(x), generate


@intrinsic
def add(typing_context: Any, a: Any, b: Any) -> Any:
    """a + b of integers, modulo the type."""
    return _two(lambda builder, a, b: builder.add(a, b), a, b)


@intrinsic
def sub(typing_context: Any, a: Any, b: Any) -> Any:
    """a - b of integers, modulo the type."""
    return _two(lambda builder, a, b: builder.sub(a, b), a, b)


@intrinsic
def both(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in a and in b."""
    return _two(lambda builder, a, b: builder.and_(a, b), a, b)


@intrinsic
def either(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in a or in b."""
    return _two(lambda builder, a, b: builder.or_(a, b), a, b)


@intrinsic
def differ(typing_context: Any, a: Any, b: Any) -> Any:
    """Bits set in one of a and b."""
    return _two(lambda builder, a, b: builder.xor(a, b), a, b)


@intrinsic
def up(typing_context: Any, a: Any, b: Any) -> Any:
    """a shifted to the left by b."""
    return _two(lambda builder, a, b: builder.shl(a, b), a, b)


@intrinsic
def down(typing_context: Any, a: Any, b: Any) -> Any:
    """a shifted to the right by b, zeros coming in."""
    return _two(lambda builder, a, b: builder.lshr(a, b), a, b)


@intrinsic
def plus(typing_context: Any, a: Any, b: Any) -> Any:
    """a + b of floats."""
    return _two(lambda builder, a, b: builder.fadd(a, b), a, b)


@intrinsic
def times(typing_context: Any, a: Any, b: Any) -> Any:
    """a * b of floats."""
    return _two(lambda builder, a, b: builder.fmul(a, b), a, b)


def _compared(builder: Any, how: str, a: Any, b: Any) -> Any:
    """Where a is above (or so) b: floats, or integers without a sign."""
    element = a.type.element if isinstance(a.type, ir.VectorType) else a.type
    compare = builder.fcmp_ordered if isinstance(element, ir.FloatType) else builder.icmp_unsigned
    return compare(how, a, b)


@intrinsic
def least(typing_context: Any, a: Any, b: Any) -> Any:
    """a where it is below b, or else b: floats, or integers without a sign."""
    return _two(lambda builder, a, b: builder.select(_compared(builder, "<", a, b), a, b), a, b)


@intrinsic
def most(typing_context: Any, a: Any, b: Any) -> Any:
    """a where it is above b, or else b: floats, or integers without a sign."""
    return _two(lambda builder, a, b: builder.select(_compared(builder, ">", a, b), a, b), a, b)


@intrinsic
def pick(typing_context: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """x where a >= b (floats, or integers without a sign), y elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sides = context.get_value_type(_wider(*signature.args[:2]))
        to = context.get_value_type(signature.return_type)
        above = _compared(builder, ">=", *(_spread(builder, each, sides) for each in args[:2]))
        return builder.select(above, *(_spread(builder, each, to) for each in args[2:]))

    element = x.element if isinstance(x, Vector) else x
    return _like(_wider(a, b), element)(a, b, x, y), generate


@intrinsic
def whole(typing_context: Any, x: Any) -> Any:
    """A float32 in 0..2^31 without its fraction, uint32."""
    return _cast(lambda builder, x, to: builder.fptosi(x, to), x, types.uint32)


@intrinsic
def as_float(typing_context: Any, x: Any) -> Any:
    """A uint32, read as a number with a sign in two's complement, as the nearest float32."""
    return _cast(lambda builder, x, to: builder.sitofp(x, to), x, types.float32)


@intrinsic
def float_of(typing_context: Any, bits: Any) -> Any:
    """The float32 with these bits."""
    return _cast(lambda builder, x, to: builder.bitcast(x, to), bits, types.float32)


@intrinsic
def bits_of(typing_context: Any, x: Any) -> Any:
    """The bits of a float32, uint32."""
    return _cast(lambda builder, x, to: builder.bitcast(x, to), x, types.uint32)


@intrinsic
def byte(typing_context: Any, x: Any) -> Any:
    """The lowest 8 bits of a uint32, uint8."""
    return _cast(lambda builder, x, to: builder.trunc(x, to), x, types.uint8)


@intrinsic
def word(typing_context: Any, x: Any) -> Any:
    """A uint8 as a uint32."""
    return _cast(lambda builder, x, to: builder.zext(x, to), x, types.uint32)


@intrinsic
def signed(typing_context: Any, x: Any) -> Any:
    """A uint8, read as a number with a sign in two's complement, as a uint32 of this kind."""
    return _cast(lambda builder, x, to: builder.sext(x, to), x, types.uint32)


def _place(context: Any, builder: Any, signature: Any, args: Any, vector: Any) -> Any:
    """Address of args[0][args[1]], as a pointer to a vector."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())


@intrinsic
def load(typing_context: Any, x: Any, at: Any) -> Any:
    """The vector x[at], ..., x[at + GROUP - 1] of a contiguous array; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        found = builder.load(_place(context, builder, signature, args, kind))
        found.align = signature.args[0].dtype.bitwidth // 8
        return found

    return Vector(x.dtype)(x, types.int64), generate


@intrinsic
def store(typing_context: Any, x: Any, at: Any, vector: Any) -> Any:
    """x[at], ..., x[at + GROUP - 1] = the vector, of a contiguous array; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature, args, args[2].type)
        builder.store(args[2], place).align = signature.args[0].dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(x, types.int64, Vector(x.dtype)), generate


def _halved(builder: Any, found: Any, left: int, operation: Callable[[Any, Any], Any]) -> Any:
    """One number of a vector of `left`: the operation on its halves, on theirs, and so on."""
    while left > 1:
        left //= 2
        low, high = (
            builder.shuffle_vector(found, found, ir.Constant(ir.VectorType(ir.IntType(32), left), list(half)))
            for half in (range(left), range(left, 2 * left))
        )
        found = operation(low, high)
    return builder.extract_element(found, ir.Constant(ir.IntType(32), 0))


@intrinsic
def highest(typing_context: Any, x: Any) -> Any:
    """The greatest of a vector's integers without a sign."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _halved(
            builder, args[0], GROUP, lambda a, b: builder.select(builder.icmp_unsigned(">", a, b), a, b)
        )  # fmt: skip

    return x.element(x), generate


def _squares(builder: Any, source: Any, groups: Any, before: Any = None) -> Any:
    """The vector of x[l]^2 + x[l + LANES]^2 + ... over groups of LANES, added in this order in float64 to 0 or to what
    was before.

    Spelled as vectors, because a compiler may not reorder sums of floats and would add them one by one. The square of a
    float32 is a float64 without rounding, so a machine that multiplies and adds in one step finds the same bits.
    """
    narrow, wide = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.DoubleType(), LANES)
    kind, name = ir.FunctionType(wide, [wide, wide, wide]), f"llvm.fma.v{LANES}f64"
    total = cgutils.alloca_once(builder, wide)  # type: ignore[no-untyped-call]  # numba has no types here
    builder.store(ir.Constant(wide, [0.0] * LANES) if before is None else before, total)
    with cgutils.for_range(builder, groups) as loop:
        place = builder.gep(source, [builder.mul(loop.index, ir.Constant(loop.index.type, LANES))])
        some = builder.load(builder.bitcast(place, narrow.as_pointer()))
        some.align = 4
        some, held = builder.fpext(some, wide), builder.load(total)
        if _FUSED:
            fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
            after = builder.call(fused, [some, some, held])
        else:
            after = builder.fadd(held, builder.fmul(some, some))
        builder.store(after, total)
    return builder.load(total)


@intrinsic
def squares_into(typing_context: Any, x: Any, groups: Any, sums: Any) -> Any:
    """sums[l] = the sum of squares of lane l of `groups` groups. x: float32, contiguous; sums: float64 (LANES,)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2))
        found = _squares(builder, source, args[1])
        builder.store(found, builder.bitcast(target, found.type.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.void(x, types.int64, sums), generate


@intrinsic
def squares_onto(typing_context: Any, x: Any, groups: Any, sums: Any) -> Any:
    """As `squares_into`, added to what is in sums, as if that came before x."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2))
        place = builder.bitcast(target, ir.VectorType(ir.DoubleType(), LANES).as_pointer())
        before = builder.load(place)
        before.align = 8
        builder.store(_squares(builder, source, args[1], before), place).align = 8
        return context.get_dummy_value()

    return types.void(x, types.int64, sums), generate


@intrinsic
def sum_of_squares(typing_context: Any, x: Any, at: Any, groups: Any) -> Any:
    """Of groups of LANES from x[at] on, float64: lane l + LANES / 2 is added to lane l, and so on with half as many."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0]).data
        found = _squares(builder, builder.gep(source, [args[1]]), args[2])
        return _halved(builder, found, LANES, builder.fadd)

    return types.float64(x, types.int64, types.int64), generate


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
