"""Link: turns of a training run, numbered; vectors in, vectors out."""

import sys
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.sgd.problem import Vector
from distest.wire.channel import Channel, Tally
from distest.wire.mailbox import Mailbox, open_mailbox
from distest.wire.turn import Edges, Turn

Encode = Callable[[int], Messages]
Decode = Callable[[int, BitReader], None]
_ROOM = 4  # vectors kept for use again
_OURS = 3  # references to a vector that the list and a loop over it alone hold, and the call that counts them
SILENT = Messages.of_symbols(np.zeros(1, np.uint8), 1)
SPEAKS = Messages.of_symbols(np.ones(1, np.uint8), 1)
_NOTHING = np.zeros(0, np.int64)


class Link:
    """W workers, parties 0..W-1, and a server, the referee, on a channel of the blackboard model."""

    def __init__(self, channel: Channel, round: int = 0):
        self.channel, self.round = channel, round
        self._room: list[Vector] = []

    @property
    def workers(self) -> int:
        """W."""
        return self.channel.parties

    def vector(self, d: int) -> Vector:
        """Room for d coordinates, float32, unset: a vector that came from here and that nobody holds any more, or a
        new one. Fresh pages would cost more than what is done with them.
        """
        for x in self._room:
            if x.size == d and sys.getrefcount(x) <= _OURS:
                return x
        self._room = [*self._room[1 - _ROOM :], np.empty(d, np.float32)]
        return self._room[-1]

    @property
    def hosts_server(self) -> bool:
        """Whether the server lives on this rank."""
        return self.channel.hosts_referee

    def board(self, encode: Encode, decode: Decode, speakers: range | None = None) -> None:
        """Each speaker writes one message, every rank reads all of them; decode is called in any order of workers."""
        self._exchange(Turn(self._next(), speakers or range(self.workers), "board"), encode, decode)

    def up(self, encode: Encode, decode: Decode, speakers: range | None = None) -> None:
        """Each speaker writes one message to the server, whose rank reads it."""
        self._exchange(Turn(self._next(), speakers or range(self.workers), "referee"), encode, decode)

    def lazily(self, encode: Callable[[int], Messages | None], decode: Decode) -> None:
        """As `up`, of workers that may say nothing, which encode gives as None: each pays 1 bit that says whether it
        speaks. decode is called for those that do, behind that bit."""

        def speak(block: range) -> Messages:
            said = [encode(worker) for worker in block]
            if not any(said):  # in most rounds most are silent
                return _silence(len(said))
            return Messages.join([SILENT if one is None else Messages.one([SPEAKS, one]) for one in said])

        def hear(block: range, reader: BitReader) -> Tally:
            place = 0
            while (place := place + reader.silent(len(block) - place)) < len(block):
                parts = inside(reader)
                parts.fixed(1, 1)
                parts.aside("speaks", [1])
                decode(block[place], parts)
                close(reader, parts)
                place += 1
            return _NOTHING

        self.channel.exchange(Turn(self._next(), range(self.workers), "referee"), speak, hear)

    def down(self, encode: Callable[[], Messages], decode: Callable[[BitReader], None], each: bool = True) -> None:
        """The server writes one message, every rank reads it; charged for each worker, or once."""
        self.channel.announce(Turn(self._next(), range(0), "each" if each else "servers"), encode, decode)

    def each(self, encode: Callable[[int], Messages], decode: Callable[[int, BitReader], None]) -> None:
        """The server writes one message to each worker, which differ; every rank reads all of them, in worker order."""

        def speak() -> Messages:
            return Messages.join([encode(worker) for worker in range(self.workers)])

        def hear(reader: BitReader) -> None:
            for worker in range(self.workers):
                decode(worker, reader)

        self.channel.announce(Turn(self._next(), range(0), "each"), speak, hear, differ=True)

    def swap(self, encode: Callable[[int, int], Messages], decode: Callable[[int, int, BitReader], None]) -> None:
        """encode(worker, owner): what each worker writes to every other, which alone reads it: `Channel.swap`."""
        self.channel.swap(Turn(self._next(), range(self.workers), "peers"), encode, decode)

    def below(self, step: int, encode: Encode, decode: Callable[[int, BitReader], None]) -> None:
        """A level of a binary tree: workers step, 3 step, 5 step, ... each write to the worker `step` below.

        decode(owner, reader) is called where the worker lives that reads.
        """
        turn = Turn(self._next(), range(step, self.workers, 2 * step), "below")
        self.channel.swap(
            turn, lambda worker, owner: encode(worker), lambda worker, owner, reader: decode(owner, reader)
        )

    def mailbox(self, hear: Decode, answer: Encode) -> Mailbox:
        """Messages to one worker and back, in the order in which the server handles them: `Mailbox`."""
        return open_mailbox(self.channel, self._next, hear, answer)

    def neighbours(self, edges: Edges, encode: Encode, decode: Decode) -> None:
        """Each worker writes one message to all that its edges lead to; decode is called in their order, on every rank
        where the worker or one of these lives."""
        turn = Turn(self._next(), range(self.workers), "neighbours", edges)
        self.channel.swap(turn, lambda worker, _: encode(worker), lambda worker, _, reader: decode(worker, reader))

    def _exchange(self, turn: Turn, encode: Encode, decode: Decode) -> None:
        def speak(block: range) -> Messages:
            return Messages.join([encode(worker) for worker in block])

        def hear(block: range, reader: BitReader) -> Tally:
            for worker in block:
                decode(worker, reader)
            return _NOTHING

        self.channel.exchange(turn, speak, hear)

    def _next(self) -> int:
        self.round += 1
        return self.round - 1


@lru_cache(maxsize=8)
def _silence(count: int) -> Messages:
    """Bits that say that so many workers are silent; kept, because most rounds have the same."""
    found = Messages.of_symbols(np.zeros(count, np.uint8), 1)
    found.data.flags.writeable = False
    return found
