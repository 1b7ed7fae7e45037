"""Ringmaster ASGD: every gradient is a step when it arrives, unless it is too late."""

from dataclasses import dataclass
from typing import ClassVar

from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd.asynchronous import Asynchronous
from distest.sgd.link import Link
from distest.sgd.newest import Newest
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.state import State


@dataclass(frozen=True)
class Ringmaster(Asynchronous):
    """Asynchronous SGD in which a gradient of a model that is `limit` steps old or older is dropped.

    With a limit beyond all delays it is plain asynchronous SGD.

    limit: R of the paper. patience: where above 0, a gradient that is older than so many steps takes a shorter one, by
    patience / delay. compressor: of a gradient. inner: steps between two barriers. snapshot, clock: as for all
    asynchronous methods.

    Source: Maranjyan, Tyurin, Richtarik, "Ringmaster ASGD" (2025), the version that does not stop computations;
    Koloskova, Stich, Jaggi, "Sharper Convergence Guarantees for Asynchronous SGD" (2022), steps by delay.
    """

    limit: int = 20
    patience: int = 0
    source: ClassVar[str] = "Maranjyan, Tyurin, Richtarik 2025; Koloskova, Stich, Jaggi 2022"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit < 1 or self.patience < 0:
            raise UsageError(f"ringmaster takes limit >= 1, patience >= 0, got {self.limit} and {self.patience}")

    def stretch(self, state: State, oracle: Oracle | None, link: Link, coins: Coins, rate: float) -> Newest:
        stretch = _Arriving(self, state, oracle, link, coins, rate)
        stretch.limit, stretch.patience = self.limit, self.patience
        return stretch


class _Arriving(Newest):
    limit = 1
    patience = 0

    def use(self, gradient: Vector, delay: int) -> bool:
        if delay >= self.limit:
            return False
        late = 0 < self.patience < delay
        self.step(gradient, self.patience / delay if late else 1.0)
        return True
