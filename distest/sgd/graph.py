"""Graph: which workers hear each other, and how much each takes from whom."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.wire.turn import Edges

Weights = NDArray[np.float64]
_ROUNDING = 1e-9  # of a sum of weights that were written down in decimals


class Graph(ABC):
    """A shape that fits any number of workers, or some; implementations are frozen dataclasses of plain values.

    Weights are a mixing matrix M: symmetric, no entry negative, rows that sum to 1; and connected, so that M^t tends to
    the mean of all. Without other weights they are Metropolis': neighbours i and j take 1 / (1 + max(degrees)) of each
    other, and a worker keeps what is left. So it is 1/3 on a ring and 1/5 on a torus of three rows and columns or
    more, and 1/W where all hear all.

    Source of these: Xiao, Boyd, Kim, "Distributed average consensus with least-mean-square deviation" (2007).
    """

    @abstractmethod
    def pairs(self, workers: int) -> set[tuple[int, int]]:
        """The neighbours among W workers, each pair at least one way around. Raises UsageError where W does not fit."""

    def matrix(self, workers: int) -> Weights:
        """M, float64 (W, W). Raises UsageError where W does not fit."""
        linked = np.zeros((workers, workers), np.bool_)
        for a, b in self.pairs(workers):
            linked[a, b] = linked[b, a] = True
        degrees = linked.sum(axis=1)
        weights = np.where(linked, 1 / (1 + np.maximum.outer(degrees, degrees)), 0.0)
        np.fill_diagonal(weights, 1 - weights.sum(axis=1))
        return weights


@dataclass(frozen=True, eq=False)
class Network:
    """A graph on so many workers. near: of each, its neighbours in rising order and what it takes of them, float32.

    edges: the same for the wire. M: float64 (W, W).
    """

    near: tuple[tuple[tuple[int, np.float32], ...], ...]
    edges: Edges
    M: Weights

    def known(self, here: range) -> list[int]:
        """Some workers and their neighbours, in rising order."""
        return sorted({*here, *(other for worker in here for other, _ in self.near[worker])})

    def spectrum(self) -> tuple[float, float]:
        """rho and mu: the largest |eigenvalue| of M beside the first, and the largest distance of one from 1."""
        values = np.linalg.eigvalsh(self.M)[:-1]
        return float(np.abs(values).max(initial=0)), float((1 - values).max(initial=0))


@lru_cache(maxsize=16)
def network(graph: Graph, workers: int) -> Network:
    """A graph on W workers. Raises UsageError where it is not connected, or its weights are no mixing matrix."""
    M = graph.matrix(workers)
    _check(M)
    linked = M > 0
    np.fill_diagonal(linked, False)
    near = tuple(tuple((int(b), np.float32(M[a, b])) for b in np.flatnonzero(linked[a])) for a in range(workers))
    return Network(near, Edges(tuple((a, b) for a, others in enumerate(near) for b, _ in others)), M)


def read_numbers(path: str) -> list[list[float]]:
    """The lines of a text file as numbers, with blanks or commas between them; # begins a comment.

    Raises UsageError for a file that cannot be read, or holds something else.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = []
    for number, line in enumerate(lines, 1):
        cells = line.partition("#")[0].replace(",", " ").split()
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            raise UsageError(f"{path}, line {number}: every cell is a number, got {line.strip()!r}") from None
        if row:
            found.append(row)
    return found


def _check(M: Weights) -> None:
    workers = len(M)
    if not np.isfinite(M).all() or M.min() < 0:
        raise UsageError(f"the weights of a graph are finite and not negative, got {M.min():.6g}")
    if (M != M.T).any():
        a, b = np.argwhere(M != M.T)[0]
        raise UsageError(
            f"a mixing matrix is symmetric, and worker {a} takes {M[a, b]:.6g} of worker {b}, which takes "
            f"{M[b, a]:.6g} of it"
        )
    sums = M.sum(axis=1)
    if np.abs(sums - 1).max() > _ROUNDING:
        worst = int(np.abs(sums - 1).argmax())
        raise UsageError(f"the rows of a mixing matrix sum to 1, and that of worker {worst} to {sums[worst]:.9g}")
    reached = _reached(M > 0)
    if not reached.all():
        raise UsageError(
            f"the graph is not connected: worker {int(np.flatnonzero(~reached)[0])} never hears of worker 0; add edges"
        )
    if not _reached(M @ M > 0).all():
        raise UsageError(
            f"the {workers} workers of the graph are two halves that take everything from each other and swap their "
            "models for ever; let somebody keep a part of its own"
        )


def _reached(linked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Who can be reached from worker 0."""
    reached = np.zeros(len(linked), np.bool_)
    fresh = reached.copy()
    fresh[0] = True
    while fresh.any():
        reached |= fresh
        fresh = linked[fresh].any(axis=0) & ~reached
    return reached
