"""Torus: a grid whose last row is next to the first, and whose last column as well."""

import math
from dataclasses import dataclass

from distest.errors import UsageError
from distest.sgd.graph import Graph


@dataclass(frozen=True)
class Torus(Graph):
    """Worker r C + c is in row r and column c of R x C, and hears those above, below, left and right of it.

    rows: R, at least 2 and so that R C = W with C >= 2; 0 is the largest that is not above the square root of W.
    """

    rows: int = 0

    def __post_init__(self) -> None:
        if self.rows < 0 or self.rows == 1:
            raise UsageError(f"a torus has 2 rows or more, or 0 for the most even shape, got rows={self.rows}")

    def pairs(self, workers: int) -> set[tuple[int, int]]:
        rows = self.rows or max(r for r in range(1, math.isqrt(workers) + 1) if workers % r == 0)
        columns = workers // rows
        if workers != rows * columns or min(rows, columns) < 2:
            asked = f"{rows} rows of 2 or more" if self.rows else "2 or more rows and columns"
            raise UsageError(f"{workers} workers do not make a torus of {asked}; use another number, or a ring")
        places = [(r, c) for r in range(rows) for c in range(columns)]
        right = {(r * columns + c, r * columns + (c + 1) % columns) for r, c in places}
        return right | {(r * columns + c, (r + 1) % rows * columns + c) for r, c in places}
