"""Mean: every step follows the mean of the workers' compressed gradients."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import crossover, theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.fast import Fast
from distest.sgd.feedback import Feedback, Kind
from distest.sgd.layered import CUTS, by_tensor
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem, Tensor, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Mean(Method):
    """Synchronous SGD: worker w sends C(g_w), or with error feedback C(g_w + e_w), and x follows the mean.

    compressor: C. exchange: how the mean is made. feedback: true, each worker keeps e_w, what its messages have left
    out so far; "lowpass", a smoothed e_w (see `Feedback`); "ef21", a worker sends how its gradient differs from the sum
    of all it has sent, and x follows the mean of these sums. For compressors whose distortion is below 1: above it the
    memories may grow without end, of which there is a warning, and where they surely do it is refused. beta: of the
    low pass. layers: each tensor is coded by itself, those with fewer than `small` coordinates in single precision;
    not with exchanges that cut vectors in parts.

    The step of theory is 1 / (L + 2 o L_max / W) for C with E |C(x) - x|^2 <= o |x|^2 that is right on average: 1 / L
    without compression, and with it up to a distance that noise keeps; with feedback = "ef21" that of `ef21`.

    Source: Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent" (2014), error feedback; Karimireddy, Rebjock,
    Stich, Jaggi, "Error feedback fixes SignSGD" (2019); Chen et al., "ScaleCom" (2020), low pass; Richtarik, Sokolov,
    Fatkhullin, "EF21" (2021); Gorbunov, Hanzely, Richtarik, "A unified theory of SGD" (2020), the step of theory.
    """

    compressor: Compressor = field(default_factory=Identity)
    exchange: Exchange = field(default_factory=AllGather)
    feedback: Kind = False
    layers: bool = False
    small: int = 10_000
    beta: float = 0.1
    source: ClassVar[str] = "Seide et al. 2014 (feedback); folklore"

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 1:
            raise UsageError(f"the low pass of a memory takes 0 < beta <= 1, got beta={self.beta}")

    def check(self, problem: Problem, workers: int) -> None:
        if self.layers and self.exchange.cuts:
            raise UsageError(CUTS)
        if self.feedback == "ef21":
            crossover.check_exact("feedback=ef21", self.exchange)
        code = self._code(problem.tensors)
        code.check(problem.d)
        self.exchange.check(code, problem.d, workers)
        self.warnings(problem, workers)  # where feedback surely fails

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        if not self.feedback:
            return []
        said = crossover.check_feedback(self._code(problem.tensors), problem.d)
        return [] if said is None else [said]

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        code = self._code(problem.tensors)
        if not (self.exchange.exact or code == Identity()):
            raise theory.none("this exchange", "it rounds means once more")
        if self.feedback == "ef21":
            return theory.differences(code, problem.d, smooth)
        if self.feedback:
            raise theory.none("error feedback", "its theorems are about means over steps, up to constants")
        noise = crossover.variance("rate=theory", code, problem.d)
        return 1 / (smooth.whole + 2 * noise * smooth.largest / smooth.workers)

    def fast(self) -> Method | None:
        return None if self.compressor != Identity() else replace(self, exchange=Fast(), layers=False)

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        rule.apply(state, self._heard(state, oracle, link, coins))

    def _heard(self, state: State, oracle: Gradients | None, link: Link, coins: Coins, fade: float = 1.0) -> Vector:
        """What x follows after all have spoken."""
        here = coins.fold("step", state.step)
        code = self._code(state.tensors)
        lossless = self.feedback == "ef21" and code == Identity()  # where differences would be rounded for nothing
        kind = False if lossless else self.feedback
        feedback = Feedback(state, oracle, kind, self.beta, fade)

        def own(worker: int) -> Vector:
            state.on_paper(code.paper_bits(feedback.of(worker)))
            return feedback.of(worker)

        mean = self.exchange.mean(own, state.x.size, code, link, here, feedback.heard if kind else None)
        if state.step == 0:
            other = "parameter_server" if self.layers or self.feedback == "ef21" else "scatter_reduce"
            crossover.check_gather(state, self.exchange, link, link.channel.ledger.payload("board"), other)
        return feedback.followed(mean)

    def _code(self, tensors: tuple[Tensor, ...]) -> Compressor:
        return by_tensor(self.compressor, tensors, self.layers, self.small)
