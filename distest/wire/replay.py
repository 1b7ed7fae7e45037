"""Replay: a turn once more, from what was kept of it."""

from collections import deque
from collections.abc import Callable, Iterator

from distest.bits import Messages, Words
from distest.errors import ModelError
from distest.wire.board import Board, Chunk
from distest.wire.channel import Channel, Model, Speak
from distest.wire.transport import Transport
from distest.wire.turn import Turn, blocks_of


class Replay(Channel):
    """A channel whose messages come from a kept board: nobody speaks, everything is decoded and booked again."""

    def __init__(self, board: Board, transport: Transport, model: Model):
        super().__init__(board.parties, transport, model)
        self._posts = deque(board.posts)

    def kept(self, turn: Turn) -> tuple[Chunk, ...]:
        """What the board has of its next turn, which has to be this one. Raises ModelError."""
        post = self._posts.popleft() if self._posts else None
        if post is None or post.turn != turn:
            there = post.turn if post else "the end"
            raise ModelError(f"the protocol's next turn is {turn}, the board has {there}")
        return post.chunks

    def following(self) -> Turn | None:
        """The board's next turn, None at its end."""
        return self._posts[0].turn if self._posts else None

    def _chunks(self, turn: Turn, speak: Speak, spread: bool) -> Iterator[tuple[int, range, Chunk]]:
        blocks = blocks_of(turn.speakers, range(self.parties), self.parties)
        for (number, block), chunk in zip(blocks, self.kept(turn), strict=True):
            yield number, block, chunk

    def _announced(self, turn: Turn, speak: Callable[[], Words | Messages], messages: range) -> Chunk:
        return self.kept(turn)[0]

    def _swapped(self, turn: Turn, speak: Callable[[int, int], Messages]) -> Iterator[tuple[int, int, Chunk]]:
        for (party, owner), chunk in zip(turn.pairs(), self.kept(turn), strict=True):
            yield party, owner, chunk

    def left(self) -> int:
        """Turns of the board that the protocol has not asked for."""
        return len(self._posts)
