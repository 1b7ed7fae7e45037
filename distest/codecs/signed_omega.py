"""Signed omega: integers around 0 by Elias' recursive code of the size, and a sign where there is one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Words
from distest.codecs.base import SymbolCodec, Symbols, checked, concatenated
from distest.codecs.elias_omega import EliasOmega
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class SignedOmega(SymbolCodec):
    """Symbols 0..2^32, which stand for 0, 1, -1, 2, -2, ...: omega of the size plus 1, then 1 bit of sign if not 0.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
    Encoding" (2017), the dense code of Corollary 3.3.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 0, prefix.SIGNED_HIGH

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.SIGNED_OMEGA)

    def encode(self, symbols: Symbols) -> Words:
        x = checked(symbols, *self.domain, "SignedOmega")
        size = (x + 1) >> 1
        signs = Words((size * 2 == x).astype(np.uint64) * (x > 0), (x > 0).astype(np.uint8))
        return concatenated(EliasOmega().encode(size + 1), signs)

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        x = np.asarray(symbols, np.int64)
        return EliasOmega().n_bits(((x + 1) >> 1) + 1) + (x > 0)
