"""All-gather: every worker's message goes to every worker."""

from dataclasses import dataclass

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Own, Sent, in_order
from distest.sgd.link import Link
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class AllGather(Exchange):
    """One turn on the board: all read all W messages and average them; the error is that of W independent messages.

    On a ring every message passes each link once: (W - 1) times the mean length a rank.
    """

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent) -> Vector:
        here: set[int] = set()
        rows: dict[int, Vector] = {}

        def encode(worker: int) -> Messages:
            here.add(worker)
            return compressor.encode(own(worker), worker, coins)

        def decode(worker: int, reader: BitReader) -> None:
            rows[worker] = compressor.decode(reader, d, worker, coins.public)

        link.board(encode, decode)
        for worker in sorted(here):
            sent(worker, rows[worker])
        return in_order(rows, d)
