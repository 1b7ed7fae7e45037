"""Exchange: how W workers come to know the mean of their vectors."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.sgd.compressor import Compressor
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction

Own = Callable[[int], Vector]
Sent = Callable[[int, Vector], None]
Length = Callable[[Compressor, int], float]


@dataclass(frozen=True, slots=True)
class Load:
    """One turn of an exchange, as it loads the busiest link.

    messages: that go through it one after the other. bits: that go out of it, or into it if these are more.
    """

    direction: Direction
    messages: int
    bits: float


class Exchange(ABC):
    """Implementations are frozen dataclasses of plain values. Sums are taken in worker order, on every rank alike.

    cuts: whether messages are about parts of vectors, which start and end anywhere. exact: whether the mean is that of
    what the messages say, rounded no further, so that means of many steps may be added up.
    """

    cuts: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    def check(self, compressor: Compressor, d: int, workers: int) -> None:
        """Raise UsageError where the mean of vectors of d coordinates cannot be made of such messages."""
        return

    @abstractmethod
    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        """The mean of what the workers' messages say, float32 (d,), the same bits on every rank.

        own(worker): the vector of a worker that lives here; asked for once, while the worker speaks, and not changed
        before the mean is there. sent(worker, vector): told what of it has gone into the mean, for the worker's memory;
        None where nobody remembers. What all workers are told is W times the mean, but for the last places of floats
        and for what a server leaves out.
        """

    @abstractmethod
    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        """What the ledger books for one mean, by direction: `wire.ledger.per_link` says what a link carries of it.

        length(compressor, n): bits of a message about n coordinates.
        """

    @abstractmethod
    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        """The turns of one mean, which follow each other, for who predicts its time: as `expected` for one link.

        What is on the board goes around a ring, as `Ledger.by_link` has it.
        """

    @abstractmethod
    def work(self, d: int, workers: int) -> tuple[float, float]:
        """Coordinates that are coded, and that are decoded, one after the other, where most have to be."""


class Sum:
    """The vectors of workers 0..W-1 added up in this order, in float32, as they come; what comes too early waits."""

    def __init__(self, link: Link):
        self._link, self._next = link, 0
        self._total: Vector | None = None
        self._waiting: dict[int, Vector] = {}

    def put(self, worker: int, x: Vector) -> None:
        """A vector of a worker; it must not change until all have come."""
        self._waiting[worker] = x
        self._flush()

    def read(self, worker: int, code: Compressor, reader: BitReader, d: int, coins: PublicCoins) -> None:
        """The vector that the message of a worker says."""
        if worker != self._next:
            self.put(worker, code.decode(reader, d, worker, coins))
            return
        if self._total is None:
            self._total = self._link.vector(d)
            code.fill(reader, worker, coins, self._total)
        else:
            code.add(reader, d, worker, coins, self._total)
        self._next += 1
        self._flush()

    def mean(self) -> Vector:
        """The sum of all divided by W, float32; once."""
        assert self._total is not None  # every worker has spoken
        self._total /= np.float32(self._link.workers)
        return self._total

    def _flush(self) -> None:
        while self._next in self._waiting:
            x = self._waiting.pop(self._next)
            if self._total is None:
                self._total = self._link.vector(x.size)
                self._total[...] = x
            else:
                self._total += x
            self._next += 1


def gathered(
    own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None
) -> Callable[[], Vector]:
    """A message of each worker goes up to the server, which alone may ask for the mean of what they say, once.

    own, sent: as in `Exchange.mean`.
    """
    total = Sum(link)

    def encode(worker: int) -> Messages:
        message = compressor.encode(own(worker), worker, coins)
        if sent is not None:
            sent(worker, reread(message, compressor, d, worker, coins))
        return message

    def decode(worker: int, reader: BitReader) -> None:
        total.read(worker, compressor, reader, d, coins.public)

    link.up(encode, decode)
    return total.mean


def parts(d: int, workers: int) -> list[slice]:
    """d coordinates in W parts, as evenly as they go; the first ones may be empty."""
    return [slice(a, b) for a, b in pairwise(d * worker // workers for worker in range(workers + 1))]


def flag() -> Messages:
    """One bit, for a part without coordinates: silence is no message."""
    return Messages.of_symbols(np.zeros(1, np.uint8), 1)


def read_flag(reader: BitReader) -> None:
    """What `flag` wrote."""
    reader.fixed(1, 1)
    reader.aside("a part without coordinates")


def reread(message: Messages, code: Compressor, d: int, worker: int, coins: Coins) -> Vector:
    """What a message of a worker that lives here says: for its memory."""
    return code.decode(BitReader(message.data, message.n_bits), d, worker, coins.public)
