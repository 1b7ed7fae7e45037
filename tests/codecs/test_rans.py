"""rANS: near the entropy, the same bits on all roads, safe on any bytes, tables that are the same everywhere."""

from typing import Any

import numpy as np
import pytest

from distest.bits import BitReader, Messages
from distest.codecs.rans import Rans
from distest.errors import UsageError, WireError
from distest.kernels import bitpack, rans
from distest.kernels._lazy import jitted
from distest.kernels.prefix import ENDED, INVALID


@pytest.fixture(params=["small", "kernel", "vectors"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return str(request.param)


def take(road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the three roads, with 32 coders from 4300 symbols on."""
    loops = jitted("rans_vectors")
    if road == "vectors" and not loops.HERE:
        pytest.skip("this machine has no AVX-512 (or numba was told not to use it), which the third road is made of")
    monkeypatch.setattr(rans, "LONGEST", 4300)
    monkeypatch.setattr("distest.kernels.rans.worth_compiling", lambda n_items: road != "small")
    monkeypatch.setattr(loops, "HERE", road == "vectors")


def gaussians(n: int, step: float, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    x = np.random.default_rng(seed).standard_normal(n)
    return np.clip(np.round(x / step) + 128, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("step", "more"), [(3.0, 0.001), (1.0, 0.001), (0.3, 0.004)])
def test_long_rows_cost_their_entropy(step: float, more: float) -> None:
    """Symbols rarer than 1 / 4096 get more than their share: at step 0.3 a dozen of them."""
    symbols = gaussians(1 << 20, step)[None]
    masses = np.bincount(symbols[0]) / symbols.size
    entropy = -float((masses[masses > 0] * np.log2(masses[masses > 0])).sum())
    packed = Rans(256).pack(symbols)
    assert entropy <= packed.n_bits / symbols.size <= entropy + more + 0.0005  # which is the table
    tables = rans.model(rans.frequencies(np.bincount(symbols[0], minlength=256))[None])
    assert rans.write(symbols[0], tables)[1] / symbols.size <= entropy + more
    assert np.array_equal(Rans(256).decode(BitReader(packed.data, packed.n_bits), symbols.shape), symbols)


SIZES = [1, 2, 7, 8, 4095, 4096, 4097, 4103, 4299, 4300, 4301, 4320, 4351, 20_001]


def one_case(n: int, contexts: int) -> tuple[rans.Model, Any, Any]:
    """Tables, symbols and contexts, of very unequal frequencies."""
    rng = np.random.default_rng(n)
    tables = rans.model(np.stack([rans.frequencies(rng.integers(0, 9, 40) ** 4 + 1) for _ in range(contexts)]))
    symbols = rng.integers(0, 40, n).astype(np.uint8)
    return tables, symbols, rng.integers(0, contexts, n).astype(np.uint8) if contexts > 1 else None


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("contexts", [1, 5, 16])
def test_a_stream_is_read_from_any_bit_on_and_misses_its_end(n: int, contexts: int, road: str) -> None:
    tables, symbols, which = one_case(n, contexts)
    data, n_bits = rans.write(symbols, tables, which)
    for shift in (0, 3, 8):
        out = bitpack.room(n_bits + shift)
        bitpack.append(data, n_bits, out, shift)
        for more in (0, 1000):  # what follows is another's
            found, end, status = rans.read(out, shift, shift + n_bits, n, tables, which)
            assert (end, status) == (shift + n_bits, 0)
            assert np.array_equal(found, symbols)
            out = np.concatenate((out, np.full(more, 255, np.uint8)))
        assert rans.read(out, shift, shift + n_bits - 1, n, tables, which)[2] == ENDED


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("contexts", [1, 5, 16])
def test_all_roads_write_the_same(n: int, contexts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, symbols, which = one_case(n, contexts)
    streams = []
    for road in ("small", "kernel", *(("vectors",) if jitted("rans_vectors").HERE else ())):
        with monkeypatch.context() as patch:
            take(road, patch)
            assert rans.lanes(n) == (1 if n < 4096 else 8 if n < 4300 else 32)
            data, n_bits = rans.write(symbols, tables, which)
            streams.append((data.tobytes(), n_bits))
    assert all(stream == streams[0] for stream in streams)


def test_all_roads_say_the_same_of_damaged_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symbols, end and status, whatever the bytes are; 400 streams of 32 coders, flipped, cut or noise."""
    rng = np.random.default_rng(5)
    roads = ("kernel", *(("vectors",) if jitted("rans_vectors").HERE else ()))
    for contexts in (1, 16):
        tables, symbols, which = one_case(4777, contexts)
        with monkeypatch.context() as patch:
            take("kernel", patch)
            data, n_bits = rans.write(symbols, tables, which)
        for t in range(200):
            hurt, end = data.copy(), n_bits if t % 2 else int(rng.integers(1024, n_bits))
            if t % 3:
                hurt[int(rng.integers(n_bits // 8))] ^= np.uint8(rng.integers(1, 256))
            else:
                hurt[128 * (t % 2) :] = rng.integers(0, 256, hurt.size - 128 * (t % 2), np.uint8)
            said = []
            for road in roads:
                with monkeypatch.context() as patch:
                    take(road, patch)
                    found, at, status = rans.read(hurt, 0, end, symbols.size, tables, which)
                    said.append((at, status, b"" if status else found.tobytes()))
            assert all(one == said[0] for one in said)
            assert said[0][1] or said[0][2] == symbols.tobytes() or t % 3


def test_the_reader_of_vectors_stays_inside_the_stream() -> None:
    """Where no 32 words are left it stops, even if the symbols need none."""
    loops = jitted("rans_vectors")
    if not loops.HERE:
        pytest.skip("this machine has no AVX-512 (or numba was told not to use it)")
    tables, n = rans.model(np.array([[4096]])), 64
    states, out, none = np.full(32, rans.START, np.uint32), np.full(n, 9, np.uint8), np.empty(0, np.uint8)
    assert loops.decode(np.empty(0, np.uint8), 0, none, tables.slots, states, out) == (0, 0)
    assert loops.decode(np.zeros(62, np.uint8), 31, none, tables.slots, states, out) == (0, 0)
    assert (out == 9).all()
    assert loops.decode(np.zeros(64, np.uint8), 32, none, tables.slots, states, out) == (n, 0)
    assert not out.any()


def test_writing_is_what_the_definition_says(road: str) -> None:
    table = rans.frequencies(np.array([5, 90, 1, 4]))
    starts = np.cumsum(table) - table
    symbols = np.random.default_rng(1).choice(4, 500, p=table / 4096).astype(np.uint8)
    x, words = 1 << 16, []
    for s in symbols[::-1].tolist():
        f, c = int(table[s]), int(starts[s])
        if x >= f << 20:
            words.append(x & 0xFFFF)
            x >>= 16
        x = 4096 * (x // f) + c + x % f
    expected = x.to_bytes(4, "big") + b"".join(word.to_bytes(2, "big") for word in words[::-1])
    data, n_bits = rans.write(symbols, rans.model(table[None]))
    assert data[: n_bits // 8].tobytes() == expected
    assert n_bits == 8 * len(expected)


def test_division_by_the_inverse_is_exact() -> None:
    f = np.arange(1, 4097, dtype=np.uint64)
    inverse = np.uint64(1 << 44) // f + np.uint64(1)
    for q in (0, 1, 2, 12345, (1 << 19) - 1, (1 << 20) - 1):
        for r in (np.zeros_like(f), f - np.uint64(1)):
            x = f * np.uint64(q) + r
            assert bool(((x * inverse) >> np.uint64(44) == q).all())
    rng = np.random.default_rng(0)
    for _ in range(50):
        x = (rng.random(f.size) * (f << np.uint64(20))).astype(np.uint64)
        assert np.array_equal((x * inverse) >> np.uint64(44), x // f)


def test_frequencies_sum_to_4096_and_keep_what_occurs() -> None:
    rng = np.random.default_rng(2)
    for n in (1, 2, 13, 256):
        for power in (0, 1, 6, 40):
            counts = (rng.random(n) ** power * 1e6).astype(np.int64)
            counts[int(rng.integers(n))] += 1
            table = rans.frequencies(counts)
            assert int(table.sum()) == 4096
            assert np.array_equal(table > 0, counts > 0)
    assert rans.frequencies(np.array([1, 1, 1])).tolist() == [1366, 1365, 1365]
    assert rans.frequencies(np.array([1 << 49, 1, 1])).tolist() == [4094, 1, 1]
    with pytest.raises(ValueError, match="at least one"):
        rans.frequencies(np.zeros(3, np.int64))


def test_damaged_streams_are_symbols_or_refused(road: str) -> None:
    rng = np.random.default_rng(3)
    symbols = gaussians(5000, 0.8)[None]
    sent = Rans(256).pack(symbols)
    refused = 0
    for _ in range(20 if road == "small" else 200):
        data = sent.data.copy()
        at = int(rng.integers(0, sent.n_bits // 8))
        data[at] ^= np.uint8(rng.integers(1, 256))
        n_bits = sent.n_bits if rng.random() < 0.5 else int(rng.integers(0, sent.n_bits))
        try:
            out = Rans(256).decode(BitReader(data, n_bits), (1, 5000))
        except WireError:
            refused += 1
            continue
        assert out.shape == (1, 5000)
    assert refused >= 19  # the last numbers of the coders give damage away


def test_states_below_the_least_are_refused() -> None:
    tables = rans.model(np.array([[4096]]))
    data, n_bits = rans.write(np.zeros(3, np.uint8), tables)
    assert n_bits == 32
    assert rans.read(data, 0, 32, 3, tables)[2] == 0
    assert rans.read(np.zeros(32, np.uint8), 0, 32, 3, tables)[2] == INVALID


def test_a_row_of_one_symbol_costs_its_table_and_the_coders() -> None:
    sent = Rans(2).pack(np.zeros((2, 10_000), np.int64))
    assert sent.count == 2
    assert sent.lengths == 25 + 8 * 32
    assert rans.LONGEST == 1 << 21  # fewer symbols are not worth the bits of 32 coders
    assert not Rans(2).decode(BitReader(sent.data, sent.n_bits), (2, 10_000)).any()


def test_what_is_refused() -> None:
    for n in (1, 257):
        with pytest.raises(UsageError, match="2 to 256"):
            Rans(n)
    with pytest.raises(UsageError, match="0 to 2, got 3"):
        Rans(3).pack(np.array([[3]]))
    with pytest.raises(ValueError, match="one context below 1"):
        rans.write(np.zeros(3, np.uint8), rans.model(np.array([[4096]])), np.ones(3, np.uint8))
    ones = Messages.of_bytes(bytes([0x00, 0x0F, 0xFF] * 40))
    with pytest.raises(WireError, match="sum to more"):
        Rans(3).decode(BitReader(ones.data, ones.n_bits), (1, 100))
