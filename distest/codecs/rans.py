"""Rans: rows of small symbols at the entropy of the row itself, its table in front."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words, inside
from distest.codecs.base import Codec, Symbols, checked
from distest.codecs.elias_gamma import EliasGamma
from distest.errors import UsageError, WireError
from distest.kernels import prefix, rans

MOST = 1 << 31


@dataclass(frozen=True, slots=True)
class Rans(Codec):
    """Symbols 0..n-1 of long rows by range asymmetric numeral systems under the row's own frequencies out of 4096.

    A row is one more than the frequency of each symbol but the last in Elias gamma, then the stream, whose end the
    reader finds by decoding f symbols. A row of f = 0 symbols has no bits, others 32 at least; from 2^12 symbols on
    eight coders cost about 130 bits above the table and the entropy, from 2^21 on 32 coders some 700. Rows are coded
    one by one: for rows of thousands.

    n: 2 <= n <= 256; rows of up to 2^31 symbols.

    Source: Duda, "Asymmetric numeral systems" (2013); Giesen, "Interleaved entropy coders" (2014).
    """

    n: int

    def __post_init__(self) -> None:
        if not 2 <= self.n <= rans.ALPHABET:
            raise UsageError(f"Rans codes a domain of 2 to {rans.ALPHABET} symbols, got n={self.n}")

    def encode(self, symbols: Symbols) -> Words:
        messages = self.pack(symbols)
        each = np.broadcast_to(np.asarray(messages.lengths, np.int64), messages.count)
        reader = BitReader(messages.data, messages.n_bits)
        rows = []
        for bits in each.tolist():
            whole = reader.fixed(1, 64, bits // 64)
            rest = reader.fixed(1, bits % 64)
            widths = np.array([[64] * (bits // 64) + [bits % 64]], np.uint8)
            rows.append(Words(np.hstack((whole, rest)), widths))
        return Words.stack(rows) if rows else Words(np.zeros((0, 1), np.uint64), np.zeros((0, 1), np.uint8))

    def pack(self, symbols: NDArray[np.integer]) -> Messages:
        fits = symbols.dtype == np.uint8 and (symbols.size == 0 or int(symbols.max()) < self.n)
        rows = symbols if fits else checked(symbols, 0, self.n - 1, "Rans")
        self._fit(rows.shape[1])
        small = np.ascontiguousarray(rows, np.uint8)
        if rows.shape[1] == 0:
            return Messages(np.zeros(0, np.uint8), 0, len(rows), 0)
        return Messages.join([self._row(row) for row in small])

    def _row(self, row: NDArray[np.uint8]) -> Messages:
        table = rans.frequencies(rans.counts(row)[: self.n])
        head = EliasGamma().encode(1 + table[None, :-1]).pack()
        data, n_bits = rans.write(row, rans.model(table[None]))
        return Messages.one([head, Messages(data, n_bits, 1, n_bits)])

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        return self.decode_small(reader, shape).astype(np.int64)

    def decode_small(self, reader: BitReader, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """As decode, uint8 (m, f)."""
        m, f = shape
        self._fit(f)
        if f == 0:
            reader.took(m, 0)
            return np.empty(shape, np.uint8)
        reader.need(m * (self.n - 1 + 32))
        out = np.empty(shape, np.uint8)
        for i in range(m):
            inner = inside(reader)
            try:
                out[i] = self.read_stream(inner, self.read_table(inner), f)
            except WireError as error:
                raise WireError(f"{error}, in message {i} of {m}, which starts at bit {reader.raw()[1]}") from None
            reader.took(1, inner.raw()[1] - reader.raw()[1])
        return out

    def read_table(self, reader: BitReader) -> NDArray[np.int64]:
        """The frequencies in front of a row, int64 (n,). Raises WireError."""
        head = EliasGamma().decode(reader, (1, self.n - 1))[0] - 1
        last = rans.SLOTS - int(head.sum()) if int(head.max()) <= rans.SLOTS else -1
        if last < 0:
            raise WireError(f"the frequencies sum to more than {rans.SLOTS}")
        return np.append(head, last)

    def read_stream(self, reader: BitReader, table: NDArray[np.int64], f: int) -> NDArray[np.uint8]:
        """The row of f >= 1 symbols behind its table, uint8 (f,). Raises WireError."""
        self._fit(f)
        data, at, limit = reader.raw()
        row, end, status = rans.read(data, at, limit, f, rans.model(table[None]))
        if status:
            raise WireError(f"the bits {'end early' if status == prefix.ENDED else 'are no stream of symbols'}")
        reader.took(1, end - at)
        return row

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        out = np.zeros_like(symbols, np.int64)
        if out.size:
            out[:, 0] = self.pack(symbols).lengths
        return out

    def _fit(self, f: int) -> None:
        if f > MOST:
            raise UsageError(f"Rans codes rows of up to 2^31 symbols, got {f}")
