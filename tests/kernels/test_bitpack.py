"""bitpack against strings of '0' and '1', on both roads."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distest.bits import BitReader, Messages, Words
from distest.errors import WireError
from distest.kernels import bitpack


@pytest.fixture(params=[False, True], ids=["small", "kernel"], autouse=True)
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(bitpack, "worth_compiling", lambda n_items: bool(request.param))
    return bool(request.param)


@pytest.mark.parametrize("widest", [1, 7, 8, 33, 63, 64])
def test_pack_writes_the_low_bits_end_to_end(widest: int, naive: ModuleType) -> None:
    rng = np.random.default_rng(widest)
    for count in (0, 1, 2, 63, 500):
        width = rng.integers(0, widest + 1, count).astype(np.uint8)
        code = rng.integers(0, 1 << 64, count, dtype=np.uint64)  # bits above the width are dropped
        data, n_bits = bitpack.pack(code, width)
        words = [naive.binary(c % 2**w, w) for c, w in zip(code.tolist(), width.tolist(), strict=True)]
        assert data[: -bitpack.SPARE].tobytes() == naive.packed(words)
        assert n_bits == width.sum(dtype=np.int64)
        assert not data[-bitpack.SPARE :].any()


def test_pack_refuses_what_is_no_word() -> None:
    with pytest.raises(ValueError, match="64"):
        bitpack.pack(np.zeros(1, np.uint64), np.array([65], np.uint8))
    with pytest.raises(ValueError, match="shapes"):
        bitpack.pack(np.zeros(2, np.uint64), np.zeros(1, np.uint8))


@pytest.mark.parametrize("width", [0, 1, 3, 8, 31, 57, 58, 63, 64])
@pytest.mark.parametrize("at", [0, 1, 7, 8, 61])
def test_unpack_reads_fields_at_any_bit(width: int, at: int, naive: ModuleType) -> None:
    data = np.random.default_rng(width).integers(0, 256, 400 + bitpack.SPARE, dtype=np.uint8)
    bits = naive.bits_of(data.tobytes(), 8 * data.size)
    count = 40
    fields = [bits[at + i * width : at + (i + 1) * width] for i in range(count)]
    assert bitpack.unpack(data, at, width, count).tolist() == [int(field, 2) if field else 0 for field in fields]


@settings(max_examples=60)
@given(parts=st.lists(st.text("01", max_size=90), max_size=8))
def test_append_leaves_no_gap(parts: list[str]) -> None:
    out, at = bitpack.room(sum(map(len, parts))), 0
    for part in parts:
        source = np.packbits(np.array([int(bit) for bit in part], np.uint8)) if part else np.zeros(0, np.uint8)
        at = bitpack.append(np.concatenate((source, np.zeros(16, np.uint8))), len(part), out, at)
    assert np.unpackbits(out)[:at].tolist() == [int(bit) for bit in "".join(parts)]
    assert not np.unpackbits(out)[at:].any()


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1003])
def test_symbols_of_one_width(width: int, count: int, naive: ModuleType) -> None:
    symbols = np.random.default_rng(count).integers(0, 1 << width, count).astype(np.uint8)
    data, n_bits = bitpack.pack_symbols(symbols, width)
    assert n_bits == width * count
    assert data[: -bitpack.SPARE].tobytes() == naive.packed([naive.binary(x, width) for x in symbols.tolist()])
    assert not data[-bitpack.SPARE :].any()
    assert np.array_equal(bitpack.unpack_symbols(data, width, count), symbols)
    reader = BitReader(data, n_bits)
    assert np.array_equal(reader.symbols(count, width), symbols)
    assert reader.unread() == 0


@pytest.mark.parametrize("width", range(1, 8))
def test_a_symbol_too_large_is_named(width: int) -> None:
    for place in (0, 8, 16):
        symbols = np.zeros(17, np.uint8)
        symbols[place] = 1 << width
        with pytest.raises(ValueError, match=f"symbol {1 << width} does not fit"):
            bitpack.pack_symbols(symbols, width)


def test_symbols_behind_a_broken_byte() -> None:
    words = Words(np.array([[5, 200, 17]], np.uint64), np.array([[3, 8, 8]], np.uint8)).pack()
    reader = BitReader(words.data, words.n_bits)
    assert reader.fixed(1, 3).tolist() == [[5]]
    assert reader.symbols(2, 8).tolist() == [200, 17]
    with pytest.raises(WireError, match="end early"):
        reader.symbols(1, 1)


def test_joined_messages_equal_messages_packed_at_once() -> None:
    rng = np.random.default_rng(3)
    words = Words(rng.integers(0, 99, (30, 2), dtype=np.uint64), rng.integers(0, 12, (30, 2), dtype=np.uint8))
    parts = [Words(words.code[i:j], words.width[i:j]).pack() for i, j in ((0, 1), (1, 1), (1, 17), (17, 30))]
    joined, whole = Messages.join(parts), words.pack()
    assert joined.to_bytes() == whole.to_bytes()
    assert (joined.n_bits, joined.count) == (whole.n_bits, whole.count)
    assert np.array_equal(joined.lengths, whole.lengths)
