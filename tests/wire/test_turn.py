"""The grid of blocks: it depends on the number of parties alone, and every rank and speaker fits into it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distest.errors import ModelError
from distest.wire.turn import BLOCK_MAX, Turn, block_size, blocks_of, hosted

PARTIES = [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 100, 1023, (1 << 14) - 1, 1 << 14, 328_521, 1 << 20, 10**8, (1 << 32) - 1]
SIZES = [1, 2, 3, 4, 5, 8, 13, 40]


@st.composite
def speakers(draw: st.DrawFn) -> tuple[int, range]:
    parties = draw(st.integers(1, 5000))
    start = draw(st.integers(0, parties - 1))
    return parties, range(start, draw(st.integers(start, parties)), draw(st.integers(1, 40)))


@pytest.mark.parametrize("parties", PARTIES)
def test_a_block_is_a_power_of_two_of_at_most_two_to_the_20_parties(parties: int) -> None:
    size = block_size(parties)
    assert 1 <= size <= BLOCK_MAX
    assert size & (size - 1) == 0
    assert size == BLOCK_MAX or -(-parties // size) <= 32


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("parties", PARTIES)
def test_ranks_partition_the_parties_in_whole_blocks(parties: int, size: int) -> None:
    homes = [hosted(parties, rank, size) for rank in range(size)]
    assert homes[0].start == 0
    assert homes[-1].stop == parties
    assert all(left.stop == right.start for left, right in itertools.pairwise(homes))
    assert sum(map(len, homes)) == parties
    assert all(home.start % block_size(parties) == 0 for home in homes if home)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("parties", PARTIES)
def test_ranks_share_the_blocks_evenly(parties: int, size: int) -> None:
    blocks = [-(-len(hosted(parties, rank, size)) // block_size(parties)) for rank in range(size)]
    assert max(blocks) - min(blocks) <= 1


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_handful_of_ranks_all_have_work_from_four_parties_on(size: int) -> None:
    for parties in range(4, 3000):
        assert all(hosted(parties, rank, size) for rank in range(size))


@given(speakers())
def test_blocks_partition_the_speakers_in_party_order(case: tuple[int, range]) -> None:
    parties, who = case
    blocks = list(blocks_of(who, range(parties), parties))
    assert [party for _, block in blocks for party in block] == list(who)
    numbers = [number for number, _ in blocks]
    assert numbers == sorted(set(numbers))
    size = block_size(parties)
    assert all(party // size == number for number, block in blocks for party in block)
    assert all(block for _, block in blocks)


@given(speakers(), st.integers(1, 9))
def test_the_blocks_of_all_ranks_are_the_blocks_of_one(case: tuple[int, range], size: int) -> None:
    parties, who = case
    spread = [b for rank in range(size) for b in blocks_of(who, hosted(parties, rank, size), parties)]
    assert spread == list(blocks_of(who, range(parties), parties))


@given(speakers(), st.data())
def test_blocks_inside_a_range_hold_the_speakers_inside_it(case: tuple[int, range], data: st.DataObject) -> None:
    parties, who = case
    start = data.draw(st.integers(0, parties))
    inside = range(start, data.draw(st.integers(start, parties)))
    found = [party for _, block in blocks_of(who, inside, parties) for party in block]
    assert found == [party for party in who if party in inside]


def test_blocks_of_many_parties_are_found_without_listing_them() -> None:
    parties = (1 << 32) - 1
    blocks = list(blocks_of(range(parties), range(parties), parties))
    assert len(blocks) == 4096
    assert sum(len(block) for _, block in blocks) == parties


@pytest.mark.parametrize("who", [range(5, 0, -1), range(-1, 4)])
def test_speakers_that_are_no_rising_range_of_parties_are_refused(who: range) -> None:
    with pytest.raises(ModelError, match="positive step"):
        Turn(0, who, "referee")


def test_the_direction_follows_from_the_readers() -> None:
    assert Turn(0, range(3), "referee").direction == "up"
    assert Turn(0, range(3), "board").direction == "board"
