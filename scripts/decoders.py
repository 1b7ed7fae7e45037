"""Decoders of messages with something valid to damage: compressors, codecs, and the parts that messages share.

`known` lists every decoder there is, from the catalog and the folders, so that none is forgotten: `scripts/fuzz` and
the tests compare. The decoders of runs and files are in `decoders_of_runs.py`.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

import distest.codecs as codecs_folder
from distest import catalog, coins, warming
from distest.bits import BitReader, Messages, inside
from distest.codecs.base import Codec, SymbolCodec
from distest.codecs.block import Block
from distest.codecs.counted import Counted
from distest.codecs.counts import Counts
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.fixed import Fixed
from distest.codecs.float32 import Float32
from distest.codecs.golomb import Golomb
from distest.codecs.huffman import Huffman
from distest.codecs.multiset import Multiset
from distest.codecs.rans import Rans
from distest.codecs.rice import Rice
from distest.codecs.row import Row
from distest.codecs.signed_omega import SignedOmega
from distest.codecs.subset import Subset
from distest.codecs.truncated_binary import TruncatedBinary
from distest.codecs.unary import Unary
from distest.errors import DistestError
from distest.sgd import indices, integers
from distest.sgd import values as numbers
from distest.sgd.compressor import Compressor
from distest.sgd.layered import Layered
from distest.sgd.problem import Vector
from distest.sgd.values import Precision

Bytes = NDArray[np.uint8]
Decoder = Callable[[Bytes, int], None]
MORE_COMPRESSORS: tuple[dict[str, Any], ...] = (
    {"name": "random_k", "density": 0.8, "draw": "private"},
    {"name": "threshold", "threshold": 0.0},
    {"name": "chunk_top", "chunk": 7},
    {"name": "gspar", "density": 0.9},
)
CODECS: tuple[Codec, ...] = (
    Fixed(37), Fixed(1 << 62), TruncatedBinary(5), TruncatedBinary((1 << 62) - 5), Unary(), EliasGamma(), EliasDelta(),
    EliasOmega(), SignedOmega(), Golomb(3), Golomb(1 << 40), Rice(0), Rice(5), Rice(40), Float32(),
    Huffman.from_weights(np.array([1])), Huffman.from_weights(np.arange(300) ** 3),
    Block(37, 5), Block(1000), Block(1 << 62, 2), Multiset(40),
    Multiset(1 << 40), Subset(50), Counted(1), Counted(37), Counted(1 << 31), Rans(2), Rans(17), Rans(256),
    Counts(7), Counts(7, "multiset"), Counts((1 << 31) - 1),
    Row((EliasGamma(), Fixed(37), Golomb(3), Rice(2), TruncatedBinary(5), EliasOmega(), Unary(), EliasDelta())),
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A decoder and what it takes. decode(data, n_bits) returns nothing, and raises AssertionError for nonsense.

    of: which decoder, such as "compressor qsgd"; name: the same in full. ends: a part of this input that is cut off has
    to be missed.
    """

    of: str
    name: str
    data: Bytes
    n_bits: int
    decode: Decoder
    ends: bool = True


