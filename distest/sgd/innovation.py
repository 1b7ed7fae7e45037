"""Innovation: a vector told as its difference to what both ends remember; and that memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.sgd.compressor import Compressor, Matrix
from distest.sgd.compressors.identity import Identity
from distest.sgd.doubles import Doubles
from distest.sgd.link import Link
from distest.sgd.news import News, squares
from distest.sgd.problem import Vector
from distest.sgd.state import State, side_by_side


@dataclass(frozen=True, slots=True)
class Innovation:
    """Vectors by a compressor of their change.

    Where a coordinate travels as it is, in single precision or, of a float64 vector, in double, the vector itself is
    sent instead, at the same bits, so that nothing is lost.
    """

    compressor: Compressor

    def news(self, new: Sequence[Vector], memory: Matrix, workers: range, coins: Coins) -> News:
        """What to say of new[i] to somebody who remembers memory[i], i being the place of a worker."""
        whole = self._whole(memory)
        if whole is None:
            return self.compressor.news(new, memory, workers, coins)
        moved = squares([x - known for x, known in zip(new, memory, strict=True)])
        return News(
            moved, np.zeros(len(new)), new.__getitem__, lambda place: whole.encode(new[place], workers[place], coins)
        )

    def message(self, new: Vector, memory: Vector, worker: int, coins: Coins) -> Messages:
        """The message alone: for who does not ask how large the news is."""
        whole = self._whole(new)
        if whole is not None:
            return whole.encode(new, worker, coins)
        return self.compressor.encode(new - memory, worker, coins)

    def read(self, reader: BitReader, memory: Vector, worker: int, coins: PublicCoins) -> Vector:
        """The vector that a message tells to somebody with this memory. Raises WireError."""
        whole = self._whole(memory)
        if whole is not None:
            return whole.decode(reader, memory.size, worker, coins)
        return memory + self.compressor.decode(reader, memory.size, worker, coins)

    def _whole(self, like: Vector | Matrix) -> Compressor | None:
        """What sends vectors of this type as they are, None where their change is sent."""
        if not isinstance(self.compressor, Identity):
            return None
        if like.dtype == np.float64:
            return Doubles()
        return self.compressor if self.compressor.precision == "float32" else None


class Remembered:
    """What each worker said last, at the worker ("said" of state.own) and at the server ("table" of state.shared).

    Both ends follow messages as they are read, never what they were made of, so they have the same bits. The memories
    of the workers that live here are rows of one array, so that one call can compare all of them with what is new.
    """

    def __init__(self, state: State, link: Link, first: float):
        """first: every coordinate of a memory before anything was said."""
        d, dtype = state.x.size, state.x.dtype
        if link.hosts_server and "table" not in state.shared:
            state.shared["table"] = np.full((link.workers, d), first, dtype)
        self.table = state.shared.get("table", np.zeros((0, d), dtype))
        hosted = link.channel.hosted
        self._own, self._first = side_by_side(state.own.setdefault("said", {}), hosted, d, first, dtype), hosted.start

    def of(self, workers: range) -> Matrix:
        """The memories of neighbouring workers that live here, a row each."""
        return self._own[workers.start - self._first : workers.stop - self._first]

    def said(self, worker: int, vector: Vector) -> None:
        """A worker that lives here has said something: its memory after that."""
        self._own[worker - self._first] = vector

    def total(self) -> Vector:
        """The sum of the server's memories in worker order, (d,); anew each time, so that no error gathers."""
        return np.asarray(self.table.sum(axis=0))


def digest(memories: dict[int, Vector]) -> str:
    """SHA-256 of the memories of some workers, in worker order, hex: equal where both ends remember the same."""
    sha = hashlib.sha256()
    for worker in sorted(memories):
        sha.update(memories[worker].tobytes())
    return sha.hexdigest()
