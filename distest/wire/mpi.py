"""Mpi: the transport over MPI ranks. The only file that imports mpi4py; buffers only, nothing is pickled."""

import mpi4py

mpi4py.rc.threads = False  # one thread a rank: faster collectives, nothing here needs more

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from array import array  # noqa: E402
from functools import cached_property  # noqa: E402
from itertools import accumulate  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from distest.kernels import bitpack  # noqa: E402
from distest.wire.board import Chunk  # noqa: E402
from distest.wire.transport import HEADER_BYTES, Transport  # noqa: E402

_NAP_S = 3e-5
_NO_BYTES = np.zeros(0, np.uint8)


class Mpi(Transport):
    """All ranks of an MPI communicator (default: the world)."""

    name = "mpi"

    def __init__(self, comm: MPI.Intracomm = MPI.COMM_WORLD):
        self._comm = comm
        self.rank, self.size = comm.rank, comm.size
        self.wire_bytes = 0
        self._leaving: list[tuple[MPI.Request, NDArray[np.uint8]]] = []

    @staticmethod
    def library() -> str:
        """The MPI library behind mpi4py, in its own words (first line)."""
        return MPI.Get_library_version().strip().splitlines()[0].strip(" \0")

    def gather(self, chunk: Chunk, n_bits: list[int] | None = None) -> list[Chunk] | None:
        if n_bits is not None:
            return self._gather_letters(chunk, [HEADER_BYTES + (length + 7) // 8 for length in n_bits])
        return self._gather(chunk)

    def _gather_letters(self, chunk: Chunk, n_bytes: list[int]) -> list[Chunk] | None:
        """Chunks behind their headers; n_bytes: of both, from each rank."""
        letter = _letter(chunk)
        if self.rank != 0:
            self._comm.Gatherv(letter, None)
            return None
        everything = np.empty(sum(n_bytes), np.uint8)
        self._comm.Gatherv(letter, (everything, n_bytes))
        self.wire_bytes += sum(n_bytes[1:])
        ends = list(accumulate(n_bytes))
        return [_opened(everything[end - size : end]) for end, size in zip(ends, n_bytes, strict=True)]

    def _gather(self, chunk: Chunk) -> list[Chunk] | None:
        mine = _numbers([chunk.n_bits])
        if self.rank != 0:
            self._comm.Gather(mine, None)
            self._comm.Gatherv(chunk.payload, None)
            return None
        n_bits = _room(self.size)
        self._comm.Gather(mine, n_bits)
        n_bytes = _bytes_of(n_bits)
        everything = np.empty(sum(n_bytes) + bitpack.SPARE, np.uint8)
        self._comm.Gatherv(chunk.payload, (everything[: everything.size - bitpack.SPARE], n_bytes))
        self.wire_bytes += sum(n_bytes[1:]) + HEADER_BYTES * (self.size - 1)
        return _cut(everything, n_bits, n_bytes)

    def allgather(self, chunk: Chunk) -> list[Chunk]:
        n_bits = _room(self.size)
        self._comm.Allgather(_numbers([chunk.n_bits]), n_bits)
        n_bytes = _bytes_of(n_bits)
        total = sum(n_bytes)
        everything = np.empty(total + bitpack.SPARE, np.uint8)
        self._comm.Allgatherv(chunk.payload, (everything[:total], n_bytes))
        self.wire_bytes += (total + HEADER_BYTES * self.size) * (self.size - 1)
        return _cut(everything, n_bits, n_bytes)

    def swap(self, parts: list[list[Chunk]], expected: list[int]) -> list[list[Chunk]]:
        lengths = [_room(count if rank != self.rank else 0) for rank, count in enumerate(expected)]
        heads = self._into(lengths)
        leaving = self._out([_numbers([c.n_bits for c in chunks]) for chunks in parts])
        sent = [
            chunks[0].payload if len(chunks) == 1 else np.concatenate([_NO_BYTES, *(c.payload for c in chunks)])
            for chunks in parts
        ]
        leaving += self._out(sent)  # right behind their lengths, so that who waits for those finds the rest
        self._wait(heads)
        n_bytes = [_bytes_of(n_bits) for n_bits in lengths]
        arrived = [np.empty(sum(each) + bitpack.SPARE if each else 0, np.uint8) for each in n_bytes]
        self._wait(leaving + self._into([room[: -bitpack.SPARE] for room in arrived]))
        found = [_cut(*each) for each in zip(arrived, lengths, n_bytes, strict=True)]
        found[self.rank] = parts[self.rank]
        return found

    @cached_property
    def _crowded(self) -> bool:
        """Whether ranks of this machine outnumber its cores. All ranks ask at once, in their first swap."""
        beside = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        ranks = beside.size
        beside.Free()
        return ranks > (os.cpu_count() or ranks)

    def _wait(self, requests: list[MPI.Request]) -> None:
        """Until all are done; where ranks outnumber cores in naps, as one that spins keeps another from its work."""
        if self._crowded:
            while not MPI.Request.Testall(requests):
                time.sleep(_NAP_S)
        else:
            MPI.Request.Waitall(requests)

    def _into(self, rooms: list[Any]) -> list[MPI.Request]:
        """A message of each other rank into its room; none where there is no room."""
        return [self._comm.Irecv(room, rank) for rank, room in enumerate(rooms) if rank != self.rank and len(room)]

    def _out(self, sent: list[Any]) -> list[MPI.Request]:
        """sent[r] to rank r; no message where there is nothing, none to oneself."""
        return [self._comm.Isend(data, rank) for rank, data in enumerate(sent) if rank != self.rank and len(data)]

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

    def total_floats(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._comm.Allreduce(x, out)
        self.wire_bytes += 2 * x.nbytes * (self.size - 1)

    def barrier(self) -> None:
        self._comm.Barrier()

    def post(self, chunk: Chunk, rank: int, tag: int) -> None:
        letter = _letter(chunk)
        self._leaving = [(request, kept) for request, kept in self._leaving if not request.Test()]
        self._leaving.append((self._comm.Isend(letter, rank, tag), letter))
        self.wire_bytes += letter.size

    def fetch(self, rank: int | None = None, tag: int | None = None) -> tuple[int, Chunk]:
        status = MPI.Status()
        self._comm.Probe(MPI.ANY_SOURCE if rank is None else rank, MPI.ANY_TAG if tag is None else tag, status)
        letter = np.empty(status.Get_count(MPI.BYTE), np.uint8)
        self._comm.Recv(letter, status.Get_source(), status.Get_tag())
        self.wire_bytes += letter.size
        return status.Get_tag(), _opened(letter)

    def waiting(self) -> bool:
        return bool(self._comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG))

    def settle(self) -> None:
        for request, _ in self._leaving:
            request.Wait()
        self._leaving.clear()

    def abort(self, code: int) -> None:
        """End the job on every rank."""
        self._comm.Abort(code)


def _letter(chunk: Chunk) -> NDArray[np.uint8]:
    """A chunk behind its header."""
    return np.concatenate((np.frombuffer(np.int64(chunk.n_bits).tobytes(), np.uint8), chunk.payload))


def _opened(letter: NDArray[np.uint8]) -> Chunk:
    """What `_letter` made."""
    return Chunk(letter[HEADER_BYTES:], int.from_bytes(letter[:HEADER_BYTES].tobytes(), sys.byteorder))


def _numbers(values: list[int]) -> "array[int]":
    """Integers of 64 bits as MPI takes them: sooner made of Python's, and read as such, than an array of numpy."""
    return array("q", values)


def _room(count: int) -> "array[int]":
    """Room for so many of them."""
    return array("q", bytes(8 * count))


def _bytes_of(n_bits: "array[int]") -> list[int]:
    """How many bytes chunks take."""
    return [(bits + 7) // 8 for bits in n_bits]


def _cut(everything: NDArray[np.uint8], n_bits: "array[int]", n_bytes: list[int]) -> list[Chunk]:
    """The chunks that lie end to end in `everything`, not copied: what follows one serves as its spare bytes."""
    ends = accumulate(n_bytes)
    return [Chunk(everything[end - size :], bits) for end, size, bits in zip(ends, n_bytes, n_bits, strict=True)]