def target(of: str, name: str, message: Messages, decode: Decoder) -> Target:
    """A target that reads packed messages; their spare bytes are dropped, so that readers have to make their own."""
    return Target(of, name, message.data[: (message.n_bits + 7) // 8].copy(), message.n_bits, decode)


# ---- compressors


def vectors() -> dict[str, Vector]:
    """Vectors whose messages are damaged."""
    draw = np.random.default_rng(1)
    gauss = draw.standard_normal(1300).astype(np.float32)
    mixed = (gauss * np.float32(10) ** draw.integers(-9, 9, gauss.size).astype(np.float32)).astype(np.float32)
    mixed[::3] = 0
    return {"gauss": gauss, "mixed": mixed, "short": gauss[:37], "one": gauss[:1], "zero": np.zeros(300, np.float32)}


def compressors() -> Iterator[Target]:
    """Messages of every compressor, for every vector that it can code."""
    key, _ = coins.from_seed(7)
    known = [*warming.compressors(), *(catalog.build("compressor", spec) for spec in MORE_COMPRESSORS)]
    layered = [Layered(inner, (1000, 3, 297), 100) for inner in known]
    for compressor in (*known, *layered):
        for name, x in vectors().items():
            if isinstance(compressor, Layered) and name not in ("gauss", "mixed"):
                continue
            try:
                compressor.check(x.size)
                message = compressor.encode(x, 1, key)
            except DistestError:
                continue
            inner = compressor.inner if isinstance(compressor, Layered) else compressor
            label = catalog.label(inner) + (", layered" if inner is not compressor else "")
            yield target(
                f"compressor {catalog.describe(inner)['name']}",
                f"{label} of {name}",
                message,
                _vector(compressor, x.size, key.public),
            )


def _vector(compressor: Compressor, d: int, public: coins.PublicCoins) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        reader = BitReader(data, n_bits)
        y = compressor.decode(reader, d, 1, public)
        assert y.dtype == np.float32, f"numbers of type {y.dtype}"
        assert y.shape == (d,), f"shape {y.shape} and not {(d,)}"
        assert np.isfinite(y).all(), f"{np.count_nonzero(~np.isfinite(y))} numbers that are not finite"
        count, lengths = reader.booked()
        assert (count, int(np.sum(lengths))) == (1, n_bits - reader.unread()), "other bits are booked than read"
        total = np.zeros(d, np.float32)
        compressor.add(BitReader(data, n_bits), d, 1, public, total, 0.5)
        assert (total == np.float32(0.5) * y).all(), "add says something else than decode"

    return decode


# ---- codecs


def codecs() -> Iterator[Target]:
    """Blocks of every codec."""
    draw = np.random.default_rng(2)
    for codec in CODECS:
        for shape in ((6, 8), (1, 40)):
            symbols = _symbols(codec, shape, draw)
            messages = codec.encode(symbols).pack()
            of = f"codec {type(codec).__name__}"
            name = repr(codec) if len(repr(codec)) < 60 else f"{repr(codec)[:50]}..."
            yield target(of, f"{name} {symbols.shape}", messages, _block(codec, symbols.shape))
            if isinstance(codec, SymbolCodec):
                few = codec.encode(np.clip(symbols, codec.domain[0], min(codec.domain[1], 255))).pack()
                yield target(of, f"{name} {symbols.shape}, small", few, _small(codec, symbols.shape))


def _symbols(codec: Codec, shape: tuple[int, int], draw: np.random.Generator) -> NDArray[np.int64]:
    m, f = shape
    if isinstance(codec, Row):
        return np.hstack([_symbols(part, (m, 1), draw) for part in codec.codecs])
    if isinstance(codec, Counted):
        return np.where(np.arange(f) < draw.integers(0, f + 1, (m, 1)), draw.integers(0, codec.n, shape), -1)
    if isinstance(codec, Subset):
        return np.sort(np.argsort(draw.random((m, codec.d)), axis=1)[:, :f], axis=1)
    if isinstance(codec, Multiset | Block | Rans | Counts):
        return draw.integers(0, codec.n, shape)
    assert isinstance(codec, SymbolCodec)
    low, high = codec.domain
    if isinstance(codec, Unary | Golomb | Rice):
        high = min(high, 300 * codec.column.c)
    return np.minimum(low + np.exp2(draw.uniform(0, math.log2(high - low + 1), shape)).astype(np.int64) - 1, high)


def _block(codec: Codec, shape: tuple[int, int]) -> Decoder:
    lowest = -1 if isinstance(codec, Counted) else 0
    highest = {Multiset: "n", Block: "n", Rans: "n", Counts: "n", Counted: "n", Subset: "d"}.get(type(codec))

    def decode(data: Bytes, n_bits: int) -> None:
        symbols = codec.decode(BitReader(data, n_bits), shape)
        assert symbols.shape == shape, f"shape {symbols.shape} and not {shape}"
        assert symbols.dtype == np.int64, f"symbols of type {symbols.dtype}"
        low, high = codec.domain if isinstance(codec, SymbolCodec) else (lowest, (1 << 63) - 1)
        if highest is not None:
            high = getattr(codec, highest) - 1
        assert low <= int(symbols.min()), f"symbol {symbols.min()} is below {low}"
        assert int(symbols.max()) <= high, f"symbol {symbols.max()} is above {high}"

    return decode


def _small(codec: SymbolCodec, shape: tuple[int, int]) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        reader, other = BitReader(data, n_bits), BitReader(data, n_bits)
        symbols = codec.decode_small(reader, shape)
        assert symbols.dtype == np.uint8, f"symbols of type {symbols.dtype}"
        assert np.array_equal(symbols, codec.decode(other, shape)), "decode and decode_small differ"
        assert reader.unread() == other.unread(), "decode and decode_small end in different places"

    return decode


# ---- parts of messages


def parts() -> Iterator[Target]:
    """What several messages have in them: sets of indices in each of their codes, values, counts, integers."""
    draw = np.random.default_rng(5)
    for d, k in ((40, 7), (40, 1), (3000, 30), (300, 150), (1 << 31, 3), (1 << 32, 20), (1 << 20, 1 << 8)):
        places = np.unique(draw.integers(0, d, k))
        message = indices.write(places, d)
        yield target("index set", f"{places.size} of {d} indices", message, _places(places.size, d))
    for precision in get_args(Precision):
        message = numbers.write(draw.standard_normal(20).astype(np.float32), precision)
        yield target("values", f"values in {precision}", message, _values(precision))
    yield target("count", "a count", indices.write_count(37), _count)
    for most in (1 << 40, 0):
        message = integers.write(draw.integers(-most, most + 1, 40))
        yield target("integers", f"integers up to {most}", message, _integers(most))


def _places(k: int, d: int) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        reader = inside(BitReader(data, n_bits))
        found = indices.read(reader, k, d)
        assert found.dtype == np.int64, f"indices of type {found.dtype}"
        assert found.shape == (k,), f"shape {found.shape} and not {(k,)}"
        assert 0 <= found[0] <= found[-1] < d, f"indices {found[0]}..{found[-1]} of {d}"
        assert (np.diff(found) > 0).all(), "indices that do not rise"

    return decode


def _values(precision: Precision) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        found = numbers.read(inside(BitReader(data, n_bits)), 20, precision)
        assert found.dtype == np.float32, f"values of type {found.dtype}"
        assert found.shape == (20,), f"shape {found.shape}"
        assert np.isfinite(found).all(), "values that are not finite"

    return decode


def _count(data: Bytes, n_bits: int) -> None:
    assert 0 <= indices.read_count(inside(BitReader(data, n_bits)), 100) <= 100, "a count beyond the most"


def _integers(most: int) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        found = integers.read(BitReader(data, n_bits), 40, most)
        assert found.dtype == np.int64, f"integers of type {found.dtype}"
        assert found.shape == (40,), f"shape {found.shape}"
        assert np.abs(found).max() <= most, "an integer beyond the most"

    return decode


# ---- completeness


def known() -> set[str]:
    """Every decoder that there is: those of the catalog and of the folder of codecs, and what this file adds."""
    found = {
        f"{kind} {name}" for kind in ("compressor", "protocol", "method", "exchange") for name in catalog.names(kind)
    }
    for file in pkgutil.iter_modules(codecs_folder.__path__):
        module = importlib.import_module(f"{codecs_folder.__name__}.{file.name}")
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Codec)]
        own = [kind for kind in kinds if kind.__module__ == module.__name__ and not inspect.isabstract(kind)]
        found |= {f"codec {kind.__name__}" for kind in own}
    return found | {"index set", "values", "count", "integers", "board", "checkpoint"}
