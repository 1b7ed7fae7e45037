"""Sketched-SGD: the workers' sketches add up, and say where the large coordinates of their sum are."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.kernels.largest import largest
from distest.sgd import crossover, indices
from distest.sgd.compressor import CoinUse
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.memories import Memories, check_momentum
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.sketch import candidates, shift_for
from distest.sgd.sketch_sum import Shape, add_up
from distest.sgd.state import State


@dataclass(frozen=True)
class SketchedSgd(Method):
    """The k largest coordinates of the mean memory, nearly: a count sketch of it names P k candidates, of which all
    send their values, and x follows the k largest of the mean.

    Each worker keeps u <- momentum u + gradient and v <- v + u. First it says its largest |v| (32 bits), which fixes
    the unit of all sketches; then the counters of its sketch of v are added to those of all others, exactly, so that
    everybody finds the same candidates: there are no indices to be sent. Then v at the candidates, by an exchange in
    single precision. Where x has moved, u and v become 0 on every worker. The hashes are drawn anew in each step by
    public coins. What a worker writes does not grow with their number: over `all_gather` rows columns counters as wide
    as they must be, and 32 P k bits. On a ring of links that holds over `scatter_reduce` alone, for which each worker
    adds up its part of the tables and tells the sums: (W-1)/W (2 width + log2 W) rows columns and 2 (W-1)/W 32 P k.

    density: share k / d of the coordinates that a step moves. rows: odd. columns: 0 for d / 100. candidates: P, with
    P k capped at d. precision: in the unit of the sketches the largest |v| has so many bits, 1 to 30; rounding moves
    the sum of all v by at most W sqrt(d) 2^-precision times this |v|, a little beside the collisions in a table.
    momentum: in 0..1, 1 excluded; inside the memories, where that of the rule is behind them.
    exchange: how the tables and the values of the candidates travel.

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
        check_momentum("sketched_sgd", self.momentum)
        if self.candidates < 1:
            raise UsageError(f"sketched_sgd asks for candidates >= 1 times the k coordinates, got {self.candidates}")
        self._shape.check()

    def check(self, problem: Problem, workers: int) -> None:
        shift_for(1.0, problem.d, workers)
        self.exchange.check(Identity(), self.sizes(problem.d)[1], workers)

    def sizes(self, d: int) -> tuple[int, int, int]:
        """k, the number of candidates and that of columns."""
        k = indices.size("sketched_sgd", d, 0, self.density)
        return k, min(d, self.candidates * k), self._shape.columns_of(d)

    @property
    def _shape(self) -> Shape:
        return Shape("sketched_sgd", self.rows, self.columns, self.precision)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        k, likely, columns = self.sizes(d)
        here = coins.fold("step", state.step)
        memories = Memories(state, oracle, self.momentum, "sketched_sgd")
        summed = add_up(memories.of, d, self._shape, self.exchange, link, here)
        estimates = summed.sketch.query(summed.table)
        asked = candidates(estimates, likely)
        mean = self.exchange.mean(lambda worker: memories.of(worker)[asked], likely, Identity(), link, here, None)
        kept = largest(mean, k)
        if likely < d:
            crossover.check_sketch(state, summed.signal(estimates[asked[kept]], mean[kept]))
        memories.spoke(32 * (self.rows * columns + likely + k))
        memories.follow(rule, asked[kept], mean[kept])
