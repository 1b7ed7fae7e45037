"""Mean: every step follows the mean of the workers' compressed gradients."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.fast import Fast
from distest.sgd.layered import Layered
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Tensor, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Mean(Method):
    """Synchronous SGD: worker w sends C(g_w), or with error feedback C(g_w + e_w), and x follows the mean.

    compressor: C. exchange: how the mean is made. feedback: each worker keeps e_w, what its messages have left out so
    far; for compressors whose distortion bound is below 1, refused for others that state one. layers: each tensor is
    coded by itself, those with fewer than `small` coordinates in single precision; not with exchanges that cut vectors
    in parts.

    Source: Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent" (2014), error feedback; Karimireddy, Rebjock,
    Stich, Jaggi, "Error feedback fixes SignSGD" (2019).
    """

    compressor: Compressor = field(default_factory=Identity)
    exchange: Exchange = field(default_factory=AllGather)
    feedback: bool = False
    layers: bool = False
    small: int = 10_000
    source: ClassVar[str] = "Seide et al. 2014 (feedback); folklore"

    def check(self, problem: Problem, workers: int) -> None:
        if self.layers and self.exchange.cuts:
            raise UsageError("this exchange cuts vectors in W parts, not in tensors; use layers=false")
        code = self._code(problem.tensors)
        code.check(problem.d)
        self.exchange.check(code, problem.d, workers)
        bound = code.distortion(problem.d)
        if self.feedback and 1 <= bound < float("inf"):
            raise UsageError(
                f"error feedback needs a compressor that leaves out less than all, and this one may err by {bound:.3g} "
                f"times the squared length of {problem.d} coordinates; use more bits, or feedback=false"
            )

    def fast(self) -> Method | None:
        return None if self.compressor != Identity() else replace(self, exchange=Fast(), layers=False)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        memory = state.own.setdefault("memory", {}) if self.feedback else {}
        asked: dict[int, Vector] = {}

        def own(worker: int) -> Vector:
            assert oracle is not None  # somebody speaks
            gradient = oracle.gradient(worker, state.x, state.step)
            asked[worker] = gradient + memory[worker] if worker in memory else gradient
            return asked[worker]

        def sent(worker: int, said: Vector) -> None:
            memory[worker] = asked[worker] - said

        here = coins.fold("step", state.step)
        code = self._code(state.tensors)
        mean = self.exchange.mean(own, state.x.size, code, link, here, sent if self.feedback else None)
        rule.apply(state, mean)

    def _code(self, tensors: tuple[Tensor, ...]) -> Compressor:
        if not self.layers:
            return self.compressor
        return Layered(self.compressor, tuple(tensor.size for tensor in tensors), self.small)
