"""The one decorator with the one set of flags, and the few machine words numba does not spell.

Lazy signatures with a cache on disk: explicit ones would move seconds of compilation to import time. No fastmath, so
a float means the same on every CPU. `nogil` lets a progress thread run. Threads are off: one rank, one core.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import binding, ir
from numba import config, extending, njit, types

# numba looks for changes in a kernel's own file alone, and kernels inline each other: machine code is kept in a folder
# that is named after all of them, so that no old code ever runs.
_sources = sorted([*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.parent.glob("*.py")])
_state = hashlib.sha256(b"".join(source.read_bytes() for source in _sources)).hexdigest()[:16]
config.CACHE_DIR = str(Path(config.CACHE_DIR or Path.home() / ".cache" / "distest") / f"kernels-{_state}")  # type: ignore[attr-defined]  # read from the environment

# LLVM keeps to vectors of 256 bits on Intel's machines, because wider ones slowed the clock of the early ones down;
# those that know avx512fp16 came later, and loops of sums and shifts gain a quarter there. No result changes by it.
_features = binding.get_host_cpu_features()
if config.CPU_FEATURES is None and config.ENABLE_AVX and _features.get("avx512fp16"):  # type: ignore[attr-defined]
    config.CPU_FEATURES = f"{_features.flatten()},-prefer-256-bit"  # type: ignore[attr-defined]


def machine_has(*features: str) -> bool:
    """Whether kernels are compiled for a machine with these features, by LLVM's names."""
    if config.CPU_FEATURES is not None:  # type: ignore[attr-defined]
        return set(config.CPU_FEATURES.split(",")) >= {f"+{feature}" for feature in features}  # type: ignore[attr-defined]
    return bool(config.ENABLE_AVX) and all(_features.get(feature, False) for feature in features)  # type: ignore[attr-defined]


F = TypeVar("F", bound=Callable[..., Any])
FLAGS: dict[str, Any] = {
    "cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False
}  # fmt: skip


def kernel(function: F) -> F:
    """Compile a loop over plain arrays and integers; cached on disk between runs.

    Without numba's reference counting (`_nrt`), which would count array arguments inside the loop: a kernel cannot
    allocate, its caller hands it every array.
    """
    return cast(F, njit(**FLAGS)(function))


def inline(function: F) -> F:
    """Compile a scalar helper into the kernels that call it."""
    return cast(F, njit(inline="always", error_model="numpy", boundscheck=False)(function))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A machine word for kernels; callers leave out the typing context, so the type of the arguments is open."""
    return cast(Callable[..., Any], extending.intrinsic(function))


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Address of byte `offset` of a uint8 array, as a pointer to 64 bits."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), ir.IntType(64).as_pointer())


@intrinsic
def load_be(typing_context: Any, array: Any, offset: Any) -> Any:
    """The 8 bytes at a byte offset of a uint8 array, read most significant first; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]))
        word.align = 1
        return builder.bswap(word)

    return types.uint64(array, types.int64), generate


@intrinsic
def store_be(typing_context: Any, array: Any, offset: Any, word: Any) -> Any:
    """Write 8 bytes at a byte offset of a uint8 array, most significant first; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store = builder.store(builder.bswap(args[2]), _pointer(context, builder, signature.args[0], args[0], args[1]))
        store.align = 1
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), generate


_BYTES_64 = ir.VectorType(ir.IntType(8), 64)


def _load_64(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """64 bytes at a byte offset of a uint8 array, as a vector."""
    pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
    symbols = builder.load(builder.bitcast(pointer, _BYTES_64.as_pointer()))
    symbols.align = 1
    return symbols


@intrinsic
def above_one_of_64(typing_context: Any, array: Any, offset: Any) -> Any:
    """A word that is 0 where none of the 64 bytes at a byte offset of a uint8 array is above 1."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        symbols = _load_64(context, builder, signature, args)
        above = builder.icmp_unsigned(">", symbols, ir.Constant(_BYTES_64, [1] * 64))
        return builder.bitcast(above, ir.IntType(64))

    return types.uint64(array, types.int64), generate


@intrinsic
def meeting_of_64(typing_context: Any, array: Any, offset: Any, bits: Any) -> Any:
    """Which of the 64 bytes at a byte offset of a uint8 array have bits in common with `bits` (uint8).

    Bit j, the lowest first, stands for byte j.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        symbols = _load_64(context, builder, signature, args)
        first = builder.insert_element(ir.Constant(_BYTES_64, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        met = builder.and_(symbols, builder.shuffle_vector(first, first, lanes))
        return builder.bitcast(builder.icmp_unsigned("!=", met, ir.Constant(_BYTES_64, [0] * 64)), ir.IntType(64))

    return types.uint64(array, types.int64, types.uint8), generate


@intrinsic
def bits_of_64(typing_context: Any, array: Any, offset: Any) -> Any:
    """The low bits of the 64 bytes at a byte offset of a uint8 array, first byte first, as `store_le` writes them."""
    # a mask puts its first lane into the lowest bit of a byte; the first symbol belongs into the highest
    order = [8 * (i // 8) + 7 - i % 8 for i in range(64)]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        symbols = _load_64(context, builder, signature, args)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 64), order)
        turned = builder.shuffle_vector(symbols, symbols, lanes)
        return builder.bitcast(builder.trunc(turned, ir.VectorType(ir.IntType(1), 64)), ir.IntType(64))

    return types.uint64(array, types.int64), generate


@intrinsic
def store_le(typing_context: Any, array: Any, offset: Any, word: Any) -> Any:
    """Write 8 bytes at a byte offset of a uint8 array, least significant first; the caller owns the bounds."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer).align = 1
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), generate


@intrinsic
def leading_zeros(typing_context: Any, word: Any) -> Any:
    """Number of leading zero bits of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic
def at_least_of_64(typing_context: Any, array: Any, offset: Any, least: Any) -> Any:
    """Which of the 64 float32 at a byte offset of a uint8 array have magnitudes of at least the bits `least` (uint32).

    Bit j, the lowest first, stands for number j.
    """
    words = ir.VectorType(ir.IntType(32), 64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        numbers = builder.load(builder.bitcast(pointer, words.as_pointer()))
        numbers.align = 1
        sizes = builder.and_(numbers, ir.Constant(words, [0x7FFFFFFF] * 64))
        first = builder.insert_element(ir.Constant(words, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        bound = builder.shuffle_vector(first, first, lanes)
        return builder.bitcast(builder.icmp_unsigned(">=", sizes, bound), ir.IntType(64))

    return types.uint64(array, types.int64, types.uint32), generate


@intrinsic
def trailing_zeros(typing_context: Any, word: Any) -> Any:
    """Number of trailing zero bits of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic
def set_bits(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


@intrinsic
def parity(typing_context: Any, word: Any) -> Any:
    """Parity of the set bits of a uint64: 0 or 1."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.and_(builder.ctpop(args[0]), ir.Constant(ir.IntType(64), 1))

    return types.uint64(types.uint64), generate


u8: Any = np.uint8  # Any: inside a kernel these are machine words, whatever numpy's stubs say
u16: Any = np.uint16
u32: Any = np.uint32
u64: Any = np.uint64
f64: Any = np.float64
i32: Any = np.int32
i64: Any = np.int64
