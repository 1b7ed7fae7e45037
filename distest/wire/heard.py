"""Heard: what is known of blocks and of single messages once decoded, and how ranks tell the referee's rank."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distest.bits import Lengths
from distest.wire.board import Chunk

_COLUMNS = 9
_OWNED = 8
ROW_BITS = 64 * _OWNED  # of `as_rows`, a message


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
    for row in _rows(chunk, _COLUMNS):
        number, n_bits, longest, side, uniform = (int(v) for v in row[:5])
        lengths = uniform if uniform >= 0 else None
        found.append(Heard(number, parties[number], lengths, n_bits, longest, side, row[5:].tobytes(), None))
    return found


def as_rows(rows: list[tuple[int, ...]]) -> Chunk:
    """Party, owner, bits, side information among them and digest of each message that a rank has read, as bytes."""
    return _chunk(np.array(rows, np.int64).reshape(-1, _OWNED))


def by_owner(chunks: list[Chunk]) -> NDArray[np.int64]:
    """What `as_rows` put there, of all ranks."""
    return np.concatenate([_rows(chunk, _OWNED) for chunk in chunks])


def _chunk(rows: NDArray[np.int64]) -> Chunk:
    return Chunk(rows.view(np.uint8).ravel(), 8 * rows.nbytes)


def _rows(chunk: Chunk, columns: int) -> NDArray[np.int64]:
    return np.frombuffer(chunk.payload.tobytes(), np.int64).reshape(-1, columns)
