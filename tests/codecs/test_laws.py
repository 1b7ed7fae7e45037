"""The laws of every code of single symbols, and of codes of rows where they apply."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distest.bits import BitReader, Messages
from distest.codecs.base import Codec, SymbolCodec
from distest.codecs.block import Block
from distest.codecs.counted import Counted
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
from distest.codecs.truncated_binary import TruncatedBinary
from distest.codecs.unary import Unary
from distest.errors import UsageError, WireError
from distest.kernels import _lazy

SYMBOL_CODES: list[SymbolCodec] = [
    Fixed(2), Fixed(37), Fixed(1 << 62), TruncatedBinary(2), TruncatedBinary(5), TruncatedBinary(64),
    TruncatedBinary((1 << 62) - 5), Unary(), EliasGamma(), EliasDelta(), EliasOmega(), SignedOmega(),
    Golomb(1), Golomb(3), Golomb(8), Golomb(1000), Golomb(1 << 40), Rice(0), Rice(1), Rice(5), Rice(40), Float32(),
    Huffman.from_weights(np.array([1])), Huffman.from_weights(np.array([5, 0, 0, 2, 9, 9])),
    Huffman.from_weights(np.array([1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597])),
]  # fmt: skip
ROW_CODES: list[Codec] = [
    Block(2), Block(37, 5), Block(1000), Block(1 << 62, 2), Multiset(1), Multiset(40), Multiset(1 << 40),
    Row((EliasGamma(), Fixed(37), Golomb(3), Rice(2), TruncatedBinary(5), EliasOmega(), Unary(), EliasDelta())),
    Counted(1), Counted(37), Counted(1 << 31), Rans(2), Rans(17), Rans(256),
    Row((Huffman.from_weights(np.arange(9)), Float32(), Huffman.from_weights(np.arange(300) ** 3), Unary())),
]  # fmt: skip


@pytest.fixture(params=["small", "kernel"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both roads through the doors: numpy and Python, and numba."""
    small = request.param == "small"
    for module in ("bitpack", "prefix", "huffman", "counted", "rans"):
        monkeypatch.setattr(f"distest.kernels.{module}.worth_compiling", lambda n_items: not small)
    monkeypatch.setattr("distest.codecs.base.worth_compiling", lambda n_items: not small)
    return str(request.param)


def name_of(codec: Codec) -> str:
    return repr(codec) if len(repr(codec)) < 60 else repr(codec)[:50]


