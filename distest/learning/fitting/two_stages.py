"""Two stages on a board: a few servers show their samples, everybody cuts the domain by them, the others name cells.

The cells are integer arithmetic on what the board says, so nobody has to send them.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError, UsageError
from distest.learning.fitting import cells, merging, oblivious
from distest.learning.fitting.cells import Cells, Ints
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol
from distest.learning.servers import Servers, within
from distest.learning.task import Family
from distest.watch import Watch
from distest.wire.channel import Model
from distest.wire.turn import Turn

Merge = Callable[[Cells, Ints, int], Cells]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the board says. cells: those of stage 1, None before it. masses: samples a cell so far, int64 (L,)."""

    cells: Cells | None = None
    masses: Ints | None = None
    over: bool = False


@dataclass(frozen=True)
class TwoStages(Protocol[Stage]):
    """What the two protocols have in common: who speaks, what is said, and the cells that it gives.

    pieces: k, 1..n. first: in 0..1, the share of servers in stage 1. Raises UsageError for others, and for fewer than
    two servers.
    """

    pieces: int
    first: float = 0.1
    model: ClassVar[Model] = "blackboard"
    family: ClassVar[Family] = "histogram"
    name: ClassVar[str]

    def __post_init__(self) -> None:
        n, m = self.task.n, self.task.m
        if not 1 <= self.pieces <= n:
            raise UsageError(f"{self.name} on n={n} symbols takes 1 to {n} pieces, got pieces={self.pieces}")
        if not 0 < self.first < 1:
            raise UsageError(
                f"{self.name} takes 0 < first < 1, the share of servers in stage 1, got first={self.first}"
            )
        if m < 2:
            raise UsageError(f"{self.name} needs a server for each of its two stages, got m={m}")

    @property
    def first_servers(self) -> int:
        """Servers of stage 1, round(first m) but at least one; one is left for stage 2."""
        return min(self.task.m - 1, max(1, round(oblivious.exact(self.first) * self.task.m)))

    @property
    @abstractmethod
    def per_cell(self) -> int:
        """The most samples of stage 1 in a cell, at least 1."""

    def start(self) -> Stage:
        return Stage()

    def next_turn(self, round: int, state: Stage) -> Turn | None:
        """Servers 0..first_servers-1 speak, then the others."""
        speakers = (range(self.first_servers), range(self.first_servers, self.task.m))
        return Turn(round, speakers[round], "board") if round < 2 else None

    def speak(self, servers: Servers, state: Stage, coins: Coins) -> Messages:
        """Whole samples in stage 1, ceil(log2 n) bits each; their cells in stage 2, ceil(log2 L) bits each."""
        if state.cells is not None:
            return cells.message(servers, state.cells)
        return Fixed(self.task.n).pack(within(servers.samples, self.task.n))

    def hear(self, speakers: range, reader: BitReader, state: Stage, coins: PublicCoins) -> Ints:
        """The mirror of `speak`: samples a symbol, int64 (n,), or samples a cell, int64 (L,). Raises WireError."""
        if state.cells is not None:
            return cells.tally(reader, speakers, self.task.s, state.cells)
        return Fixed(self.task.n).count(reader, (len(speakers), self.task.s))

    def fields(self, party: int, message: Watch, state: Stage, coins: PublicCoins) -> None:
        if state.cells is not None:
            cells.fields(message, self.task.s, state.cells)
        else:
            message.take("sample", Fixed(self.task.n), self.task.s)

    def fold(self, state: Stage, tally: Ints) -> Stage:
        """The cells of at most per_cell samples that stage 1 asks for, and all samples by cell."""
        if state.cells is not None and state.masses is not None:
            return Stage(state.cells, state.masses + tally, over=True)
        seen = np.flatnonzero(tally)
        made = cells.of_counts(seen, tally[seen], tally.size, self.per_cell)
        return Stage(made, np.add.reduceat(tally, made.edges[:-1]))

    def fit(self, state: Stage, merge: Merge) -> Pmf:
        """The law that is flat on what `merge` makes of the cells, float64 (n,)."""
        if state.cells is None or state.masses is None or not state.over:
            raise ModelError(f"{self.name} has an estimate after its two stages, not before")
        merged = merge(state.cells, state.masses, self.pieces)
        total = self.task.m * self.task.s
        return merged.spread(merging.total(state.cells, state.masses, merged) / merged.widths / total)

    def bits_per_server(self) -> int:
        return self.task.s * (self.task.n - 1).bit_length()
