"""Truncated binary, also called phase-in code: no bit is lost to a domain that is no power of two but one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked, phase_in
from distest.errors import UsageError
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class TruncatedBinary(SymbolCodec):
    """Symbols 0..n-1: with w = ceil(log2 n), the first 2^w - n symbols have w - 1 bits, the others w.

    A power of two has w bits throughout. For a uniform symbol at most log2 n + 0.0861 bits on average.

    n: domain size, 2 <= n <= 2^62.

    Source: Gallager and Van Voorhis, "Optimal source codes for geometrically distributed integer alphabets"
    (1975).
    """

    n: int

    def __post_init__(self) -> None:
        if not 2 <= self.n <= 1 << 62:
            raise UsageError(f"TruncatedBinary codes a domain of 2 to 2^62 symbols, got n={self.n}")

    @property
    def domain(self) -> tuple[int, int]:
        return 0, self.n - 1

    @property
    def column(self) -> prefix.Column:
        short, cutoff = prefix.phase_in(self.n)
        return prefix.Column(prefix.TRUNCATED, short, cutoff, shortest=short)

    def encode(self, symbols: Symbols) -> Words:
        return phase_in(checked(symbols, 0, self.n - 1, "TruncatedBinary"), self.n)

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        short, cutoff = prefix.phase_in(self.n)
        return short + (np.asarray(symbols) >= cutoff).astype(np.int64)
