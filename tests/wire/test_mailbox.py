"""A mailbox: messages to one worker and back, booked in the order in which the server handles them."""

from pathlib import Path

import numpy as np
import pytest

from distest.bits import BitReader, Messages
from distest.errors import ModelError
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.mailbox import Mailbox, open_mailbox
from distest.wire.replay import Replay
from distest.wire.transport import Solo
from distest.wire.turn import Turn

W = 5


def number(value: int, width: int) -> Messages:
    return Messages.of_symbols(np.array([value], np.uint8), width)


def six(reader: BitReader) -> None:
    reader.fixed(1, 6)


class Desk:
    """Workers that answer with twice the number they were told, in as many bits as their own number and 3."""

    def __init__(self, channel: Channel):
        self.round = 0
        self.told: dict[int, int] = {}
        self.heard: list[tuple[int, int]] = []
        self.box: Mailbox = open_mailbox(channel, self.turn, self.hear, self.answer)

    def turn(self) -> int:
        self.round += 1
        return self.round - 1

    def hear(self, worker: int, reader: BitReader) -> None:
        self.told[worker] = int(reader.fixed(1, 4)[0, 0])

    def answer(self, worker: int) -> Messages:
        return number(2 * self.told[worker], 3 + worker)

    def send(self, worker: int, value: int) -> None:
        self.box.send(worker, lambda: number(value, 4))

    def read(self, worker: int) -> None:
        self.box.read(worker, lambda r: self.heard.append((worker, int(r.fixed(1, 3 + worker)[0, 0]))))


def talked() -> tuple[Desk, Channel]:
    channel = Channel(W, Solo(), "blackboard", keep_board=True)
    desk = Desk(channel)
    for worker in (2, 0, 4):
        desk.send(worker, worker + 1)
    for worker in (4, 2):
        desk.read(worker)
    desk.send(2, 1)
    for worker in (2, 0):
        desk.read(worker)
    return desk, channel


def test_every_message_is_booked_once_for_its_worker_and_direction() -> None:
    desk, channel = talked()
    assert desk.heard == [(4, 10), (2, 6), (2, 2), (0, 2)]
    assert channel.ledger.payload("down_unicast") == 4 * 4
    assert channel.ledger.payload("up") == 7 + 5 + 5 + 3
    assert list(channel.ledger.by_party(W, "up")) == [3, 0, 10, 0, 7]
    assert list(channel.ledger.by_party(W, "down_unicast")) == [4, 0, 8, 0, 4]
    assert channel.ledger.messages == 8


def test_a_kept_board_says_all_of_it_again_and_foretells_who_is_next(tmp_path: Path) -> None:
    _, channel = talked()
    assert channel.board is not None
    channel.board.save(tmp_path / "board")
    board = Board.load(tmp_path / "board")
    assert board.digest() == channel.digest()
    again = Replay(board, Solo(), "blackboard")
    desk = Desk(again)
    for worker in (2, 0, 4):
        desk.send(worker, 15)  # what would be said does not matter, the board has it
    for worker in (4, 2):
        assert desk.box.foretold() == worker
        desk.read(worker)
    with pytest.raises(ModelError, match="a worker answers next, the board has Turn"):
        desk.box.foretold()
    desk.send(2, 15)
    for worker in (2, 0):
        assert desk.box.foretold() == worker
        desk.read(worker)
    with pytest.raises(ModelError, match="the board has the end"):
        desk.box.foretold()
    assert desk.heard == [(4, 10), (2, 6), (2, 2), (0, 2)]
    assert again.digest() == channel.digest()
    assert again.ledger.totals() == channel.ledger.totals()


def test_a_replay_refuses_a_message_to_somebody_else() -> None:
    _, channel = talked()
    assert channel.board is not None
    with pytest.raises(ModelError, match="the protocol's next turn is"):
        Desk(Replay(channel.board, Solo(), "blackboard")).send(3, 1)


def test_without_ranks_answers_arrive_in_the_order_of_the_questions() -> None:
    desk = Desk(Channel(W, Solo(), "blackboard"))
    for worker in (3, 1, 2):
        desk.send(worker, 1)
    assert desk.box.fetch(1) == 4
    for worker in (1, 3, 2):  # one has been fetched already
        assert desk.box.first() == worker
        desk.read(worker)


def test_bits_that_nobody_reads_and_silence_are_refused() -> None:
    desk = Desk(Channel(W, Solo(), "blackboard"))
    with pytest.raises(ModelError, match="1 of 5 bits were never read"):
        desk.box.send(0, lambda: number(1, 5))
    desk = Desk(Channel(W, Solo(), "blackboard"))
    with pytest.raises(ModelError, match="wrote nothing on its turn"):
        desk.box.send(0, lambda: Messages(np.zeros(16, np.uint8), 0, 1, 0))


def test_the_referee_speaks_to_some_and_each_of_them_is_charged() -> None:
    channel = Channel(W, Solo(), "blackboard", keep_board=True)
    channel.announce(Turn(0, range(1, W, 2), "each"), lambda: number(3, 6), six)
    assert list(channel.ledger.by_party(W, "down_unicast")) == [0, 6, 0, 6, 0]
    assert channel.board is not None
    assert channel.board.digest() == channel.digest()
    with pytest.raises(ModelError, match="the referee speaks to"):
        channel.announce(Turn(1, range(W, W + 1), "each"), lambda: number(3, 6), six)
    with pytest.raises(ModelError, match="the referee speaks for itself"):
        channel.announce(Turn(1, range(1), "servers"), lambda: number(3, 6), six)
