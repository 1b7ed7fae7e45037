"""Trials: one run of one protocol or method, as plain data, and what makes its record."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from distest import experiment, launch, records, spec, train_spec, training
from distest.errors import DivergedError, PartyError, diverged
from distest.records import Record
from distest.sgd.clock import keep_trace
from distest.spec import Table
from distest.sweep.asked import Kind
from distest.wire.board import Board
from distest.wire.transport import Transport

Series = list[dict[str, Any]]
Place = tuple[int, int, int, int, int]
COLUMNS = ("payload_bits", "l1", "l2_squared", "bits_at_target", "best", "loss")
"""Numbers of a record that a search decides by."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be run. place: of its case (three numbers), the point of a search, the repeat: unique in a sweep.

    table: a spec of its kind with one protocol or method. plan: for the record, None without a budget or target.
    kept: whether it gets a record; a probe does not.
    """

    place: Place
    kind: Kind
    table: Table = field(hash=False)
    plan: Table | None = field(default=None, hash=False)
    kept: bool = True

    @property
    def repeat(self) -> int:
        """Whose coins it takes."""
        return self.place[-1]

    @property
    def label(self) -> str:
        """How a message names it."""
        part = self.table["protocols" if self.kind == "learn" else "methods"][0]
        seed = self.table.get("seed", 0)
        numbers = ".".join(map(str, self.place))
        return f"trial {numbers} ({self.kind} {part.get('name')}, seed {seed}, repeat {self.repeat})"


@dataclass(frozen=True, slots=True)
class Made:
    """What a trial gave: record and series, empty where it left the finite numbers, which `diverged` then says."""

    record: Record
    series: Series
    diverged: str = ""


class Maker:
    """Makes trials one after the other, on all ranks of a transport; keeps what those of one case share.

    boards: the folder in which transcripts are kept, None to keep none.
    """

    def __init__(self, transport: Transport, boards: Path | None = None):
        self._transport = transport
        self._boards = boards
        self._ready: tuple[str, Callable[[int], Made | None]] | None = None

    def make(self, kind: Kind, table: Table, repeat: int) -> Made | None:
        """One run; None on ranks that do not host the referee. Raises what a run raises, but DivergedError.

        On several ranks that one is raised too: it may be one rank's alone, and the others wait for it.
        """
        text = records.canonical([kind, table])
        if self._ready is None or self._ready[0] != text:
            self._ready = text, (self._learner if kind == "learn" else self._trainer)(table)
        try:
            return self._ready[1](repeat)
        except (DivergedError, PartyError) as error:
            if self._transport.size > 1 or not diverged(error):
                raise
            return Made({}, [], str(error))

    def _learner(self, table: Table) -> Callable[[int], Made | None]:
        asked = spec.check(spec.normalise(table))
        (trial,) = experiment.plan(asked)
        launch.rank_started(trial.protocol.task.m)
        run = experiment.runner(asked, trial, self._transport, self._boards is not None)

        def one(repeat: int) -> Made | None:
            done = run(repeat)
            return None if done is None else Made(self._keep(*done), [])

        return one

    def _trainer(self, table: Table) -> Callable[[int], Made | None]:
        asked = train_spec.check(train_spec.normalise(table))
        trials = training.plan(asked)
        launch.rank_started(asked.workers)
        keep = self._boards is not None and not asked.fast and asked.digest

        def one(repeat: int) -> Made | None:
            found = None
            for record, series, board in training.run(asked, trials, self._transport, keep, repeats=[repeat]):
                found = Made(self._keep(record, board), series)
            return found

        return one

    def _keep(self, record: Record, board: Board | None) -> Record:
        """The record with the names of what is kept beside it."""
        if self._boards is None:
            record.pop("trace", None)
            return record
        name = records.run_name(record)
        if board is not None:
            record["board"] = f"{name}.board"
            board.save(self._boards / record["board"])
        if "trace" in record:
            record["trace"] = keep_trace(self._boards / f"{name}.trace", record["trace"])
        return record


def columns(record: Record) -> list[float]:
    """The numbers that a search decides by, not a number where a record has none."""
    plan = record.get("plan") or {}
    found = {**record, **{key: plan[key] for key in ("bits_at_target", "best") if key in plan}}
    return [math.nan if found.get(key) is None else float(found[key]) for key in COLUMNS]


def shared(transport: Transport, values: list[float]) -> list[float]:
    """The numbers of the referee's rank, on every rank."""
    own = np.array(values, np.float64) if transport.hosts_referee else np.zeros(len(values))
    return [float(value) for value in transport.total(own.view(np.int64)).view(np.float64)]
