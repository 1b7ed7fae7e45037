"""The alias table: its law in exact integers, both builders alike, and samples that follow it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from distest.kernels import alias
from distest.kernels.alias import AliasTable

Pmf = NDArray[np.float64]
ALPHA = 1e-8  # a chi-square test here refuses at this p: one false alarm in 10^8 choices of its seed


def law(table: AliasTable) -> list[Fraction]:
    """Chance of each cell's number under a uniform 64-bit word, from the table alone."""
    cells = 1 << table.cell_bits
    chance = [Fraction(0)] * cells
    for cell, (below, other) in enumerate(zip(table.threshold.tolist(), table.other.tolist(), strict=True)):
        assert 0 <= below <= 1 << 63
        # words of a cell differ in 64 - t bits, held against the threshold as multiples of 2^(t - 1) out of 2^63
        assert below % (1 << max(0, table.cell_bits - 1)) == 0
        chance[cell] += Fraction(below, cells << 63)
        chance[other] += Fraction((1 << 63) - below, cells << 63)
    return chance


def random_pmf(n: int, seed: int, shape: float = 1.0) -> Pmf:
    mass = np.random.Generator(np.random.Philox(seed)).gamma(shape, size=n)
    return np.asarray(mass / mass.sum(), np.float64)


PMFS = {
    "two": np.array([0.25, 0.75]),
    "point": np.array([0.0, 1.0, 0.0]),
    "last only": np.array([0.0] * 6 + [1.0]),
    "uniform 8": np.full(8, 1 / 8),
    "uniform 7": np.full(7, 1 / 7),
    "uniform 288": np.full(288, 1 / 288),
    "tiny": np.array([1e-17, 1e-300, 0.5, 0.5]),
    "zipf": np.arange(1, 1001) ** -1.0 / (np.arange(1, 1001) ** -1.0).sum(),
    "steep": 0.5 ** np.arange(1, 70) / (0.5 ** np.arange(1, 70)).sum(),
    "gamma": random_pmf(500, 1),
    "spiky": random_pmf(3000, 2, 0.05),
    "large": random_pmf(70_000, 3),
    "flat": np.full(70_001, 1 / 70_001),
}


def checked(pmf: Pmf) -> None:
    """The law is the pmf rounded to multiples of 2^-62, the heaviest symbol takes what is left over."""
    chance = law(alias.table(pmf))
    assert sum(chance) == 1
    assert not any(chance[pmf.size :])
    heaviest = int(np.argmax(pmf))
    off = [abs(c - Fraction(p)) for c, p in zip(chance[: pmf.size], pmf.tolist(), strict=True)]
    slack = abs(1 - sum((Fraction(p) for p in pmf.tolist()), Fraction(0)))
    assert off[heaviest] <= Fraction(pmf.size, 1 << 63) + slack
    assert max((o for x, o in enumerate(off) if x != heaviest), default=Fraction(0)) <= Fraction(1, 1 << 63)
    assert all(chance[x] == 0 for x in np.flatnonzero(pmf == 0).tolist())


@pytest.mark.parametrize("name", PMFS)
def test_the_law_is_the_pmf_to_the_last_bits(name: str) -> None:
    checked(PMFS[name])


def test_no_symbol_of_a_flat_law_pays_for_the_rounding_of_all() -> None:
    """2^20 - 3 symbols: all chances are equal but for 2 parts in 10^7.

    The rest of the rounding is up to n 2^-63, a share n^2 2^-63 of the symbol that takes it: 0.001 for 10^8 symbols.
    Rounded to multiples of 2^-53 it was 512 times as much, about half of the symbol.
    """
    n = (1 << 20) - 3
    table = alias.table(np.full(n, 1 / n))
    kept = (table.threshold >> np.uint64(1)).astype(np.float64) / 2.0**62
    chance = (np.bincount(table.other, weights=1 - kept, minlength=1 << 20) + kept)[:n] / (1 << 20)
    assert np.abs(chance * n - 1).max() < 2e-7


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40).filter(lambda m: sum(m) > 1e-3))
def test_the_law_is_any_pmf_to_the_last_bits(mass: list[float]) -> None:
    weights = np.array(mass)
    checked(weights / weights.sum())


@pytest.mark.parametrize("name", PMFS)
def test_the_compiled_table_is_the_plain_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tables = []
    for compiled in (True, False):
        monkeypatch.setattr(alias, "worth_compiling", lambda n_items, answer=compiled: answer)
        tables.append(alias.table(PMFS[name]))
    assert tables[0].cell_bits == tables[1].cell_bits
    assert np.array_equal(tables[0].threshold, tables[1].threshold)
    assert np.array_equal(tables[0].other, tables[1].other)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", PMFS)
def test_samples_are_read_off_the_table_word_by_word(
    monkeypatch: pytest.MonkeyPatch, name: str, compiled: bool
) -> None:
    monkeypatch.setattr(alias, "worth_compiling", lambda n_items: compiled)
    table = alias.table(PMFS[name])
    edges = np.array([0, 1, (1 << 64) - 1, 1 << 63, (1 << 63) - 1], np.uint64)
    words = np.concatenate((edges, np.random.Philox(4).random_raw(395))).reshape(100, 4)
    t = table.cell_bits
    expected = []
    for word in words.ravel().tolist():
        cell, rest = word >> (64 - t), (word << t & (1 << 64) - 1) >> 1
        expected.append(cell if rest < int(table.threshold[cell]) else int(table.other[cell]))
    found = table.sample(words)
    assert found.dtype == np.int32
    assert found.shape == words.shape
    assert found.ravel().tolist() == expected


def test_samples_of_words_that_are_not_contiguous_are_the_same() -> None:
    table = alias.table(PMFS["zipf"])
    words = np.random.Philox(9).random_raw(4000).reshape(1000, 4)
    assert np.array_equal(table.sample(words)[:, 1], table.sample(words[:, 1]))
    assert np.array_equal(table.sample(words)[::3], table.sample(words[::3]))


@pytest.mark.parametrize("name", ["two", "uniform 7", "uniform 288", "zipf", "gamma"])
def test_samples_follow_the_pmf(name: str) -> None:
    """Chi-square over the symbols, 400 000 draws, refused at p < 1e-8."""
    pmf = PMFS[name]
    drawn = alias.table(pmf).sample(np.random.Philox(7).random_raw(400_000))
    found, expected = np.bincount(drawn, minlength=pmf.size), 400_000 * pmf
    assert found.size == pmf.size
    often = expected >= 5
    cells = np.append(found[often], found[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum())
    cells, wanted = cells[wanted > 0], wanted[wanted > 0]
    assert stats.chi2.sf(((cells - wanted) ** 2 / wanted).sum(), cells.size - 1) > ALPHA


@pytest.mark.parametrize("name", ["point", "last only", "tiny"])
def test_a_symbol_without_mass_is_never_drawn(name: str) -> None:
    pmf = PMFS[name]
    drawn = alias.table(pmf).sample(np.random.Philox(8).random_raw(100_000))
    assert set(drawn.tolist()) <= set(np.flatnonzero(pmf > 1e-16).tolist())
