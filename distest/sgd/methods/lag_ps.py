"""LAG-PS: lazily aggregated gradients, the server decides whose gradient it asks for."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.errors import ModelError, WireError
from distest.sgd.compressors.identity import Identity
from distest.sgd.doubles import Doubles
from distest.sgd.innovation import Innovation
from distest.sgd.lazy import NOTES, SPOKEN, Lazy
from distest.sgd.link import SILENT, SPEAKS, Link
from distest.sgd.method import Knobs
from distest.sgd.oracle import Oracle, smoothness_of
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class LagPs(Lazy):
    """The server asks worker m, and sends it x, where L_m^2 |x - the x it was last asked at|^2 > T; the others compute
    nothing. About three to five times the uploads of `lag_wk`, but no gradient and no broadcast is in vain.

    L_m, how smooth the loss of a worker is, is told by each worker in the first round, 64 bits. A worker that is not
    asked gets a bit that says so, and answers with a bit. clock: the server asks everybody that often at least. Other
    options as in `Lazy`; downlink means nothing here, each worker is told apart.

    Source: Chen, Giannakis, Sun, Yin, "LAG: Lazily aggregated gradient for communication-efficient distributed
    learning" (2018), Algorithm 2, rule (7b).
    """

    xi: float = 1.0
    knobs: ClassVar[Knobs] = {"xi": (0.1, 0.3, 1.0, 3.0)}
    name: ClassVar[str] = "lag_ps"
    source: ClassVar[str] = "Chen, Giannakis, Sun, Yin 2018, Algorithm 2"

    def check(self, problem: Problem, workers: int) -> None:
        super().check(problem, workers)
        smoothness_of(self.name, problem, np.zeros(1, np.int64))

    def _hear(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, here: Coins) -> None:
        if state.step == self._quiet:
            self._learn_smoothness(state, oracle, link, here)
        memories, code = self._remembered(state, link), Innovation(self.compressor)
        asked, view = self._ask(state, rule, link, here)

        def encode(worker: int) -> Messages:
            if worker not in asked:
                return SILENT
            assert oracle is not None  # somebody speaks
            one = range(worker, worker + 1)
            news = code.news([self._gradient(state, oracle, worker, view)], memories.of(one), one, here)
            memories.said(worker, news.vector(0))
            state.notes.setdefault("lazy", {}).setdefault(worker, np.zeros(NOTES))[SPOKEN] += 1
            return news.message(0)

        def decode(worker: int, reader: BitReader) -> None:
            if worker in asked:
                memories.table[worker] = code.read(reader, memories.table[worker], worker, here.public)
            elif reader.flag():
                raise WireError(f"worker {worker} was not asked and says something")

        link.up(encode, decode)
        state.shared.pop("full", None)

    def _ask(self, state: State, rule: Rule, link: Link, here: Coins) -> tuple[set[int], Vector]:
        """The workers that are asked, and the x they are asked at, as the messages of the server say."""
        everyone = np.ones(link.workers, bool)
        if link.hosts_server:
            asking = everyone if self._full(state) or not self.trigger else self._far(state, rule, link)
        if state.step == 0:
            asked, view = set(range(link.workers)), state.x  # the first x is known to all
        else:
            code, zero, x = Innovation(Identity()), np.zeros_like(state.x), state.x
            asked, views = set(), []

            def encode(worker: int) -> Messages:
                if not asking[worker]:
                    return SILENT
                return Messages.one([SPEAKS, code.message(x, zero, link.workers, here)])

            def decode(worker: int, reader: BitReader) -> None:
                parts = inside(reader)
                speaks = bool(parts.fixed(1, 1)[0, 0])
                parts.aside("whether the worker is asked", [int(speaks)])
                if speaks:
                    asked.add(worker)
                    views.append(code.read(parts, zero, link.workers, here.public))
                close(reader, parts)

            link.each(encode, decode)
            view = views[0] if views else x
            if any(not np.array_equal(x if link.hosts_server else view, told) for told in views):
                raise ModelError("lag_ps: the server says another x than follows from what it was told")
            state.x = view
        if link.hosts_server:
            places = sorted(asked)
            state.shared["asked_at"][places] = view
            state.shared["clock"] += 1
            state.shared["clock"][places] = 0
        return asked, view

    def _far(self, state: State, rule: Rule, link: Link) -> np.typing.NDArray[np.bool_]:
        """Whom the server has to ask."""
        way = np.square(state.x - state.shared["asked_at"], dtype=np.float64).sum(axis=1)
        far = np.square(state.shared["smooth"]) * way > self._bound(state, rule, link)
        late: np.typing.NDArray[np.bool_] = state.shared["clock"] >= self.clock if self.clock else np.zeros_like(far)
        return np.asarray(far | late)

    def _learn_smoothness(self, state: State, oracle: Oracle | None, link: Link, here: Coins) -> None:
        """Each worker says L_m."""
        smooth, code = np.zeros(link.workers), Doubles()

        def encode(worker: int) -> Messages:
            assert oracle is not None  # somebody speaks
            return code.encode(np.array([oracle.smoothness(worker)]), worker, here)

        def decode(worker: int, reader: BitReader) -> None:
            smooth[worker] = code.decode(reader, 1, worker, here.public)[0]

        link.up(encode, decode)
        if link.hosts_server:
            state.shared["smooth"] = smooth
            state.shared["asked_at"] = np.zeros((link.workers, state.x.size), state.x.dtype)
            state.shared["clock"] = np.zeros(link.workers)

    def _tell(self, state: State, link: Link, before: Vector, here: Coins) -> None:
        if link.hosts_server:
            self._moves(state).push(before, state.x)
