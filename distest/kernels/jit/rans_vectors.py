"""Writer and reader of `distest.kernels.rans` for streams of 32 coders, in vectors: four groups of eight at once.

Eight numbers look up their entries and move on. In reading, those that are short take the next words of the stream in
the order of the coders: a gather and an expansion within a register, which AVX-512 has; in writing those that are long
leave a word, by a compression. Four groups keep the machine busy while each waits for its entries. Spelled in LLVM's
language, since no compiler finds it. The same words, symbols and numbers as those of `rans` in this folder.

Source of the way: Giesen, "Interleaved entropy coders" (2014), Section 4, for eight coders of another instruction set.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from distest.kernels.jit._jit import intrinsic, kernel, machine_has

Array = Any

HERE = machine_has("avx512f", "avx512vl")  # without them LLVM has no instruction to choose and would give up
GROUP = 8
GROUPS = 4

_I64 = ir.IntType(64)
_FLAGS, _BYTES, _WORDS, _NUMBERS, _PLACES = (ir.VectorType(ir.IntType(w), GROUP) for w in (1, 8, 16, 32, 64))
_BACKWARDS = ir.Constant(_NUMBERS, list(range(GROUP))[::-1])


def _all(number: int, kind: Any = _NUMBERS) -> Any:
    return ir.Constant(kind, [number] * GROUP)


def _intrinsic(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """A function of LLVM's."""
    kind = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]


def _load(builder: Any, base: Any, at: Any, kind: Any, align: int) -> Any:
    """A vector that starts at element `at`."""
    found = builder.load(builder.bitcast(builder.gep(base, [at]), kind.as_pointer()))
    found.align = align
    return found


def _store(builder: Any, value: Any, base: Any, at: Any, align: int) -> None:
    builder.store(value, builder.bitcast(builder.gep(base, [at]), value.type.as_pointer())).align = align


def _spread(builder: Any, word: Any) -> Any:
    """Eight times one number of 64 bits."""
    first = builder.insert_element(ir.Constant(_PLACES, ir.Undefined), word, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(_NUMBERS, [0] * GROUP))


