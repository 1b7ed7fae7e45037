"""Mpi: the transport over MPI ranks. The only file that imports mpi4py; buffers only, nothing is pickled."""

import mpi4py

mpi4py.rc.threads = False  # one thread a rank: faster collectives, nothing here needs more

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from distest.wire.board import Chunk  # noqa: E402
from distest.wire.transport import HEADER_BYTES, Transport  # noqa: E402


class Mpi(Transport):
    """All ranks of an MPI communicator (default: the world)."""

    name = "mpi"

    def __init__(self, comm: MPI.Intracomm = MPI.COMM_WORLD):
        self._comm = comm
        self.rank, self.size = comm.rank, comm.size
        self.wire_bytes = 0

    @staticmethod
    def library() -> str:
        """The MPI library behind mpi4py, in its own words (first line)."""
        return MPI.Get_library_version().strip().splitlines()[0].strip(" \0")

    def gather(self, chunk: Chunk) -> list[Chunk] | None:
        mine = np.array([chunk.n_bits], np.int64)
        if self.rank != 0:
            self._comm.Gather(mine, None)
            self._comm.Gatherv(chunk.payload, None)
            return None
        n_bits = np.zeros(self.size, np.int64)
        self._comm.Gather(mine, n_bits)
        n_bytes = (n_bits + 7) // 8
        everything = np.empty(int(n_bytes.sum()), np.uint8)
        self._comm.Gatherv(chunk.payload, (everything, n_bytes))
        self.wire_bytes += int(n_bytes[1:].sum()) + HEADER_BYTES * (self.size - 1)
        return _cut(everything, n_bits, n_bytes)

    def allgather(self, chunk: Chunk) -> list[Chunk]:
        n_bits = np.zeros(self.size, np.int64)
        self._comm.Allgather(np.array([chunk.n_bits], np.int64), n_bits)
        n_bytes = (n_bits + 7) // 8
        everything = np.empty(int(n_bytes.sum()), np.uint8)
        self._comm.Allgatherv(chunk.payload, (everything, n_bytes))
        self.wire_bytes += (int(n_bytes.sum()) + HEADER_BYTES * self.size) * (self.size - 1)
        return _cut(everything, n_bits, n_bytes)

    def swap(self, parts: list[Chunk]) -> list[Chunk]:
        mine = np.array([part.n_bits for part in parts], np.int64)
        n_bits = np.empty(self.size, np.int64)
        self._comm.Alltoall(mine, n_bits)
        sent, n_bytes = (mine + 7) // 8, (n_bits + 7) // 8
        outgoing = np.concatenate([part.payload for part in parts])
        everything = np.empty(int(n_bytes.sum()), np.uint8)
        self._comm.Alltoallv((outgoing, sent), (everything, n_bytes))
        handed = np.array([int(np.delete(sent, self.rank).sum()) + HEADER_BYTES * (self.size - 1)], np.int64)
        total = np.empty_like(handed)
        self._comm.Allreduce(handed, total)
        self.wire_bytes += int(total[0])
        return _cut(everything, n_bits, n_bytes)

    def broadcast(self, chunk: Chunk | None) -> Chunk:
        n_bits = np.array([chunk.n_bits if chunk is not None else 0], np.int64)
        self._comm.Bcast(n_bits)
        data = chunk.payload if chunk is not None else np.empty(int(n_bits[0] + 7) // 8, np.uint8)
        self._comm.Bcast(data)
        self.wire_bytes += (data.size + HEADER_BYTES) * (self.size - 1)
        return Chunk(data, int(n_bits[0]))

    def total(self, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.empty_like(tally)
        self._comm.Allreduce(np.ascontiguousarray(tally), out)
        self.wire_bytes += 2 * tally.nbytes * (self.size - 1)
        return out

    def barrier(self) -> None:
        self._comm.Barrier()

    def abort(self, code: int) -> None:
        """End the job on every rank."""
        self._comm.Abort(code)


def _cut(everything: NDArray[np.uint8], n_bits: NDArray[np.int64], n_bytes: NDArray[np.int64]) -> list[Chunk]:
    ends = np.cumsum(n_bytes)
    return [
        Chunk(everything[end - count : end], int(bits)) for bits, count, end in zip(n_bits, n_bytes, ends, strict=True)
    ]
