"""Oblivious partitions: exact numbers of cells, worst errors by brute force over all prefixes, and no fewer cells."""

import itertools
import time
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from distest.errors import UsageError
from distest.learning import norms
from distest.learning.fitting import oblivious
from distest.learning.fitting.cells import Cells, cells_of

TENTH, TWENTIETH, FIFTH = Fraction(1, 10), Fraction(1, 20), Fraction(1, 5)


def prefix_losses(cells: Cells) -> tuple[Fraction, Fraction]:
    """The worst l1 and squared l2 flattening error over all uniform prefixes, symbol by symbol."""
    n, edges = int(cells.edges[-1]), cells.edges.tolist()
    l1, l2 = Fraction(0), Fraction(0)
    for size in range(1, n + 1):
        apart, squared = Fraction(0), Fraction(0)
        for a, b in itertools.pairwise(edges):
            inside = min(max(size - a, 0), b - a)
            level, share = Fraction(inside, size * (b - a)), Fraction(1, size)
            apart += inside * abs(share - level) + (b - a - inside) * level
            squared += inside * (share - level) ** 2 + (b - a - inside) * level**2
        l1, l2 = max(l1, apart), max(l2, squared)
    return l1, l2


@pytest.mark.parametrize(
    ("tau", "numbers"),
    [
        (TENTH, [27, 34, 41, 48, 55, 61, 68]),
        (TWENTIETH, [47, 61, 75, 89, 103, 117, 131]),
        (FIFTH, [15, 19, 22, 25, 29, 32, 36]),
    ],
)
def test_numbers_of_greedy_cells(tau: Fraction, numbers: list[int]) -> None:
    found = [oblivious.greedy(1 << j, tau) for j in range(8, 21, 2)]
    assert [len(cells) for cells in found] == numbers
    assert all(oblivious.worst_l1(cells) <= tau for cells in found)


@pytest.mark.parametrize(
    ("growth", "numbers", "worst"),
    [(TENTH, [64, 93, 122], Fraction(1, 9)), (TWENTIETH, [110, 166, 223], Fraction(1, 16))],
)
def test_numbers_of_classical_cells(growth: Fraction, numbers: list[int], worst: Fraction) -> None:
    found = [oblivious.birge(1 << j, growth) for j in (12, 16, 20)]
    assert [len(cells) for cells in found] == numbers
    assert {oblivious.worst_l1(cells) for cells in found} == {worst}


@pytest.mark.parametrize("growth", [TENTH, Fraction(1, 3), Fraction(1, 100), Fraction(99, 100)])
def test_classical_widths_are_those_of_exact_powers(growth: Fraction) -> None:
    widths = oblivious.birge(1 << 20, growth).widths.tolist()
    assert widths[:-1] == [int((1 + growth) ** i) for i in range(len(widths) - 1)]


@pytest.mark.parametrize(
    ("eps", "number", "worst"),
    [("0.1", 15, 0.090909), ("0.05", 26, 0.047140), ("0.03", 41, 0.029463), ("0.01", 114, 0.009959)],
)
def test_numbers_of_l2_cells(eps: str, number: int, worst: float) -> None:
    cells = oblivious.l2_cells(1 << 16, Fraction(eps))
    assert len(cells) == number
    assert float(oblivious.worst_l2_squared(cells)) ** 0.5 == pytest.approx(worst, abs=1e-6)
    assert len(oblivious.l2_cells(1 << 30, Fraction(eps))) <= number + 2  # hardly more for 16,384 times the symbols


@pytest.mark.parametrize("n", [2, 3, 17, 100])
@pytest.mark.parametrize("tau", [TENTH, FIFTH, Fraction(1, 2), Fraction(99, 100)])
def test_worst_errors_are_those_of_the_worst_prefix(n: int, tau: Fraction) -> None:
    for cells in (oblivious.greedy(n, tau), oblivious.birge(n, tau), oblivious.l2_cells(n, tau / 2), cells_of([0, n])):
        assert cells.edges[0] == 0
        assert cells.edges[-1] == n
        assert (cells.widths >= 1).all()
        assert prefix_losses(cells) == (oblivious.worst_l1(cells), oblivious.worst_l2_squared(cells))
    assert oblivious.worst_l1(oblivious.greedy(n, tau)) <= tau
    assert oblivious.worst_l2_squared(oblivious.l2_cells(n, tau / 2)) <= (tau / 2) ** 2


@pytest.mark.parametrize("tau", [Fraction(1, 25), TENTH, FIFTH, Fraction(1, 3), Fraction(1, 2), Fraction(9, 10)])
def test_no_partition_has_fewer_cells(tau: Fraction) -> None:
    """Dynamic programming over all partitions; 1/3, 1/5 and others are met exactly, so that ties are seen too."""

    def allowed(start: int, end: int) -> bool:
        w = end - start
        return all(Fraction(2 * k * (w - k), w * (start + k)) <= tau for k in range(1, w))

    @cache
    def fewest(n: int) -> int:
        return 0 if n == 0 else 1 + min(fewest(start) for start in range(n) if allowed(start, n))

    for n in range(2, 61):
        assert len(oblivious.greedy(n, tau)) == fewest(n)


def test_random_falling_laws_lose_no_more_than_prefixes() -> None:
    noise = np.random.default_rng(1)
    for n in (50, 1000):
        cells, squares = oblivious.greedy(n, TENTH), oblivious.l2_cells(n, TWENTIETH)
        for _ in range(200):
            p = np.sort(noise.pareto(0.7, n))[::-1]
            p /= p.sum()
            assert norms.l1(cells.spread(cells.masses(p) / cells.widths), p) <= 0.1 + 1e-12
            assert norms.l2_squared(squares.spread(squares.masses(p) / squares.widths), p) <= 0.05**2 + 1e-12


@pytest.mark.parametrize("tau", ["0.1", "0.001", "0.00001"])
def test_a_million_symbols_take_no_time(tau: str) -> None:
    before = time.perf_counter()
    oblivious.greedy.__wrapped__(1 << 20, Fraction(tau))
    assert time.perf_counter() - before < 2  # 0.001 to 0.3 s where this was written


def test_decimals_are_taken_at_their_word() -> None:
    assert oblivious.exact(0.1) == TENTH
    assert oblivious.exact(1e-7) == Fraction(1, 10**7)
    assert oblivious.exact(1 / 3) != Fraction(1, 3)


def test_cells_find_spread_and_mirror() -> None:
    cells = cells_of([0, 1, 3, 7])
    assert cells.find(np.arange(7, dtype=np.int32)).tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert cells.spread([5, 6, 7]).tolist() == [5, 6, 6, 7, 7, 7, 7]
    assert cells.masses(np.arange(7.0)).tolist() == [0, 3, 18]
    assert cells.mirrored().edges.tolist() == [0, 4, 6, 7]
    assert cells.mirrored().mirrored().edges.tolist() == cells.edges.tolist()
    with pytest.raises(UsageError, match="symbols from 0 to 6, a server has 7"):
        cells.find(np.array([[0, 7], [1, 2]], np.int32))
    with pytest.raises(ValueError, match="read-only"):
        cells.edges[0] = 1
