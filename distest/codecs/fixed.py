"""Fixed width: ceil(log2 n) bits a symbol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words
from distest.codecs.base import SymbolCodec, Symbols, checked
from distest.errors import UsageError, WireError
from distest.kernels import prefix

_OUTSIDE = "symbol {} is outside the domain of {} symbols"


@dataclass(frozen=True, slots=True)
class Fixed(SymbolCodec):
    """Symbols 0..n-1 in ceil(log2 n) bits each, plain binary.

    n: domain size, 2 <= n <= 2^62.

    Source: folklore.
    """

    n: int

    def __post_init__(self) -> None:
        if not 2 <= self.n <= 1 << 62:
            raise UsageError(f"Fixed codes a domain of 2 to 2^62 symbols, got n={self.n}")

    @property
    def width(self) -> int:
        """Bits a symbol."""
        return (self.n - 1).bit_length()

    @property
    def domain(self) -> tuple[int, int]:
        return 0, self.n - 1

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.FIXED, self.width, self.n, shortest=self.width)

    @property
    def _narrow(self) -> bool:
        """Whether a symbol fits in a byte: messages of one symbol then have a faster road."""
        return self.width <= 8

    def encode(self, symbols: Symbols) -> Words:
        code = checked(symbols, 0, self.n - 1, "Fixed").astype(np.uint64)
        return Words(code, np.full(code.shape, self.width, np.uint8))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, f = shape
        values = reader.fixed(m, self.width, f).astype(np.int64)
        if values.size and int(values.max()) >= self.n:
            raise WireError(_OUTSIDE.format(int(values.max()), self.n))
        return values

    def pack(self, symbols: NDArray[np.integer]) -> Messages:
        one = symbols.shape[1] == 1 and self._narrow and symbols.size > 0
        if not one or int(symbols.min()) < 0 or int(symbols.max()) >= self.n:
            return super(Fixed, self).pack(symbols)
        return Messages.of_symbols(symbols[:, 0].astype(np.uint8), self.width)

    def count(self, reader: BitReader, shape: tuple[int, int], outside: str = _OUTSIDE) -> NDArray[np.int64]:
        """How often each symbol stands in m messages of f symbols, int64 (n,): `decode` where only that is asked.

        outside: the sentence about a symbol beyond the n, for single narrow ones.
        """
        m, f = shape
        if f > 1 or not self._narrow:
            return np.bincount(self.decode(reader, shape).ravel(), minlength=self.n)
        counts = np.bincount(reader.symbols(m, self.width), minlength=self.n)
        if counts.size > self.n:
            raise WireError(outside.format(counts.size - 1, self.n))
        return counts

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return np.full(np.shape(symbols), self.width, np.int64)
