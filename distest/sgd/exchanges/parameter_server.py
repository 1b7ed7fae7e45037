"""Parameter server: messages go up to a server, which says the mean to each worker."""

from dataclasses import dataclass, field
from typing import Any

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Own, Sent, in_order
from distest.sgd.link import Link
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class ParameterServer(Exchange):
    """Up: a message of each worker. Down: the mean, once to each worker.

    down: the compressor of the downlink, a table such as {"name": "qsgd", "bits": 4}; single precision by default. It is
    charged for each worker.
    """

    down: dict[str, Any] = field(default_factory=lambda: {"name": "identity"})

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent) -> Vector:
        from distest import catalog  # a part that is named in a part

        back: Compressor = catalog.build("compressor", self.down)
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
            lambda: back.encode(in_order(rows, d), link.workers, server),
            lambda reader: mean.append(back.decode(reader, d, link.workers, server.public)),
        )
        return mean[0]
