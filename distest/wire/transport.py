"""Transport: bytes between ranks, in rank order. And Solo, the one process that needs none."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from distest.wire.board import Chunk

HEADER_BYTES = 8  # a chunk is announced by its exact number of bits, one int64


class Transport(ABC):
    """Moves packed bit strings between the ranks of a run. The referee lives on rank 0.

    `wire_bytes` counts, on rank 0, what was handed over: headers and payload, once a receiver. It is logical
    traffic; what a collective forwards on its way is the business of the MPI library.
    """

    name: str
    rank: int
    size: int
    wire_bytes: int = 0

    @property
    def hosts_referee(self) -> bool:
        """Whether the referee lives on this rank."""
        return self.rank == 0

    @abstractmethod
    def gather(self, chunk: Chunk, n_bits: list[int] | None = None) -> list[Chunk] | None:
        """All chunks in rank order on rank 0, None elsewhere.

        n_bits: of each rank's chunk, where every rank knows them, so that chunks need not wait for their headers.
        """

    @abstractmethod
    def allgather(self, chunk: Chunk) -> list[Chunk]:
        """All chunks in rank order on every rank."""

    @abstractmethod
    def swap(self, parts: list[list[Chunk]], expected: list[int]) -> list[list[Chunk]]:
        """parts[r] goes to rank r; what every rank has for this one, in rank order.

        expected: how many chunks each rank has for this one. What a rank has for itself does not travel. Wire bytes are
        counted by who knows all lengths on rank 0.
        """

    @abstractmethod
    def broadcast(self, chunk: Chunk | None) -> Chunk:
        """The chunk of rank 0 on every rank; the other ranks give None."""

    @abstractmethod
    def total(self, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum of every rank's array, on every rank."""

    @abstractmethod
    def total_floats(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """out = the sum of every rank's float32 array, on every rank, in an order that the transport chooses."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait for all ranks."""

    def post(self, chunk: Chunk, rank: int, tag: int) -> None:
        """Send a chunk to one other rank without waiting for it; from one rank to another they arrive in order."""
        raise AssertionError("there is no other rank")

    def fetch(self, rank: int | None = None, tag: int | None = None) -> tuple[int, Chunk]:
        """The tag and the chunk of the next `post` to this rank, from that rank or any, with that tag or any; waits."""
        raise AssertionError("there is no other rank")

    def waiting(self) -> bool:
        """Whether a chunk that was posted to this rank is there to be fetched."""
        return False

    def settle(self) -> None:
        """Wait until all that this rank has posted has left it."""
        return


class Solo(Transport):
    """One process: nothing moves, so no wire bytes."""

    name = "solo"
    rank = 0
    size = 1

    def gather(self, chunk: Chunk, n_bits: list[int] | None = None) -> list[Chunk] | None:
        return [chunk]

    def allgather(self, chunk: Chunk) -> list[Chunk]:
        return [chunk]

    def swap(self, parts: list[list[Chunk]], expected: list[int]) -> list[list[Chunk]]:
        return parts

    def broadcast(self, chunk: Chunk | None) -> Chunk:
        assert chunk is not None  # the only rank there is speaks
        return chunk

    def total(self, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        return tally

    def total_floats(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        out[...] = x

    def barrier(self) -> None:
        return
