"""Virtual: times are drawn by coins, so that a run is the same on any machine and any number of ranks."""

import math
from dataclasses import dataclass

from distest.coins import PublicCoins
from distest.sgd.clock import Clock, Order
from distest.sgd.exponential import exponential
from distest.sgd.problems.base import at_least
from distest.wire.mailbox import Mailbox


@dataclass(frozen=True)
class Virtual(Clock):
    """Workers compute for exponential times and links take their time for every bit; who is done first comes first.

    An answer is there after: latency, bits down / bandwidth, compute * (1 + slow w) * an exponential number of mean 1
    for worker w, latency, bits up / bandwidth. Of equal times the lower worker comes first. The server takes no time,
    and what all do together between two rounds has none either.

    compute: seconds of a gradient on worker 0, on average. slow: how much longer worker w takes, in w-fold. latency:
    seconds of a message. bandwidth: bits a second of a link, 0 for no limit.
    """

    compute: float = 1.0
    slow: float = 0.0625
    latency: float = 0.0
    bandwidth: float = 0.0

    def __post_init__(self) -> None:
        at_least("virtual", 0, compute=self.compute, slow=self.slow, latency=self.latency, bandwidth=self.bandwidth)

    def order(self, workers: int, coins: PublicCoins, handled: int) -> Order:
        return _Virtual(self, workers, coins)

    def link(self, n_bits: int) -> float:
        """Seconds of a message."""
        return self.latency + (n_bits / self.bandwidth if self.bandwidth else 0.0)


class _Virtual(Order):
    """Keeps for every worker under way when its answer is there: for sure, or at the earliest.

    How long an answer is, is known once it is fetched, and it is fetched only if it may be next. So workers on other
    ranks compute at the same time.
    """

    def __init__(self, clock: Virtual, workers: int, coins: PublicCoins):
        self._clock, self._coins = clock, coins
        self._asked = [0] * workers
        self._earliest: dict[int, float] = {}
        self._sure: set[int] = set()

    def sent(self, worker: int, n_bits: int) -> None:
        word = int(self._coins.fold(self._asked[worker]).words(range(worker, worker + 1))[0, 0])
        self._asked[worker] += 1
        compute = self._clock.compute * (1 + self._clock.slow * worker) * exponential(word)
        self._earliest[worker] = self.now + self._clock.link(n_bits) + compute + self._clock.latency

    def next(self, mailbox: Mailbox, due: int | None) -> int:
        while True:
            worker = due if due is not None else min(self._earliest, key=lambda w: (self._earliest[w], w))
            if worker in self._sure:
                break
            self._earliest[worker] += self._clock.link(mailbox.fetch(worker)) - self._clock.latency
            self._sure.add(worker)
        self._sure.remove(worker)
        self.now = max(self.now, self._earliest.pop(worker))
        if not math.isfinite(self.now):
            raise OverflowError("times beyond all numbers")
        return worker
