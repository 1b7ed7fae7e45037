"""Watch: a reader that remembers what was read, part by part and by name: for who shows a transcript.

Decoders report to the reader they are given what they have just read (`note`, `aside`); of that an ordinary reader
keeps one number, the bits of side information. Protocols name the fields of a message by `Protocol.fields`, which reads
one message with `take`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Lengths
from distest.errors import ModelError

SHOWN = 8  # values of a vector that are remembered
Says = Callable[[Sequence[int]], Sequence[str]]


class Code(Protocol):
    """What `take` asks of a code, see `codecs.base`."""

    def decode(self, reader: BitReader, shape: tuple[int, int], /) -> NDArray[np.int64]: ...

    def n_bits(self, symbols: NDArray[np.int64], /) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Bits start..stop-1 of a block and what they are called.

    values: what they say, the first SHOWN of `count`. says: the same in words of the protocol, "" where there are none.
    side: how many of the bits are side information.
    """

    name: str
    start: int
    stop: int
    values: tuple[Any, ...] = ()
    count: int = 0
    says: str = ""
    side: int = 0


class Watch(BitReader):
    """A reader that keeps parts, in the order in which they were read, and where messages end."""

    def __init__(self, data: NDArray[np.uint8], n_bits: int, at: int = 0, heard: "Watch | None" = None):
        super().__init__(data, n_bits, at)
        self.parts: list[Part] = heard.parts if heard else []
        self.ends: list[int] = []
        self._first = at

    def note(self, name: str, values: Any = (), n_bits: int | None = None, side: int = 0) -> None:
        super().note(name, values, n_bits, side)
        self._keep(name, values, n_bits, side)

    def aside(self, name: str, values: Any = (), n_bits: int | None = None) -> None:
        super().aside(name, values, n_bits)
        self._keep(name, values, n_bits, None)

    def _keep(self, name: str, values: Any, n_bits: int | None, side: int | None) -> None:
        """Remember a part. side: None where all of it is side information."""
        start = max(self.parts[-1].stop if self.parts else 0, self._first)
        at = self.raw()[1] if n_bits is None else start + n_bits
        if at > start:
            shown = np.ravel(np.asarray(values))
            told = tuple(shown[:SHOWN].tolist())
            self.parts.append(Part(name, start, at, told, shown.size, side=at - start if side is None else side))

    def flag(self) -> bool:
        speaks = super().flag()
        if not speaks:
            self._keep("silent", [0], None, None)
        return speaks

    def silent(self, most: int) -> int:
        return next((place for place in range(most) if self.flag()), most)

    def took(self, count: int, lengths: Lengths) -> None:
        before = self.raw()[1]
        super().took(count, lengths)
        each = np.broadcast_to(np.asarray(lengths, np.int64), count)
        self.ends += (before + np.cumsum(each)).tolist()

    def inner(self) -> "Watch":
        data, at, limit = self.raw()
        return Watch(data, limit, at, self)

    def take(self, name: str, code: Code, count: int = 1, says: Says | None = None, side: bool = False) -> list[int]:
        """Read `count` symbols of a message by a code, each a part of its own; their values.

        says: words for each of them. side: whether they are side information. A code of whole rows, or blocks, gives
        one part a row, or block.
        """
        inner = self.inner()
        symbols = code.decode(inner, (1, count))
        values: list[int] = symbols[0].tolist()
        widths: list[int] = code.n_bits(symbols)[0].tolist()
        words = says(values) if says else [""] * count
        at, heads = self.raw()[1], [j for j in range(count) if widths[j] or j == 0]
        for j, end in zip(heads, [*heads[1:], count], strict=True):
            said = ", ".join(dict.fromkeys(word for word in words[j:end] if word))
            n_bits = sum(widths[j:end])
            told = tuple(values[j : min(end, j + SHOWN)])
            self.parts.append(Part(name, at, at + n_bits, told, end - j, said, n_bits if side else 0))
            at += n_bits
        if at != inner.raw()[1]:
            raise ModelError(f"{name}: the code has read {inner.raw()[1] - self.raw()[1]} bits and speaks of others")
        n_bits = at - self.raw()[1]
        super().took(1, n_bits)
        super().note(name, side=n_bits if side else 0)
        return values

    def rest(self, name: str) -> None:
        """All that is left is one part."""
        super().took(1, self.unread())
        self.note(name)
