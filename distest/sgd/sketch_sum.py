"""What the workers' sketches add up to: one table of integers, the same for everybody who has read them.

First each worker says its largest magnitude (32 bits), which fixes the unit of all sketches; then the counters of its
sketch, in the least width that holds them, which 7 bits tell.
"""

import math
from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.sgd import values
from distest.sgd.exchange import Own
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

WIDTH_BITS = 7
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


def add_up(own: Own, d: int, shape: Shape, link: Link, coins: Coins) -> Summed:
    """Two turns in which all say what their sketches need, by hashes that public coins choose.

    own(worker): the vector of a worker that lives here, float32 (d,).
    """
    columns = shape.columns_of(d)
    told: list[float] = []

    def hear_largest(worker: int, reader: BitReader) -> None:
        told.append(_read_largest(reader))

    link.board(lambda worker: _write_largest(float(np.abs(own(worker)).max())), hear_largest)
    shift = shift_for(max(told), d, link.workers) - (VALUE_BITS - shape.precision)
    sketch = count_sketch(d, shape.rows, columns, coins.public)
    total = np.zeros((shape.rows, columns), np.int64)

    def hear_table(worker: int, reader: BitReader) -> None:
        nonlocal total
        total += read_table(reader, shape.rows, columns, d << shape.precision)

    link.board(lambda worker: write_table(sketch.insert(fixed_point(own(worker), shift))), hear_table)
    return Summed(sketch, total, shift, link.workers)


def write_table(table: Ints) -> Messages:
    """Counters in two's complement, all of the least width that holds them, which 7 bits in front tell."""
    width = 0 if not table.any() else 1 + max(int(table.max()), ~int(table.min())).bit_length()
    code = np.concatenate(([width], table.ravel())).astype(np.int64).view(np.uint64)
    widths = np.full(code.size, width, np.uint8)
    widths[0] = WIDTH_BITS
    if width < 64:
        code[1:] &= np.uint64((1 << width) - 1)
    data, n_bits = bitpack.pack(code, widths)
    return Messages(data, n_bits, 1, n_bits)


def read_table(reader: BitReader, rows: int, columns: int, most: int) -> Ints:
    """What `write_table` wrote, int64 (rows, columns). Raises WireError for a counter beyond -most..most."""
    parts = inside(reader)
    width = int(parts.fixed(1, WIDTH_BITS)[0, 0])
    if width > 64:
        raise WireError(f"counters of {width} bits are announced; 64 are the most")
    table = parts.fixed(rows * columns, width).reshape(rows, columns).view(np.int64)
    close(reader, parts)
    if width:
        table = table << (64 - width) >> (64 - width)
    if int(table.max()) > most or int(table.min()) < -most:
        raise WireError("a counter of a sketch is larger than the sum of all coordinates")
    return table


def _write_largest(value: float) -> Messages:
    return values.write(np.array([value], np.float32), "float32")


def _read_largest(reader: BitReader) -> float:
    value = float(values.read(reader, 1, "float32")[0])
    if value < 0:
        raise WireError(f"a largest magnitude of {value} is announced")
    return value
