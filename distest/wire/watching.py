"""Watching: a replay that tells what was said, message by message, in the turns somebody asks about."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader
from distest.watch import Watch
from distest.wire.board import Board, Chunk
from distest.wire.channel import Hear, Model, Tally
from distest.wire.heard import Heard
from distest.wire.replay import Replay
from distest.wire.transport import Transport
from distest.wire.turn import Turn


class EnoughError(Exception):
    """The last turn that was asked for is over: the run need not go on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One block of a turn: its bits, and a reader that knows what they are called and where messages end."""

    block: range
    chunk: Chunk
    watch: Watch


class Watching(Replay):
    """told(turn, blocks) is called when a turn is over; from turn `last` on nothing more is read (`EnoughError`)."""

    def __init__(
        self,
        board: Board,
        transport: Transport,
        model: Model,
        told: Callable[[Turn, list[Seen]], None],
        last: int | None = None,
    ):
        super().__init__(board, transport, model)
        self._told, self._last = told, last
        self._seen: list[Seen] = []
        self._reads = self._watched

    def _watched(self, data: NDArray[np.uint8], n_bits: int) -> BitReader:
        self._watch = Watch(data, n_bits)
        return self._watch

    def _hear(self, turn: Turn, number: int, block: range, chunk: Chunk, hear: Hear) -> tuple[Tally, Heard]:
        found = super()._hear(turn, number, block, chunk, hear)
        self._seen.append(Seen(block, chunk, self._watch))
        return found

    def _close(self, turn: Turn, digests: list[bytes], chunks: tuple[Chunk, ...]) -> None:
        super()._close(turn, digests, chunks)
        seen, self._seen = self._seen, []
        self._told(turn, seen)
        if turn.round == self._last:
            raise EnoughError
