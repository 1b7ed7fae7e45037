"""Words, Messages, BitReader: the only doors between numbers and bits.

Most significant bit first, messages end to end, no padding between them, unused bits of the last byte zero.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.errors import WireError
from distest.kernels import bitpack

Lengths = int | NDArray[np.int64]
_WORD = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Messages:
    """Packed messages.

    data: uint8, at least ceil(n_bits / 8) bytes (with bitpack.SPARE zero bytes behind). n_bits: exact length of all.
    count: number of messages. lengths: bits of each message; one integer where all are equal, else int64 (count,).
    """

    data: NDArray[np.uint8]
    n_bits: int
    count: int
    lengths: Lengths

    @classmethod
    def of_symbols(cls, symbols: NDArray[np.uint8], width: int) -> "Messages":
        """One message a symbol, all of one width 1..8: the fast road past `Words`."""
        data, n_bits = bitpack.pack_symbols(np.ascontiguousarray(symbols), width)
        return cls(data, n_bits, symbols.size, width)

    @classmethod
    def join(cls, parts: Sequence["Messages"]) -> "Messages":
        """All messages of all parts in order, bit-exact, no gap at the seams."""
        if len(parts) == 1:
            return parts[0]
        at = count = 0
        alike: Lengths | None = 0
        for part in parts:
            at += part.n_bits
            if part.count:
                lengths = part.lengths
                if not isinstance(lengths, int) or (count and lengths != alike):
                    alike = None
                elif not count:
                    alike = lengths
                count += part.count
        out = bitpack.room(at)
        if at <= 64:  # flags: the numbers of Python are sooner done than kernels are called
            word = 0
            for part in parts:
                word = word << part.n_bits | _first(part.data) >> 64 - part.n_bits
            _WORD.pack_into(out.data, 0, word << 64 - at)
        else:
            at = 0
            for part in parts:
                at = bitpack.append(part.data, part.n_bits, out, at)
        if alike is not None:
            return cls(out, at, count, alike)
        each = [np.broadcast_to(np.asarray(part.lengths, np.int64), part.count) for part in parts if part.count]
        return cls(out, at, count, np.concatenate(each))

    @classmethod
    def of_bytes(cls, data: bytes) -> "Messages":
        """One message of whole bytes."""
        room = bitpack.room(8 * len(data))
        room[: len(data)] = np.frombuffer(data, np.uint8)
        return cls(room, 8 * len(data), 1, 8 * len(data))

    @classmethod
    def one(cls, parts: Sequence["Messages"]) -> "Messages":
        """All parts end to end as one message; `inside` reads it part by part."""
        joined = cls.join(parts)
        return cls(joined.data, joined.n_bits, 1, joined.n_bits)

    def to_bytes(self) -> bytes:
        """The ceil(n_bits / 8) bytes that travel."""
        return self.data[: (self.n_bits + 7) // 8].tobytes()


@dataclass(frozen=True, slots=True)
class Words:
    """Code words not yet packed: row i is message i, its fields in order.

    code: uint64 (m, f). width: uint8 (m, f), 0..64; a field of width 0 costs nothing.
    """

    code: NDArray[np.uint64]
    width: NDArray[np.uint8]

    def beside(self, other: "Words") -> "Words":
        """More fields in each message."""
        return Words(np.hstack((self.code, other.code)), np.hstack((self.width, other.width)))

    @staticmethod
    def stack(parts: Sequence["Words"]) -> "Words":
        """More messages; rows with fewer fields end in fields of width 0."""
        fields = max(part.code.shape[1] for part in parts)
        pad = [((0, 0), (0, fields - part.code.shape[1])) for part in parts]
        code = np.vstack([np.pad(part.code, p) for part, p in zip(parts, pad, strict=True)])
        width = np.vstack([np.pad(part.width, p) for part, p in zip(parts, pad, strict=True)])
        return Words(code, width)

    def pack(self) -> Messages:
        """The messages, end to end."""
        data, n_bits = bitpack.pack(self.code.ravel(), self.width.ravel())
        lengths = self.width.sum(axis=1, dtype=np.int64)
        uniform = lengths.size == 0 or bool((lengths == lengths[0]).all())
        return Messages(data, n_bits, len(lengths), (int(lengths[0]) if lengths.size else 0) if uniform else lengths)


class BitReader:
    """A cursor over a block of messages. It has no idea where a message ends, and it does not tell where the bits do.

    What has been decoded is booked here by the codes, row by row, so `lengths` is measured and never declared. Of what
    kind the bits were, decoders say with `note` and `aside`, part by part as they read.
    """

    __slots__ = ("_at", "_data", "_lengths", "_limit", "_noted", "_side")

    def __init__(self, data: NDArray[np.uint8], n_bits: int, at: int = 0):
        """data holds n_bits bits; a copy with spare bytes is made where they are missing."""
        needed = (n_bits + 7) // 8 + bitpack.SPARE
        if data.size < needed:
            if data.size < (n_bits + 7) // 8:
                raise WireError(f"{n_bits} bits were announced, {8 * data.size} are there")
            data = np.concatenate((data, np.zeros(needed - data.size, np.uint8)))
        self._data, self._limit, self._at = data, n_bits, at
        self._noted, self._side = at, 0
        self._lengths: list[tuple[int, Lengths]] = []

    def fixed(self, count: int, width: int, fields: int = 1) -> NDArray[np.uint64]:
        """`count` messages of `fields` fields of `width` bits each, uint64 (count, fields).

        Raises WireError past the end.
        """
        start = self.need(count * width * fields)
        values = bitpack.unpack(self._data, start, width, count * fields)
        self.took(count, width * fields)
        return values.reshape(count, fields)

    def symbols(self, count: int, width: int) -> NDArray[np.uint8]:
        """As `fixed` for widths 1..8 from uint8 blocks: the fast road. Only from a whole byte on."""
        start = self.need(count * width)
        if start % 8:
            return self.fixed(count, width)[:, 0].astype(np.uint8)
        values = bitpack.unpack_symbols(self._data[start // 8 :], width, count)
        self.took(count, width)
        return values

    def need(self, n_bits: int) -> int:
        """The cursor, once it is sure that n_bits more bits are there. Raises WireError otherwise."""
        if n_bits < 0 or self._at + n_bits > self._limit:
            raise WireError(
                f"the messages end early: bit {self._at} of {self._limit} is reached, {n_bits} more are needed"
            )
        return self._at

    def flag(self) -> bool:
        """Whether the next bit is set; where it is not, it is a whole message and booked, else it stays to be read.

        Saying nothing is side information.
        """
        at = self.need(1)
        if self._data.item(at >> 3) >> (7 - (at & 7)) & 1:
            return True
        self.took(1, 1)
        self._noted = self._at
        self._side += 1
        return False

    def silent(self, most: int) -> int:
        """How many of the next messages, at most so many, are such a bit that is not set: as `flag`, all at once."""
        found = 0
        while found < most:
            at = self.need(1)
            held = 64 - (at & 7)
            window = _WORD.unpack_from(self._data.data, at >> 3)[0] & (1 << held) - 1
            zeros = min(held - window.bit_length(), most - found, self._limit - at)
            if not zeros:
                break
            self.took(zeros, 1)
            self._noted = self._at
            self._side += zeros
            found += zeros
        return found

    def raw(self) -> tuple[NDArray[np.uint8], int, int]:
        """For decoding kernels in `codecs/`: bytes with spare, cursor, end of the bits."""
        return self._data, self._at, self._limit

    def took(self, count: int, lengths: Lengths) -> None:
        """Book `count` messages just decoded, each of the given bits, and move behind them."""
        runs = self._lengths
        if isinstance(lengths, int):
            n_bits = count * lengths
            self._at = self.need(n_bits) + n_bits
            before, last = runs[-1] if runs else (0, None)
            if isinstance(last, int) and lengths == last:
                runs[-1] = before + count, lengths
                return
        else:
            n_bits = int(lengths.sum())
            self._at = self.need(n_bits) + n_bits
        if count:
            runs.append((count, lengths))

    def booked(self) -> tuple[int, Lengths]:
        """Messages decoded so far and the bits of each: for the wire, which books them."""
        count = sum(c for c, _ in self._lengths)
        if len(self._lengths) == 1:
            return self._lengths[0]
        plain = [length for _, length in self._lengths if isinstance(length, int)]
        if plain and len(plain) == len(self._lengths):
            return count, np.repeat(np.array(plain, np.int64), [c for c, _ in self._lengths])
        each = [np.broadcast_to(np.asarray(length, np.int64), c) for c, length in self._lengths]
        return count, np.concatenate(each) if each else 0

    def unread(self) -> int:
        """Bits behind the cursor: for the wire, which checks that every bit was read."""
        return self._limit - self._at

    @property
    def side_bits(self) -> int:
        """Bits of side information decoded so far: for the wire, which books them."""
        return self._side

    def note(self, name: str, values: Any = (), n_bits: int | None = None, side: int = 0) -> None:
        """What was read since the last note, or the first n_bits of it, is called `name` and says `values`.

        side: how many of these bits are side information, where values have some among them. Name and values are for a
        `Watch`, which shows transcripts.
        """
        self._noted = self._at if n_bits is None else self._noted + n_bits
        self._side += side

    def aside(self, name: str, values: Any = (), n_bits: int | None = None) -> None:
        """As `note`, of bits that are all side information: what a reader needs to understand the values (norms and
        scales, places, counts, widths, tables, which code), and whether anything is said at all.
        """
        before = self._noted
        self._noted = self._at if n_bits is None else before + n_bits
        self._side += self._noted - before

    def inner(self) -> "BitReader":
        """A reader of its own at the same place."""
        return BitReader(self._data, self._limit, self._at)


def _first(data: NDArray[np.uint8]) -> int:
    """The first 64 bits, as a number; those that are missing are 0."""
    if data.size < _WORD.size:
        return int.from_bytes(data.tobytes().ljust(_WORD.size, b"\0"))
    word: int = _WORD.unpack_from(data.data)[0]
    return word


def inside(reader: BitReader) -> BitReader:
    """A reader of its own at the same place: codes read the parts of one message there, and `close` books them."""
    return reader.inner()


def close(reader: BitReader, parts: BitReader) -> None:
    """Book everything read with `inside` as one message."""
    reader.took(1, parts.raw()[1] - reader.raw()[1])
    reader._noted = reader._at  # the parts have their names
    reader._side += parts._side
