"""A sweep that is killed at any moment, and resumed, ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from distest import launch, records
from distest.sweep.run import compare

ROOT = Path(launch.__file__).parents[1]
SPEC = """
title = "killed"
seed = 3

[[learn]]
n = 8
m = [16, 32, 48]
distribution = "dirichlet"
protocols = ["full_sample", "adaptive_entropy"]
repeats = 25

[[train]]
problem = "logistic:data=ionosphere"
workers = 2
steps = 3
batch = 2
methods = ["mean", "mean:compressor=sign"]
repeats = 25
"""
TRIALS = 200


def kept(out: Path) -> list[dict[str, Any]]:
    """Records that stand whole in a folder that another process writes to."""
    try:
        lines = (out / records.FILE).read_text().split("\n")[:-1]
    except OSError:
        return []
    return [json.loads(line) for line in lines]


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def lines(path: Path) -> list[dict[str, Any]]:
    return timeless([json.loads(line) for line in path.read_text().splitlines()])


def killed_at(count: int, spec: Path, out: Path, *more: str) -> list[dict[str, Any]]:
    """Run until so many records are there, kill with SIGKILL; what stands in the folder then."""
    command = [sys.executable, "-m", "distest", "compare", str(spec), "--out", str(out), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(kept(out)) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read() if process.stderr else ""
    assert process.stderr is not None
    process.stderr.close()
    return kept(out)


def test_two_hundred_trials_killed_three_times_equal_an_uninterrupted_sweep(tmp_path: Path) -> None:
    spec, out = tmp_path / "killed.toml", tmp_path / "killed"
    spec.write_text(SPEC)
    first = killed_at(40, spec, out)
    with open(out / records.FILE, "ab") as file:  # a kill in the middle of a write
        file.write(b'{"half": "a rec')
    with open(out / "series.jsonl", "ab") as file:
        file.write(b'{"run": "of no record", "loss": 1.0}\n{"run": "half')
    second = killed_at(90, spec, out, "--resume", "--jobs", "2")
    third = killed_at(160, spec, out, "--resume")
    assert 40 <= len(first) < len(second) < len(third) < TRIALS

    made = compare(spec, out, resume=True)
    whole = compare(spec, tmp_path / "whole")
    assert len(whole) == TRIALS
    assert timeless(made) == timeless(whole)
    assert lines(out / "series.jsonl") != []
    by_run = [sorted(lines(folder / "series.jsonl"), key=json.dumps) for folder in (out, tmp_path / "whole")]
    assert by_run[0] == by_run[1]
    assert all(row in made for rows in (first, second, third) for row in rows)  # with their seconds: none was run again


def test_what_stood_in_the_folder_is_not_run_again_and_a_second_resume_changes_nothing(tmp_path: Path) -> None:
    table = {"n": 4, "m": 8, "distribution": "uniform", "protocol": "full_sample", "repeats": 5}
    made = compare(table, tmp_path / "out")
    before = (tmp_path / "out" / records.FILE).read_bytes()
    assert compare(table, tmp_path / "out", resume=True) == made
    assert (tmp_path / "out" / records.FILE).read_bytes() == before
