"""D-PSGD: every worker takes the weighted mean of its neighbours' models, and a gradient step of its own."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from distest.bits import BitReader
from distest.coins import PublicCoins
from distest.sgd.compressors.identity import Identity
from distest.sgd.gossip import Gossip, Nodes
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class DPsgd(Gossip):
    """x_i <- sum over j of M_ij x_j - rate g_i, with models in single precision: 32 d bits an edge and step.

    order: "mix", g_i is taken at x_i, so that a worker may compute it while it listens; "step", at the weighted mean,
    which is the same as mixing after the step, and on a complete graph synchronous SGD. graph: as of all of this kind.

    Source: Lian, Zhang, Zhang, Hsieh, Zhang, Liu, "Can decentralized algorithms outperform centralized algorithms?"
    (2017), Algorithm 1, and the remark on the order of its lines.
    """

    order: Literal["mix", "step"] = "mix"
    source: ClassVar[str] = "Lian, Zhang, Zhang, Hsieh, Zhang, Liu 2017, Algorithm 1"

    def say(self, nodes: Nodes, worker: int, t: int) -> Vector:
        mixed = nodes.y[worker] + nodes.pull(worker)
        return mixed - nodes.step(worker, mixed if self.order == "step" else nodes.y[worker])

    def hear(self, y: Vector, reader: BitReader, worker: int, t: int, coins: PublicCoins) -> None:
        Identity().fill(reader, worker, coins, y)
