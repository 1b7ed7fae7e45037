"""Tuning: the search on surfaces whose best is known, its budget; and `distest tune`, its folder and its ranks."""

import json
import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from distest import catalog, launch, records, toml, training
from distest.cli.main import cli
from distest.errors import UsageError
from distest.sgd.rule import Rule
from distest.spec import read_toml
from distest.train_spec import check, normalise
from distest.tuning import asked as asking
from distest.tuning.search import FINALISTS, WORST, Found, Score, Setting, centre, grid, search
from distest.tuning.trials import judged
from distest.wire.transport import Solo

# ---- the search


def bowl(best: float, wall: float = math.inf) -> Callable[[Setting, int], Score]:
    """Bits that grow with the distance from a rate, in logarithms; from a wall on runs diverge."""

    def run(setting: Setting, repeat: int) -> Score:
        if setting.rate >= wall:
            return WORST
        return Score(100 * (1 + math.log(setting.rate / best) ** 2), 1.0)

    return run


def counted(run: Callable[[Setting, int], Score]) -> tuple[Callable[[Setting, int], Score], list[tuple[Setting, int]]]:
    calls: list[tuple[Setting, int]] = []

    def one(setting: Setting, repeat: int) -> Score:
        calls.append((setting, repeat))
        return run(setting, repeat)

    return one, calls


def found(run: Callable[[Setting, int], Score], most: int = 40, usual: float = 0.1, **knobs: Any) -> Found:
    setting = Setting(usual, tuple((knob, values[0]) for knob, values in knobs.items()))
    return search(setting, grid(usual), knobs, run, most)


@pytest.mark.parametrize("best", [0.1, 0.037, 1.3, 1e-5, 4e4])
def test_the_best_rate_is_found_within_a_tenth_wherever_it_is(best: float) -> None:
    here = found(bowl(best))
    assert abs(math.log(here.best.rate / best)) < math.log(1.11)
    assert here.edge is None
    assert here.extended == (best not in (0.1, 0.037))


def test_a_wall_just_beyond_the_best_is_met_and_not_crossed() -> None:
    here = found(bowl(1.0, wall=1.3))
    assert 0.85 < here.best.rate < 1.3
    assert any(scores == [WORST] for scores in here.scores.values())


def test_where_all_of_the_grid_diverges_smaller_rates_are_tried() -> None:
    assert found(bowl(1e-4, wall=1e-3)).best.rate == pytest.approx(1e-4, rel=0.1)
    nowhere = found(bowl(1.0, wall=0.0), most=9)
    assert nowhere.runs == 9
    assert nowhere.edge == "low" or nowhere.best == nowhere.usual
    assert min(setting.rate for setting in nowhere.scores) < 0.1 / 4**5


@pytest.mark.parametrize("most", [1, 2, 5, 11, 30])
def test_never_more_runs_than_allowed_and_none_twice(most: int) -> None:
    run, calls = counted(bowl(7.0))
    here = found(run, most, xi=[1, 2, 3])
    assert len(calls) == here.runs <= most
    assert len(set(calls)) == len(calls)
    assert calls[0][0] == here.usual
    assert here.edge == ("high" if most == 5 else here.edge)


def test_knobs_shift_the_best_rate_and_both_are_found() -> None:
    """xi = 3 is best, at a rate of 5; at the best rate of xi = 1 it is better as well, so that it is noticed."""

    def run(setting: Setting, repeat: int) -> Score:
        xi = dict(setting.knobs)["xi"]
        return Score(math.log(setting.rate / (2 + xi)) ** 2 + abs(xi - 3), 0.0)

    here = found(run, xi=[1, 2, 3, 4], name=["a", "b"])
    assert dict(here.best.knobs) == {"xi": 3, "name": "a"}
    assert here.best.rate == pytest.approx(5, rel=0.1)
    assert here.ends == {}
    assert found(run, xi=[1, 2], name=["a"]).ends == {"xi": "high"}


