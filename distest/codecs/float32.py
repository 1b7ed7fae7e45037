"""Float32: the 32 bits of an IEEE single, unchanged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import SymbolCodec, Symbols, checked
from distest.kernels import prefix


@dataclass(frozen=True, slots=True)
class Float32(SymbolCodec):
    """Symbols 0..2^32 - 1 are the bit patterns of float32: sign first, then exponent, then fraction; 32 bits
    each.

    `to_symbols` and `to_floats` convert. Every pattern decodes, not-a-number included: who reads a norm has
    to look.

    Source: IEEE 754, binary32.
    """

    @property
    def domain(self) -> tuple[int, int]:
        return 0, (1 << 32) - 1

    @property
    def column(self) -> prefix.Column:
        return prefix.Column(prefix.FIXED, 32, 1 << 32, shortest=32)

    def encode(self, symbols: Symbols) -> Words:
        code = checked(symbols, *self.domain, "Float32").astype(np.uint64)
        return Words(code, np.full(code.shape, 32, np.uint8))

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        return reader.fixed(shape[0], 32, shape[1]).astype(np.int64)

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        return np.full(np.shape(symbols), 32, np.int64)

    @staticmethod
    def to_symbols(floats: NDArray[np.float32]) -> Symbols:
        """The bit patterns of float32 values, same shape. Raises ValueError for other types."""
        if floats.dtype != np.float32:
            raise ValueError(f"Float32 carries float32, got {floats.dtype}")
        return np.ascontiguousarray(floats).view(np.uint32).astype(np.int64)

    @staticmethod
    def to_floats(symbols: Symbols) -> NDArray[np.float32]:
        """The float32 values of bit patterns, same shape."""
        return symbols.astype(np.uint32).view(np.float32)
