"""Two stages on a board: a few servers show their samples, everybody cuts the domain by them, the others name cells.

The cells are integer arithmetic on what the board says, so nobody has to send them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages
from distest.codecs.fixed import Fixed
from distest.errors import ModelError, UsageError
from distest.learning.fitting import cells, merging, oblivious
from distest.learning.fitting.cells import Cells, Ints
from distest.learning.norms import Pmf
from distest.learning.servers import Servers, within
from distest.learning.task import Task
from distest.watch import Watch
from distest.wire.turn import Turn

Merge = Callable[[Cells, Ints, int], Cells]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the board says. cells: those of stage 1, None before it. masses: samples a cell so far, int64 (L,)."""

    cells: Cells | None = None
    masses: Ints | None = None
    over: bool = False


def first_servers(name: str, task: Task, pieces: int, first: float) -> int:
    """Servers of stage 1, round(first m) but at least one; one is left for stage 2.

    Raises UsageError where there are fewer than two servers, `pieces` is not in 1..n or `first` not in 0..1.
    """
    if not 1 <= pieces <= task.n:
        raise UsageError(f"{name} on n={task.n} symbols takes 1 to {task.n} pieces, got pieces={pieces}")
    if not 0 < first < 1:
        raise UsageError(f"{name} takes 0 < first < 1, the share of servers in stage 1, got first={first}")
    if task.m < 2:
        raise UsageError(f"{name} needs a server for each of its two stages, got m={task.m}")
    return min(task.m - 1, max(1, round(oblivious.exact(first) * task.m)))


def turn(round: int, task: Task, first: int) -> Turn | None:
    """Servers 0..first-1 speak, then the others."""
    speakers = (range(first), range(first, task.m))
    return Turn(round, speakers[round], "board") if round < 2 else None


def speak(servers: Servers, stage: Stage, n: int) -> Messages:
    """Whole samples in stage 1, ceil(log2 n) bits each; their cells in stage 2, ceil(log2 L) bits each."""
    if stage.cells is not None:
        return cells.message(servers, stage.cells)
    return Fixed(n).pack(within(servers.samples, n))


def hear(speakers: range, reader: BitReader, stage: Stage, task: Task) -> Ints:
    """The mirror of `speak`: samples a symbol, int64 (n,), or samples a cell, int64 (L,). Raises WireError."""
    if stage.cells is not None:
        return cells.tally(reader, speakers, task.s, stage.cells)
    return Fixed(task.n).count(reader, (len(speakers), task.s))


def fields(message: Watch, stage: Stage, task: Task) -> None:
    """The fields of a message: samples in stage 1, cells in stage 2."""
    if stage.cells is not None:
        cells.fields(message, task.s, stage.cells)
    else:
        message.take("sample", Fixed(task.n), task.s)


def fold(stage: Stage, tally: Ints, per_cell: int) -> Stage:
    """The cells of at most per_cell samples that stage 1 asks for, and all samples by cell."""
    if stage.cells is not None and stage.masses is not None:
        return Stage(stage.cells, stage.masses + tally, over=True)
    seen = np.flatnonzero(tally)
    made = cells.of_counts(seen, tally[seen], tally.size, per_cell)
    return Stage(made, np.add.reduceat(tally, made.edges[:-1]))


def fit(name: str, stage: Stage, merge: Merge, pieces: int, samples: int) -> Pmf:
    """The law that is flat on what `merge` makes of the cells, float64 (n,)."""
    if stage.cells is None or stage.masses is None or not stage.over:
        raise ModelError(f"{name} has an estimate after its two stages, not before")
    merged = merge(stage.cells, stage.masses, pieces)
    return merged.spread(merging.total(stage.cells, stage.masses, merged) / merged.widths / samples)
