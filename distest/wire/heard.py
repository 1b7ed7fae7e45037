"""Heard: what is known of blocks and of single messages once decoded, and how ranks tell the referee's rank."""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distest.bits import Lengths
from distest.wire.board import Chunk

_COLUMNS = 9
_ROW = struct.Struct("=4q32s")
ROW_BITS = 8 * _ROW.size  # of `as_rows`, a message


class Heard(NamedTuple):
    """What the channel remembers of a block until its turn is over. side: of its bits those of side information."""

    number: int
    parties: range
    lengths: Lengths | None
    n_bits: int
    n_bits_max: int
    side: int
    digest: bytes
    chunk: Chunk | None


class Row(NamedTuple):
    """Party, owner, bits, side information among them and digest of a message that was read."""

    party: int
    owner: int
    n_bits: int
    side: int
    digest: bytes


def packed(heard: list[Heard]) -> Chunk:
    """Number, sizes and digest of each block, as bytes."""
    rows = np.zeros((len(heard), _COLUMNS), np.int64)
    for row, entry in zip(rows, heard, strict=True):
        uniform = entry.lengths if isinstance(entry.lengths, int) else -1
        row[:5] = entry.number, entry.n_bits, entry.n_bits_max, entry.side, uniform
        row[5:] = np.frombuffer(entry.digest, np.int64)
    return _chunk(rows)


def unpacked(chunk: Chunk, parties: dict[int, range]) -> list[Heard]:
    """What `packed` put there, without the bits. parties: of each block, by its number."""
    found = []
    for row in _rows(chunk):
        number, n_bits, longest, side, uniform = (int(v) for v in row[:5])
        lengths = uniform if uniform >= 0 else None
        found.append(Heard(number, parties[number], lengths, n_bits, longest, side, row[5:].tobytes(), None))
    return found


def as_rows(rows: list[Row]) -> Chunk:
    """What a rank has read, as bytes."""
    return Chunk(np.frombuffer(b"".join(_ROW.pack(*row) for row in rows), np.uint8), ROW_BITS * len(rows))


def by_owner(chunks: list[Chunk]) -> list[Row]:
    """What `as_rows` put there, of all ranks."""
    return [Row(*row) for chunk in chunks for row in _ROW.iter_unpack(chunk.payload.data)]


def _chunk(rows: NDArray[np.int64]) -> Chunk:
    return Chunk(rows.view(np.uint8).ravel(), 8 * rows.nbytes)


def _rows(chunk: Chunk) -> NDArray[np.int64]:
    return np.frombuffer(chunk.payload.tobytes(), np.int64).reshape(-1, _COLUMNS)
