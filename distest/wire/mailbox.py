"""Mailbox: messages between the server and one worker at a time, in the order in which the server handles them.

Beside the channel the only writer of a ledger, and through it: what the server says to a worker is a turn to "each"
with one reader, what a worker answers a turn to "referee" with one speaker. So a kept board is the sequence of messages
as the server saw them, and a replay needs nothing else to know the order.

A worker has at most one message on its way, and answers every one that it gets. The server's rank leads; the others
wait in `work` until it closes. The letters of the transport are marked with the number of the worker.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from distest.bits import BitReader, Messages
from distest.errors import ModelError
from distest.wire.board import Chunk
from distest.wire.channel import Channel
from distest.wire.replay import Replay
from distest.wire.transport import Transport
from distest.wire.turn import Turn, hosted

Hear = Callable[[int, BitReader], None]
Answer = Callable[[int], Messages]
_CLOSED = Chunk(np.zeros(0, np.uint8), 0)


class Mailbox:
    """One-to-one messages over a channel and its transport.

    number: gives the number of the next turn. hear(worker, reader): reads what the server says to a worker, on the
    server's rank, which books it, and on the worker's. answer(worker): what a worker that lives here says then.
    """

    def __init__(
        self, channel: Channel, transport: Transport, number: Callable[[], int], hear: Hear, answer: Answer
    ) -> None:
        self._channel, self._transport, self._number = channel, transport, number
        self._hear, self._answer = hear, answer
        size = transport.size
        self._homes = {w: rank for rank in range(size) for w in hosted(channel.parties, rank, size)}
        self._asked: deque[int] = deque()  # workers of this rank that have not answered yet
        self._there: dict[int, Chunk] = {}  # answers that have arrived, in this order, and are not read

    def send(self, worker: int, speak: Callable[[], Messages]) -> int:
        """The server's message to a worker, booked at once; its bits. Raises ModelError, PartyError or WireError."""
        turn = Turn(self._number(), range(worker, worker + 1), "each")
        chunk = self._channel.compose(turn, speak)
        self._channel.deliver(turn, chunk, partial(self._hear, worker))
        if self._homes[worker] == self._transport.rank:
            self._asked.append(worker)
        else:
            self._transport.post(chunk, self._homes[worker], worker)
        return chunk.n_bits

    def fetch(self, worker: int) -> int:
        """Wait until the answer of a worker is here; its bits."""
        if worker not in self._there:
            if self._homes[worker] == self._transport.rank:
                self._asked.remove(worker)
                self._there[worker] = self._written(worker)
            else:
                self._there[worker] = self._transport.fetch(self._homes[worker], worker)[1]
        return self._there[worker].n_bits

    def first(self) -> int:
        """A worker whose answer is here, the one that was here first; waits for one.

        Workers of this rank write theirs while no other answer is waiting.
        """
        if not self._there:
            if self._asked and not self._transport.waiting():
                self.fetch(self._asked[0])
            else:
                worker, chunk = self._transport.fetch()
                self._there[worker] = chunk
        return next(iter(self._there))

    def read(self, worker: int, hear: Callable[[BitReader], None]) -> None:
        """Read the answer of a worker, once it is here, as the next turn. Raises as `send` does."""
        self.fetch(worker)
        self._channel.deliver(Turn(self._number(), range(worker, worker + 1), "referee"), self._there.pop(worker), hear)

    def foretold(self) -> int | None:
        """Whose answer a kept board has next; None where nothing is foretold."""
        return None

    def close(self) -> None:
        """All answers are read: the other ranks may go on."""
        for rank in range(self._transport.size):
            if rank != self._transport.rank:
                self._transport.post(_CLOSED, rank, self._channel.parties)
        self._transport.settle()

    def work(self) -> None:
        """Hear and answer for the workers that live here, in the order in which they are spoken to, until `close`."""
        while True:
            worker, chunk = self._transport.fetch(0)
            if worker == self._channel.parties:
                break
            self._hear(worker, BitReader(chunk.data, chunk.n_bits))
            self._transport.post(self._written(worker), 0, worker)
        self._transport.settle()

    def _written(self, worker: int) -> Chunk:
        turn = Turn(self._channel.turns, range(worker, worker + 1), "referee")
        return self._channel.compose(turn, partial(self._answer, worker))


class Replayed(Mailbox):
    """The same from a kept board: nobody answers, everything is heard and booked again in its order."""

    def __init__(self, channel: Replay, transport: Transport, number: Callable[[], int], hear: Hear):
        super().__init__(channel, transport, number, hear, _silent)
        self._replay = channel

    def send(self, worker: int, speak: Callable[[], Messages]) -> int:
        turn = Turn(self._number(), range(worker, worker + 1), "each")
        chunk = self._replay.kept(turn)[0]
        self._replay.deliver(turn, chunk, partial(self._hear, worker))
        return chunk.n_bits

    def fetch(self, worker: int) -> int:
        raise AssertionError("a board foretells who is next")

    def read(self, worker: int, hear: Callable[[BitReader], None]) -> None:
        turn = Turn(self._number(), range(worker, worker + 1), "referee")
        self._replay.deliver(turn, self._replay.kept(turn)[0], hear)

    def foretold(self) -> int | None:
        turn = self._replay.following()
        if turn is None or turn.readers != "referee" or len(turn.speakers) != 1:
            raise ModelError(f"a worker answers next, the board has {turn or 'the end'}")
        return turn.speakers.start


def open_mailbox(channel: Channel, number: Callable[[], int], hear: Hear, answer: Answer) -> Mailbox:
    """The mailbox of a channel, of a replay the one that its board fills."""
    if isinstance(channel, Replay):
        return Replayed(channel, channel.transport, number, hear)
    return Mailbox(channel, channel.transport, number, hear, answer)


def _silent(worker: int) -> Messages:
    raise AssertionError(f"worker {worker} speaks in a replay")
