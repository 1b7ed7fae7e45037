"""Turn: who speaks and who may read; and the grid of blocks in which a turn is written and heard."""

import struct
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import Literal

from distest.errors import ModelError

Direction = Literal["up", "down_broadcast", "down_unicast", "board", "peer"]
Readers = Literal["referee", "board", "servers", "each", "peers", "below", "neighbours"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down_broadcast", "down_unicast", "board", "peer")
BLOCK_MAX = 1 << 20
_DIRECTION: dict[Readers, Direction] = {
    "referee": "up",
    "board": "board",
    "servers": "down_broadcast",
    "each": "down_unicast",
    "peers": "peer",
    "below": "peer",
    "neighbours": "peer",
}


@dataclass(frozen=True)
class Edges:
    """Who reads whom: pairs of a speaker and a reader of what it says, in rising order, each once.

    Raises ModelError for pairs in another order, and for parties that are negative or read themselves.
    """

    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if any(left >= right for left, right in pairwise(self.pairs)):
            raise ModelError("edges are given in rising order, each once")
        if any(min(pair) < 0 or pair[0] == pair[1] for pair in self.pairs):
            raise ModelError("an edge goes from a party to another one")

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """Who reads each speaker that somebody reads, in rising order."""
        found: dict[int, list[int]] = {}
        for speaker, reader in self.pairs:
            found.setdefault(speaker, []).append(reader)
        return found

    @cached_property
    def packed(self) -> bytes:
        """Their number, and two parties each: uint64 and uint32, little-endian."""
        return struct.pack(f"<Q{2 * len(self.pairs)}I", len(self.pairs), *chain.from_iterable(self.pairs))

    @property
    def stop(self) -> int:
        """A number that all parties are below."""
        return max(map(max, self.pairs), default=-1) + 1


NO_EDGES = Edges()


@dataclass(frozen=True, slots=True)
class Turn:
    """Everyone in `speakers` writes one message at once, without seeing the others' messages of this turn.

    round: 0, 1, 2, ... speakers: a range of parties with positive step. readers: "referee" (the referee alone) or
    "board" (everyone). In a turn of the referee it says one thing to "servers" (all of them at once, charged once) or
    to "each" (one after the other, charged for each); nobody else speaks, and `speakers` is empty, or in a turn to
    "each" those it speaks to where they are not all. In a turn to "peers" everybody writes one message to every other
    speaker; in a turn to those "below" everybody writes one to the party that is as many places below as the first
    speaker is above 0, so that speakers s, 3 s, 5 s, ... are a level of a binary tree.
    In a turn to "neighbours" everybody writes one message to all whom an edge of its leads to, charged for each edge.
    """

    round: int
    speakers: range
    readers: Readers
    edges: Edges = field(default=NO_EDGES, repr=False)

    def __post_init__(self) -> None:
        if self.edges.pairs and self.readers != "neighbours":
            raise ModelError(f"edges go with a turn to neighbours, not with one to {self.readers}")
        if any(party not in self.speakers for party in self.edges.readers):
            raise ModelError(f"an edge starts at a party that is not among the speakers {self.speakers}")
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
        """Who writes to whom where messages go from party to party, by speaker and reader; none in other turns.

        In a turn to neighbours each speaker stands beside itself: its one message is its own to book.
        """
        if self.readers == "neighbours":
            return [(a, a) for a in self.speakers]
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


def homes(parties: int, size: int) -> list[int]:
    """The rank of each party."""
    return [rank for rank in range(size) for _ in hosted(parties, rank, size)]


def reached(turn: Turn, home: list[int]) -> dict[tuple[int, int], set[int]]:
    """The ranks where each message of `turn.pairs` is read. home: the rank of each party.

    A message to neighbours is read where its speaker lives as well.
    """
    readers = turn.edges.readers
    return {(a, b): {home[b], *(home[c] for c in readers.get(a, ()))} for a, b in turn.pairs()}


def blocks_of(speakers: range, inside: range, parties: int) -> tuple[tuple[int, range], ...]:
    """Block number and speakers of every block of `inside` in which somebody speaks, in party order.

    Kept, because turns of one shape are run again and again; by three numbers, as ranges that are equal may have steps
    that are not.
    """
    return _blocks_of(speakers.start, speakers.stop, speakers.step, inside.start, inside.stop, parties)


@lru_cache(maxsize=16)
def _blocks_of(
    start: int, stop: int, every: int, begin: int, end: int, parties: int
) -> tuple[tuple[int, range], ...]:  # fmt: skip
    step, found = block_size(parties), []
    first, last = max(begin, start), min(end, stop)
    for number in range(first // step, -(-last // step) if last > first else 0):
        low, high = max(first, number * step), min(last, (number + 1) * step)
        skipped = -(-(low - start) // every)
        block = range(start + skipped * every, high, every)
        if block:
            found.append((number, block))
    return tuple(found)


def blocks_said(turn: Turn, parties: int) -> list[range]:
    """The speakers of each block that a turn consists of; one block without any where the referee speaks.

    A turn to peers, or to those below, has a block for each message, by speaker and then by reader; one to neighbours
    has a block for each speaker.
    """
    if turn.readers in ("peers", "below", "neighbours"):
        return [range(a, a + 1) for a, _ in turn.pairs()]
    return [range(0)] if turn.from_referee else [b for _, b in blocks_of(turn.speakers, range(parties), parties)]
