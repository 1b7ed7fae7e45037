"""Rice: Golomb's code where M is a power of two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked, ones
from distest.errors import UsageError
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class Rice(SymbolCodec):
    """Symbols 0..2^(20 + k) - 1: floor(x / 2^k) ones, a zero, the low k bits of x. The words of Golomb(2^k).

    k: 0 <= k <= 40.

    Source: Rice, "Some practical universal noiseless coding techniques" (1979).
    """

    k: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= 40:
            raise UsageError(f"Rice keeps 0 to 40 low bits, got k={self.k}")

    @property
    def domain(self) -> tuple[int, int]:
        return 0, (prefix.MOST_ONES << self.k) - 1

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.GOLOMB, self.k, 1 << self.k, 1 << self.k, shortest=1 + self.k)

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "Rice")
        low = (x & ((1 << self.k) - 1)).astype(np.uint64)
        return ones(x >> self.k, Words(low, np.full(x.shape, self.k, np.uint8)))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return (np.asarray(symbols, np.int64) >> self.k) + 1 + self.k
