"""EF21-P: the model goes down by its compressed difference to what the workers have."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd import crossover, theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchange import gathered
from distest.sgd.feedback import Feedback, Kind
from distest.sgd.innovation import Innovation
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class Ef21P(Method):
    """Workers send C(g) at the model w that they have; the server makes a step of its own model x along the mean and
    tells all D(x - w), by which w grows. w is what is evaluated and kept. With `identity` down x itself is told: w = x.

    The step of theory, for an uplink without compression and |D(x) - x|^2 <= (1 - a) |x|^2, is a / (4 L).

    down: D. compressor: C. feedback: around C, as in `mean`: false, true or "ef21". downlink: whether what is told is
    charged for each worker, or once.

    Source: Gruntkowska, Tyurin, Richtarik, "EF21-P and friends: Improved theoretical communication complexity for
    distributed optimization with bidirectional compression" (2023), Algorithm 1.
    """

    down: Compressor = field(default_factory=lambda: TopK(density=0.1))
    compressor: Compressor = field(default_factory=Identity)
    feedback: Kind = False
    downlink: Literal["unicast", "broadcast"] = "unicast"
    source: ClassVar[str] = "Gruntkowska, Tyurin, Richtarik 2023, Algorithm 1"

    def check(self, problem: Problem, workers: int) -> None:
        self.compressor.check(problem.d)
        self.down.check(problem.d)
        self.warnings(problem, workers)  # where differences surely grow

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        codes = [self.down, *([self.compressor] if self.feedback else [])]
        return [said for code in codes if (said := crossover.check_feedback(code, problem.d)) is not None]

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        if self.compressor != Identity():
            raise theory.none("ef21_p with an uplink that is compressed", "theory has it for one that is not")
        if self.down == Identity():
            return 1 / smooth.whole
        return (1 - theory.below_one(self.down, problem.d)) / (4 * smooth.whole)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        here, d, known = coins.fold("step", state.step), state.x.size, state.x
        feedback, code = Feedback(state, oracle, self.feedback), Innovation(self.down)

        def own(worker: int) -> Vector:
            state.on_paper(self.compressor.paper_bits(feedback.of(worker)))
            return feedback.of(worker)

        found = gathered(own, d, self.compressor, link, here, feedback.heard if self.feedback else None)
        if link.hosts_server:
            state.x = state.shared.get("server", known)
            rule.apply(state, feedback.followed(found()))
            state.shared["server"] = state.x
        else:
            state.step += 1
        made, server = state.x, here.fold("down")

        def tell() -> Messages:
            return code.message(made, known, link.workers, server)

        def told(reader: BitReader) -> None:
            state.x = code.read(reader, known, link.workers, server.public)

        link.down(tell, told, each=self.downlink == "unicast")
