"""A sweep from its spec to a folder of records: alone, on MPI ranks, or by a crew of processes; and once more on."""

import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.statistics import RISING, bits_to_target
from distest import experiment, records, spec, train_spec, training
from distest.errors import DivergedError, UsageError
from distest.records import Record
from distest.spec import Table
from distest.sweep import budget, target
from distest.sweep.aim import Budget, Target
from distest.sweep.asked import Case, Sweep, read
from distest.sweep.crew import Crew
from distest.sweep.folder import Folder
from distest.sweep.trial import COLUMNS, Made, Maker, Trial, columns, shared
from distest.wire.transport import Solo, Transport

Task = Generator[list[Trial], list[list[float]], Any]
Notice = Callable[[int], None]
Say = Callable[[str], None]
CHECKED = 2000  # tables of a part that are all looked at before anything runs


def compare(
    source: Path | str | Table,
    out: Path | str,
    *,
    jobs: int = 1,
    resume: bool = False,
    boards: bool = False,
) -> list[Record]:
    """Run a sweep and give all records of its folder, in the order of its trials.

    source: a TOML file, or its table. out: the folder; refused where it holds other records, or without `resume` any.
    jobs: processes that make trials. boards: keep transcripts, for an audit. Raises UsageError for a spec that makes no
    sense and where no budget or target was met, and what a run raises.
    """
    asked = read(Path(source) if isinstance(source, str) else source)
    check(asked)
    outcome = run(asked, Path(out), Solo(), jobs=jobs, resume=resume, boards=boards)
    if outcome.missed and not outcome.met:
        raise UsageError("; ".join(outcome.missed))
    return records.load(Path(out)) if (Path(out) / records.FILE).exists() else []


def check(sweep: Sweep) -> None:
    """Raise UsageError for what cannot run, before anything has; of a large grid: any value of its axes."""
    for part in sweep.parts:
        places: Iterator[int] = iter(range(part.grid.size)) if part.grid.size <= CHECKED else part.grid.corners()
        for place in places:
            for case in part.cases(place):
                _check(case)


def _check(case: Case) -> None:
    if case.repeats < 1:
        raise UsageError(f"a run has at least one repeat, got repeats={case.repeats}")
    if case.aim is not None:  # what is open is not there yet; bits are tried where the case begins
        return
    if case.kind == "learn":
        experiment.plan(spec.check(case.table))
    else:
        training.plan(train_spec.check(case.table))


def trials(case: Case) -> Task:
    """What a case asks to be run: yields trials, is sent their numbers.

    Returns a `target.Found` of a search, a sentence where a budget cannot be kept to, else None.
    """
    if isinstance(case.aim, Target):
        return (yield from target.search(case))
    table, plan = case.table, None
    if isinstance(case.aim, Budget):
        try:
            table, plan = yield from budget.planned(case)
        except budget.UnmetError as error:  # the others may keep to theirs
            return str(error)
    places = ((*case.place, 0, repeat) for repeat in range(case.repeats))
    yield [Trial(place, case.kind, table, plan) for place in places]
    return None


@dataclass
class Outcome:
    """What came of a sweep. missed: a sentence for each target that was never met and each budget that nothing keeps
    to; met: how many cases went well. diverged: a sentence for each trial that left the finite numbers."""

    met: int = 0
    missed: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)

    def note(self, case: Case, found: Any) -> None:
        """Take in the end of a case."""
        if isinstance(found, str):
            self.missed.append(found)
            return
        if found is None or found.met:
            self.met += 1
            return
        assert isinstance(case.aim, Target)
        said = ", ".join(f"{key}={value:g}" for key, value in found.chosen.items())
        best = f"the best that was reached is {found.reached:.4g}, with {said}"
        if not math.isfinite(found.reached):
            best = "every run diverged; try a smaller rate"
        self.missed.append(f"{case.part.get('name')} never met {case.aim.key} = {case.aim.value:g}; {best}")


def run(
    sweep: Sweep,
    out: Path,
    transport: Transport,
    *,
    jobs: int = 1,
    resume: bool = False,
    boards: bool = False,
    done: Notice | None = None,
) -> Outcome:
    """Run what is not done yet; every trial's record is added as it comes, in the end they stand in order.

    done: told how many trials were made. With several jobs the records of a killed sweep are in the order in which they
    came; their places (`sweep.trial`) tell the rest.
    """
    if jobs > 1 and transport.size > 1:
        raise UsageError(f"give jobs or ranks, not both: got jobs={jobs} on {transport.size} ranks")
    with contextlib.ExitStack() as stack:
        folder = None
        if transport.hosts_referee:
            folder = stack.enter_context(Folder(out, sweep, resume))
        transport.barrier()
        kept = out / "boards" if boards else None
        going = _Going(sweep, folder, transport, done)
        if jobs > 1:
            going.by_crew(stack.enter_context(Crew(jobs, kept)))
        else:
            going.alone(Maker(transport, kept))
        if folder is not None:
            folder.sort()
    return going.outcome


