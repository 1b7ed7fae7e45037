"""DGC: local top-k with momentum, clipping and masking inside the memories, and a warm-up."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import indices
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.layered import CUTS, by_tensor
from distest.sgd.link import Link
from distest.sgd.memories import Memories, check_momentum
from distest.sgd.method import Knobs, Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Tensor, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.values import Precision

_STAGES = 5


@dataclass(frozen=True)
class Dgc(Method):
    """Deep gradient compression: each worker keeps u <- momentum u + gradient and v <- v + u, sends the largest
    coordinates of v, takes them away from v and forgets u there; x follows the mean.

    density: share of the coordinates sent, in the end. warmup: steps with more of them, in five stages of a quarter, a
    16th, 64th, 256th and 1024th, though never fewer than `density`; 0 for none. momentum: in 0..1, 1 excluded; inside
    the memories, where that of the rule is behind them. clip: a worker cuts its gradient to the length clip / sqrt(W)
    before it goes into u; 0 for no clipping. layers: each tensor by itself, those with fewer than `small` coordinates
    in single precision. values: "float32" or "float16". exchange: how the mean is made.

    Source: Lin, Han, Mao, Wang, Dally, "Deep gradient compression: Reducing the communication bandwidth for distributed
    training" (2018), Algorithm 4, with exact selection in place of a sampled threshold.
    """

    density: float = 0.001
    warmup: int = 0
    momentum: float = 0.9
    clip: float = 0.0
    layers: bool = False
    small: int = 10_000
    values: Precision = "float32"
    exchange: Exchange = field(default_factory=AllGather)
    knobs: ClassVar[Knobs] = {"momentum": (0.0, 0.5, 0.9)}
    source: ClassVar[str] = "Lin, Han, Mao, Wang, Dally 2018, Algorithm 4"

    def __post_init__(self) -> None:
        indices.check_size("dgc", 0, self.density)
        check_momentum("dgc", self.momentum)
        if self.warmup < 0:
            raise UsageError(f"dgc warms up for a number of steps, 0 for none, got warmup={self.warmup}")
        if not 0 <= self.clip < math.inf:
            raise UsageError(f"dgc cuts gradients to a finite length, 0 for no clipping, got clip={self.clip}")

    def check(self, problem: Problem, workers: int) -> None:
        if self.layers and self.exchange.cuts:
            raise UsageError(CUTS)
        code = self._code(0, problem.tensors)
        code.check(problem.d)
        self.exchange.check(code, problem.d, workers)

    def density_at(self, step: int) -> float:
        """The share of the coordinates sent in a step."""
        if step >= self.warmup:
            return self.density
        return max(self.density, 0.25 ** (1 + _STAGES * step // self.warmup))

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        code = self._code(state.step, state.tensors)
        clip = self.clip / math.sqrt(link.workers) if self.clip else math.inf
        memories = Memories(state, oracle, self.momentum, "dgc", clip)

        def own(worker: int) -> Vector:
            state.on_paper(code.paper_bits(memories.of(worker)))
            return memories.of(worker)

        here = coins.fold("step", state.step)
        rule.apply(state, self.exchange.mean(own, state.x.size, code, link, here, memories.heard))

    def _code(self, step: int, tensors: tuple[Tensor, ...]) -> Compressor:
        top = TopK(density=self.density_at(step), values=self.values)
        return by_tensor(top, tensors, self.layers, self.small)