def test_repeats_are_for_the_best_few_and_the_usual_and_decide() -> None:
    """In the first repeat a rate of 0.4 is lucky; over five 0.1 is better."""

    def lucky(setting: Setting, repeat: int) -> Score:
        return Score(0.0, (0.1 if setting.rate == 0.4 and repeat == 0 else 1 + math.log(setting.rate / 0.1) ** 2))

    run, calls = counted(lucky)
    here = search(Setting(1.6), grid(0.1), {}, run, 30, 5)
    assert here.best.rate == pytest.approx(0.1, rel=0.25)
    assert here.best.rate != 0.4
    later = [setting for setting, repeat in calls if repeat]
    assert len(set(later)) == FINALISTS + 1
    assert Setting(1.6) in later
    assert len(calls) <= 30
    with pytest.raises(UsageError, match="16 runs are too few for 5 repeats"):
        search(Setting(1.6), grid(0.1), {}, run, 16, 5)


def test_what_a_run_is_worth() -> None:
    series = [{"step": i, "loss": 1 - i / 10, "payload_bits": 100 * i} for i in range(9)]
    target, budget = asking.check({"target": 0.55}), asking.check({"bits_budget": 350})
    assert judged(target, series) == pytest.approx((500.0, 0.2, 800.0))
    assert judged(asking.check({"target": 0.1}), series) == pytest.approx((math.inf, 0.2, 800.0))
    assert judged(budget, series) == pytest.approx((0.0, 0.7, 300.0))
    assert judged(target, None) == WORST > judged(asking.check({"target": 0.1}), series) > judged(target, series)


def test_lists_and_ranges() -> None:
    assert asking.values_of("0.1, 0.5,1") == [0.1, 0.5, 1]
    assert asking.values_of("adam,sgd") == ["adam", "sgd"]
    assert asking.values_of("1..8") == [1, 2, 4, 8]
    assert asking.values_of("3..20") == [3, 6, 12, 20]
    assert asking.values_of("0.01..1") == pytest.approx([0.01, 10**-1.5, 0.1, 10**-0.5, 1.0], rel=1e-5)
    assert asking.knobs_of(["xi=1,2", "compressor.bits=1..4"]) == {"xi": [1, 2], "compressor.bits": [1, 2, 4]}
    assert asking.knobs_of(["none"]) == {}
    assert asking.knobs_of([]) is None
    for wrong in ("2..1", "0..1", "a..b", "1.."):
        with pytest.raises(UsageError, match="a range rises from a positive number"):
            asking.values_of(wrong)


def test_toml_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = {"a": 1, "b": 1e-7, "c": [1.5, True, 'x "y" \\ é 😀 \x7f\n'], "d": {"e.f": {"g": []}, "h": -2}}
    (tmp_path / "x.toml").write_text(toml.text(table), encoding="utf-8")
    assert read_toml(tmp_path / "x.toml") == table
    assert toml.given({"a": None, "b": [{"c": None, "d": (1,)}]}) == {"b": [{"d": [1]}]}
    with pytest.raises(UsageError, match="None cannot be written as TOML"):
        toml.text({"a": None})


def test_the_knobs_of_every_method_are_options_of_its_own_or_of_the_rule() -> None:
    spec = check(normalise({"method": "mean"}))
    for name in catalog.names("method"):
        knobs = catalog.find("method", name).knobs
        assert set(knobs) <= set(catalog.options("method", name)), name
        described = catalog.describe(catalog.build("method", {"name": name}))
        for knob, values in knobs.items():
            assert len(values) > 1
            for value in values:
                catalog.build("method", {**described, knob: value})
        problem = asking.problem_of(spec, asking.check({"target": 1.0}), described, 0.1)
        assert dict(problem.usual.knobs) == {knob: described[knob] for knob in knobs}


# ---- the command

FLAGS = ["--problem", "logistic:data=ionosphere", "--batch", "0", "--steps", "40", "--workers", "2"]


