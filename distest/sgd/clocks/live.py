"""Live: whoever's answer arrives first."""

from dataclasses import dataclass
from typing import ClassVar

from distest.coins import PublicCoins
from distest.sgd.clock import Clock, Order
from distest.sgd.exponential import exponential
from distest.sgd.problems.base import at_least
from distest.wire.mailbox import Mailbox


@dataclass(frozen=True)
class Live(Clock):
    """Answers are handled as they arrive over MPI: no two runs are alike, and the record keeps the trace of each.

    In one process they arrive in the order in which workers were told. Workers on the server's rank compute while
    nothing else has arrived.

    delay: seconds that a worker sleeps before each answer, exponential with this mean, drawn by coins.
    """

    delay: float = 0.0
    live: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least("live", 0, delay=self.delay)

    def order(self, workers: int, coins: PublicCoins, handled: int) -> Order:
        return _Arrival()

    def pause(self, worker: int, number: int, coins: PublicCoins) -> float:
        if not self.delay:
            return 0.0
        word = int(coins.fold(number).words(range(worker, worker + 1))[0, 0])
        return self.delay * exponential(word)


class _Arrival(Order):
    def sent(self, worker: int, n_bits: int) -> None:
        return

    def next(self, mailbox: Mailbox, due: int | None) -> int:
        return mailbox.first() if due is None else due
