"""Board: the transcript. Every bit that was said, by whom and to whom, and a digest of it.

A file is: magic, parties, number of turns; a turn is round, direction, speakers, number of blocks; a block is its
exact number of bits and then its bytes. Behind the head of a turn to neighbours are its edges. Which parties a block
holds follows from the grid of `turn.py`. Integers are little-endian. No lengths of messages: whoever reads a board has
to decode it.
"""

import contextlib
import hashlib
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from distest.errors import ModelError, UsageError, WireError
from distest.wire.turn import NO_EDGES, Edges, Readers, Turn, blocks_said

MAGIC = b"DTBOARD1"
_HEAD = struct.Struct("<8sQQ")
_TURN = struct.Struct("<QBqqqQ")
_BLOCK = struct.Struct("<Q")
_EDGE = struct.Struct("<II")
_SHORT_BITS = 1 << 12  # copying so few is sooner done than telling the hash a second time
_READERS: tuple[Readers, ...] = ("referee", "board", "servers", "each", "peers", "below", "neighbours")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A packed bit string: uint8 data (at least ceil(n_bits / 8) bytes) and its exact length."""

    data: NDArray[np.uint8]
    n_bits: int

    @property
    def payload(self) -> NDArray[np.uint8]:
        """The bytes that travel."""
        return self.data[: (self.n_bits + 7) // 8]


def block_digest(block: range, chunk: Chunk) -> bytes:
    """SHA-256 of one block: its parties, its exact length, its bits."""
    head = struct.pack("<qqqQ", *_bounds(block), chunk.n_bits)
    if chunk.n_bits < _SHORT_BITS:
        return hashlib.sha256(head + chunk.payload.tobytes()).digest()
    digest = hashlib.sha256(head)
    digest.update(chunk.payload.data)
    return digest.digest()


def turn_digest(turn: Turn, blocks: list[bytes]) -> bytes:
    """SHA-256 of one turn from the digests of its blocks in party order."""
    speakers = turn.speakers
    head = struct.pack("<QBqqq", turn.round, _READERS.index(turn.readers), *_bounds(speakers))
    if turn.readers == "neighbours":
        head += turn.edges.packed
    return hashlib.sha256(head + b"".join(blocks)).digest()


def transcript_digest(turns: list[bytes]) -> str:
    """SHA-256 of a whole transcript, hex."""
    return hashlib.sha256(MAGIC + b"".join(turns)).hexdigest()


def _bounds(r: range) -> tuple[int, int, int]:
    """First party, last party + 1, step: the same three numbers for ranges of the same parties."""
    return (r.start, r[-1] + 1, r.step if len(r) > 1 else 1) if r else (0, 0, 1)


@dataclass(frozen=True, slots=True)
class Post:
    """One turn as it was written: the blocks of its speakers, in party order."""

    turn: Turn
    chunks: tuple[Chunk, ...]


@dataclass
class Board:
    """All posts of a run with `parties` servers."""

    parties: int
    posts: list[Post] = field(default_factory=list)

    @property
    def n_bits(self) -> int:
        """Bits of the whole transcript."""
        return sum(chunk.n_bits for post in self.posts for chunk in post.chunks)

    def digest(self) -> str:
        """The digest of the transcript, recomputed from the bits."""
        return transcript_digest(self.turn_digests())

    def turn_digests(self) -> list[bytes]:
        """The digest of each turn, recomputed from the bits."""
        turns = []
        for post in self.posts:
            blocks = blocks_said(post.turn, self.parties)
            digests = [block_digest(b, c) for b, c in zip(blocks, post.chunks, strict=True)]
            turns.append(turn_digest(post.turn, digests))
        return turns

    def save(self, path: Path) -> None:
        """Write the file whole or not at all. Raises UsageError where it cannot be written."""
        partial = path.with_name(path.name + ".partial")
        try:
            self._write(partial)
            os.replace(partial, path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror})") from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def _write(self, path: Path) -> None:
        with open(path, "wb") as file:
            file.write(_HEAD.pack(MAGIC, self.parties, len(self.posts)))
            for post in self.posts:
                _write_post(file, post)
            _settle(file)

    def grow(self, path: Path, n_bytes: int, posts: int) -> int:
        """Bring a file of posts without a head up to date; its length in bytes afterwards, which is all that counts.

        n_bytes, posts: what is in it for good; the rest of the posts is written behind, over what may be there. Raises
        OSError, after which the first n_bytes are what they were.
        """
        with open(path, "r+b" if path.exists() else "w+b") as file:
            if file.seek(0, os.SEEK_END) < n_bytes:
                raise OSError(0, f"it has lost some of its {n_bytes} bytes")
            file.seek(n_bytes)
            file.truncate()
            for post in self.posts[posts:]:
                _write_post(file, post)
            _settle(file)
            return file.tell()

    @classmethod
    def grown(cls, path: Path, parties: int, n_bytes: int, posts: int) -> "Board":
        """The board whose posts are the first n_bytes of a file that `grow` wrote.

        Raises WireError for anything that it cannot have written.
        """
        try:
            with open(path, "rb") as file:
                there = file.seek(0, os.SEEK_END)
                if not 0 <= n_bytes <= there:
                    raise WireError(f"{n_bytes} bytes of posts were written, {there} are there")
                file.seek(0)
                data = file.read(n_bytes)
            return _posts(data, 0, parties, posts)
        except (WireError, ModelError) as error:
            raise WireError(f"{path}: {error}") from None
        except OSError as error:
            raise WireError(f"{path}: cannot be read ({error.strerror})") from None

    @classmethod
    def load(cls, path: Path) -> "Board":
        """Read a file. Raises WireError for anything that `save` cannot have written."""
        return cls._read(path, path.read_bytes)

    @classmethod
    def mapped(cls, path: Path) -> "Board":
        """The same with the bits left in the file, which must not change, until they are looked at."""

        def whole() -> memoryview:
            with open(path, "rb") as file:
                empty = os.fstat(file.fileno()).st_size == 0  # which cannot be mapped
                return memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

        return cls._read(path, whole)

    @classmethod
    def _read(cls, path: Path, whole: Callable[[], bytes | memoryview]) -> "Board":
        try:
            return _parse(whole())
        except (WireError, ModelError) as error:
            raise WireError(f"{path}: {error}") from None
        except OSError as error:
            raise WireError(f"{path}: cannot be read ({error.strerror})") from None


def _write_post(file: BinaryIO, post: Post) -> None:
    turn = post.turn
    file.write(_TURN.pack(turn.round, _READERS.index(turn.readers), *_bounds(turn.speakers), len(post.chunks)))
    if turn.readers == "neighbours":
        file.write(turn.edges.packed)
    for chunk in post.chunks:
        file.write(_BLOCK.pack(chunk.n_bits))
        file.write(chunk.payload.tobytes())


def _settle(file: BinaryIO) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _parse(data: bytes | memoryview) -> Board:
    if len(data) < _HEAD.size:
        raise WireError(f"the board ends at byte {len(data)}, in the middle of a header")
    magic, parties, turns = _HEAD.unpack_from(data)
    if bytes(magic) != MAGIC:
        raise WireError("not a board of this version of distest")
    if not 1 <= parties <= 1 << 32 or turns > len(data) // _TURN.size:
        raise WireError(f"a board of {parties} parties and {turns} turns cannot be in {len(data)} bytes")
    return _posts(data, _HEAD.size, parties, turns)


def _posts(data: bytes | memoryview, at: int, parties: int, turns: int) -> Board:
    """The board whose turns are the bytes from `at` on, all of them."""

    def take(form: struct.Struct) -> tuple[int, ...]:
        nonlocal at
        if at + form.size > len(data):
            raise WireError(f"the board ends at byte {len(data)}, in the middle of a header")
        fields = form.unpack_from(data, at)
        at += form.size
        return fields

    board = Board(parties)
    for _ in range(turns):
        round_, readers, start, stop, step, count = take(_TURN)
        speakers = range(start, stop, max(step, 1))
        if readers >= len(_READERS) or not 0 <= start <= stop <= parties or _bounds(speakers) != (start, stop, step):
            raise WireError(f"round {round_} has speakers {start}..{stop} step {step}, which cannot be")
        edges = NO_EDGES
        if _READERS[readers] == "neighbours":
            (n_edges,) = take(_BLOCK)
            edges = _edges(data[at : at + n_edges * _EDGE.size], n_edges, parties)
            at += n_edges * _EDGE.size
        turn = Turn(round_, speakers, _READERS[readers], edges)  # ModelError: nobody is below party 0
        if count > len(data) // _BLOCK.size:
            raise WireError(f"round {round_} announces {count} blocks for {parties} parties")
        said = len(turn.speakers)
        expected = said * (said - 1) if turn.readers == "peers" else len(blocks_said(turn, parties))
        if count != expected:
            raise WireError(f"round {round_} has {count} blocks, its speakers fill {expected}")
        chunks = []
        for _ in range(count):
            (n_bits,) = take(_BLOCK)
            n_bytes = (n_bits + 7) // 8
            if n_bytes > len(data) - at:
                raise WireError(f"the board ends at byte {len(data)}, inside a block of {n_bits} bits")
            block = np.frombuffer(data, np.uint8, n_bytes, at)
            if n_bits % 8 and block[-1] & (0xFF >> n_bits % 8):
                raise WireError(f"round {round_} has bits set behind the end of a block of {n_bits} bits")
            chunks.append(Chunk(block, n_bits))
            at += n_bytes
        board.posts.append(Post(turn, tuple(chunks)))
    if at != len(data):
        raise WireError(f"{len(data) - at} bytes follow the last turn of the board")
    return board


def _edges(data: bytes | memoryview, count: int, parties: int) -> Edges:
    """The edges of a turn, which are all of the bytes."""
    if len(data) < count * _EDGE.size:
        raise WireError(f"the board ends inside the {count} edges of a turn")
    edges = Edges(tuple(_EDGE.iter_unpack(data)))
    if edges.stop > parties:
        raise WireError(f"an edge leads to party {edges.stop - 1} of {parties}")
    return edges