def tune(*flags: str) -> int:
    code: int = cli(["tune", *FLAGS, *flags], standalone_mode=False)
    return code


def test_a_search_is_kept_run_by_run_goes_on_and_its_best_is_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--method", "laq", "--method", "qgd", "--target", "0.4", "--trials", "9", "--json"]
    flags += ["--out", str(tmp_path)]
    assert tune(*flags) == 0
    first = capsys.readouterr().out
    rows = [json.loads(line) for line in first.splitlines()]
    kept = (tmp_path / "records.jsonl").read_text()
    made = records.load(tmp_path)
    assert len(made) == 18 == sum(row["runs"] for row in rows)
    assert {record["step"] for record in made} == {"tuned"}
    assert made[0]["tuning"] == {
        "target": 0.4,
        "trials": 9,
        "rates": [0.00625, 0.025, 0.1, 0.4, 1.6],
        "knobs": {"xi": [0.08, 0.02, 0.3], "slack": [1.0, 0.0, 1 / 3]},
    }
    assert rows[0]["bits"] < rows[0]["usual_bits"]
    assert tune(*flags, "--resume") == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "records.jsonl").read_text() == kept
    for row in rows:
        command, *rest = shlex.split(row["command"])[1:]
        spec = check(normalise(read_toml(Path(rest[0]))))
        assert command == "train"
        record, _, _ = next(training.run(spec, training.plan(spec), Solo(), False))
        (same,) = [r for r in made if r["model_sha256"] == record["model_sha256"] and r["label"] == record["label"]]
        assert (record["step"], record["rate"], same["spec_hash"]) == ("tuned", row["rate"], record["spec_hash"])
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_text("".join(lines[:-4]))  # as if it had been broken off
    assert tune(*flags, "--resume") == 0
    assert capsys.readouterr().out == first


def test_the_command_that_is_printed_repeats_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--bits-budget", "40000", "--trials", "6") == 0
    out = capsys.readouterr().out
    assert "mean: the best was at the edge of the grid, which went on: rates from 0.00625 to 6.4 were tried" in out
    assert "mean: the best rate is still the largest that was tried; allow more --trials" in out
    command = out.splitlines()[-1]
    assert command.startswith('distest train --set \'methods=[{name = "mean"')
    assert cli([*shlex.split(command)[1:], "--json"], standalone_mode=False) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["step"], record["rate"]) == ("tuned", 6.4)


