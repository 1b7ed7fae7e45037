"""Parameter server: messages go up to a server, which says the mean to each worker."""

from dataclasses import dataclass, field

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange, Own, Sent, in_order
from distest.sgd.link import Link
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class ParameterServer(Exchange):
    """Up: a message of each worker. Down: the mean, once to each worker.

    down: the compressor of the downlink, which is charged for each worker; single precision by default.
    """

    down: Compressor = field(default_factory=Identity)

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent) -> Vector:
        rows: dict[int, Vector] = {}
        mean: list[Vector] = []

        def encode(worker: int) -> Messages:
            message = compressor.encode(own(worker), worker, coins)
            reader = BitReader(message.data, message.n_bits)
            sent(worker, compressor.decode(reader, d, worker, coins.public))
            return message

        def decode(worker: int, reader: BitReader) -> None:
            rows[worker] = compressor.decode(reader, d, worker, coins.public)

        link.up(encode, decode)
        server = coins.fold("down")
        link.down(
            lambda: self.down.encode(in_order(rows, d), link.workers, server),
            lambda reader: mean.append(self.down.decode(reader, d, link.workers, server.public)),
        )
        return mean[0]
