"""Row: a message of several fields, each by a code of its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Words
from distest.codecs.base import Codec, SymbolCodec, Symbols, columns, read_rows
from distest.errors import UsageError


@dataclass(frozen=True, slots=True)
class Row(Codec):
    """Column j of the symbols is coded by codecs[j]; a row is decoded in one pass, field after field.

    codecs: at least one code of single symbols, as many as the symbols have columns.
    """

    codecs: tuple[SymbolCodec, ...]

    def __post_init__(self) -> None:
        if not self.codecs:
            raise UsageError("Row needs at least one code")
        for codec in self.codecs:
            if not isinstance(codec, SymbolCodec):
                raise UsageError(f"Row takes codes of single symbols, {type(codec).__name__} codes whole rows")

    def encode(self, symbols: Symbols) -> Words:
        self._fit(np.shape(symbols)[1])
        return columns([codec.encode(symbols[:, j : j + 1]) for j, codec in enumerate(self.codecs)])

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        self._fit(shape[1])
        return read_rows(reader, shape, tuple(codec.column for codec in self.codecs))

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        self._fit(np.shape(symbols)[1])
        return np.hstack([codec.n_bits(symbols[:, j : j + 1]) for j, codec in enumerate(self.codecs)])

    def _fit(self, fields: int) -> None:
        if fields != len(self.codecs):
            raise UsageError(f"Row of {len(self.codecs)} codes got messages of {fields} fields")
