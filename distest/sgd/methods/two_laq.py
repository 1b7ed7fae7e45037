"""TWO-LAQ: LAQ whose server quantises the way down as well."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader
from distest.coins import Coins
from distest.errors import ModelError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.laq_grid import LaqGrid
from distest.sgd.innovation import Innovation
from distest.sgd.link import Link
from distest.sgd.methods.laq import Laq
from distest.sgd.problem import Problem, Vector
from distest.sgd.state import State


@dataclass(frozen=True)
class TwoLaq(Laq):
    """As `laq`, but the server says how x differs from what all workers hold, quantised, and keeps x itself in full.

    down: the compressor of these differences. The paper goes on from the quantised x; here x stays exact, and what one
    message leaves out is in the next difference. Options as in `laq`.

    Source: Sun, Chen, Giannakis, Yang, Yang, "Lazily aggregated quantized gradient innovation for
    communication-efficient federated learning" (2022), TWO-LAQ.
    """

    down: Compressor = field(default_factory=LaqGrid)
    name: ClassVar[str] = "two_laq"
    source: ClassVar[str] = "Sun, Chen, Giannakis, Yang, Yang 2022, TWO-LAQ"

    def check(self, problem: Problem, workers: int) -> None:
        super().check(problem, workers)
        self.down.check(problem.d)

    def _tell(self, state: State, link: Link, before: Vector, here: Coins) -> None:
        view, server = state.shared.get("view", before), link.workers
        code = Innovation(self.down)
        told: list[Vector] = []

        def decode(reader: BitReader) -> None:
            told.append(code.read(reader, view, server, here.public))

        news = code.news([state.x], view[None], range(server, server + 1), here)
        link.down(lambda: news.message(0), decode, self.downlink == "unicast")
        if not link.hosts_server:
            state.x = told[0]
        elif not np.array_equal(told[0], news.vector(0)):
            raise ModelError(f"{self.name}: the server says another x than follows from what it was told")
        state.shared["view"] = told[0]
        self._moves(state).push(view, told[0])
