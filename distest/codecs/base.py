"""Codec: a prefix code, and the law that its decoder needs nothing but bits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Lengths, Messages, Words
from distest.errors import UsageError, WireError
from distest.kernels import prefix
from distest.kernels._lazy import SMALL, worth_compiling

Symbols = NDArray[np.int64]
Small = NDArray[np.uint8]


class Codec(ABC):
    """A prefix code over a set of integers; implementations are frozen dataclasses of public parameters.

    Laws: decode(encode(x)) == x and the reader ends exactly at the end; no code word is a prefix of another;
    bits that are no code word raise WireError.
    """

    @abstractmethod
    def encode(self, symbols: Symbols) -> Words:
        """Code words of symbols int64 (m, f): row i is message i, its f symbols in order.

        A symbol may need several words, so the result has at least f fields. Raises UsageError for a symbol
        outside the domain of the code.
        """

    @abstractmethod
    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        """Read m messages of f symbols each, int64 (m, f), and book the bits of each message with the reader.

        Raises WireError where the bits end early or are no code word.
        """

    @abstractmethod
    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        """Length of the code word of each symbol, same shape; for predictions and tests, never for booking.

        A code of whole rows puts the bits of a row (or block) at its first symbol and 0 at the others.
        """

    def pack(self, symbols: NDArray[np.integer]) -> Messages:
        """The messages of symbols (m, f) of any integer type: encode(symbols).pack(), perhaps sooner."""
        return self.encode(np.asarray(symbols, np.int64)).pack()


class SymbolCodec(Codec):
    """A code that codes each symbol by itself: it describes one column to the loops and inherits its decoder.

    Long streams of symbols below 256 take the road of tables by themselves, in `pack`, `decode` and
    `decode_small`.
    """

    @property
    @abstractmethod
    def domain(self) -> tuple[int, int]:
        """Lowest and highest symbol."""

    @property
    @abstractmethod
    def column(self) -> prefix.Column:
        """How the decoding loop reads a symbol."""

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, f = shape
        bounded = self.domain[1] < prefix.MOST_ONES - 1  # then symbols above 255 are the rule, not the exception
        if m * f < SMALL or (bounded and self.domain[1] > 255):
            return read_rows(reader, shape, (self.column,))
        data, at, limit = reader.raw()
        code = _stream(self)
        symbols, end, status = prefix.decode_table(data, at, limit, _promised(self, shape, reader), code)
        if status == prefix.TAKEN:  # a symbol above 255: symbol by symbol after all
            return read_rows(reader, shape, (self.column,))
        _complain(status, reader, end)
        reader.took(m, _booked(self, symbols, shape, end - at))
        return symbols.astype(np.int64).reshape(shape)

    def decode_small(self, reader: BitReader, shape: tuple[int, int]) -> Small:
        """As decode for symbols below 256, uint8 (m, f). Raises WireError at a larger one too."""
        m, f = shape
        if worth_compiling(prefix.PYTHON * m * f):
            data, at, limit = reader.raw()
            code = _stream(self)
            symbols, end, status = prefix.decode_table(data, at, limit, _promised(self, shape, reader), code)
            _complain(status, reader, end)
            reader.took(m, _booked(self, symbols, shape, end - at))
            return symbols.reshape(shape)
        values = read_rows(reader, shape, (self.column,))
        if values.size and int(values.max()) > 255:
            raise WireError(f"a symbol below 256 was promised, {int(values.max())} was sent")
        return values.astype(np.uint8)

    def pack(self, symbols: NDArray[np.integer]) -> Messages:
        low, high = self.domain
        if symbols.size < SMALL or int(symbols.max()) > min(high, 255) or int(symbols.min()) < low:
            return super().pack(symbols)
        code = _stream(self)
        small = np.ascontiguousarray(symbols, np.uint8).ravel()
        if not code.widths[low : int(small.max()) + 1].all():  # some word has more than 64 bits
            return super().pack(symbols)
        data, n_bits = prefix.encode_table(small, code)
        m, f = symbols.shape
        return Messages(data, n_bits, m, _booked(self, small, (m, f), n_bits))


@lru_cache(maxsize=32)
def _stream(codec: SymbolCodec) -> prefix.Stream:
    """Tables of the symbols below 256; a symbol outside the domain or of several words has width 0."""
    low, high = codec.domain
    symbols = np.arange(low, min(high, 255) + 1)
    codes, widths = np.zeros(256, np.uint64), np.zeros(256, np.uint8)
    fits = symbols[codec.n_bits(symbols) <= 64]
    words = codec.encode(fits[:, None])
    codes[fits], widths[fits] = words.code.sum(axis=1), words.width.sum(axis=1)
    return prefix.stream(codec.column, codes, widths)


def _promised(codec: SymbolCodec, shape: tuple[int, int], reader: BitReader) -> int:
    """Number of symbols, once the bits can hold as many: before memory is asked for."""
    count = shape[0] * shape[1]
    reader.need(count * codec.column.shortest)
    return count


@lru_cache(maxsize=32)
def _widths(codec: SymbolCodec) -> NDArray[np.uint16]:
    """Bits of the symbols below 256, those of several words as well, which the tables of `_stream` leave out."""
    low, high = codec.domain
    widths = np.zeros(256, np.uint16)
    symbols = np.arange(low, min(high, 255) + 1)
    widths[symbols] = codec.n_bits(symbols[:, None])[:, 0]
    return widths


def _booked(codec: SymbolCodec, symbols: Small, shape: tuple[int, int], n_bits: int) -> Lengths:
    """Bits of each message, from those of its symbols; `n_bits` were seen in all."""
    m, f = shape
    if m <= 1:
        return n_bits
    each = _widths(codec)[symbols].reshape(m, f).sum(axis=1, dtype=np.int64)
    return int(each[0]) if bool((each == each[0]).all()) else each


def _complain(status: int, reader: BitReader, at: int) -> None:
    """Raise the WireError of a status of the loops."""
    if status == prefix.ENDED:
        raise WireError(f"the messages end early: a code word that starts at bit {at} is cut short")
    if status == prefix.TAKEN:
        raise WireError(f"a symbol below 256 was promised, bit {at} starts a larger one")
    if status == prefix.INVALID:
        raise WireError(f"bit {at} does not start a code word")


def read_rows(reader: BitReader, shape: tuple[int, int], columns: tuple[prefix.Column, ...]) -> Symbols:
    """Read m rows of f symbols, each column by its code (or all by the one given), and book each row."""
    m, f = shape
    data, at, limit = reader.raw()
    values, lengths, status = prefix.decode_rows(data, at, limit, m, f, columns)
    if status:
        row, start = len(lengths), at + int(lengths.sum())
        why = "end early" if status == prefix.ENDED else "hold no code word"
        raise WireError(f"the bits {why} in message {row} of {m}, which starts at bit {start}")
    if m == 0:
        return values
    reader.took(m, int(lengths[0]) if bool((lengths == lengths[0]).all()) else lengths)
    return values


def checked(symbols: NDArray[np.integer], low: int, high: int, name: str) -> Symbols:
    """The symbols as int64, once all of them are in low..high.

    Raises UsageError naming the first that is not.
    """
    x = np.asarray(symbols, np.int64)
    if x.size and (int(x.min()) < low or int(x.max()) > high):
        bad = x[(x < low) | (x > high)].flat[0]
        raise UsageError(f"{name} codes integers from {low} to {high}, got {bad}")
    return x


def columns(words: Sequence[Words]) -> Words:
    """Fields side by side, one Words a column."""
    return Words(np.hstack([w.code for w in words]), np.hstack([w.width for w in words]))


def bit_length(values: Symbols) -> Symbols:
    """Number of binary digits of each value from 0 to 2^63 - 1, exactly."""
    length: Symbols = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    too_many: Symbols = (values > 0) & (values >> np.maximum(length - 1, 0) == 0)  # the float was rounded up
    return length - too_many


def concatenated(head: Words, tail: Words) -> Words:
    """Each word of head followed by the word of tail in its place.

    One word where all fit in 64 bits, else two.
    """
    width = head.width.astype(np.int64) + tail.width
    if width.size == 0 or int(width.max()) <= 64:
        room = np.minimum(tail.width, 63).astype(np.uint64)  # a tail of 64 bits has no head
        return Words((head.code << room) * (tail.width < 64) | tail.code, width.astype(np.uint8))
    m, f = width.shape
    code, widths = np.empty((m, 2 * f), np.uint64), np.empty((m, 2 * f), np.uint8)
    code[:, ::2], code[:, 1::2], widths[:, ::2], widths[:, 1::2] = (
        head.code,
        tail.code,
        head.width,
        tail.width,
    )
    return Words(code, widths)


def phase_in(values: Symbols, n: int) -> Words:
    """Truncated binary words of values in 0..n-1, for n >= 1."""
    short, cutoff = prefix.phase_in(n)
    long = values >= cutoff
    return Words((values + cutoff * long).astype(np.uint64), (short + long).astype(np.uint8))


def ones(counts: Symbols, tail: Words) -> Words:
    """For each place a run of ones, a zero, and the tail; runs too long for one word are cut into several.

    A row then gets as many fields as its words need, padded with width 0.
    """
    if counts.size == 0 or int(counts.max()) <= 62:
        runs = (np.uint64(2) << counts.astype(np.uint64)) - np.uint64(2)
        return concatenated(Words(runs, (counts + 1).astype(np.uint8)), tail)
    m = counts.shape[0]
    full = counts >> 6  # words of 64 ones, then the rest with its zero, then the tail
    used = full + 2
    stop = np.cumsum(used, axis=1)
    code = np.full((m, int(stop[:, -1].max())), (1 << 64) - 1, np.uint64)
    width = np.where(np.arange(code.shape[1]) < stop[:, -1:], 64, 0).astype(np.uint8)
    rows = np.arange(m)[:, None]
    rest = counts & 63
    code[rows, stop - 2] = (np.uint64(2) << rest.astype(np.uint64)) - np.uint64(2)
    width[rows, stop - 2] = rest + 1
    code[rows, stop - 1], width[rows, stop - 1] = tail.code, tail.width
    return Words(code, width)