def test_a_run_that_diverges_is_the_worst_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it is the usual one, and where a spec has a table `tune`."""
    spec = tmp_path / "spec.toml"
    spec.write_text('problem = "least_squares"\nrate = 900\n[tune]\ntarget = 0.35\ntrials = 5\nrates = [0.1, 1e3]\n')
    arguments = ["tune", str(spec), "--batch", "0", "--steps", "60", "--out", str(tmp_path), "--trials", "4"]
    assert cli(arguments, standalone_mode=False) == 0
    out = capsys.readouterr().out
    trials = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert [trial["rate"] for trial in trials[:3]] == [900.0, 1000.0, 0.1]
    assert ["try a smaller --rate" in (trial["diverged"] or "") for trial in trials[:3]] == [True, True, False]
    assert len(trials) == 4
    assert len(records.load(tmp_path)) == 4 - sum(trial["diverged"] is not None for trial in trials)
    assert "900" in out
    assert cli([*arguments, "--resume"], standalone_mode=False) == 0
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 4
    assert tune("--target", "1e-9", "--trials", "1") == 0
    assert "no run got to 1e-09" in capsys.readouterr().out


def test_a_method_whose_every_run_diverges_has_the_exit_code_of_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--target", "0.1", "--rate", "1e30", "--rates", "1e30", "--knob", "none", "--trials", "2") == 3
    assert "mean: every run diverged; try smaller --rates" in capsys.readouterr().out


def test_repeats_have_the_median_of_the_bits_and_the_mean_loss() -> None:
    runs = [Score(100, 0.3, 900), Score(300, 0.5, 900), Score(math.inf, 0.7, 900)]
    assert centre(runs) == pytest.approx((300, 0.5, 900))
    assert centre([*runs[:2], WORST]) == (300, math.inf, math.inf)
    assert centre([runs[0], runs[2], WORST]).bits == math.inf


WRONG = {
    ("--trials", "3"): "a target .* or a bits budget, one of them",
    ("--target", "0.3", "--bits-budget", "9"): "one of them",
    ("--bits-budget", "-1"): "a positive number of bits, got -1.0",
    ("--target", "nan"): "a finite loss",
    ("--target", "0.3", "--trials", "0"): "at least 1 run, got trials=0",
    ("--target", "0.3", "--rates", "0,1"): "positive and finite, got 0",
    ("--target", "0.3", "--knob", "xi"): "a knob is written name=values",
    ("--target", "0.3", "--knob", "xi=1"): "none of the methods asked for .mean.*has a knob 'xi'",
    ("--target", "0.3", "--fast"): "fast=true books no bits",
    ("--target", "0.3", "--repeats", "9"): "24 runs are too few for 9 repeats",
    ("--target", "0.3", "--resume"): "--resume goes with --out",
}


@pytest.mark.parametrize("flags", WRONG, ids=" ".join)
def test_what_makes_no_sense_is_one_sentence(flags: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=WRONG[flags]) as said:
        tune(*flags)
    assert "\n" not in str(said.value)


def test_the_usual_step_may_be_that_of_theory(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--rate", "theory", "--target", "0.25", "--trials", "5", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["usual_rate"] == pytest.approx(0.457467)
    assert row["rates"][0] == pytest.approx(row["usual_rate"] / 16, rel=1e-5)


def test_knobs_of_compressors_and_of_the_rule(tmp_path: Path) -> None:
    flags = ["--compressor", "qsgd:bits=4", "--target", "0.3", "--trials", "9", "--rates", "0.1,0.2"]
    assert tune(*flags, "--knob", "bits=2,4", "--knob", "momentum=0,0.9", "--out", str(tmp_path)) == 0
    made = records.load(tmp_path)
    assert {record["spec"]["method"]["compressor"]["bits"] for record in made} == {2, 4}
    assert {record["spec"]["momentum"] for record in made} == {0, 0.9}
    assert all(Rule(momentum=record["spec"]["momentum"]) for record in made)


@pytest.mark.mpi
def test_on_ranks_the_trials_are_the_same_and_a_run_that_diverges_ends_nothing(mpi: ModuleType, tmp_path: Path) -> None:
    flags = ["--problem", "least_squares", "--steps", "30", "--bits-budget", "9000", "--rates", "1,100"]
    flags += ["--trials", "3"]
    found = []
    for ranks in ([], ["--ranks", "2"]):
        folder = tmp_path / str(len(ranks))
        command = [sys.executable, "-m", "distest", "tune", *flags, *ranks, "--out", str(folder), "--json"]
        ended = mpi.finish(command, 120.0)
        assert (ended.code, ended.err, ended.left) == (0, "", ())
        trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
        found.append([{k: v for k, v in trial.items() if k != "diverged"} for trial in trials])
        assert [trial["diverged"] is None for trial in trials] == [True, False, False]
    assert found[0] == found[1]


@pytest.mark.mpi
def test_training_that_diverges_has_an_exit_code_of_its_own(mpi: ModuleType) -> None:
    flags = ["--problem", "least_squares", "--batch", "0", "--rate", "1e4", "--quiet"]
    for ranks in ([], ["--ranks", "2"]):
        ended = mpi.finish([sys.executable, "-m", "distest", "train", *flags, *ranks], 120.0)
        assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1), ended.err


def test_a_search_starts_its_ranks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "in_mpi", lambda: True)
    with pytest.raises(UsageError, match="leave out mpirun, and use --ranks"):
        tune("--target", "0.3")
