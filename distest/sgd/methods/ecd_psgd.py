"""ECD-PSGD: neighbours' models are extrapolated from coded points that run ahead of them."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader
from distest.coins import PublicCoins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.gossip import Gossip, Nodes
from distest.sgd.problem import Problem, Vector


@dataclass(frozen=True)
class EcdPsgd(Gossip):
    """Worker i makes x' = sum over j of M_ij y_j - rate g_i(x_i) and sends a coded point on the line from x_i to x'.

    In step t = 1, 2, ... it is C(z) with z = (1 - t/2) x_i + (t/2) x'; all who hear it take
    y_i <- (1 - 2/t) y_i + (2/t) C(z), and x_i becomes x'. The squared error of y_i falls as 1/t where that of C does
    not depend on z. With codes whose error is in proportion to |z|, and so to t |x' - x_i|, it does not fall, and may
    grow: of these there is a warning.

    compressor: C, unbiased. graph: as of all of this kind.

    Source: Tang, Gan, Zhang, Zhang, Liu, "Communication compression for decentralized training" (2018), Algorithm 2;
    with NUQSGD: Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD" (2021), Algorithm 3.
    """

    compressor: Compressor = field(default_factory=lambda: Nuqsgd(bits=4))
    source: ClassVar[str] = "Ramezani-Kebrya et al. 2021, Algorithm 3; Tang et al. 2018, Algorithm 2"

    @property
    def code(self) -> Compressor:
        return self.compressor

    def warnings(self, problem: Problem, workers: int) -> list[str]:
        most = self.compressor.distortion(problem.d)
        if not most or workers == 1:
            return []
        return [
            "ecd_psgd codes points that move away by t/2 steps, and an error in proportion to them, here of up to "
            f"{most:.3g} times their squared length, grows as fast as its weight 2/t falls; use dcd_psgd or choco_sgd, "
            "or more bits"
        ]

    def say(self, nodes: Nodes, worker: int, t: int) -> Vector:
        x = nodes.own(worker)
        nodes.x[worker] = fresh = nodes.y[worker] + nodes.pull(worker) - nodes.step(worker, x)
        return x + np.float32(t / 2) * (fresh - x)

    def hear(self, y: Vector, reader: BitReader, worker: int, t: int, coins: PublicCoins) -> None:
        y *= np.float32(1 - 2 / t)
        self.compressor.add(reader, y.size, worker, coins, y, 2 / t)
