"""Matrix: weights that are given one by one."""

from dataclasses import dataclass

import numpy as np

from distest.errors import UsageError
from distest.sgd.graph import Graph, Weights, read_numbers


@dataclass(frozen=True)
class Matrix(Graph):
    """A mixing matrix M of W rows: M[i][j] is what worker i takes of worker j, who are neighbours where it is not 0.

    rows: such as [[0.5, 0.5], [0.5, 0.5]]. file: in their place, a text file with a row in each line.
    """

    rows: tuple[tuple[float, ...], ...] = ()
    file: str = ""

    def __post_init__(self) -> None:
        if bool(self.rows) == bool(self.file):
            raise UsageError("matrix takes rows=[[0.5, 0.5], ...] or file=..., one of the two")

    def pairs(self, workers: int) -> set[tuple[int, int]]:
        return {(int(a), int(b)) for a, b in np.argwhere(self.matrix(workers)) if a != b}

    def matrix(self, workers: int) -> Weights:
        rows = self.rows or read_numbers(self.file)
        lengths = sorted({len(row) for row in rows})
        if [len(rows)] != lengths or len(rows) != workers:
            raise UsageError(
                f"the mixing matrix of {workers} workers is {workers} x {workers}, got {len(rows)} rows of "
                f"{' or '.join(map(str, lengths))} numbers"
            )
        return np.array(rows, np.float64)
