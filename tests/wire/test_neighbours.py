"""A turn to neighbours: one message, read along the edges of its speaker and charged for each of them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest.bits import BitReader, Messages
from distest.errors import ModelError, WireError
from distest.wire.board import MAGIC, Board
from distest.wire.channel import Channel
from distest.wire.heard import ROW_BITS
from distest.wire.ledger import Ledger
from distest.wire.replay import Replay
from distest.wire.transport import HEADER_BYTES, Solo, Transport
from distest.wire.turn import Edges, Turn, hosted, reached
from tests.wire.threads import on_ranks

M = 11
ALL = range(M)
PAIRS = tuple(sorted({(a, (a + s) % M) for a in ALL for s in (1, 3) if a != 5} | {(2, 0)}))  # nobody reads party 5
EDGES = Edges(PAIRS)
DEGREE = [sum(a == speaker for speaker, _ in PAIRS) for a in ALL]


def say(party: int, owner: int) -> Messages:
    """Party i says i in 5 + i bits."""
    width = 5 + party
    return Messages(np.packbits([int(c) for c in f"{party:0{width}b}"]), width, 1, width)


def talk(channel: Channel, rounds: int = 2) -> list[int]:
    """Turns to neighbours; who was heard here, in order."""
    heard: list[int] = []

    def hear(party: int, owner: int, reader: BitReader) -> None:
        assert int(reader.fixed(1, 5 + party)[0, 0]) == party
        reader.aside("the first ones", (), 2)
        heard.append(party)

    for number in range(rounds):
        channel.swap(Turn(number, ALL, "neighbours", EDGES), say, hear)
    return heard


def solo() -> Channel:
    return Channel(M, Solo(), "blackboard", True)


def test_every_edge_is_charged_for_and_every_message_written_once() -> None:
    channel = solo()
    assert talk(channel, 1) == list(ALL)
    assert channel.ledger.edges == {(a, b): 5 + a for a, b in PAIRS}
    assert channel.ledger.by_party(M, "peer").tolist() == [(5 + a) * DEGREE[a] for a in ALL]
    assert channel.ledger.by_link(M).tolist() == [*((5 + a) * DEGREE[a] for a in ALL), 0]
    assert channel.ledger.totals()["payload_bits_peer"] == sum(5 + a for a, _ in PAIRS)
    assert channel.ledger.totals()["payload_bits_max"] == 5 + M - 1
    assert channel.ledger.totals()["side_bits_peer"] == 2 * len(PAIRS)
    assert channel.board is not None
    assert channel.board.n_bits == sum(5 + a for a in ALL)  # kept once, whoever reads it
    assert channel.board.digest() == channel.digest()


def test_a_message_without_readers_is_in_the_transcript_and_costs_nothing() -> None:
    channel = Channel(1, Solo(), "blackboard", True)
    channel.swap(Turn(0, range(1), "neighbours"), say, lambda party, owner, reader: reader.took(1, 5))
    assert channel.ledger.payload_bits == 0
    assert channel.board is not None
    assert channel.board.n_bits == 5


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_neighbours_on_ranks_leave_the_transcript_and_the_books_of_one_process(size: int, keep: bool) -> None:
    alone = solo()
    talk(alone)

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard", keep)
        return talk(channel, 2), channel

    ranks = on_ranks(size, work)
    for heard, channel in ranks:
        near = {a for a in ALL if a in channel.hosted or any((a, b) in PAIRS for b in channel.hosted)}
        assert heard == 2 * sorted(near)  # no message goes where nobody reads it
    first = ranks[0][1]
    assert first.digest() == alone.digest()
    assert first.ledger.by_round() == alone.ledger.by_round()
    assert first.ledger.edges == alone.ledger.edges
    assert first.board is None or first.board.digest() == alone.digest()


def test_a_message_travels_to_a_rank_once_however_many_read_it_there() -> None:
    def work(transport: Transport) -> int:
        talk(Channel(M, transport, "blackboard"), 1)
        return transport.wire_bytes

    home = [rank for rank in range(3) for _ in hosted(M, rank, 3)]
    ranks = {a: {home[b] for x, b in PAIRS if x == a} - {home[a]} for a in ALL}
    assert {(a, a): r | {home[a]} for a, r in ranks.items()} == reached(Turn(0, ALL, "neighbours", EDGES), home)
    messages = sum(len(ranks[a]) * (HEADER_BYTES + (5 + a + 7) // 8) for a in ALL)
    tables = sum(ROW_BITS // 8 for a in ALL if home[a])
    assert on_ranks(3, work)[0] == messages + tables + 2 * HEADER_BYTES


def test_a_kept_board_is_read_again_with_its_edges(tmp_path: Path) -> None:
    channel = solo()
    talk(channel)
    assert channel.board is not None
    channel.board.save(tmp_path / "board")
    board = Board.load(tmp_path / "board")
    assert [post.turn.edges for post in board.posts] == [EDGES, EDGES]
    again = Replay(board, Solo(), "blackboard")
    talk(again)
    assert (again.digest(), again.ledger.edges) == (channel.digest(), channel.ledger.edges)
    other = Replay(Board.load(tmp_path / "board"), Solo(), "blackboard")
    with pytest.raises(ModelError, match="the board has"):
        other.swap(Turn(0, ALL, "neighbours", Edges(PAIRS[1:])), say, lambda party, owner, reader: None)


def test_edges_are_in_the_digest() -> None:
    fewer = solo()
    fewer.swap(Turn(0, ALL, "neighbours", Edges(PAIRS[1:])), say, lambda a, owner, reader: reader.took(1, 5 + a))
    channel = solo()
    talk(channel, 1)
    assert fewer.digest() != channel.digest()


def test_a_ledger_comes_back_with_its_edges() -> None:
    channel = solo()
    talk(channel)
    books, _ = channel.snapshot()
    assert Ledger.of_plain(books).edges == channel.ledger.edges
    del books["edges"]  # of a checkpoint from before there were any
    assert Ledger.of_plain(books).edges == {}


def test_lengths_beyond_32_bits_are_kept_whole() -> None:
    ledger = Ledger()
    lengths = np.array([1 << 33, 5], np.int64)
    ledger.book(Turn(0, range(2), "neighbours"), range(2), lengths, (1 << 33) + 5, 1 << 33)
    assert ledger.by_party(2, "peer").tolist() == [1 << 33, 5]
    assert Ledger.of_plain(ledger.plain()).by_party(2, "peer").tolist() == [1 << 33, 5]


def test_who_watches_from_outside_is_in_no_book() -> None:
    rows = [np.array([a, -a], np.float32) for a in ALL]

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard")
        talk(channel, 1)
        before = channel.ledger.totals(), channel.digest()
        found = channel.watched([rows[a] for a in channel.hosted])
        assert (channel.ledger.totals(), channel.digest()) == before
        wire = transport.wire_bytes
        channel.swap(Turn(1, ALL, "neighbours", EDGES), say, lambda a, owner, reader: reader.took(1, 5 + a))
        return found, channel.ledger.wire_bytes - before[0]["wire_bytes"] == transport.wire_bytes - wire

    for size in (1, 3):
        ranks = on_ranks(size, work)
        assert np.array_equal(ranks[0][0], rows)
        assert [found for found, _ in ranks[1:]] == [None] * (size - 1)
        assert ranks[0][1]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (((1, 0), (0, 1)), "rising order"),
        (((0, 1), (0, 1)), "each once"),
        (((0, 0),), "to another one"),
        (((-1, 0),), "to another one"),
    ],
)
def test_edges_that_make_no_sense_are_refused(pairs: tuple[tuple[int, int], ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Edges(pairs)


def test_turns_with_edges_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ModelError, match="not with one to board"):
        Turn(0, ALL, "board", EDGES)
    with pytest.raises(ModelError, match="not among the speakers"):
        Turn(0, range(1, 3), "neighbours", Edges(((0, 1),)))
    with pytest.raises(ModelError, match="are not among 3 parties"):
        Channel(3, Solo(), "blackboard").swap(
            Turn(0, range(3), "neighbours", Edges(((0, 3),))), say, lambda party, owner, reader: None
        )


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        (struct.pack("<QII", 1, 0, 3), "an edge leads to party 3 of 3"),
        (struct.pack("<QII", 1 << 60, 0, 1), "inside the 1152921504606846976 edges"),
        (struct.pack("<QIIII", 2, 0, 1, 0, 1), "rising order"),
        (struct.pack("<Q", 3)[:5], "in the middle of a header"),
    ],
)
def test_damaged_edges_of_a_board_are_refused(tmp_path: Path, edges: bytes, said: str) -> None:
    path = tmp_path / "board"
    path.write_bytes(struct.pack("<8sQQ", MAGIC, 3, 1) + struct.pack("<QBqqqQ", 0, 6, 0, 3, 1, 3) + edges)
    with pytest.raises(WireError, match=said):
        Board.load(path)
