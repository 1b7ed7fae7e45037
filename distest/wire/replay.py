"""Replay: a turn once more, from what was kept of it."""

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
        self._posts = list(board.posts)

    def _chunks(self, turn: Turn, speak: Speak, spread: bool) -> Iterator[tuple[int, range, Chunk]]:
        post = self._posts.pop(0) if self._posts else None
        if post is None or post.turn != turn:
            there = post.turn if post else "the end"
            raise ModelError(f"the protocol's next turn is {turn}, the board has {there}")
        blocks = blocks_of(turn.speakers, range(self.parties), self.parties)
        for (number, block), chunk in zip(blocks, post.chunks, strict=True):
            yield number, block, chunk

    def _announced(self, turn: Turn, speak: Callable[[], Words | Messages]) -> Chunk:
        post = self._posts.pop(0) if self._posts else None
        if post is None or post.turn != turn:
            raise ModelError(f"the next turn is {turn}, the board has {post.turn if post else 'the end'}")
        return post.chunks[0]

    def _swapped(self, turn: Turn, speak: Callable[[int, int], Messages]) -> Iterator[tuple[int, int, Chunk]]:
        post = self._posts.pop(0) if self._posts else None
        if post is None or post.turn != turn:
            raise ModelError(f"the next turn is {turn}, the board has {post.turn if post else 'the end'}")
        for (party, owner), chunk in zip(turn.pairs(), post.chunks, strict=True):
            yield party, owner, chunk

    def left(self) -> int:
        """Turns of the board that the protocol has not asked for."""
        return len(self._posts)
