"""DCD-PSGD: workers send how their models change, coded, and change by what was sent."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.bits import BitReader
from distest.coins import PublicCoins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.gossip import Gossip, Nodes
from distest.sgd.graph import network
from distest.sgd.problem import Problem, Vector


@dataclass(frozen=True)
class DcdPsgd(Gossip):
    """Worker i sends C(z) with z = sum over j of M_ij x_j - rate g_i - x_i, and x_i becomes x_i + C(z).

    It does for the worker itself as for all who hear it, so that everybody knows its neighbours' models exactly.

    Proved to converge where |C(z) - z| is at most alpha |z| with 2 mu alpha < 1 - rho, for M's eigenvalues of which but
    the first none is beyond rho, and none is further than mu from 1. There is a warning where that is not known.

    compressor: C, unbiased. graph: as of all of this kind.

    Source: Tang, Gan, Zhang, Zhang, Liu, "Communication compression for decentralized training" (2018), Algorithm 1 and
    Theorem 1.
    """

    compressor: Compressor = field(default_factory=lambda: Nuqsgd(bits=8, bucket=512))
    source: ClassVar[str] = "Tang, Gan, Zhang, Zhang, Liu 2018, Algorithm 1"

    @property
    def code(self) -> Compressor:
        return self.compressor

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        rho, mu = network(self.graph, workers).spectrum()
        alpha = self.compressor.distortion(problem.d) ** 0.5
        if 2 * mu * alpha < 1 - rho or workers == 1:
            return []
        return [
            f"dcd_psgd is proved to converge with errors of messages below {(1 - rho) / (2 * mu):.3g} of their length "
            f"on this graph, and here they are known to be below {alpha:.3g} only; use more bits, smaller buckets, a "
            "graph with more edges, or choco_sgd"
        ]

    def say(self, nodes: Nodes, worker: int, t: int) -> Vector:
        return nodes.pull(worker) - nodes.step(worker, nodes.y[worker])

    def hear(self, y: Vector, reader: BitReader, worker: int, t: int, coins: PublicCoins) -> None:
        self.compressor.add(reader, y.size, worker, coins, y)
