"""What the workers' sketches add up to: one table of integers, the same for everybody who has read them.

First each worker says its largest magnitude (32 bits), which fixes the unit of all sketches; then the counters of the
sketches are added up (`integers.total`), by parts where the exchange of the method makes sums that way.
"""

import math
from dataclasses import dataclass

import numpy as np

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import integers, values
from distest.sgd.exchange import Exchange, Own
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.sgd.sketch import (
    MOST_COLUMNS,
    VALUE_BITS,
    CountSketch,
    Ints,
    check_shape,
    count_sketch,
    fixed_point,
    shift_for,
)

_SHARE = 100  # coordinates for each column, where none are asked for


@dataclass(frozen=True, slots=True)
class Shape:
    """rows: odd. columns: 0 for d / 100. precision: in the unit of the sketches the largest magnitude has so many bits,
    1 to 30; rounding moves the sum of all vectors by at most W sqrt(d) 2^-precision times this magnitude.

    name: of the method, for messages.
    """

    name: str
    rows: int
    columns: int
    precision: int

    def check(self) -> None:
        """Raise UsageError for other numbers."""
        check_shape(self.rows, self.columns or 1)
        if not 1 <= self.precision <= VALUE_BITS:
            raise UsageError(f"{self.name} takes a precision of 1 to {VALUE_BITS} bits, got {self.precision}")

    def columns_of(self, d: int) -> int:
        """Columns for vectors of d coordinates."""
        return self.columns or min(MOST_COLUMNS, -(-d // _SHARE))


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """The sum of the tables of all workers, int64 (rows, columns), of vectors in units of 2^-shift."""

    sketch: CountSketch
    table: Ints
    shift: int
    workers: int

    def signal(self, estimates: Ints, mean: Vector) -> float:
        """The smallest of some coordinates, but 0, over the root mean square error of their estimates.

        mean: of all workers' vectors there, exactly. inf where there is no error or nothing but 0.
        """
        exact = np.ldexp(mean.astype(np.float64) * self.workers, self.shift)
        found = exact != 0
        if not found.any():
            return math.inf
        error = float(np.sqrt(np.square(estimates - exact).mean()))
        return float(np.abs(exact[found]).min()) / error if error else math.inf


def add_up(own: Own, d: int, shape: Shape, exchange: Exchange, link: Link, coins: Coins) -> Summed:
    """Turns in which all say what their sketches need, by hashes that public coins choose.

    own(worker): the vector of a worker that lives here, float32 (d,).
    """
    columns = shape.columns_of(d)
    told: list[float] = []
    link.board(
        lambda worker: values.write_magnitude(own(worker)),
        lambda worker, reader: told.append(values.read_magnitude(reader)),
    )
    shift = shift_for(max(told), d, link.workers) - (VALUE_BITS - shape.precision)
    sketch = count_sketch(d, shape.rows, columns, coins.public)
    table = integers.total(
        lambda worker: sketch.insert(fixed_point(own(worker), shift)).ravel(),
        shape.rows * columns,
        d << shape.precision,
        link,
        exchange.cuts,
    )
    return Summed(sketch, table.reshape(shape.rows, columns), shift, link.workers)
