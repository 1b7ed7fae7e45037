"""distest compare on the command line: its table, its folder, what it would do, and what it refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from distest import records
from distest.cli import compare_
from distest.cli.main import run
from distest.errors import DivergedError, UsageError

ROOT = Path(records.__file__).parents[1]
SPEC = """
title = "tiny"
repeats = 2
[[learn]]
n = [8, 16]
m = 100
distribution = "zipf"
protocols = ["full_sample", "adaptive_entropy"]
[[train]]
problem = "logistic:data=ionosphere"
steps = 4
methods = ["mean"]
target = { loss = 0.68 }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC)
    return path


def compared(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(["compare", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_sweep_ends_with_a_table_a_folder_and_a_copy_of_its_spec(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, err = compared(capsys, spec, "--out", out)
    assert (code, err) == (0, "")
    assert "tiny: learn" in said
    assert "tiny: train" in said
    assert (out / "spec.toml").read_text() == SPEC
    made = records.load(out)
    assert f"{len(made)} records in {out}" in said
    table = [line.split() for line in said.splitlines() if line.startswith("full_sample")]
    for row, n in zip(table, (8, 16), strict=True):
        group = [r for r in made if r["label"] == "full_sample" and r["n"] == n]
        assert row[1] == str(n)
        assert row[2:4] == ["2", f"{group[0]['payload_bits']:,}"]
        assert float(row[4]) == pytest.approx(sum(r["l1"] for r in group) / 2, rel=1e-3)
        assert float(row[5]) < float(row[4]) < float(row[6])
    at_target = [r["plan"]["bits_at_target"] for r in made if r["kind"] == "train"]
    (row,) = [line.split() for line in said.splitlines() if line.startswith("mean ")]
    assert row[-2:] == ["2", f"{round(sum(at_target) / 2):,}"]  # of two the median is the mean
    with pytest.raises(UsageError, match="--resume goes on"):
        compared(capsys, spec, "--out", out)
    code, again, _ = compared(capsys, spec, "--out", out, "--resume", "--json")
    assert [json.loads(line) for line in again.splitlines()] == made


def test_one_run_with_two_results_is_an_alarm(capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path) -> None:
    part = '[[learn]]\nn = 8\nm = 100\ndistribution = "zipf"\nprotocol = "full_sample"\n'
    spec.write_text(2 * part)
    out = tmp_path / "out"
    assert compared(capsys, spec, "--out", out)[0] == 0
    first, second = (out / records.FILE).read_text().splitlines()
    digest = json.loads(second)["digest"]
    (out / records.FILE).write_text(f"{first}\n{second.replace(digest, 'f' * 64)}\n")
    code, _, err = compared(capsys, spec, "--out", out, "--resume")
    assert code == 1
    assert err.startswith("distest: ALARM: one run, two results: full_sample")
    assert err.count("\n") == 1


def test_a_folder_of_something_else_is_refused(capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    compared(capsys, spec, "--out", out)
    before = (out / records.FILE).read_bytes()
    spec.write_text(SPEC.replace("repeats = 2", "repeats = 3"))
    with pytest.raises(UsageError, match="belongs to another sweep"):
        compared(capsys, spec, "--out", out, "--resume")
    spec.write_text(SPEC)
    run(
        [
            "learn",
            "--protocol",
            "full_sample",
            "--n",
            "8",
            "--m",
            "9",
            "--distribution",
            "zipf",
            "--no-figures",
            "--out",
            str(out),
        ]
    )
    with pytest.raises(UsageError, match="holds records that are not of this sweep"):
        compared(capsys, spec, "--out", out, "--resume")
    (out / records.FILE).write_bytes(before)
    (out / "spec.toml").unlink()
    with pytest.raises(UsageError, match="records of something else"):
        compared(capsys, spec, "--out", out, "--resume")
    assert (out / records.FILE).read_bytes() == before


def test_a_dry_run_counts_shows_and_times_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec.write_text(SPEC.partition("[[train]]")[0])
    code, said, _ = compared(capsys, spec, "--dry-run")
    assert code == 0
    assert "learn: n (2)\n8 trials; the first 4 are shown\n" in said
    assert re.search(r"about [\d.]+ (s|ms|µs) on one core: the cheapest trial", said)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_sweep_of_a_hundred_thousand_trials_asks(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = ", ".join(map(str, range(1000)))
    spec.write_text(f"n = 8\ndistribution = 'zipf'\nprotocol = 'full_sample'\nm = [{seeds[3:]}]\nseed = [{seeds}]\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "distest", "compare", str(spec), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("distest: this sweep has 999,000 trials: give --yes if that is meant")
    assert not (tmp_path / "out").exists()
    compare_._ask(10**6, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *about, **how: True)
    compare_._ask(10**6, False)
    monkeypatch.setattr("click.confirm", lambda *about, **how: False)
    with pytest.raises(Exception, match="nothing was run"):
        compare_._ask(10**6, False)


def test_a_target_that_nothing_meets_is_exit_code_two(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path
) -> None:
    spec.write_text(SPEC[SPEC.index("[[train]]") :].replace("0.68", "1e-9"))
    code, said, err = compared(capsys, spec, "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith("distest: mean never met loss = 1e-09; the best that was reached is ")
    assert "not met" in said


def test_a_trial_that_diverges_is_named_and_the_others_are_made(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path
) -> None:
    text = "problem = 'least_squares'\nsteps = 400\nrate = [0.001, 1e30]\nmethod = 'mean'\nevaluate = 100\n"
    spec.write_text(text)
    out = tmp_path / "out"
    code, _, err = compared(capsys, spec, "--out", out)
    assert code == 3
    assert err.startswith("distest: trial 0.1.0.0.0 (train mean, seed 0, repeat 0): ")
    assert len(records.load(out)) == 1
    kept = [json.loads(line) for line in (out / "diverged.jsonl").read_text().splitlines()]
    assert [row["sweep"]["trial"] for row in kept] == [[0, 1, 0, 0, 0]]
    before = (out / "diverged.jsonl").read_bytes()
    again = compared(capsys, spec, "--out", out, "--resume")
    assert (again[0], again[2]) == (3, err)  # and a sweep that is there already ends as it did
    assert (out / "diverged.jsonl").read_bytes() == before  # it is not tried again


def test_a_method_whose_every_run_diverges_is_said_to(
    capsys: pytest.CaptureFixture[str], spec: Path, tmp_path: Path
) -> None:
    text = "problem = 'least_squares'\nsteps = 60\nrate = 1e30\nmethod = 'mean'\ntarget = { loss = 0.5 }\n"
    spec.write_text(text)
    code, said, err = compared(capsys, spec, "--out", tmp_path / "out")
    assert (code, said) == (3, f"0 records in {tmp_path / 'out'}\n")
    assert err.splitlines()[-1] == "distest: mean never met loss = 0.5; every run diverged; try a smaller rate"
    with pytest.raises(UsageError, match=r"holds no records\.jsonl, nor does a folder in it"):
        run(["report", str(tmp_path / "out")])


def test_a_budget_that_cannot_be_measured_since_runs_diverge_is_no_bad_input(spec: Path, tmp_path: Path) -> None:
    spec.write_text("problem = 'least_squares'\nrate = 1e30\nmethod = 'mean'\nbudget = { bits = 1e6 }\n")
    with pytest.raises(DivergedError, match=r"trial 0\.0\.0.* was to tell how many bits a run sends"):
        run(["compare", str(spec), "--out", str(tmp_path / "out")])


def test_a_dry_run_of_one_trial_names_it(capsys: pytest.CaptureFixture[str], spec: Path) -> None:
    spec.write_text("n = 8\nm = 10\ndistribution = 'zipf'\nprotocol = 'full_sample'\n")
    code, said, _ = compared(capsys, spec, "--dry-run")
    assert code == 0
    assert said.startswith("1 trial\n")
    assert "full_sample" in said
