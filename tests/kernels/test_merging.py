"""Loops of merging: the same numbers on both roads, to the last bit, and those of a naive twin."""

from itertools import pairwise

import numpy as np
import pytest

from distest.kernels import merging
from distest.learning.fitting import merging as fitting


def naive(sums: list[float], edges: list[int], a: int, b: int) -> float:
    level = (sums[b] - sums[a]) / (edges[b] - edges[a])
    ahead = [sums[x] - sums[a] - level * (edges[x] - edges[a]) for x in range(a, b)]
    return max(ahead) - min(ahead)


@pytest.mark.parametrize("seed", range(6))
def test_both_roads_and_the_naive_twin_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    edges = np.concatenate(([0], np.cumsum(random.integers(1, 9, 200))))
    masses = random.integers(0, 50, 200) if seed % 2 else random.random(200)
    sums = np.concatenate(([0.0], np.cumsum(masses)))
    squares = np.concatenate(([0.0], np.cumsum(masses / np.diff(edges) * masses)))
    inner = np.sort(random.choice(np.arange(1, 200), 60, replace=False))
    for bounds in (np.concatenate(([0], inner, [200])), inner):
        found = []
        for compiled in (True, False):
            monkeypatch.setattr(merging, "worth_compiling", lambda n_items, compiled=compiled: compiled)
            l2 = merging.square_losses(squares, sums, edges, bounds)
            found.append((l2.tobytes(), merging.discrepancies(sums, edges, bounds).tobytes()))
        assert found[0] == found[1]
        pairs = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        twin = [naive(sums.tolist(), edges.tolist(), a, b) for a, b in pairs]
        assert np.frombuffer(found[0][1]).tolist() == twin
        for loss, (a, b) in zip(np.frombuffer(found[0][0]), pairs, strict=True):
            width = np.diff(edges[a : b + 1])
            flat = masses[a:b].sum() / width.sum()
            assert loss == pytest.approx(float((width * (masses[a:b] / width - flat) ** 2).sum()), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_samples_become_cells(n: int) -> None:
    """Every occupied symbol and every gap between is a cell, at the ends as well."""
    random = np.random.default_rng(n)
    for _ in range(20):
        counts = random.integers(0, 3, n)
        counts[random.integers(n)] += 1
        symbols = np.flatnonzero(counts)
        cells, masses = fitting.of_samples(symbols, counts[symbols], n)
        edges = sorted({0, n, *symbols.tolist(), *(symbols + 1).tolist()})
        assert cells.edges.tolist() == edges
        assert masses.tolist() == [int(counts[a:b].sum()) for a, b in pairwise(edges)]
