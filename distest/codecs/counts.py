"""Counts: how often each symbol occurs in a row of samples, by arithmetic coding, in about their entropy."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words
from distest.codecs.base import Codec, Symbols, checked
from distest.errors import UsageError, WireError
from distest.kernels import arithmetic, prefix

_LAWS = {"binomial": arithmetic.BINOMIAL, "multiset": arithmetic.MULTISET}


@dataclass(frozen=True, slots=True)
class Counts(Codec):
    """The s samples of a row, 0..n-1 each, without their order: the counts, split in halves of halves of the domain.

    law "binomial": a row of counts N_x takes log2(n^s prod N_x!/s!) bits and 2 at most, on average the entropy of the
    counts where samples are uniform. "multiset": ceil(log2 C(n + s - 1, s)) and 2 bits at most for every row.
    Either way what is far from the law may be shorter than that: no outcome costs more than 46 bits. Messages end
    themselves. decode gives each row sorted.

    n: domain size, 2 <= n < 2^31; rows of up to 2^24 samples.

    Source: Rissanen, "Generalized Kraft inequality and arithmetic coding" (1976); docs/bounds.md, Proposition P5.
    """

    n: int
    law: Literal["binomial", "multiset"] = "binomial"

    def __post_init__(self) -> None:
        if not 2 <= self.n < 1 << 31:
            raise UsageError(f"Counts codes a domain of 2 to 2^31 - 1 symbols, got n={self.n}")
        if self.law not in _LAWS:
            raise UsageError(f"Counts has law 'binomial' or 'multiset', got {self.law!r}")

    def encode(self, symbols: Symbols) -> Words:
        messages = self.pack(symbols)
        each = np.broadcast_to(np.asarray(messages.lengths, np.int64), messages.count)
        fields = max(1, -(-int(each.max(initial=0)) // 64))
        widths = np.clip(each[:, None] - 64 * np.arange(fields), 0, 64)
        starts = np.cumsum(widths.ravel()) - widths.ravel()
        bits = np.unpackbits(messages.data)
        place = starts[:, None] + np.arange(64)
        inside = np.arange(64) < widths.reshape(-1, 1)
        taken = bits[np.where(inside, place, 0)] & inside
        shift = np.maximum(widths.reshape(-1, 1) - 1 - np.arange(64), 0).astype(np.uint64)
        code = np.bitwise_or.reduce(taken.astype(np.uint64) << shift, axis=1)
        return Words(code.reshape(widths.shape), widths.astype(np.uint8))

    def pack(self, symbols: NDArray[np.integer]) -> Messages:
        rows = np.sort(checked(symbols, 0, self.n - 1, "Counts"), axis=1)
        self._fit(rows.shape[1])
        data, n_bits, lengths = arithmetic.encode(rows, self.n, _LAWS[self.law])
        return Messages(data, n_bits, len(rows), lengths)

    def decode(self, reader: BitReader, shape: tuple[int, int]) -> Symbols:
        m, s = shape
        self._fit(s)
        reader.need(m * (s > 0))  # a bit a message at least, before memory is asked for
        data, at, limit = reader.raw()
        rows, lengths, status = arithmetic.decode(data, at, limit, m, s, self.n, _LAWS[self.law])
        if status:
            why = "end early" if status == prefix.ENDED else "are no counts"
            raise WireError(f"the bits {why} in message {len(rows)} of {m}, which starts at bit {at + lengths.sum()}")
        reader.took(m, lengths)
        return rows

    def n_bits(self, symbols: Symbols) -> NDArray[np.int64]:
        out = np.zeros_like(symbols, np.int64)
        out[:, :1] = np.broadcast_to(np.asarray(self.pack(symbols).lengths, np.int64), len(out))[:, None]
        return out

    def _fit(self, s: int) -> None:
        if s > arithmetic.MOST:
            raise UsageError(f"Counts takes rows of at most 2^24 samples, got s={s}")