class _Going:
    """A sweep under way."""

    def __init__(self, sweep: Sweep, folder: Folder | None, transport: Transport, done: Notice | None):
        self._sweep, self._folder, self._transport, self._done = sweep, folder, transport, done
        self.outcome = Outcome()

    def alone(self, maker: Maker) -> None:
        """One trial after the other, each on all ranks."""
        for case in self._sweep.cases():
            task = trials(case)
            numbers: list[list[float]] | None = None
            with contextlib.suppress(StopIteration):
                while True:
                    asked = _sent(task, numbers, case, self.outcome)
                    numbers = [self._one(maker, trial) for trial in asked]

    def _one(self, maker: Maker, trial: Trial) -> list[float]:
        there = self._there(trial)
        if self._transport.size > 1:
            found = shared(self._transport, [float(there is not None), *(there or [0.0] * len(COLUMNS))])
            there = found[1:] if found[0] else None
        if there is None:
            made = maker.make(trial.kind, trial.table, trial.repeat)
            numbers = [0.0] * len(COLUMNS) if made is None else self._keep(trial, made)
            there = shared(self._transport, numbers)
        return there

    def by_crew(self, crew: Crew) -> None:
        """As many cases at once as keep all processes busy."""
        cases = self._sweep.cases()
        waiting: dict[Trial, _Batch] = {}
        more = True
        while True:
            while more and len(waiting) < 2 * crew.size:
                case = next(cases, None)
                if case is None:
                    more = False
                else:
                    self._start(_Batch(case, trials(case)), crew, waiting)
            if not waiting:
                return
            trial, made = crew.answer()
            batch = waiting.pop(trial)
            batch.numbers[trial.place] = self._keep(trial, made)
            if batch.complete:
                self._start(batch, crew, waiting)

    def _start(self, batch: "_Batch", crew: Crew, waiting: "dict[Trial, _Batch]") -> None:
        """Have the next trials of a case made, as far as they are not there already."""
        while batch.complete:
            try:
                batch.go_on(self.outcome)
            except StopIteration:
                return
            for trial in batch.asked:
                there = self._there(trial)
                if there is None:
                    waiting[trial] = batch
                    crew.ask(trial)
                else:
                    batch.numbers[trial.place] = there

    def _there(self, trial: Trial) -> list[float] | None:
        if self._folder is None or not trial.kept:
            return None
        if trial.place in self._folder.diverged:
            self.outcome.diverged.append(f"{trial.label}: {self._folder.diverged[trial.place]}")
        return self._folder.done.get(trial.place)

    def _keep(self, trial: Trial, made: Made) -> list[float]:
        """Add the record of a trial; its numbers."""
        assert self._folder is not None  # only the referee's rank has what was made
        if made.diverged:
            if not trial.kept:
                raise DivergedError(f"{trial.label} was to tell how many bits a run sends: {made.diverged}")
            self.outcome.diverged.append(f"{trial.label}: {made.diverged}")
            self._folder.add_diverged(trial.place, self._told(trial, made))
            numbers = [float("nan")] * len(COLUMNS)
        elif trial.kept:
            record = made.record | self._told(trial, made)
            self._folder.add(trial.place, record, made.series)
            numbers = columns(record)
        else:
            return columns(made.record)
        if self._done is not None:
            self._done(1)
        return numbers

    def _told(self, trial: Trial, made: Made) -> Record:
        """What a sweep adds to a record."""
        about = {"title": self._sweep.title, "id": self._sweep.identity, "trial": list(trial.place)}
        told: Record = {"sweep": about}
        if trial.plan is not None:
            aimed = trial.plan.get("target") if made.series else None
            told["plan"] = trial.plan | (_arrival(aimed, made) if aimed else {})
        if made.diverged:
            told |= {"schema": records.SCHEMA, "kind": trial.kind, "seed": trial.table.get("seed", 0)}
            told |= {"repeat": trial.repeat, "table": trial.table, "error": made.diverged}
        return told


def _sent(task: Task, numbers: list[list[float]] | None, case: Case, outcome: Outcome) -> list[Trial]:
    """What a case asks for next, None of it done yet; StopIteration, with its end taken in, where that is nothing."""
    try:
        return next(task) if numbers is None else task.send(numbers)
    except StopIteration as end:
        outcome.note(case, end.value)
        raise


@dataclass
class _Batch:
    """What a case waits for. numbers: of the trials that are done, by place."""

    case: Case
    task: Task
    asked: list[Trial] = field(default_factory=list)
    numbers: dict[Any, list[float]] = field(default_factory=dict)
    begun: bool = False

    @property
    def complete(self) -> bool:
        """Whether the case can go on."""
        return len(self.numbers) == len(self.asked)

    def go_on(self, outcome: Outcome) -> None:
        """Ask for the next trials. StopIteration where there are none."""
        numbers = [self.numbers[trial.place] for trial in self.asked] if self.begun else None
        self.asked = _sent(self.task, numbers, self.case, outcome)
        self.numbers, self.begun = {}, True


def _arrival(aimed: Table, made: Made) -> Table:
    """Bits at which a run first met the target, None where it never did, and the best it reached."""
    ((key, value),) = aimed.items()
    try:
        reached = bits_to_target(made.series, key, value)
    except ValueError:
        known = ", ".join(k for k in made.series[-1] if k not in ("step", "seconds") and not k.startswith("payload"))
        raise UsageError(f"a target names a column of the series, got {key!r}; there are {known}") from None
    best = (max if key in RISING else min)(point[key] for point in made.series if point.get(key) is not None)
    return {"bits_at_target": None if reached.censored else reached.bits, "best": best}
