"""CHOCO-SGD: each worker steps, sends what its neighbours do not know of that, coded, and moves a part of the way."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader
from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.sgd import crossover
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.gossip import Gossip, Nodes
from distest.sgd.method import Knobs
from distest.sgd.problem import Problem, Vector


@dataclass(frozen=True)
class ChocoSgd(Gossip):
    """Worker i takes x_i <- x_i - rate g_i and sends C(x_i - y_i), which all who hear it add to their y_i.

    Then x_i <- x_i + gamma times the sum over j of M_ij (y_j - y_i).

    Any code will do whose error is shorter than what is coded, if gamma is small enough: the coarser it is, the
    smaller. (Theory's own gamma is far below what works.) With exact messages and gamma = 1 it is D-PSGD of the order
    "step".

    gamma: above 0, at most 1. compressor: C. graph: as of all of this kind.

    Source: Koloskova, Stich, Jaggi, "Decentralized stochastic optimization and gossip algorithms with compressed
    communication" (2019), Algorithm 2, with y = x at the start.
    """

    gamma: float = 0.3
    compressor: Compressor = field(default_factory=lambda: Nuqsgd(bits=4, bucket=512))
    knobs: ClassVar[Knobs] = {"gamma": (0.1, 0.3, 1.0)}
    source: ClassVar[str] = "Koloskova, Stich, Jaggi 2019, Algorithm 2"

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise UsageError(f"choco_sgd takes 0 < gamma <= 1, got gamma={self.gamma}")

    @property
    def code(self) -> Compressor:
        return self.compressor

    def check(self, problem: Problem, workers: int) -> None:
        super().check(problem, workers)
        self.warnings(problem, workers)  # where it surely fails

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        said = crossover.check_contraction(
            self.compressor, problem.d, "choco_sgd", "what neighbours do not know", "another code"
        )
        return [] if said is None else [said]

    def say(self, nodes: Nodes, worker: int, t: int) -> Vector:
        x = nodes.own(worker)
        nodes.x[worker] = half = x - nodes.step(worker, x)
        return half - nodes.y[worker]

    def hear(self, y: Vector, reader: BitReader, worker: int, t: int, coins: PublicCoins) -> None:
        self.compressor.add(reader, y.size, worker, coins, y)

    def settle(self, nodes: Nodes) -> None:
        for worker in nodes.spoke:
            nodes.x[worker] = nodes.x[worker] + np.float32(self.gamma) * nodes.pull(worker)
