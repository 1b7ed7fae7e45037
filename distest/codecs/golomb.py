"""Golomb: the quotient by M in unary, the remainder in truncated binary."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked, ones, phase_in
from distest.errors import UsageError
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class Golomb(SymbolCodec):
    """Symbols 0..2^20 M - 1: floor(x / M) ones, a zero, x mod M in truncated binary.

    Optimal for geometric symbols, P(x + 1) / P(x) = r, where M is nearest to -ln 2 / ln r. For the gaps of s
    sorted samples of n symbols M = max(1, round(ln 2 * n / (s + 1))). 2^20 ones or more are refused by both
    ends.

    M: 1 <= M <= 2^40.

    Source: Golomb, "Run-length encodings" (1966); the remainder by Gallager and Van Voorhis (1975).
    """

    M: int

    def __post_init__(self) -> None:
        if not 1 <= self.M <= 1 << 40:
            raise UsageError(f"Golomb divides by 1 to 2^40, got M={self.M}")

    @property
    def domain(self) -> tuple[int, int]:
        return 0, prefix.MOST_ONES * self.M - 1

    @property
    def column(self) -> prefix.Column:
        short, cutoff = prefix.phase_in(self.M)
        return prefix.Column(prefix.GOLOMB, short, cutoff, self.M, shortest=1 + short)

    def encode(self, symbols: Symbols) -> Words:
        quotient, remainder = np.divmod(checked(symbols, *self.domain, "Golomb"), self.M)
        return ones(quotient, phase_in(remainder, self.M))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        short, cutoff = prefix.phase_in(self.M)
        quotient, remainder = np.divmod(np.asarray(symbols, np.int64), self.M)
        return quotient + 1 + short + (remainder >= cutoff)