def _gathered(builder: Any, table: Any, index: Any, kind: Any) -> Any:
    """table[index], of the type `kind`, for eight indices of 64 bits."""
    width = kind.element.width
    base = _spread(builder, builder.ptrtoint(table, _I64))
    shift = (width // 8).bit_length() - 1
    pointers = ir.VectorType(kind.element.as_pointer(), GROUP)
    places = builder.inttoptr(builder.add(base, builder.shl(index, _all(shift, _PLACES))), pointers)
    name = f"llvm.masked.gather.v{GROUP}i{width}.v{GROUP}p0"
    gather = _intrinsic(builder, name, kind, pointers, ir.IntType(32), _FLAGS, kind)
    every, none = ir.Constant(_FLAGS, [1] * GROUP), ir.Constant(kind, ir.Undefined)
    return builder.call(gather, [places, ir.IntType(32)(width // 8), every, none])


def _filled(builder: Any, x: Any, stream: Any, p: Any) -> tuple[Any, Any]:
    """Eight numbers, of which those that are short took a word each from word p on; the place of the next word."""
    words = _load(builder, stream, builder.shl(p, _I64(1)), _WORDS, 1)
    words = builder.call(_intrinsic(builder, f"llvm.bswap.v{GROUP}i16", _WORDS, _WORDS), [words])
    short = builder.icmp_unsigned("<", x, _all(1 << 16))
    name = f"llvm.x86.avx512.mask.expand.v{GROUP}i32"
    expand = _intrinsic(builder, name, _NUMBERS, _NUMBERS, _NUMBERS, _FLAGS)
    taken = builder.call(expand, [builder.zext(words, _NUMBERS), _all(0), short])
    longer = builder.select(short, builder.or_(builder.shl(x, _all(16)), taken), x)
    count = builder.ctpop(builder.bitcast(short, ir.IntType(GROUP)))
    return longer, builder.add(p, builder.zext(count, _I64))


def _left(builder: Any, x: Any, long: Any, words: Any, p: Any) -> tuple[Any, Any]:
    """Eight numbers, last coder first, of which those that are long left a word each from word p on; the next place.

    Up to eight words behind are written over.
    """
    name = f"llvm.x86.avx512.mask.compress.v{GROUP}i32"
    compress = _intrinsic(builder, name, _NUMBERS, _NUMBERS, _NUMBERS, _FLAGS)
    left = builder.call(compress, [builder.trunc(x, _NUMBERS), _all(0), long])
    _store(builder, builder.trunc(left, _WORDS), words, p, 2)
    count = builder.ctpop(builder.bitcast(long, ir.IntType(GROUP)))
    shorter = builder.select(long, builder.lshr(x, _all(16, _PLACES)), x)
    return shorter, builder.add(p, builder.zext(count, _I64))


def _contexts(builder: Any, contexts: Any, at: Any) -> Any:
    return builder.zext(_load(builder, contexts, at, _BYTES, 1), _PLACES)


def _pointers(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    """Where the data of arguments begin; None for those that are no arrays."""
    kinds = zip(signature.args, args, strict=True)
    return [context.make_array(k)(context, builder, a).data if isinstance(k, types.Array) else None for k, a in kinds]


def _variables(builder: Any, kind: Any, count: int) -> list[Any]:
    return [cgutils.alloca_once(builder, kind) for _ in range(count)]  # type: ignore[no-untyped-call]


@intrinsic
def _write(
    typing_context: Any, symbols: Any, which: Any, shift: Any, pushes: Any, states: Any, words: Any, size: Any
) -> Any:
    """`_encode`, with contexts where `which` is no tuple; size: that of symbols."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, contexts, _, table, numbers, target, _ = _pointers(context, builder, signature, args)
        shift = _spread(builder, args[2])
        x = _variables(builder, _PLACES, GROUPS)
        (place,) = _variables(builder, _I64, 1)
        builder.store(_I64(0), place)
        for k in range(GROUPS):
            first = _load(builder, numbers, _I64(GROUP * k), _NUMBERS, 4)
            builder.store(builder.zext(builder.shuffle_vector(first, first, _BACKWARDS), _PLACES), x[k])
        rounds = builder.sdiv(args[6], _I64(GROUP * GROUPS))
        with cgutils.for_range(builder, rounds) as loop:
            p = builder.load(place)
            for k in reversed(range(GROUPS)):
                before = builder.mul(builder.add(loop.index, _I64(1)), _I64(GROUP * GROUPS))
                here = builder.add(builder.sub(args[6], before), _I64(GROUP * k))
                index = builder.zext(_load(builder, source, here, _BYTES, 1), _PLACES)
                if contexts is not None:
                    index = builder.or_(builder.shl(index, shift), _contexts(builder, contexts, here))
                index = builder.shl(builder.shuffle_vector(index, index, _BACKWARDS), _all(1, _PLACES))
                inverse = _gathered(builder, table, index, _PLACES)
                pair = _gathered(builder, table, builder.or_(index, _all(1, _PLACES)), _PLACES)
                frequency, now = builder.and_(pair, _all(65535, _PLACES)), builder.load(x[k])
                long = builder.icmp_unsigned(">=", builder.lshr(now, _all(20, _PLACES)), frequency)
                now, p = _left(builder, now, long, target, p)
                quotient = builder.lshr(builder.mul(now, inverse), _all(44, _PLACES))
                grown = builder.mul(quotient, builder.sub(_all(4096, _PLACES), frequency))
                start = builder.lshr(pair, _all(16, _PLACES))
                builder.store(builder.add(builder.add(now, start), grown), x[k])
            builder.store(p, place)
        for k in range(GROUPS):
            last = builder.trunc(builder.load(x[k]), _NUMBERS)
            _store(builder, builder.shuffle_vector(last, last, _BACKWARDS), numbers, _I64(GROUP * k), 4)
        return builder.load(place)

    return types.int64(symbols, which, types.int64, pushes, states, words, types.int64), generate


@intrinsic
def _read(
    typing_context: Any, stream: Any, count: Any, which: Any, slots: Any, states: Any, out: Any, size: Any
) -> Any:
    """`_decode`, with contexts where `which` is no tuple; size: that of out."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words, _, contexts, table, numbers, symbols, _ = _pointers(context, builder, signature, args)
        x = _variables(builder, _NUMBERS, GROUPS)
        place, at = _variables(builder, _I64, 2)
        builder.store(_I64(0), place)
        builder.store(_I64(0), at)
        for k in range(GROUPS):
            builder.store(_load(builder, numbers, _I64(GROUP * k), _NUMBERS, 4), x[k])
        head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
        builder.branch(head)

        builder.position_at_end(head)
        i, p = builder.load(at), builder.load(place)
        furthest = builder.add(p, _I64(GROUP * GROUPS))
        more = builder.and_(builder.icmp_signed("<", i, args[6]), builder.icmp_signed("<=", furthest, args[1]))
        builder.cbranch(more, body, end)

        builder.position_at_end(body)
        for k in range(GROUPS):
            now, here = builder.load(x[k]), builder.add(i, _I64(GROUP * k))
            index = builder.zext(builder.and_(now, _all(4095)), _PLACES)
            if contexts is not None:
                table_of = _contexts(builder, contexts, here)
                index = builder.or_(index, builder.shl(table_of, _all(12, _PLACES)))
            entry = _gathered(builder, table, index, _NUMBERS)
            _store(builder, builder.trunc(entry, _BYTES), symbols, here, 1)
            frequency = builder.add(builder.and_(builder.lshr(entry, _all(8)), _all(4095)), _all(1))
            now = builder.mul(frequency, builder.lshr(now, _all(12)))
            now, p = _filled(builder, builder.add(now, builder.lshr(entry, _all(20))), words, p)
            builder.store(now, x[k])
        builder.store(p, place)
        builder.store(builder.add(i, _I64(GROUP * GROUPS)), at)
        builder.branch(head)

        builder.position_at_end(end)
        for k in range(GROUPS):
            _store(builder, builder.load(x[k]), numbers, _I64(GROUP * k), 4)
        return context.make_tuple(builder, signature.return_type, [builder.load(at), builder.load(place)])

    pair = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]
    return pair(stream, types.int64, which, slots, states, out, types.int64), generate


def _encode(symbols: Array, which: Array, shift: int, pushes: Array, states: Array, words: Array) -> Any:
    """Write whole rounds of 32 symbols, the last first; return how many words, which are in the order of writing.

    states: uint32 (32,), the first and then the last numbers. words: as many as symbols and eight more.
    """
    if which.size > 0:
        return _write(symbols, which, shift, pushes, states, words, symbols.size)
    return _write(symbols, (), shift, pushes, states, words, symbols.size)


def _decode(stream: Array, count: int, which: Array, slots: Array, states: Array, out: Array) -> Any:
    """Read symbols by 32 into out, as long as 32 words are there; return how many, and the words used.

    stream: uint8, `count` words, most significant byte first. states: uint32 (32,), the numbers before and behind.
    out: whole rounds of 32.
    """
    if which.size > 0:
        return _read(stream, count, which, slots, states, out, out.size)
    return _read(stream, count, (), slots, states, out, out.size)


if HERE:
    encode, decode = kernel(_encode), kernel(_decode)
