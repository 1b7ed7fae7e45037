"""Streams by tables, rows in one pass: the same bits and the same answers as the slow roads."""

import hashlib
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distest.bits import BitReader, Messages
from distest.codecs.base import SymbolCodec, _stream
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.golomb import Golomb
from distest.codecs.huffman import Huffman
from distest.codecs.rice import Rice
from distest.codecs.signed_omega import SignedOmega
from distest.codecs.truncated_binary import TruncatedBinary
from distest.codecs.unary import Unary
from distest.errors import WireError
from distest.kernels import bitpack, prefix
from distest.kernels._lazy import SMALL

CODES: list[SymbolCodec] = [
    EliasGamma(), EliasDelta(), EliasOmega(), SignedOmega(), Rice(0), Rice(1), Rice(9), Golomb(3), Unary(),
    TruncatedBinary(200),
    Huffman.from_weights(np.array([1 << max(40 - x, 0) for x in range(60)])), Huffman.from_weights(np.arange(256)),
]  # fmt: skip


def stream_of(codec: SymbolCodec, count: int, scale: float, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    low, high = codec.domain
    x = np.random.default_rng(seed).exponential(scale, count).astype(np.int64) + low
    return np.minimum(x, min(high, 255))


@pytest.mark.parametrize("codec", CODES, ids=lambda codec: type(codec).__name__)
@pytest.mark.parametrize("scale", [0.4, 3.0, 60.0])
def test_tables_write_and_read_what_words_do(codec: SymbolCodec, scale: float) -> None:
    symbols = stream_of(codec, SMALL + 13, scale, seed=1).reshape(1, -1)
    words = codec.encode(symbols).pack()
    tables = codec.pack(symbols.astype(np.uint8))
    assert tables.n_bits == words.n_bits
    assert tables.to_bytes() == words.to_bytes()
    assert not tables.data[-16:].any()
    for at in (0, 5):  # after other bits, before other bits
        lead = Messages(np.full(17, 160, np.uint8), at, 1, at)
        noise = np.random.default_rng(2).integers(0, 256, 40, dtype=np.uint8)
        joined = Messages.join([lead, tables, Messages(noise, 150, 1, 150)])
        for small in (True, False):
            reader = BitReader(joined.data, joined.n_bits, at)
            read = codec.decode_small(reader, symbols.shape) if small else codec.decode(reader, symbols.shape)
            assert read.dtype == (np.uint8 if small else np.int64)
            assert np.array_equal(read, symbols)
            assert reader.unread() == 150
            assert reader.booked() == (1, tables.n_bits)


@pytest.mark.parametrize("codec", CODES, ids=lambda codec: type(codec).__name__)
@pytest.mark.parametrize("shape", [(SMALL, 1), (SMALL // 4, 5)])
def test_many_messages_by_tables_are_booked_one_by_one(codec: SymbolCodec, shape: tuple[int, int]) -> None:
    symbols = stream_of(codec, shape[0] * shape[1], 2.0, seed=2).reshape(shape)
    messages = codec.pack(symbols)
    words = codec.encode(symbols).pack()
    assert messages.to_bytes() == words.to_bytes()
    assert messages.count == shape[0]
    assert np.array_equal(messages.lengths, words.lengths)
    reader = BitReader(messages.data, messages.n_bits)
    assert np.array_equal(codec.decode(reader, shape), symbols)
    assert np.array_equal(np.broadcast_to(reader.booked()[1], shape[0]), codec.n_bits(symbols).sum(axis=1))


def test_a_large_symbol_in_a_stream_of_small_ones() -> None:
    for codec in (EliasGamma(), EliasDelta(), EliasOmega(), Rice(1), Rice(9)):
        for place in (0, 40_000, SMALL + 6):
            symbols = stream_of(codec, SMALL + 7, 2.0, seed=3)
            symbols[place] = 300
            messages = codec.pack(symbols[None])
            reader = BitReader(messages.data, messages.n_bits)
            assert np.array_equal(codec.decode(reader, (1, symbols.size))[0], symbols)
            with pytest.raises(WireError, match="below 256"):
                codec.decode_small(BitReader(messages.data, messages.n_bits), (1, symbols.size))
            few = codec.encode(np.array([[300]])).pack()
            with pytest.raises(WireError, match="below 256"):
                codec.decode_small(BitReader(few.data, few.n_bits), (1, 1))


@pytest.mark.parametrize("codec", CODES, ids=lambda codec: type(codec).__name__)
def test_a_stream_cut_short_is_refused(codec: SymbolCodec) -> None:
    symbols = stream_of(codec, SMALL, 1.0, seed=4).reshape(1, -1)
    messages = codec.pack(symbols)
    for cut in (1, 2, 63, 64, 65, 1000, messages.n_bits):
        with pytest.raises(WireError):
            codec.decode(BitReader(messages.data, messages.n_bits - cut), symbols.shape)


@pytest.mark.parametrize("codec", CODES, ids=lambda codec: type(codec).__name__)
def test_random_streams_decode_alike_on_every_road(codec: SymbolCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    code = _stream(codec)
    for density in (0.02, 0.3, 0.5, 0.8, 0.98):
        data = np.packbits((rng.random(4000) < density).astype(np.uint8))
        data = np.concatenate((data, rng.integers(0, 256, bitpack.SPARE, dtype=np.uint8)))
        limit = 3990
        answers = []
        for worth in (False, True):
            monkeypatch.setattr(prefix, "worth_compiling", lambda n_items, worth=worth: worth)
            answers.append(prefix.decode_rows(data, 3, limit, 300, 1, (codec.column,)))
        (values, lengths, status), (same, also, code_of) = answers
        assert status == code_of
        assert np.array_equal(values, same)
        assert np.array_equal(lengths, also)
        small, end, status_of = prefix.decode_table(data, 3, limit, 300, code)
        large = np.flatnonzero(values[:, 0] > 255)
        first = int(large[0]) if large.size else len(values)
        assert np.array_equal(small, values[:first, 0])
        assert status_of == (prefix.TAKEN if large.size else status)
        assert end == 3 + lengths[:first].sum()


def test_any_table_of_words_is_written_as_words_are() -> None:
    rng = np.random.default_rng(6)
    for widest in (1, 8, 28, 29, 57, 64):
        widths = rng.integers(1, widest + 1, 256).astype(np.uint8)
        codes = rng.integers(0, 1 << 64, 256, dtype=np.uint64) >> (np.uint64(64) - widths)
        stream = prefix.stream(prefix.Column(prefix.GAMMA), codes, widths)
        for count in (1, 7, 8, 1000):
            symbols = rng.integers(0, 256, count, dtype=np.uint8)
            data, n_bits = prefix.encode_table(symbols, stream)
            expected, length = bitpack.pack(codes[symbols], widths[symbols])
            assert n_bits == length
            assert data.tobytes() == expected.tobytes()


GOLDEN = json.loads((Path(__file__).parents[1] / "golden/codes.json").read_text())["streams"]


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: str(entry["codec"]))
def test_streams_are_frozen(entry: dict[str, Any]) -> None:
    """A change here is a change of the wire format, and belongs in the changelog."""
    kinds = {type(codec).__name__: type(codec) for codec in CODES}
    codec = kinds[entry["codec"]](*entry["parameters"])
    i = np.arange(100_000)
    symbols = np.minimum((i * i * 2654435761 >> 11) % 16, (i * 7919 * i >> 5) % 23) + codec.domain[0]
    for messages in (codec.pack(symbols[None]), codec.encode(symbols[None]).pack()):
        assert messages.n_bits == entry["n_bits"]
        assert hashlib.sha256(messages.to_bytes()).hexdigest() == entry["sha256"]


def kernels_of(module: ModuleType) -> list[Any]:
    return [item for item in vars(module).values() if hasattr(item, "nopython_signatures")]


def test_each_kernel_is_compiled_once() -> None:
    """Lazy signatures, so a door that let another dtype through would show up as a second one."""
    for name in ("bitpack", "prefix", "streams", "huffman"):
        module = importlib.import_module(f"distest.kernels.jit.{name}")
        for item in kernels_of(module):
            assert len(item.nopython_signatures) <= 1, f"{item.py_func.__name__}: {item.nopython_signatures}"
