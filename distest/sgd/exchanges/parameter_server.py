"""Parameter server: messages go up to a server, which says the mean to each worker."""

from dataclasses import dataclass, field

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange, Length, Own, Sent, Sum, reread
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction


@dataclass(frozen=True)
class ParameterServer(Exchange):
    """Up: a message of each worker. Down: the mean, once to each worker.

    down: the compressor of the downlink, which is charged for each worker; single precision by default.
    """

    down: Compressor = field(default_factory=Identity)

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        total = Sum(link)
        mean: list[Vector] = []

        def encode(worker: int) -> Messages:
            message = compressor.encode(own(worker), worker, coins)
            if sent is not None:
                sent(worker, reread(message, compressor, d, worker, coins))
            return message

        def decode(worker: int, reader: BitReader) -> None:
            total.read(worker, compressor, reader, d, coins.public)

        link.up(encode, decode)
        server = coins.fold("down")
        link.down(
            lambda: self.down.encode(total.mean(), link.workers, server),
            lambda reader: mean.append(self.down.decode(reader, d, link.workers, server.public)),
        )
        return mean[0]

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        return {"up": workers * length(compressor, d), "down_unicast": workers * length(self.down, d)}
