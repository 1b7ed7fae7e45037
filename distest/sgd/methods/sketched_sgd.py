"""Sketched-SGD: the workers' sketches add up, and say where the large coordinates of their sum are."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.kernels.largest import largest
from distest.sgd import indices, values
from distest.sgd.compressor import CoinUse
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.memories import Memories
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.sketch import (
    MOST_COLUMNS,
    VALUE_BITS,
    Ints,
    candidates,
    check_shape,
    count_sketch,
    fixed_point,
    shift_for,
)
from distest.sgd.state import State

WIDTH_BITS = 7
_SHARE = 100  # coordinates for each column, where none are asked for


@dataclass(frozen=True)
class SketchedSgd(Method):
    """The k largest coordinates of the mean memory, nearly: a count sketch of it names P k candidates, of which all
    send their values, and x follows the k largest of the mean.

    Each worker keeps u <- momentum u + gradient and v <- v + u. First it says its largest |v| (32 bits), which fixes
    the unit of all sketches; then the counters of its sketch of v, in the least width that holds them, which 7 bits
    tell. Everybody adds the sketches up, exactly, and finds the same candidates: there are no indices to be sent. Then
    v at the candidates, by an exchange in single precision. Where x has moved, u and v become 0 on every worker. The
    hashes are drawn anew in each step by public coins. A worker sends rows columns width + 7 + 32 P k + 32 bits a step
    over `all_gather`, however many workers there are.

    density: share k / d of the coordinates that a step moves. rows: odd. columns: 0 for d / 100. candidates: P, with
    P k capped at d. precision: in the unit of the sketches the largest |v| has so many bits, 1 to 30; rounding moves
    the sum of all v by at most W sqrt(d) 2^-precision times this |v|, a little beside the collisions in a table.
    momentum: in 0..1, 1 excluded; inside the memories, where that of the rule is behind them.
    exchange: how the values of the candidates travel.

    Source: Ivkin, Rothchild, Ullah, Braverman, Stoica, Arora, "Communication-efficient distributed SGD with sketching"
    (2019), Algorithm 3, with a sum that everybody takes in place of a server's, and the mean in place of the sum.
    """

    density: float = 0.01
    rows: int = 5
    columns: int = 0
    candidates: int = 4
    precision: int = 16
    momentum: float = 0.0
    exchange: Exchange = field(default_factory=AllGather)
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Ivkin et al. 2019, Algorithm 3"

    def __post_init__(self) -> None:
        indices.check_size("sketched_sgd", 0, self.density)
        check_shape(self.rows, self.columns or 1)
        if self.candidates < 1:
            raise UsageError(f"sketched_sgd asks for candidates >= 1 times the k coordinates, got {self.candidates}")
        if not 1 <= self.precision <= VALUE_BITS:
            raise UsageError(f"sketched_sgd takes a precision of 1 to {VALUE_BITS} bits, got {self.precision}")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"sketched_sgd takes a momentum of at least 0 and below 1, got {self.momentum}")

    def check(self, problem: Problem, workers: int) -> None:
        shift_for(1.0, problem.d, workers)

    def sizes(self, d: int) -> tuple[int, int, int]:
        """k, the number of candidates and that of columns."""
        k = indices.size("sketched_sgd", d, 0, self.density)
        return k, min(d, self.candidates * k), self.columns or min(MOST_COLUMNS, -(-d // _SHARE))

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        k, likely, columns = self.sizes(d)
        here = coins.fold("step", state.step)
        memories = Memories(state, oracle, self.momentum, "sketched_sgd")
        told: list[float] = []

        def hear_largest(worker: int, reader: BitReader) -> None:
            told.append(_read_largest(reader))

        link.board(lambda worker: _write_largest(float(np.abs(memories.of(worker)).max())), hear_largest)
        shift = shift_for(max(told), d, link.workers) - (VALUE_BITS - self.precision)
        sketch = count_sketch(d, self.rows, columns, here.public)
        total = np.zeros((self.rows, columns), np.int64)

        def hear_table(worker: int, reader: BitReader) -> None:
            nonlocal total
            total += read_table(reader, self.rows, columns, d << self.precision)

        link.board(lambda worker: write_table(sketch.insert(fixed_point(memories.of(worker), shift))), hear_table)
        asked = candidates(sketch.query(total), likely)
        mean = self.exchange.mean(
            lambda worker: memories.of(worker)[asked], likely, Identity(), link, here, None
        )
        kept = largest(mean, k)
        update = np.zeros(d, np.float32)
        update[asked[kept]] = mean[kept]
        memories.clear(asked[kept])
        rule.apply(state, update)


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
