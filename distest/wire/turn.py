"""Turn: who speaks and who may read; and the grid of blocks in which a turn is written and heard."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from distest.errors import ModelError

Direction = Literal["up", "down_broadcast", "down_unicast", "board", "peer"]
Readers = Literal["referee", "board", "servers", "each", "peers", "below"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down_broadcast", "down_unicast", "board", "peer")
BLOCK_MAX = 1 << 20
_DIRECTION: dict[Readers, Direction] = {
    "referee": "up",
    "board": "board",
    "servers": "down_broadcast",
    "each": "down_unicast",
    "peers": "peer",
    "below": "peer",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """Everyone in `speakers` writes one message at once, without seeing the others' messages of this turn.

    round: 0, 1, 2, ... speakers: a range of parties with positive step. readers: "referee" (the referee alone) or
    "board" (everyone). In a turn of the referee it says one thing to "servers" (all of them at once, charged once) or
    to "each" (one after the other, charged for each); nobody else speaks, and `speakers` is empty, or in a turn to
    "each" those it speaks to where they are not all. In a turn to "peers" everybody writes one message to every other
    speaker; in a turn to those "below" everybody writes one to the party that is as many places below as the first
    speaker is above 0, so that speakers s, 3 s, 5 s, ... are a level of a binary tree.
    """

    round: int
    speakers: range
    readers: Readers

    def __post_init__(self) -> None:
        if self.speakers.step < 1 or (self.speakers and self.speakers.start < 0):
            raise ModelError(f"speakers are a range of parties with positive step, got {self.speakers}")
        if self.readers == "below" and self.speakers and self.speakers.start < 1:
            raise ModelError("nobody is below party 0")

    @property
    def direction(self) -> Direction:
        """What the ledger calls it."""
        return _DIRECTION[self.readers]

    @property
    def from_referee(self) -> bool:
        """Whether the referee speaks."""
        return self.readers in ("servers", "each")

    def pairs(self) -> list[tuple[int, int]]:
        """Who writes to whom where every message has one reader, by speaker and reader; none in other turns."""
        if self.readers == "below":
            return [(a, a - self.speakers.start) for a in self.speakers]
        return [(a, b) for a in self.speakers for b in self.speakers if a != b] if self.readers == "peers" else []


def block_size(parties: int) -> int:
    """Parties in a block: a power of two that depends on nothing but the number of parties.

    2^20 for the large; for fewer parties small enough that a handful of ranks all have work.
    """
    blocks = 4 if parties < 1 << 14 else 16
    return min(BLOCK_MAX, 1 << (max(1, parties // blocks).bit_length() - 1))


def hosted(parties: int, rank: int, size: int) -> range:
    """The parties that live on a rank: whole blocks, as evenly as they go; empty where ranks outnumber blocks."""
    step = block_size(parties)
    blocks = -(-parties // step)
    return range(min(parties, blocks * rank // size * step), min(parties, blocks * (rank + 1) // size * step))


def blocks_of(speakers: range, inside: range, parties: int) -> Iterator[tuple[int, range]]:
    """Block number and speakers of every block of `inside` in which somebody speaks, in party order."""
    step = block_size(parties)
    first, last = max(inside.start, speakers.start), min(inside.stop, speakers.stop)
    for number in range(first // step, -(-last // step) if last > first else 0):
        low, high = max(first, number * step), min(last, (number + 1) * step)
        skipped = -(-(low - speakers.start) // speakers.step)
        block = range(speakers.start + skipped * speakers.step, high, speakers.step)
        if block:
            yield number, block


def blocks_said(turn: Turn, parties: int) -> list[range]:
    """The speakers of each block that a turn consists of; one block without any where the referee speaks.

    A turn to peers, or to those below, has a block for each message, by speaker and then by reader.
    """
    if turn.readers in ("peers", "below"):
        return [range(a, a + 1) for a, _ in turn.pairs()]
    return [range(0)] if turn.from_referee else [b for _, b in blocks_of(turn.speakers, range(parties), parties)]
