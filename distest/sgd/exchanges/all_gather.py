"""All-gather: every worker's message goes to every worker."""

from dataclasses import dataclass
from typing import ClassVar

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Length, Load, Own, Sent, Sum
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction


@dataclass(frozen=True)
class AllGather(Exchange):
    """One turn on the board: all read all W messages and average them; the error is that of W independent messages.

    On a ring every message passes W - 1 links: a rank sends W - 1 times the mean length.
    """

    exact: ClassVar[bool] = True

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        here: set[int] = set()
        total = Sum(link)

        def encode(worker: int) -> Messages:
            here.add(worker)
            return compressor.encode(own(worker), worker, coins)

        def decode(worker: int, reader: BitReader) -> None:
            if sent is None or worker not in here:
                total.read(worker, compressor, reader, d, coins.public)
                return
            said = compressor.decode(reader, d, worker, coins.public)
            sent(worker, said)
            total.put(worker, said)

        link.board(encode, decode)
        return total.mean()

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        return {"board": workers * length(compressor, d)}

    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        return [Load("board", workers - 1, (workers - 1) * length(compressor, d))]

    def work(self, d: int, workers: int) -> tuple[float, float]:
        return d, workers * d
