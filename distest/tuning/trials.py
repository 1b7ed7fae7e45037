"""Trials: the runs of a search, one by one, each kept as soon as it has ended.

A folder gets the record and the series of every run that came to its end, and in `trials.jsonl` a line for every run,
also of those that diverged, which is what a search goes on from.
"""

import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from analysis.statistics import bits_to_target
from distest import launch, records, toml, training
from distest.errors import DistestError, diverged
from distest.rank import DIVERGED
from distest.train_spec import TrainSpec
from distest.tuning.asked import Problem, TuneSpec
from distest.tuning.search import WORST, Score, Setting
from distest.wire.transport import Solo

FILE = "trials.jsonl"
_SPEC = "trial.toml"
Series = list[dict[str, Any]]
Notice = Callable[[int], None]


class TrialError(DistestError):
    """A run on ranks that ended with an error of its own; code: its exit code, said on stderr already."""

    def __init__(self, code: int, sentence: str):
        super().__init__(sentence)
        self.code = code


@dataclass
class Trials:
    """Runs of one method, in a folder. ranks: None for this process. limit: seconds of a run on ranks.

    resume: runs that are in the folder already are not made again. tuning: what records say of the search.
    """

    asked: TuneSpec
    problem: Problem
    folder: Path
    tuning: dict[str, Any]
    ranks: int | None = None
    limit: float | None = None
    resume: bool = False
    done: Notice | None = None
    _known: dict[str, Series | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.resume:
            self._known = known(self.folder)

    def run(self, setting: Setting, repeat: int) -> Score:
        """One run, or what is kept of it; WORST where it diverged. Raises what else may break a run."""
        spec = self.problem.at(setting, self.tuning)
        (trial,) = training.plan(spec)
        name = _name(spec, trial, repeat)
        if name not in self._known:
            sentence = None
            if self.ranks is None:
                series, sentence = self._here(spec, trial, repeat)
            else:
                series, sentence = self._on_ranks(spec, repeat, name)
            self._known[name] = series
            self._note(name, trial.label, setting, repeat, series, sentence)
        if self.done is not None:
            self.done(1)
        return judged(self.asked, self._known[name])

    def spent(self, setting: Setting) -> int:
        """Payload bits of the first repeat of a setting that was tried; 0 where it diverged."""
        spec = self.problem.at(setting, self.tuning)
        (trial,) = training.plan(spec)
        series = self._known.get(_name(spec, trial, 0))
        return int(series[-1]["payload_bits"]) if series else 0

    def _here(self, spec: TrainSpec, trial: training.Trial, repeat: int) -> tuple[Series | None, str | None]:
        try:
            ((record, series, _),) = training.run(spec, [trial], Solo(), False, repeats=(repeat,))
        except DistestError as error:
            if not diverged(error):
                raise
            return None, str(error)
        records.keep(self.folder, record, series)
        return series, None

    def _on_ranks(self, spec: TrainSpec, repeat: int, name: str) -> tuple[Series | None, str | None]:
        """As a job of `distest train`: a run that diverges may end its ranks, and here nothing ends."""
        assert self.ranks is not None
        path = self.folder / _SPEC
        path.write_text(spec_text(spec), encoding="utf-8")
        command = ["train", str(path), "--out", str(self.folder), "--quiet", "--resume", "--repeats", str(repeat + 1)]
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = launch.launch(command, self.ranks, self.limit, spec.workers)
        sentence = said.getvalue().strip().removeprefix("distest: ")
        path.unlink()
        if code == DIVERGED:
            return None, sentence
        if code:
            raise TrialError(code, sentence or f"a run on {self.ranks} ranks ended with code {code}")
        return known(self.folder)[name], None

    def _note(
        self, name: str, label: str, setting: Setting, repeat: int, series: Series | None, sentence: str | None
    ) -> None:
        score = judged(self.asked, series)
        plain = {key: value if math.isfinite(value) else None for key, value in score._asdict().items()}
        row = {"schema": records.SCHEMA, "kind": "trial", "run": name, "label": label, "rate": setting.rate}
        row |= {"knobs": dict(setting.knobs), "repeat": repeat, **plain, "diverged": sentence}
        records.append(self.folder / FILE, row)


def _name(spec: TrainSpec, trial: training.Trial, repeat: int) -> str:
    return records.run_name({"spec_hash": records.spec_hash(trial.spec), "seed": spec.seed, "repeat": repeat})


def judged(asked: TuneSpec, series: Series | None) -> Score:
    """How bad a run is; None for one that diverged."""
    if series is None:
        return WORST
    if asked.target is not None:
        reached = bits_to_target(series, "loss", asked.target)
        bits = math.inf if reached.censored else float(reached.bits)
        return Score(bits, float(series[-1]["loss"]), float(series[-1]["payload_bits"]))
    assert asked.bits_budget is not None
    within = [point for point in series if point["payload_bits"] <= asked.bits_budget]
    return Score(0.0, float(within[-1]["loss"]), float(within[-1]["payload_bits"]))


def known(folder: Path) -> dict[str, Series | None]:
    """What a folder has: the series of runs that have their record, None for those that diverged."""
    found: dict[str, Series | None] = {}
    if (folder / FILE).exists():
        found |= {row["run"]: None for row in records.load(folder / FILE) if row["diverged"]}
    if not (folder / records.FILE).exists():
        return found
    points = records.by_run(records.load(folder / records.SERIES))
    return found | {name: points[name] for name in map(records.run_name, records.load(folder))}


def spec_text(spec: TrainSpec) -> str:
    """A spec as a file for `distest train`: what is not the usual."""
    return toml.text(changed(spec))


def changed(spec: TrainSpec) -> dict[str, Any]:
    """The keys of a spec that are not the usual."""
    usual = msgspec.structs.asdict(TrainSpec(methods=[]))
    plain = msgspec.structs.asdict(spec)
    if plain["epochs"]:
        plain["steps"] = usual["steps"]
    return {key: toml.given(value) for key, value in plain.items() if value != usual[key]}
