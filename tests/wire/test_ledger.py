"""The ledger: what is booked adds up by round, party and direction, whatever was merged on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distest.wire import ledger as ledger_module
from distest.wire.ledger import Ledger
from distest.wire.turn import DIRECTIONS, Readers, Turn

PARTIES = 60


@st.composite
def bookings(draw: st.DrawFn) -> list[tuple[int, Readers, range, list[int]]]:
    """Rounds of blocks in party order: (round, readers, parties, bits of each)."""
    found: list[tuple[int, Readers, range, list[int]]] = []
    for number in range(draw(st.integers(1, 4))):
        readers: Readers = draw(st.sampled_from(("referee", "board")))
        step = draw(st.integers(1, 3))
        at = draw(st.integers(0, 5))
        for _ in range(draw(st.integers(1, 4))):
            count = draw(st.integers(1, 4))
            parties = range(at, at + count * step, step)
            equal = draw(st.booleans())
            one = draw(st.integers(1, 3))
            each = [one] * count if equal else draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
            found.append((number, readers, parties, each))
            at += count * step
    return found


def filled(rows: list[tuple[int, Readers, range, list[int]]]) -> Ledger:
    ledger = Ledger()
    for number, readers, parties, each in rows:
        lengths = each[0] if len(set(each)) == 1 else np.array(each)
        ledger.book(Turn(number, parties, readers), parties, lengths, sum(each), max(each))
    return ledger


@given(bookings())
def test_everything_adds_up(rows: list[tuple[int, Readers, range, list[int]]]) -> None:
    ledger = filled(rows)
    total = sum(sum(each) for *_, each in rows)
    assert ledger.payload_bits == total
    assert sum(ledger.payload(direction) for direction in DIRECTIONS) == total
    assert ledger.messages == sum(len(each) for *_, each in rows)
    assert ledger.rounds == len({row[0] for row in rows})
    assert sum(int(row["n_bits"]) for row in ledger.by_round()) == total
    assert sum(int(row["messages"]) for row in ledger.by_round()) == ledger.messages
    assert ledger.totals()["payload_bits_max"] == max(max(each) for *_, each in rows)


@given(bookings())
def test_every_bit_is_booked_with_the_party_that_wrote_it(
    rows: list[tuple[int, Readers, range, list[int]]],
) -> None:
    ledger = filled(rows)
    for readers, direction in (("referee", "up"), ("board", "board")):
        expected = np.zeros(PARTIES, np.int64)
        for _, where, parties, each in rows:
            if where == readers:
                expected[list(parties)] += each
        assert np.array_equal(ledger.by_party(PARTIES, "up" if direction == "up" else "board"), expected)
    both = ledger.by_party(PARTIES, "up") + ledger.by_party(PARTIES, "board")
    assert np.array_equal(ledger.by_party(PARTIES), both)


@given(bookings())
def test_rounds_keep_their_direction_and_longest_message(
    rows: list[tuple[int, Readers, range, list[int]]],
) -> None:
    for row in filled(rows).by_round():
        mine = [(where, each) for number, where, _, each in rows if number == row["round"]]
        assert {"up" if where == "referee" else "board" for where, _ in mine} == {row["direction"]}
        assert row["n_bits_max"] == max(max(each) for _, each in mine)
        assert row["messages"] == sum(len(each) for _, each in mine)


def test_equal_neighbours_are_one_entry_and_others_are_not() -> None:
    ledger = Ledger()
    turn = Turn(0, range(12), "referee")
    for block in (range(4), range(4, 8)):
        ledger.book(turn, block, 3, 12, 3)
    assert [(e.parties, e.n_bits, e.lengths) for e in ledger.entries] == [(range(8), 24, 3)]
    ledger.book(turn, range(8, 12), 2, 8, 2)
    ledger.book(Turn(1, range(12, 16), "referee"), range(12, 16), 2, 8, 2)
    ledger.book(Turn(1, range(17, 18), "referee"), range(17, 18), 2, 2, 2)
    assert [e.parties for e in ledger.entries] == [range(8), range(8, 12), range(12, 16), range(17, 18)]


def test_steps_are_merged_only_where_the_grid_goes_on() -> None:
    ledger = Ledger()
    turn = Turn(0, range(0, 30, 3), "board")
    ledger.book(turn, range(0, 12, 3), 1, 4, 1)
    ledger.book(turn, range(12, 30, 3), 1, 6, 1)
    assert [list(e.parties) for e in ledger.entries] == [list(range(0, 30, 3))]
    assert np.array_equal(np.flatnonzero(ledger.by_party(30)), np.arange(0, 30, 3))


def test_no_message_is_booked_in_no_bits() -> None:
    empty = Ledger()
    totals = empty.totals()
    assert set(totals.values()) == {0}
    assert empty.by_round() == []
    assert not empty.by_party(3).any()


def test_totals_have_every_direction_and_down_is_broadcast_plus_unicast() -> None:
    ledger = filled([(0, "referee", range(3), [2, 2, 2]), (1, "board", range(2), [1, 4])])
    ledger.coin_bits, ledger.wire_bytes = 128, 7
    totals = ledger.totals()
    assert {f"payload_bits_{direction}" for direction in DIRECTIONS} < set(totals)
    assert totals["payload_bits_down"] == totals["payload_bits_down_broadcast"] + totals["payload_bits_down_unicast"]
    assert (totals["payload_bits_up"], totals["payload_bits_board"], totals["payload_bits"]) == (6, 5, 11)
    assert (totals["coin_bits"], totals["wire_bytes"], totals["messages"], totals["rounds"]) == (128, 7, 5, 2)
    assert totals["payload_bits_peer"] == totals["payload_bits_down"] == 0


def test_single_messages_are_forgotten_beyond_a_limit_and_totals_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "DETAIL_MAX", 5)
    ledger = Ledger()
    turn = Turn(0, range(8), "referee")
    ledger.book(turn, range(4), np.array([1, 2, 3, 4]), 10, 4)
    assert ledger.by_party(8).tolist() == [1, 2, 3, 4, 0, 0, 0, 0]
    ledger.book(turn, range(4, 8), np.array([5, 6, 7, 8]), 26, 8)
    assert (ledger.payload_bits, ledger.messages, ledger.totals()["payload_bits_max"]) == (36, 8, 8)
    with pytest.raises(ValueError, match="kept totals by block"):
        ledger.by_party(8)


def test_what_spread_hearing_added_up_is_not_blamed_on_the_limit() -> None:
    ledger = Ledger()
    ledger.book(Turn(0, range(4), "referee"), range(4), np.array([1, 2, 3, 4]), 10, 4)
    ledger.book(Turn(1, range(4), "referee"), range(4), None, 26, 8)
    assert ledger.payload_bits == 36
    with pytest.raises(ValueError, match=r"round 1 was heard spread over ranks.*hear it centrally") as caught:
        ledger.by_party(4)
    assert "more than" not in str(caught.value)
