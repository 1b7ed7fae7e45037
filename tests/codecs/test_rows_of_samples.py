"""Block, Multiset, Subset: exact lengths, every rank used once, both ways of counting."""

from itertools import combinations
from math import comb, lgamma, log
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distest.bits import BitReader
from distest.codecs.base import Codec
from distest.codecs.block import Block
from distest.codecs.multiset import Multiset
from distest.codecs.subset import Subset
from distest.errors import UsageError, WireError
from distest.kernels import ranks


def round_trip(codec: Codec, symbols: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    messages = codec.encode(symbols).pack()
    reader = BitReader(messages.data, messages.n_bits)
    expected = np.sort(symbols, axis=1) if isinstance(codec, Multiset) else symbols
    assert np.array_equal(codec.decode(reader, (symbols.shape[0], symbols.shape[1])), expected)
    assert reader.unread() == 0
    return messages.n_bits


@pytest.mark.parametrize(
    ("n", "s", "n_bits", "entropy"),
    [(256, 16, 85, 84.2), (256, 256, 507, 476.2), (256, 4096, 1396, 1026.0), (4096, 64, 473, 472.5),
     (4096, 1024, 3690, 3642.6), (4096, 4096, 8185, 7703.0)],
)  # fmt: skip
def test_multiset_lengths_of_the_table_and_above_the_entropy(n: int, s: int, n_bits: int, entropy: float) -> None:
    code = Multiset(n)
    assert code.length(s) == n_bits
    assert Block(n, s).n_bits(np.zeros((1, s), np.int64)).sum() >= n_bits >= entropy_of_counts(n, s)
    assert entropy_of_counts(n, s) == pytest.approx(entropy, abs=0.1)
    symbols = np.random.default_rng(s).integers(0, n, (2, s))
    assert round_trip(code, symbols) == 2 * n_bits


def entropy_of_counts(n: int, s: int) -> float:
    """s log n - log s! + n E log(N!) in bits, N binomial(s, 1/n)."""
    total, p = 0.0, 1 / n
    for count in range(2, s + 1):
        log_mass = lgamma(s + 1) - lgamma(count + 1) - lgamma(s - count + 1)
        log_mass += count * log(p) + (s - count) * log(1 - p)
        total += 2.718281828459045**log_mass * lgamma(count + 1) if log_mass > -700 else 0.0
    return (s * log(n) - lgamma(s + 1) + n * total) / log(2)


@pytest.mark.parametrize(("n", "s"), [(1, 3), (2, 5), (5, 1), (4, 4), (6, 3), (40, 2)])
def test_every_multiset_has_its_own_rank(n: int, s: int, naive: ModuleType) -> None:
    rows = naive.multisets(n, s)
    assert len(rows) == ranks.count(n, s)
    assert [ranks.rank(list(row), n) for row in rows] == list(range(len(rows)))
    assert [tuple(ranks.unrank(i, n, s)) for i in range(len(rows))] == rows
    assert ranks.rank_rows(np.array(rows), n).tolist() == list(range(len(rows)))
    assert ranks.sorted_rows(np.arange(len(rows)), n, s).tolist() == [list(row) for row in rows]


@pytest.mark.parametrize(("n", "s"), [(1000, 7), (1000, 80), (82_834, 16), (1 << 40, 6), (1 << 62, 3), (30, 500)])
def test_ways_of_counting_agree(n: int, s: int) -> None:
    rng = np.random.default_rng(n % 1000 + s)
    for spread in (n, max(n // 100, 1)):
        y = np.sort(rng.integers(0, spread, s)).tolist()
        number = sum(comb(sample + j, j + 1) for j, sample in enumerate(y))
        assert ranks.rank(y, n) == number
        assert ranks.unrank(number, n, s) == y
    top = ranks.count(n, s) - 1
    assert ranks.unrank(top, n, s) == [n - 1] * s
    assert ranks.unrank(0, n, s) == [0] * s


@settings(max_examples=80)
@given(n=st.integers(1, 1 << 62), s=st.integers(1, 40), seed=st.integers(0, 1000))
def test_multisets_of_any_size_round_trip(n: int, s: int, seed: int) -> None:
    n = max(1, n >> (seed % 62))
    round_trip(Multiset(n), np.random.default_rng(seed).integers(0, n, (3, s)))


def test_tables_and_integers_send_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = np.random.default_rng(2).integers(0, 100, (50, 9))
    with_tables = Multiset(100).encode(symbols).pack().to_bytes()
    assert ranks.tabled(100, 9)
    monkeypatch.setattr(ranks, "tabled", lambda n, s: False)
    assert Multiset(100).encode(symbols).pack().to_bytes() == with_tables
    round_trip(Multiset(100), symbols)


def test_a_rank_too_high_is_refused() -> None:
    for code, row in ((Multiset(6), 3), (Multiset(1000), 50)):
        n_bits = code.length(row)
        assert 1 << n_bits > ranks.count(code.n, row)
        with pytest.raises(WireError, match="fewer multisets"):
            code.decode(BitReader(np.full(300, 255, np.uint8), 2400), (1, row))


@pytest.mark.parametrize(("d", "k"), [(5, 0), (5, 2), (5, 5), (7, 3)])
def test_every_subset_has_its_own_message(d: int, k: int) -> None:
    sets = sorted(combinations(range(d), k), key=lambda places: places[::-1])
    code = Subset(d)
    for rank, places in enumerate(sets):
        row = np.array([places], np.int64).reshape(1, k)
        message = code.encode(row).pack()
        assert message.n_bits == (comb(d, k) - 1).bit_length()
        assert int.from_bytes(message.to_bytes(), "big") >> (-message.n_bits % 8) == rank
        round_trip(code, row)


@pytest.mark.parametrize(("d", "k"), [(10**6, 20), (500, 200), (1 << 50, 4)])
def test_large_subsets_round_trip_in_the_declared_bits(d: int, k: int) -> None:
    rng = np.random.default_rng(k)
    rows = [np.sort(rng.choice(min(d, 10**6), k, replace=False)) for _ in range(3)]
    assert round_trip(Subset(d), np.array(rows)) == 3 * (comb(d, k) - 1).bit_length()


def test_places_that_are_no_set_are_refused() -> None:
    for row in ([1, 1], [3, 2], [0, 9]):
        with pytest.raises(UsageError):
            Subset(9).encode(np.array([row]))
    with pytest.raises(UsageError):
        Subset(2).encode(np.array([[0, 1, 2]]))


@pytest.mark.parametrize(("n", "size", "f"), [(2, 64, 64), (3, 64, 200), (10, 7, 20), (256, 16, 16), (1 << 62, 3, 7)])
def test_blocks_are_numbers_to_the_base_n(n: int, size: int, f: int, naive: ModuleType) -> None:
    symbols = np.random.default_rng(f).integers(0, n, (5, f))
    symbols[0], symbols[1] = n - 1, 0
    messages = Block(n, size).encode(symbols).pack()
    assert messages.to_bytes() == naive.packed([naive.block(row, n, size) for row in symbols.tolist()])
    assert round_trip(Block(n, size), symbols) == 5 * Block(n, size).n_bits(symbols)[0].sum()


def test_a_block_out_of_range_is_refused() -> None:
    for n, size in ((3, 5), (3, 64)):
        with pytest.raises(WireError, match="not below"):
            Block(n, size).decode(BitReader(np.full(64, 255, np.uint8), 512), (1, size))


def test_blocks_need_symbols() -> None:
    for n, size in ((1, 4), (5, 0)):
        with pytest.raises(UsageError):
            Block(n, size)
