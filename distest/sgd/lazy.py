"""Lazy: a worker speaks where its news is large against how far x has moved; the server goes on with the old otherwise.

Shared by the files of LAG, LAQ and LASG, which say what news is and who decides.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.errors import DivergedError, ModelError, UsageError
from distest.sgd import theory
from distest.sgd.ahead import ahead
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.innovation import Innovation, Remembered
from distest.sgd.link import Link
from distest.sgd.method import Method, Total
from distest.sgd.moves import Moves
from distest.sgd.news import News
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State, side_by_side
from distest.sgd.theory import Smoothness

CLOCK, LOST, SPOKEN, FORCED, ASKED, DEAD = range(6)  # places in the notes of a worker
NOTES = 6


@dataclass(frozen=True)
class Lazy(Method):
    """Workers tell a server their gradients, each only where the last one it told has become too old; x follows what
    the server remembers of all, and the server tells x.

    A worker that may stay silent pays 1 bit for saying whether it does. It speaks where its news, a change c of what
    the server remembers of it, has |c|^2 > T = xi / (rate W)^2 times the sum of the last `depth` squared moves of x
    (rate^2 with follow = "mean"), or where it has been silent for `clock` rounds.

    The step of theory, for xi depth < 1, is (1 - sqrt(xi depth)) / L, and 1 / L without the trigger; with follow =
    "sum" a W-th of that. It is that of changes told exactly; with a quantiser it is the limit of many bits.

    compressor: of the changes. trigger: whether workers may be silent at all. xi, depth: above. clock: 0 is none.
    stagger: clocks start apart. start: "full", everyone speaks in the first round; "paper", the memories begin as all
    ones and nobody speaks for `depth` rounds, which the programs of the authors do. follow: "mean", a step is rate
    times the mean gradient, as everywhere in distest; "sum", rate times the sum, as in the papers. downlink: whether
    telling x is charged once or for each worker. guard: what happens where the moves of x have grown for 2 depth
    rounds: "halve" halves xi and has everyone speak; "stop" raises DivergedError; "off". l1: every step ends by moving
    all coordinates towards 0 by rate times l1, for problems that have this l1.

    For whole shards (batch = 0), except for SLAQ and LASG: where gradients are noisy, the noise alone is news, of which
    there is a warning.
    """

    compressor: Compressor = field(default_factory=Identity)
    trigger: bool = True
    xi: float = 0.1
    depth: int = 10
    clock: int = 100
    stagger: bool = False
    start: Literal["full", "paper"] = "full"
    follow: Literal["mean", "sum"] = "mean"
    downlink: Literal["broadcast", "unicast"] = "broadcast"
    guard: Literal["halve", "stop", "off"] = "halve"
    l1: float = 0.0
    spread: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    name: ClassVar[str] = "lazy"

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= 1000:
            raise UsageError(f"{self.name} looks back over a depth of 1 to 1000 rounds, got depth={self.depth}")
        if not 0 <= self.xi * self.depth <= 100:
            raise UsageError(
                f"{self.name} takes xi from 0 to {100 / self.depth:g} with depth={self.depth}, got xi={self.xi}; "
                f"theory asks for less than {1 / self.depth:g}"
            )
        if self.clock < 0:
            raise UsageError(f"{self.name} has a clock of at least 1 round, or 0 for none, got clock={self.clock}")
        if not 0 <= self.l1 < math.inf:
            raise UsageError(f"{self.name} takes a finite l1 of at least 0, got l1={self.l1}")

    def check(self, problem: Problem, workers: int) -> None:
        self.compressor.check(problem.d)
        penalties: Callable[[], tuple[float, float]] | None = getattr(problem, "penalties", None)
        l1 = penalties()[1] if penalties is not None else 0.0
        if l1 != self.l1:
            raise UsageError(f"{self.name}: the problem has l1={l1:g} and the step l1={self.l1:g}; give both the same")

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        if self.stochastic:
            raise theory.none(self.name, "it is for noisy gradients, and its theorem is about the long run")
        late = math.sqrt(self.xi * self.depth) if self.trigger else 0.0
        if late >= 1:
            raise theory.none(
                self.name, f"it asks for xi < 1/depth = {1 / self.depth:g}, got xi={self.xi:g}, so choose a smaller xi"
            )
        return (1 - late) / smooth.whole / (smooth.workers if self.follow == "sum" else 1)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        here = coins.fold("step", state.step)
        if oracle is not None and oracle.noisy and self.trigger and not self.stochastic:
            state.warn(
                "minibatches",
                f"{self.name} is for gradients of whole shards (batch=0): the noise of minibatches is news too, so "
                "that nearly all workers speak; take lasg_wk2, which compares gradients of the same batch, or slaq",
            )
        if state.step >= self._quiet:
            self._hear(state, rule, oracle, link, here)
        before, step, rate = state.x, state.step, rule.at(state.step)
        if link.hosts_server:
            total = self._remembered(state, link).total()
            rule.apply(state, total if self.follow == "sum" else total / total.dtype.type(link.workers))
            if self.l1:
                size = np.maximum(np.abs(state.x) - state.x.dtype.type(rate * self.l1), 0)
                state.x = np.copysign(size, state.x)
        else:
            state.step += 1
        self._tell(state, link, before, coins.fold("down", step))
        if self.guard != "off" and self.trigger and self._moves(state).growing():
            self._rescue(state)

    def figures(self, state: State, total: Total) -> dict[str, Any]:
        """uploads; those that the clock forced, as a share; checks in which the slack alone allowed silence, as one."""
        rows = [np.zeros(NOTES), *state.notes.get("lazy", {}).values()]
        _, _, spoken, forced, asked, dead = total(np.sum(rows, axis=0).astype(np.int64)).tolist()
        found = {"uploads": spoken, "uploads_forced": forced / max(1, spoken), "xi_halved": self._halved(state)}
        return found | ({"checks_dead": dead / max(1, asked)} if self._slack(np.ones(1)).any() else {})

    # ---- what a file of a method may say otherwise

    def _hear(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, here: Coins) -> None:
        """Workers speak or are silent, the server remembers."""
        memories, code = self._remembered(state, link), Innovation(self.compressor)
        everyone = not self.trigger or (state.step == 0 and self.start == "full") or self._full(state)
        bound = self._bound(state, rule, link)
        view = state.shared.get("view", state.x)

        def made(workers: range) -> list[Messages | None]:
            assert oracle is not None  # somebody speaks
            gradients = [self._gradient(state, oracle, worker, view) for worker in workers]
            news = code.news(gradients, memories.of(workers), workers, here)
            sizes, kept = self._sizes(state, oracle, workers, gradients, news)
            speaks = self._fires(state, link, workers, sizes, news.lost, bound, everyone)
            messages: list[Messages | None] = [None] * len(workers)
            for place in np.flatnonzero(speaks).tolist():
                memories.said(workers[place], news.vector(place))
                for what, vectors in kept.items():
                    state.own.setdefault(what, {})[workers[place]] = vectors[place]
                messages[place] = news.message(place)
            return messages

        def decode(worker: int, reader: BitReader) -> None:
            memories.table[worker] = code.read(reader, memories.table[worker], worker, here.public)

        encode = ahead(made, link.channel.hosted, state.x.size)

        def spoken(worker: int) -> Messages:
            message = encode(worker)
            assert message is not None  # everyone speaks
            return message

        if everyone:
            link.up(spoken, decode)
        else:
            link.lazily(encode, decode)
        state.shared.pop("full", None)

    def _sizes(
        self, state: State, oracle: Oracle, workers: range, gradients: list[Vector], news: News
    ) -> tuple[NDArray[np.float64], dict[str, list[Vector]]]:
        """How large the news of each is, squared; and what each keeps, by name, where it speaks."""
        return news.sizes, {}

    def _slack(self, lost: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is added to T for each worker. lost: e + e', the squared errors of its news and of what it said last."""
        return np.zeros_like(lost)

    def _tell(self, state: State, link: Link, before: Vector, here: Coins) -> None:
        """The server says x."""
        code, server, mine = Innovation(Identity()), link.workers, state.x

        def decode(reader: BitReader) -> None:
            state.x = code.read(reader, before, server, here.public)

        link.down(lambda: code.message(mine, before, server, here), decode, self.downlink == "unicast")
        if link.hosts_server and not (state.x == mine).all():
            raise ModelError(f"{self.name}: the server says another x than follows from what it was told")
        self._moves(state).push(before, state.x)

    # ---- what they share

    @property
    def _quiet(self) -> int:
        """Rounds in which nobody speaks, at the start."""
        return 0 if self.start == "full" else self.depth if self.trigger else 1

    def _remembered(self, state: State, link: Link) -> Remembered:
        return Remembered(state, link, 1.0 if self.start == "paper" else 0.0)

    def _moves(self, state: State) -> Moves:
        return Moves(state, self.depth)

    def _bound(self, state: State, rule: Rule, link: Link) -> float:
        """T."""
        unit = rule.at(state.step) * (link.workers if self.follow == "sum" else 1)
        return self._moves(state).threshold(self.xi / 2 ** self._halved(state), unit, self.spread)

    def _gradient(self, state: State, oracle: Oracle, worker: int, x: Vector) -> Vector:
        """The gradient of a worker at x, without what l1 adds."""
        gradient = oracle.gradient(worker, x, state.step)
        if self.l1:
            return np.asarray(gradient - x.dtype.type(self.l1) * np.sign(x))
        return gradient

    def _fires(
        self,
        state: State,
        link: Link,
        workers: range,
        sizes: NDArray[np.float64],
        lost: NDArray[np.float64],
        bound: float,
        everyone: bool,
    ) -> NDArray[np.bool_]:
        """Which workers speak; takes notes."""
        if not math.isfinite(sizes.sum()):
            place = int(np.isfinite(sizes).argmin())
            raise DivergedError(
                f"{self.name}: the news of worker {workers[place]} at step {state.step} are no finite numbers; "
                "try a smaller --rate"
            )
        hosted = link.channel.hosted
        notes = side_by_side(state.notes.setdefault("lazy", {}), hosted, NOTES).T
        notes = notes[:, workers.start - hosted.start : workers.stop - hosted.start]
        if everyone:
            speaks = by_rule = np.ones(len(workers), bool)
        else:
            slack = self._slack(lost + notes[LOST])
            speaks = by_rule = sizes > slack + bound
            notes[ASKED] += 1
            notes[DEAD] += (slack >= sizes) & (sizes > 0)
            if self.clock:
                speaks = by_rule | (notes[CLOCK] >= self.clock)
        notes[CLOCK] += 1
        if speaks.any():
            notes[SPOKEN] += speaks
            notes[FORCED] += speaks & ~by_rule
            notes[LOST, speaks] = lost[speaks]
            late = self.stagger and state.step == 0
            notes[CLOCK, speaks] = (self.clock * np.array(workers) // link.workers)[speaks] if late else 0
        return speaks

    def _halved(self, state: State) -> int:
        """How often xi has been halved."""
        return int(state.shared["halved"][0]) if "halved" in state.shared else 0

    def _full(self, state: State) -> bool:
        return "full" in state.shared

    def _rescue(self, state: State) -> None:
        """The moves of x grow."""
        if self.guard == "stop":
            raise DivergedError(
                f"{self.name}: x has moved further and further for {2 * self.depth} rounds, up to step {state.step}; "
                f"try a smaller xi (it is {self.xi:g}) or a smaller --rate, or guard=halve"
            )
        state.shared["halved"] = np.array([self._halved(state) + 1], np.float32)
        state.shared["full"] = np.ones(1, np.float32)
