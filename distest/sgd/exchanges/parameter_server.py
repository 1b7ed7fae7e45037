"""Parameter server: messages go up to a server, which says the mean to each worker."""

from dataclasses import dataclass, field

from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange, Length, Load, Own, Sent, gathered
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction


@dataclass(frozen=True)
class ParameterServer(Exchange):
    """Up: a message of each worker. Down: the mean, once to each worker.

    down: the compressor of the downlink, which is charged for each worker; single precision by default.
    """

    down: Compressor = field(default_factory=Identity)

    @property
    def exact(self) -> bool:  # type: ignore[override]  # by option
        """Where the server says the mean as it is."""
        return self.down == Identity()

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        mean: list[Vector] = []
        found = gathered(own, d, compressor, link, coins, sent)
        server = coins.fold("down")
        link.down(
            lambda: self.down.encode(found(), link.workers, server),
            lambda reader: mean.append(self.down.decode(reader, d, link.workers, server.public)),
        )
        return mean[0]

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        return {"up": workers * length(compressor, d), "down_unicast": workers * length(self.down, d)}

    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        """Of the server's link, through which all messages go."""
        return [
            Load("up", workers, workers * length(compressor, d)),
            Load("down_unicast", workers, workers * length(self.down, d)),
        ]

    def work(self, d: int, workers: int) -> tuple[float, float]:
        """The worker and the server code, the server decodes W messages and the worker one."""
        return 2 * d, (workers + 1) * d