def drawn(codec: Codec, m: int, f: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Symbols of every size a code has, small ones more often, and both ends of its domain."""
    rng = np.random.default_rng(seed)
    if isinstance(codec, Row):
        return np.hstack([drawn(part, m, 1, seed + j) for j, part in enumerate(codec.codecs)])
    if isinstance(codec, Counted):
        return np.where(np.arange(f) < rng.integers(0, f + 1, (m, 1)), rng.integers(0, codec.n, (m, f)), -1)
    if isinstance(codec, Multiset | Block | Rans):
        return rng.integers(0, codec.n, (m, f))
    assert isinstance(codec, SymbolCodec)
    low, high = codec.domain
    if isinstance(codec, Unary | Golomb | Rice):  # runs of ones cost a word a 64
        high = min(high, 3000 * (codec.column.c if rng.random() < 0.9 else 1))
    spread = np.exp2(rng.uniform(0, np.log2(high - low + 1), (m, f)))
    symbols = np.minimum(low + spread.astype(np.int64) - 1, high)
    symbols.flat[0], symbols.flat[-1] = low, high
    return symbols


def sent(codec: Codec, symbols: np.ndarray[Any, np.dtype[np.int64]]) -> Messages:
    return codec.encode(symbols).pack()


def shown(codec: Codec, symbols: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.sort(symbols, axis=1) if isinstance(codec, Multiset) else symbols


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (40, 11), (1, 130)])
def test_decode_returns_the_symbols_and_ends_where_the_bits_end(
    codec: Codec, shape: tuple[int, int], road: str
) -> None:
    m, f = shape
    symbols = drawn(codec, m, f, seed=m + f)
    messages = sent(codec, symbols)
    reader = BitReader(messages.data, messages.n_bits)
    assert np.array_equal(codec.decode(reader, (m, symbols.shape[1])), shown(codec, symbols))
    assert reader.unread() == 0
    expected = codec.n_bits(symbols)
    assert expected.shape == symbols.shape
    assert int(expected.sum()) == messages.n_bits
    count, lengths = reader.booked()
    assert count == m
    assert np.array_equal(np.broadcast_to(lengths, m), expected.sum(axis=1))
    assert np.array_equal(np.broadcast_to(messages.lengths, m), expected.sum(axis=1))


@pytest.mark.parametrize("codec", [Unary(), Golomb(1), Golomb(3), Rice(0), Rice(1)], ids=name_of)
@pytest.mark.parametrize("small", [True, False])
def test_words_of_more_than_64_bits_are_booked_on_the_road_of_tables(codec: SymbolCodec, small: bool) -> None:
    """Symbols below 256 in a stream that is long enough for tables, some of them in words that no table holds."""
    symbols = np.random.default_rng(3).integers(0, 40, (300, 256))
    symbols[::7, 5], symbols[2, :] = 255, 200
    messages = sent(codec, symbols)
    reader = BitReader(messages.data, messages.n_bits)
    found = (codec.decode_small if small else codec.decode)(reader, symbols.shape)
    assert np.array_equal(found, symbols)
    assert reader.unread() == 0
    assert np.array_equal(reader.booked()[1], codec.n_bits(symbols).sum(axis=1))


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
def test_no_messages_are_no_bits(codec: Codec) -> None:
    fields = len(codec.codecs) if isinstance(codec, Row) else 3
    messages = sent(codec, np.zeros((0, fields), np.int64))
    reader = BitReader(messages.data, messages.n_bits)
    assert messages.n_bits == 0
    assert codec.decode(reader, (0, fields)).shape == (0, fields)


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
def test_what_follows_a_message_does_not_change_it(codec: Codec, road: str) -> None:
    symbols = drawn(codec, 5, 4, seed=8)
    alone = sent(codec, symbols)
    rng = np.random.default_rng(9)
    for lead in (0, 3):
        noise = Messages(rng.integers(0, 256, 64, dtype=np.uint8), 300, 1, 300)
        front = Messages(np.zeros(17, np.uint8), lead, 1, lead)
        joined = Messages.join([front, alone, noise])
        reader = BitReader(joined.data, joined.n_bits, lead)
        assert np.array_equal(codec.decode(reader, symbols.shape), shown(codec, symbols))
        assert reader.unread() == 300


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
def test_a_message_cut_anywhere_is_refused(codec: Codec, road: str) -> None:
    symbols = drawn(codec, 2, 3, seed=4)
    messages = sent(codec, symbols)
    for n_bits in {*range(max(messages.n_bits - 70, 0), messages.n_bits), *range(min(messages.n_bits, 70))}:
        for fill in (0, 255):  # what lies behind the end must not be seen
            data = np.full(messages.data.size, fill, np.uint8)
            data[: messages.data.size - 16] = messages.data[:-16]
            with pytest.raises(WireError):
                codec.decode(BitReader(data, n_bits), symbols.shape)


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
def test_any_bits_decode_or_are_refused(codec: Codec, road: str) -> None:
    rng = np.random.default_rng(11)
    fields = len(codec.codecs) if isinstance(codec, Row) else 3
    for _ in range(60):
        density = rng.random()
        bits = (rng.random(int(rng.integers(0, 600))) < density).astype(np.uint8)
        reader = BitReader(np.packbits(bits), bits.size)
        try:
            symbols = codec.decode(reader, (2, fields))
        except WireError:
            continue
        used = bits.size - reader.unread()
        again = sent(codec, symbols)
        assert again.n_bits == used
        assert again.to_bytes() == np.packbits(bits[:used]).tobytes()


@pytest.mark.parametrize("codec", [*SYMBOL_CODES, *ROW_CODES], ids=name_of)
def test_more_symbols_than_bits_are_refused_before_memory_is_asked_for(codec: Codec) -> None:
    if isinstance(codec, Multiset | Row):
        return  # their length is known, or their row is
    with pytest.raises(WireError):
        codec.decode(BitReader(np.zeros(8, np.uint8), 64), (1 << 40, 1 << 10))


def small_domain(codec: SymbolCodec) -> Iterator[int]:
    low, high = codec.domain
    return iter(range(low, min(high, 130) + 1))


@pytest.mark.parametrize("codec", SYMBOL_CODES, ids=name_of)
def test_no_word_is_a_prefix_of_another_and_kraft_holds(codec: SymbolCodec, naive: ModuleType) -> None:
    words = []
    for x in small_domain(codec):
        message = sent(codec, np.array([[x]]))
        words.append(naive.bits_of(message.to_bytes(), message.n_bits))
    for word, other in combinations(words, 2):
        assert not word.startswith(other)
        assert not other.startswith(word)
    assert sum(2.0 ** -len(word) for word in words) <= 1
    complete = isinstance(codec, TruncatedBinary | Huffman) and len(words) > 1
    if complete and codec.domain[1] == len(words) - 1:
        assert sum(2.0 ** -len(word) for word in words) == 1


@pytest.mark.parametrize("codec", SYMBOL_CODES, ids=name_of)
def test_a_symbol_outside_the_domain_is_the_callers_mistake(codec: SymbolCodec) -> None:
    low, high = codec.domain
    for x in (low - 1, high + 1):
        with pytest.raises(UsageError):
            codec.encode(np.array([[x]]))


@pytest.mark.parametrize("codec", SYMBOL_CODES, ids=name_of)
def test_both_roads_give_the_same_words(codec: SymbolCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = drawn(codec, 30, 5, seed=3)
    answers = []
    for worth in (False, True):
        monkeypatch.setattr("distest.kernels.bitpack.worth_compiling", lambda n_items, worth=worth: worth)
        answers.append(sent(codec, symbols).to_bytes())
    assert answers[0] == answers[1]


NAIVE: list[tuple[SymbolCodec, str, tuple[int, ...]]] = [
    (Fixed(37), "fixed", (37,)), (TruncatedBinary(5), "truncated_binary", (5,)),
    (TruncatedBinary(64), "truncated_binary", (64,)), (TruncatedBinary(100), "truncated_binary", (100,)),
    (Unary(), "unary", ()), (Golomb(1), "golomb", (1,)), (Golomb(7), "golomb", (7,)), (Rice(0), "rice", (0,)),
    (Rice(4), "rice", (4,)), (EliasGamma(), "elias_gamma", ()), (EliasDelta(), "elias_delta", ()),
    (EliasOmega(), "elias_omega", ()), (SignedOmega(), "signed_omega", ()),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "oracle", "parameters"), NAIVE, ids=lambda value: str(value)[:30])
def test_words_equal_the_obvious_ones(
    codec: SymbolCodec, oracle: str, parameters: tuple[int, ...], naive: ModuleType, road: str
) -> None:
    rng = np.random.default_rng(5)
    low, high = codec.domain
    large = np.array([], np.int64) if high > 1 << 40 and low == 0 else rng.integers(low, min(high, 1 << 16), 20)
    if isinstance(codec, EliasGamma | EliasDelta | EliasOmega):
        edges = [x for e in range(1, 62) for x in (2**e - 1, 2**e, 2**e + 1)]
        large = np.array([*edges, (1 << 62) - 1, 1 << 62])
    symbols = np.concatenate((np.arange(low, min(high, 300) + 1), large))[:, None]
    expected = naive.packed([getattr(naive, oracle)(int(x), *parameters) for x in symbols[:, 0]])
    assert sent(codec, symbols).to_bytes() == expected


@settings(max_examples=60)
@given(data=st.data())
def test_round_trip_of_any_symbols(data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(SYMBOL_CODES))
    low, high = codec.domain
    if isinstance(codec, Unary | Golomb | Rice):
        high = min(high, 200 * codec.column.c)
    rows = data.draw(st.lists(st.lists(st.integers(low, high), min_size=3, max_size=3), min_size=1, max_size=9))
    symbols = np.array(rows, np.int64)
    messages = sent(codec, symbols)
    reader = BitReader(messages.data, messages.n_bits)
    assert np.array_equal(codec.decode(reader, symbols.shape), symbols)
    assert reader.unread() == 0


def test_longest_runs_of_ones() -> None:
    top = (1 << 20) - 1
    for codec, x in ((Unary(), top), (Golomb(3), 3 * top + 2), (Rice(2), 4 * top + 3)):
        symbols = np.array([[1], [x], [2]])
        messages = sent(codec, symbols)
        assert np.array_equal(codec.decode(BitReader(messages.data, messages.n_bits), (3, 1)), symbols)
    for worth in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("distest.kernels.prefix.worth_compiling", lambda n_items, worth=worth: worth)
            with pytest.raises(WireError, match="no code word"):
                Unary().decode(BitReader(np.full(1 << 18, 255, np.uint8), 1 << 21), (1, 1))


@pytest.mark.parametrize("entry", json.loads((Path(__file__).parents[1] / "golden/codes.json").read_text())["words"])
def test_bytes_are_frozen(entry: dict[str, Any]) -> None:
    """A change here is a change of the wire format, and belongs in the changelog."""
    codec = golden_codec(entry["codec"], entry["parameters"])
    symbols = np.array(entry["symbols"], np.int64)
    messages = sent(codec, symbols)
    assert messages.n_bits == entry["n_bits"]
    assert messages.to_bytes().hex() == entry["hex"]
    assert hashlib.sha256(messages.to_bytes()).hexdigest() == entry["sha256"]


def golden_codec(name: str, parameters: list[Any]) -> Codec:
    classes: dict[str, Any] = {
        codec.__name__: codec
        for codec in (Fixed, TruncatedBinary, Unary, EliasGamma, EliasDelta, EliasOmega, Golomb, Rice, Block,
                      Multiset, Float32, Rans, SignedOmega)
    }  # fmt: skip
    if name == "Huffman":
        return Huffman.from_weights(np.array(parameters))
    codec = classes[name](*parameters)
    assert isinstance(codec, Codec)
    return codec


def test_codes_do_not_import_numba() -> None:
    modules = [path.stem for path in (Path(_lazy.__file__).parents[1] / "codecs").glob("*.py")]
    lines = [f"import distest.codecs.{name}" for name in modules if name != "__init__"]
    program = ";".join(
        [*lines, "import sys, numpy as np, distest.bits as b", "c = distest.codecs.elias_gamma.EliasGamma()",
         "w = c.encode(np.array([[1, 2, 3]])).pack()", "c.decode(b.BitReader(w.data, w.n_bits), (1, 3))",
         "sys.exit('numba' in sys.modules or 'scipy' in sys.modules)"]
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0
