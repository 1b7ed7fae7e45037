"""Ranks that are threads of one process, for what ranks do with each other's messages."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.wire.board import Chunk
from distest.wire.transport import HEADER_BYTES, Transport


@dataclass
class Meeting:
    """Where the ranks of one process meet: they take turns to lay something down and to read what is there."""

    size: int
    places: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = [None] * self.size
        self.barrier = threading.Barrier(self.size, timeout=20)

    def swap(self, rank: int, mine: Any) -> list[Any]:
        self.places[rank] = mine
        self.barrier.wait()
        everything = list(self.places)
        self.barrier.wait()
        return everything


class Thread(Transport):
    """A rank that is a thread; chunks arrive as the bytes that would have travelled."""

    name = "thread"

    def __init__(self, meeting: Meeting, rank: int):
        self.meeting, self.rank, self.size = meeting, rank, meeting.size
        self.wire_bytes = 0

    def _everything(self, chunk: Chunk) -> list[Chunk]:
        sent = self.meeting.swap(self.rank, (chunk.payload.tobytes(), chunk.n_bits))
        return [Chunk(np.frombuffer(data, np.uint8), n_bits) for data, n_bits in sent]

    def gather(self, chunk: Chunk, n_bits: list[int] | None = None) -> list[Chunk] | None:
        chunks = self._everything(chunk)
        if self.rank:
            return None
        self.wire_bytes += sum(c.payload.size + HEADER_BYTES for c in chunks[1:])
        return chunks

    def allgather(self, chunk: Chunk) -> list[Chunk]:
        return self._everything(chunk)

    def swap(self, parts: list[list[Chunk]], expected: list[int]) -> list[list[Chunk]]:
        mine = [[(chunk.payload.tobytes(), chunk.n_bits) for chunk in chunks] for chunks in parts]
        arrived = [sent[self.rank] for sent in self.meeting.swap(self.rank, mine)]
        assert [len(each) for each in arrived] == expected
        return [[Chunk(np.frombuffer(data, np.uint8), n_bits) for data, n_bits in each] for each in arrived]

    def broadcast(self, chunk: Chunk | None) -> Chunk:
        mine = None if chunk is None else (chunk.payload.tobytes(), chunk.n_bits)
        data, n_bits = self.meeting.swap(self.rank, mine)[0]
        return Chunk(np.frombuffer(data, np.uint8), n_bits)

    def total(self, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        everything: list[NDArray[np.int64]] = self.meeting.swap(self.rank, tally)
        return np.asarray(np.sum(everything, axis=0), np.int64)

    def total_floats(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        everything: list[NDArray[np.float32]] = self.meeting.swap(self.rank, x)
        out[...] = np.sum(everything, axis=0)

    def barrier(self) -> None:
        self.meeting.barrier.wait()


def on_ranks(size: int, work: Callable[[Transport], Any]) -> list[Any]:
    """What work(transport) gives on each rank; the first error otherwise."""
    meeting = Meeting(size)
    results: list[Any] = [None] * size
    errors: list[Exception] = []

    def run(rank: int) -> None:
        try:
            results[rank] = work(Thread(meeting, rank))
        except Exception as error:
            errors.append(error)
            meeting.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    causes = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if causes or errors:
        raise (causes or errors)[0]
    return results
