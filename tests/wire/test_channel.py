"""The channel: who may speak and read is enforced, every bit is read and booked, and ranks change nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from distest.bits import BitReader, Messages, Words
from distest.errors import ModelError, PartyError, UsageError, WireError
from distest.wire.board import Board, Chunk, Post
from distest.wire.channel import Channel, Hearing, Model, Tally
from distest.wire.heard import ROW_BITS
from distest.wire.replay import Replay
from distest.wire.transport import HEADER_BYTES, Solo, Transport
from distest.wire.turn import Turn, block_size, hosted
from tests.wire.threads import on_ranks

M = 11  # parties; blocks of two


def say(block: range) -> Messages:
    """Party i says i mod 8 in three bits."""
    return Messages.of_symbols(np.array([i % 8 for i in block], np.uint8), 3)


def hear(block: range, reader: BitReader) -> Tally:
    heard = reader.symbols(len(block), 3)
    assert heard.tolist() == [i % 8 for i in block]
    reader.aside("some of them", (), len(block))
    return np.array([len(block), heard.sum()], np.int64)


def mumble(block: range) -> Words:
    """Party i says i in unary: lengths vary."""
    i = np.array(block, np.uint64)[:, None] % np.uint64(5)
    return Words((np.uint64(2) << i) - np.uint64(2), (i + np.uint64(1)).astype(np.uint8))


def hear_unary(block: range, reader: BitReader) -> Tally:
    total = 0
    for _ in block:
        ones = 0
        start = reader.unread()
        probe = BitReader(*reader.raw()[::2], reader.raw()[1])
        while probe.fixed(1, 1)[0, 0]:
            ones += 1
        reader.took(1, start - probe.unread())
        total += ones
    reader.note("", side=len(block))
    return np.array([len(block), total], np.int64)


def solo(model: Model = "blackboard", keep: bool = False) -> Channel:
    return Channel(M, Solo(), model, keep)


ALL = range(M)


# ---- the rules of the models


def test_the_referee_model_has_one_turn() -> None:
    channel = solo("referee")
    tally = channel.exchange(Turn(0, ALL, "referee"), say, hear)
    assert tally is not None
    assert tally.tolist() == [11, sum(i % 8 for i in ALL)]
    with pytest.raises(ModelError, match="one simultaneous turn"):
        channel.exchange(Turn(1, ALL, "referee"), say, hear)


def test_the_referee_model_has_no_board() -> None:
    with pytest.raises(ModelError, match="referee alone reads"):
        solo("referee").exchange(Turn(0, ALL, "board"), say, hear)


def test_one_way_servers_speak_at_most_once_and_in_order() -> None:
    channel = solo("one-way")
    channel.exchange(Turn(0, range(0, 5, 2), "board"), say, hear)
    channel.exchange(Turn(1, range(5, 7), "referee"), say, hear)
    for speakers in (range(6, 8), range(2), range(1, 2), ALL):
        with pytest.raises(ModelError, match="everyone speaks at most once, in order"):
            channel.exchange(Turn(2, speakers, "board"), say, hear)
    assert channel.exchange(Turn(2, range(7, 11), "board"), say, hear) is not None


def test_on_a_blackboard_everyone_may_speak_again() -> None:
    channel = solo()
    for number, (speakers, readers) in enumerate([(ALL, "board"), (range(3), "board"), (ALL, "referee")]):
        assert channel.exchange(Turn(number, speakers, readers), say, hear) is not None  # type: ignore[arg-type]
    assert channel.ledger.rounds == 3
    assert channel.ledger.payload("board") == 3 * 14
    assert channel.ledger.payload("up") == 3 * 11


@pytest.mark.parametrize("model", ["referee", "one-way", "blackboard"])
@pytest.mark.parametrize("speakers", [range(0), range(5, 5), range(12), range(11, 12), range(0, 13, 12)])
def test_speakers_are_parties(model: Model, speakers: range) -> None:
    with pytest.raises(ModelError, match="not among 11 parties"):
        solo(model).exchange(Turn(0, speakers, "referee"), say, hear)


@pytest.mark.parametrize("number", [1, 7])
def test_turns_are_numbered_in_order(number: int) -> None:
    with pytest.raises(ModelError, match=f"round 0 is due, not {number}"):
        solo().exchange(Turn(number, ALL, "board"), say, hear)


def test_a_refused_turn_leaves_no_trace() -> None:
    channel = solo()
    before = channel.digest()
    with pytest.raises(ModelError):
        channel.exchange(Turn(0, range(12), "board"), say, hear)
    with pytest.raises(WireError):
        channel.exchange(Turn(0, ALL, "board"), say, lambda block, reader: reader.fixed(9, 64))  # type: ignore[arg-type, return-value]
    assert channel.digest() == before
    assert channel.ledger.entries == []


# ---- messages


def words(*rows: tuple[int, int]) -> Callable[[range], Words]:
    """The same two messages from every block of two."""
    code, width = (np.array([[row[k]] for row in rows]) for k in (0, 1))
    return lambda block: Words(code[: len(block)].astype(np.uint64), width[: len(block)].astype(np.uint8))


def test_silence_is_refused() -> None:
    with pytest.raises(ModelError, match="round 0, servers 0-1 on rank 0: a server wrote nothing"):
        solo().exchange(Turn(0, ALL, "board"), words((1, 1), (0, 0)), hear)


def test_a_message_that_was_read_from_no_bits_is_silence_too() -> None:
    def cheat(block: range, reader: BitReader) -> Tally:
        reader.fixed(1, 3 * len(block))
        reader.fixed(len(block) - 1, 0)
        return np.zeros(1, np.int64)

    with pytest.raises(ModelError, match="read from no bits"):
        solo().exchange(Turn(0, ALL, "board"), say, cheat)


def test_bits_that_nobody_read_are_refused() -> None:
    with pytest.raises(ModelError, match="round 0, servers 0-1 on rank 0: 4 of 6 bits were never read"):
        solo().exchange(Turn(0, ALL, "board"), say, lambda b, r: r.fixed(len(b), 1)[0].astype(np.int64))


def test_bits_that_are_not_there_are_refused_with_the_place() -> None:
    with pytest.raises(WireError, match="round 0, servers 0-1 on rank 0: the messages end early"):
        solo().exchange(Turn(0, ALL, "board"), say, lambda b, r: r.fixed(len(b), 4)[0].astype(np.int64))


def test_bits_behind_the_end_of_the_messages_are_refused() -> None:
    def hidden(block: range) -> Messages:
        said = say(block)
        said.data[said.n_bits // 8] |= 1
        return said

    with pytest.raises(ModelError, match="bits are set behind the end"):
        solo().exchange(Turn(0, ALL, "board"), hidden, hear)


def test_each_server_writes_one_message() -> None:
    with pytest.raises(ModelError, match="round 0, servers 0-1 on rank 0: 1 messages from 2 servers"):
        solo().exchange(Turn(0, ALL, "board"), lambda block: say(block[:1]), hear)
    with pytest.raises(ModelError, match="round 0, servers 10-10 on rank 0: 2 messages from 1 servers"):
        solo().exchange(Turn(0, range(10, 11), "board"), lambda block: say(range(2)), hear)


def test_each_message_is_read_as_one() -> None:
    with pytest.raises(ModelError, match="1 messages were read from 2 servers"):
        solo().exchange(Turn(0, ALL, "board"), say, lambda b, r: r.fixed(1, 3 * len(b))[0].astype(np.int64))
    with pytest.raises(ModelError, match="6 messages were read from 2 servers"):
        solo().exchange(Turn(0, ALL, "board"), say, lambda b, r: r.fixed(3 * len(b), 1)[0].astype(np.int64))


def test_an_error_of_a_speaker_is_named_with_round_servers_and_rank() -> None:
    def fails(block: range) -> Messages:
        return say(block) if block.start < 6 else 1 // 0  # type: ignore[return-value]

    with pytest.raises(PartyError, match="round 0, servers 6-7 on rank 0: ZeroDivisionError: ") as caught:
        solo().exchange(Turn(0, ALL, "board"), fails, hear)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_error_of_a_listener_is_named_with_round_servers_and_rank() -> None:
    def fails(block: range, reader: BitReader) -> Tally:
        raise IndexError("list index out of range")

    with pytest.raises(PartyError, match="round 0, servers 3-3 on rank 0: IndexError: list index out of range"):
        solo().exchange(Turn(0, range(3, 4), "board"), say, fails)


def test_an_error_of_the_projects_own_is_one_sentence_with_its_place() -> None:
    def refuses(block: range) -> Messages:
        raise UsageError("samples are symbols from 0 to 3, a server has 9")

    with pytest.raises(PartyError, match=r"^round 0, servers 0-1 on rank 0: samples are symbols from 0 to 3"):
        solo().exchange(Turn(0, ALL, "board"), refuses, hear)


def test_the_ledger_books_what_was_decoded() -> None:
    channel = solo()
    channel.exchange(Turn(0, range(0, M, 3), "board"), mumble, hear_unary)
    assert channel.ledger.by_party(M, "board").tolist() == [i % 5 + 1 if i % 3 == 0 else 0 for i in ALL]
    row = channel.ledger.by_round()[0]
    assert (row["messages"], row["n_bits"], row["n_bits_max"]) == (4, 1 + 4 + 2 + 5, 5)


# ---- replay


def kept() -> tuple[Board, str | None]:
    channel = solo(keep=True)
    channel.exchange(Turn(0, ALL, "board"), say, hear)
    channel.exchange(Turn(1, range(2, 9, 3), "referee"), mumble, hear_unary)
    assert channel.board is not None
    return channel.board, channel.digest()


def silent(block: range) -> Messages:
    raise AssertionError("nobody speaks in a replay")


def test_a_replay_hears_the_same_and_books_the_same() -> None:
    board, digest = kept()
    channel = Replay(board, Solo(), "blackboard")
    first = channel.exchange(Turn(0, ALL, "board"), silent, hear)
    assert first is not None
    assert first[0] == M
    assert channel.left() == 1
    channel.exchange(Turn(1, range(2, 9, 3), "referee"), silent, hear_unary)
    assert channel.left() == 0
    assert channel.digest() == digest == board.digest()
    assert channel.ledger.payload_bits == board.n_bits


@pytest.mark.parametrize("turn", [Turn(0, range(10), "board"), Turn(0, ALL, "referee"), Turn(0, range(1, M), "board")])
def test_a_replay_refuses_a_board_with_other_turns(turn: Turn) -> None:
    with pytest.raises(ModelError, match="the protocol's next turn is"):
        Replay(kept()[0], Solo(), "blackboard").exchange(turn, silent, hear)


def test_a_replay_refuses_a_board_that_is_too_short() -> None:
    board, _ = kept()
    channel = Replay(Board(M, board.posts[:1]), Solo(), "blackboard")
    channel.exchange(Turn(0, ALL, "board"), silent, hear)
    with pytest.raises(ModelError, match="the board has the end"):
        channel.exchange(Turn(1, range(2, 9, 3), "referee"), silent, hear)


def test_a_replay_keeps_the_rules_of_the_model() -> None:
    with pytest.raises(ModelError, match="referee alone reads"):
        Replay(kept()[0], Solo(), "referee").exchange(Turn(0, ALL, "board"), silent, hear)


def test_a_replay_refuses_a_message_of_no_bits() -> None:
    post = Post(Turn(0, range(1), "referee"), (Chunk(np.zeros(0, np.uint8), 0),))
    channel = Replay(Board(M, [post]), Solo(), "referee")
    with pytest.raises(ModelError, match="read from no bits"):
        channel.exchange(post.turn, silent, lambda b, r: r.fixed(1, 0)[0].astype(np.int64))


# ---- ranks


def conversation(transport: Transport, parties: int, keep: bool) -> tuple[Channel, list[Any]]:
    """Three turns; what was heard here."""
    channel = Channel(parties, transport, "blackboard", keep)
    tallies = [
        channel.exchange(Turn(0, range(parties), "board"), say, hear),
        channel.exchange(Turn(1, range(1, parties, 3), "referee"), mumble, hear_unary),
        channel.exchange(Turn(2, range(parties // 2, parties), "board"), mumble, hear_unary),
    ]
    return channel, [None if tally is None else tally.tolist() for tally in tallies]


@pytest.mark.parametrize("size", [2, 3, 4, 7])
@pytest.mark.parametrize("parties", [2, 11, 100, 1000])
def test_the_transcript_is_the_same_at_any_number_of_ranks(parties: int, size: int) -> None:
    alone, heard = conversation(Solo(), parties, True)
    for rank, (channel, here) in enumerate(on_ranks(size, lambda t: conversation(t, parties, True))):
        assert here[0] == heard[0]
        assert here[2] == heard[2]
        assert here[1] == (heard[1] if rank == 0 else None)
        if rank == 0:
            assert channel.digest() == alone.digest()
            assert channel.ledger.by_round() == alone.ledger.by_round()
            assert np.array_equal(channel.ledger.by_party(parties), alone.ledger.by_party(parties))
            assert channel.board.digest() == alone.digest()


def test_a_referee_turn_is_heard_by_the_referee_alone() -> None:
    heard: dict[int, int] = {}
    spoken: dict[int, list[int]] = {}

    def work(transport: Transport) -> None:
        def listen(block: range, reader: BitReader) -> Tally:
            heard[transport.rank] = heard.get(transport.rank, 0) + len(block)
            return hear(block, reader)

        def speak(block: range) -> Messages:
            spoken.setdefault(transport.rank, []).extend(block)
            return say(block)

        Channel(M, transport, "referee").exchange(Turn(0, ALL, "referee"), speak, listen)

    on_ranks(3, work)
    assert heard == {0: M}
    assert spoken == {rank: list(hosted(M, rank, 3)) for rank in range(3)}


def test_a_rank_that_hosts_nobody_takes_part_and_says_nothing() -> None:
    assert not hosted(2, 0, 3)
    results = on_ranks(3, lambda t: Channel(2, t, "blackboard").exchange(Turn(0, range(2), "board"), say, hear))
    assert [tally.tolist() for tally in results] == [[2, 1]] * 3


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("speak", "listen"), [(say, hear), (mumble, hear_unary)], ids=["equal", "varying"])
def test_spread_hearing_gives_the_same_digest_tally_and_totals(
    size: int, speak: Callable[[range], Words | Messages], listen: Callable[[range, BitReader], Tally]
) -> None:
    parties = 1000

    def work(transport: Transport, hearing: Hearing) -> tuple[Any, str | None, dict[str, int], list[Any]]:
        channel = Channel(parties, transport, "referee", hearing=hearing)
        tally = channel.exchange(Turn(0, range(parties), "referee"), speak, listen)
        totals = channel.ledger.totals()
        totals.pop("wire_bytes")
        return None if tally is None else tally.tolist(), channel.digest(), totals, channel.ledger.by_round()

    central, spread, alone = (
        on_ranks(size, lambda t: work(t, "central"))[0],
        on_ranks(size, lambda t: work(t, "spread"))[0],
        work(Solo(), "spread"),
    )
    assert central == spread == alone


def test_spread_hearing_is_not_used_where_a_rank_has_nobody_to_hear_or_a_board_is_kept() -> None:
    def work(transport: Transport, speakers: range, keep: bool) -> int:
        heard = 0

        def listen(block: range, reader: BitReader) -> Tally:
            nonlocal heard
            heard += len(block)
            return hear(block, reader)

        channel = Channel(M, transport, "referee", keep, "spread")
        channel.exchange(Turn(0, speakers, "referee"), say, listen)
        return heard

    homes = [len(hosted(M, rank, 3)) for rank in range(3)]
    assert on_ranks(3, lambda t: work(t, ALL, False)) == homes
    assert on_ranks(3, lambda t: work(t, ALL, True)) == [M, 0, 0]
    assert on_ranks(3, lambda t: work(t, range(4), False)) == [4, 0, 0]


def test_wire_bytes_are_the_payload_of_other_ranks_and_their_headers() -> None:
    def work(transport: Transport) -> int:
        channel = Channel(M, transport, "referee")
        channel.exchange(Turn(0, ALL, "referee"), say, hear)
        return channel.ledger.wire_bytes

    block = block_size(M)
    steps = max(-(-len(hosted(M, rank, 3)) // block) for rank in range(3))
    home = hosted(M, 0, 3)
    away = [range(i, min(i + block, M)) for i in range(home.stop, M, block)]
    assert on_ranks(3, work)[0] == sum((3 * len(b) + 7) // 8 for b in away) + 2 * steps * HEADER_BYTES
    assert work(Solo()) == 0


def test_an_error_names_the_rank_it_came_from() -> None:
    def fails(block: range) -> Messages:
        if block.start >= 8:
            raise OSError("no such sample")
        return say(block)

    with pytest.raises(PartyError, match=r"round 0, servers \d+-\d+ on rank 2: OSError: no such sample"):
        on_ranks(3, lambda t: Channel(M, t, "referee").exchange(Turn(0, ALL, "referee"), fails, hear))


# ---- the referee speaks


def announcing(channel: Channel, readers: Any = "servers", said: str = "10110") -> list[str]:
    """Everyone speaks, then the referee says some bits; what this rank heard of it."""
    channel.exchange(Turn(0, ALL, "referee"), say, hear)
    heard: list[str] = []

    def speak() -> Messages:
        bits = np.packbits([int(bit) for bit in said])
        return Messages(bits, len(said), 1, len(said))

    def listen(reader: BitReader) -> None:
        heard.append(f"{int(reader.fixed(1, len(said))[0, 0]):0{len(said)}b}")
        reader.aside("a flag", (), 1)

    channel.announce(Turn(1, range(0), readers), speak, listen)
    return heard


@pytest.mark.parametrize(
    ("readers", "direction", "bits"), [("servers", "down_broadcast", 5), ("each", "down_unicast", 5 * M)]
)
def test_a_word_of_the_referee_is_booked_once_or_once_a_server(readers: Any, direction: Any, bits: int) -> None:
    channel = solo(keep=True)
    assert announcing(channel, readers) == ["10110"]
    assert channel.ledger.payload(direction) == bits
    assert channel.ledger.totals()["payload_bits_down"] == bits
    assert channel.ledger.totals()["payload_bits_up"] == 3 * M
    assert channel.ledger.totals()["side_bits_down"] == channel.ledger.side_bits(direction) == bits // 5
    assert channel.ledger.totals()["side_bits_up"] == M
    assert channel.ledger.by_party(M).tolist() == [3] * M  # what the servers wrote themselves
    assert channel.board is not None
    assert channel.board.digest() == channel.digest()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_rank_hears_the_referee_and_the_transcript_is_that_of_one_process(size: int) -> None:
    alone = solo()
    announcing(alone)

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard")
        return announcing(channel), channel.digest(), channel.ledger.by_round()

    found = on_ranks(size, work)
    assert all(heard == ["10110"] for heard, _, _ in found)
    assert found[0][1:] == (alone.digest(), alone.ledger.by_round())


def test_a_board_keeps_what_the_referee_said(tmp_path: Any) -> None:
    channel = solo(keep=True)
    announcing(channel, "each")
    assert channel.board is not None
    channel.board.save(tmp_path / "board")
    again = Replay(Board.load(tmp_path / "board"), Solo(), "blackboard")
    assert announcing(again, "each") == ["10110"]
    assert (again.digest(), again.ledger.by_round()) == (channel.digest(), channel.ledger.by_round())
    assert again.left() == 0


@pytest.mark.parametrize("model", ["referee", "one-way"])
def test_in_other_models_the_referee_is_silent(model: Model) -> None:
    channel = solo(model)
    with pytest.raises(ModelError, match="the referee speaks for itself and in the blackboard model alone"):
        channel.announce(Turn(0, range(0), "servers"), lambda: say(range(1)), lambda reader: None)


# ---- peers


def to_peers(party: int, owner: int) -> Messages:
    """Party a says a * 11 + b to party b, in 7 + a bits."""
    width = 7 + party
    text = f"{party * 11 + owner:0{width}b}"
    return Messages(np.packbits([int(c) for c in text]), width, 1, width)


def swapping(channel: Channel) -> dict[tuple[int, int], int]:
    """A turn on the board, a turn among peers; what this rank heard in the second."""
    channel.exchange(Turn(0, ALL, "board"), say, hear)
    found: dict[tuple[int, int], int] = {}

    def listen(party: int, owner: int, reader: BitReader) -> None:
        found[party, owner] = int(reader.fixed(1, 7 + party)[0, 0])
        reader.aside("the first ones", (), 1 + party)

    channel.swap(Turn(1, ALL, "peers"), to_peers, listen)
    return found


PAIRS = {(a, b): a * 11 + b for a in ALL for b in ALL if a != b}


def test_peers_hear_what_was_said_to_them_and_the_ledger_books_it() -> None:
    channel = solo(keep=True)
    assert swapping(channel) == PAIRS
    assert channel.ledger.by_party(M, "peer").tolist() == [(M - 1) * (7 + a) for a in ALL]
    assert channel.ledger.payload("peer") == sum((M - 1) * (7 + a) for a in ALL)
    assert channel.ledger.side_bits("peer") == sum((M - 1) * (1 + a) for a in ALL)
    assert channel.board is not None
    assert channel.board.digest() == channel.digest()


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_peers_on_ranks_leave_the_transcript_of_one_process(size: int, keep: bool) -> None:
    alone = solo(keep=True)
    swapping(alone)

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard", keep)
        found = swapping(channel)
        kept = None if channel.board is None or transport.rank else channel.board.digest()
        return found, channel.hosted, channel.digest(), channel.ledger.by_round(), kept

    ranks = on_ranks(size, work)
    for found, home, _, _, _ in ranks:
        assert found == {pair: said for pair, said in PAIRS.items() if pair[1] in home}
    assert ranks[0][2:4] == (alone.digest(), alone.ledger.by_round())
    assert ranks[0][4] == (alone.digest() if keep else None)


def test_a_board_keeps_what_peers_said(tmp_path: Any) -> None:
    channel = solo(keep=True)
    swapping(channel)
    assert channel.board is not None
    channel.board.save(tmp_path / "board")
    again = Replay(Board.load(tmp_path / "board"), Solo(), "blackboard")
    assert swapping(again) == PAIRS
    assert (again.digest(), again.ledger.by_round()) == (channel.digest(), channel.ledger.by_round())


def test_what_a_rank_has_for_itself_does_not_travel() -> None:
    """11 parties on 3 ranks: only messages between ranks are wire bytes, each of whole bytes behind a header."""

    def listen(party: int, owner: int, reader: BitReader) -> None:
        reader.fixed(1, 7 + party)

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard")
        channel.swap(Turn(0, ALL, "peers"), to_peers, listen)
        return channel.hosted, transport.wire_bytes

    ranks = on_ranks(3, work)
    home = {party: rank for rank, (parties, _) in enumerate(ranks) for party in parties}
    rows = [a for a in ALL for b in ALL if home[a] != home[b]]
    booked = sum(HEADER_BYTES + (7 + a + 7) // 8 for a in rows)
    tables = [sum(ROW_BITS // 8 for a in ALL for b in ALL if a != b and home[b] == rank) for rank in (1, 2)]
    assert ranks[0][1] == booked + sum(tables) + 2 * HEADER_BYTES


def below(channel: Channel) -> dict[tuple[int, int], int]:
    """All levels of a tree; what this rank heard, by level and owner."""
    found = {}
    for level in range(4):
        turn = Turn(level, range(1 << level, M, 2 << level), "below")

        def listen(party: int, owner: int, reader: BitReader, level: int = level) -> None:
            assert party - owner == 1 << level
            found[level, owner] = int(reader.fixed(1, 7 + party)[0, 0])

        channel.swap(turn, to_peers, listen)
    return found


TREE = {
    (level, a - (1 << level)): 12 * a - (1 << level) for level in range(4) for a in range(1 << level, M, 2 << level)
}


def test_a_tree_has_one_message_from_everybody_but_the_first(tmp_path: Any) -> None:
    alone = solo(keep=True)
    assert below(alone) == TREE
    assert len(TREE) == M - 1
    assert alone.ledger.by_party(M, "peer").tolist() == [0, *(7 + a for a in range(1, M))]
    assert alone.board is not None
    alone.board.save(tmp_path / "board")
    again = Replay(Board.load(tmp_path / "board"), Solo(), "blackboard")
    assert below(again) == TREE
    assert (again.digest(), again.ledger.by_round()) == (alone.digest(), alone.ledger.by_round())
    for size in (2, 3):
        ranks = on_ranks(size, lambda transport: (below(c := Channel(M, transport, "blackboard", True)), c))
        assert {pair: said for found, _ in ranks for pair, said in found.items()} == TREE
        assert ranks[0][1].digest() == alone.digest() == ranks[0][1].board.digest()
    with pytest.raises(ModelError, match="nobody is below party 0"):
        Turn(0, range(M), "below")


def test_a_damaged_board_with_a_message_below_the_first_party_is_refused(tmp_path: Any) -> None:
    channel = solo(keep=True)
    below(channel)
    assert channel.board is not None
    channel.board.save(tmp_path / "board")
    data = bytearray((tmp_path / "board").read_bytes())
    data[24 + 9] = 0  # the first speaker of the first turn
    (tmp_path / "board").write_bytes(bytes(data))
    with pytest.raises(WireError):
        Board.load(tmp_path / "board")


def test_long_blocks_are_hashed_once_and_have_the_digest_of_one_process() -> None:
    width = 1 << 20

    def long(block: range) -> Messages:
        rng = np.random.default_rng(block.start)
        data = np.concatenate((rng.integers(0, 256, width * len(block) // 8).astype(np.uint8), np.zeros(16, np.uint8)))
        return Messages(data, width * len(block), len(block), width)

    def read(block: range, reader: BitReader) -> Tally:
        reader.took(len(block), width)
        return np.zeros(0, np.int64)

    def work(transport: Transport) -> Any:
        channel = Channel(M, transport, "blackboard")
        channel.exchange(Turn(0, ALL, "board"), long, read)
        return channel.digest()

    alone = work(Solo())
    for size in (2, 3):
        assert set(on_ranks(size, work)) == {alone}


def test_sums_off_the_books_are_in_no_board() -> None:
    x = np.arange(3, dtype=np.float32)

    def work(transport: Transport) -> Any:
        out = np.empty_like(x)
        Channel(M, transport, "blackboard").unbooked_total(x, out)
        return out.tolist()

    assert on_ranks(2, work) == [[0, 2, 4]] * 2
    with pytest.raises(ModelError, match="in no board"):
        solo(keep=True).unbooked_total(x, np.empty_like(x))
