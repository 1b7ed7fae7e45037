"""OrSilent: one bit for the vector 0, which says that there is nothing to say."""

from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.sgd.compressor import CoinUse, Compressor
from distest.sgd.problem import Vector


@dataclass(frozen=True)
class OrSilent(Compressor):
    """A bit that says whether more follows, and then a message of `inner`; the vector 0 is the bit alone."""

    inner: Compressor

    @property
    def coin_use(self) -> CoinUse:  # type: ignore[override]  # by its part
        return self.inner.coin_use

    def check(self, d: int) -> None:
        self.inner.check(d)

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        speaks = bool(x.any())
        flag = Messages.of_symbols(np.array([speaks], np.uint8), 1)
        return Messages.one([flag, self.inner.encode(x, worker, coins)] if speaks else [flag])

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        speaks = bool(parts.fixed(1, 1)[0, 0])
        parts.aside("whether more follows", [int(speaks)])
        x = self.inner.decode(parts, d, worker, coins) if speaks else np.zeros(d, np.float32)
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        return self.inner.distortion(d)

    def paper_bits(self, x: Vector) -> float | None:
        """Those of `inner`; silence counts nothing."""
        return self.inner.paper_bits(x) if x.any() else 0.0
