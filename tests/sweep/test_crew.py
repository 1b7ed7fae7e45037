"""Trials in parallel processes, on ranks, and alone: the same records; a process that dies is named with its trial."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distest import experiment, records, spec
from distest.coins import from_seed
from distest.errors import PartyError, UsageError
from distest.sgd.shards import Shards
from distest.sweep.crew import Crew
from distest.sweep.run import compare
from distest.sweep.trial import Trial

ROOT = Path(records.__file__).parents[1]
TABLE: dict[str, Any] = {
    "title": "both",
    "seed": 4,
    "repeats": 3,
    "learn": [
        {
            "n": 8,
            "m": 60,
            "distribution": "dirichlet",
            "protocols": ["full_sample", "grouping:bits=2", "linear_hash:bits=1"],
        },
        {"n": 8, "m": 60, "distribution": "zipf", "protocols": ["full_sample"], "target": {"l1": 0.3}},
    ],
    "train": {
        "problem": "logistic:data=ionosphere",
        "workers": 2,
        "batch": 4,
        "steps": 6,
        "methods": ["mean", "mean:compressor=top_k"],
        "budget": {"bits": 3, "per": "coordinate"},
    },
}
OWN = ("seconds", "ranks", "transport", "wire_bytes", "hearing")


def same(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in OWN} for record in made]


def test_jobs_make_the_records_of_one_process_in_its_order(tmp_path: Path) -> None:
    alone = compare(TABLE, tmp_path / "alone")
    assert same(compare(TABLE, tmp_path / "jobs", jobs=3)) == same(alone)
    places = [record["sweep"]["trial"] for record in alone]
    assert places == sorted(places)
    assert len({tuple(place) for place in places}) == len(alone)
    assert {record["sweep"]["title"] for record in alone} == {"both"}


@pytest.mark.mpi
def test_ranks_make_the_records_of_one_process(mpi: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    (tmp_path / "alone").mkdir()
    alone = compare(TABLE, tmp_path / "alone")
    path.write_text((tmp_path / "alone" / "spec.toml").read_text())
    command = [sys.executable, "-m", "distest", "compare", str(path), "--ranks", "2", "--out", str(tmp_path / "ranks")]
    ran = mpi.finish(command, 120.0)
    assert (ran.code, ran.left) == (0, ()), ran.err
    assert "mean sends 32 bits (a coordinate)" in ran.err
    made = records.load(tmp_path / "ranks")
    assert same(made) == same(alone)
    assert {record["ranks"] for record in made} == {2}
    cut = (tmp_path / "ranks" / records.FILE).read_bytes().splitlines(keepends=True)[:7]
    (tmp_path / "ranks" / records.FILE).write_bytes(b"".join(cut))
    assert mpi.finish([*command, "--resume"], 120.0).code == 0
    assert same(records.load(tmp_path / "ranks")) == same(alone)


def test_a_process_that_dies_is_named_with_its_trial() -> None:
    table = {"n": 16, "m": 1 << 25, "distribution": "uniform", "protocols": [{"name": "full_sample"}], "seed": 2}
    with Crew(1, None) as crew:
        crew.ask(Trial((0, 1, 2, 0, 5), "learn", table))
        crew._processes[0].kill()
        with pytest.raises(PartyError, match=r"trial 0\.1\.2\.0\.5 \(learn full_sample, seed 2, repeat 5\) was killed"):
            crew.answer()


def test_an_error_in_a_process_is_that_error_here() -> None:
    table = {"n": 16, "m": 0, "distribution": "uniform", "protocols": [{"name": "full_sample"}]}
    with Crew(1, None) as crew:
        crew.ask(Trial((0, 0, 0, 0, 0), "learn", table))
        with pytest.raises(UsageError, match="m=0"):
            crew.answer()


def test_processes_leave_with_who_started_them() -> None:
    program = (
        "import os, sys, signal\nfrom distest.sweep.crew import Crew\ncrew = Crew(2, None)\ncrew.__enter__()\n"
        "print([p.pid for p in crew._processes], flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    pids = json.loads(done.stdout)
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_methods_of_a_sweep_meet_the_same_truth_samples_and_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[int, int, bytes]] = []
    batch = Shards.batch

    def told(self: Shards, worker: int, step: int, size: int | None, coins: Any) -> Any:
        rows = batch(self, worker, step, size, coins)
        looked.append((worker, step, np.asarray(rows).tobytes()))
        return rows

    monkeypatch.setattr(Shards, "batch", told)
    train = {key: value for key, value in TABLE["train"].items() if key != "budget"}
    table = {**TABLE, "learn": TABLE["learn"][:1], "train": train}
    made = compare(table, tmp_path)
    truths = {(r["repeat"], r["truth_sha256"]) for r in made if r["kind"] == "learn"}
    assert len(truths) == 3  # one a repeat, for three protocols
    half = len(looked) // 2
    assert looked[:half] == looked[half:]
    assert len(set(looked[:half])) == half == 3 * 2 * 6  # repeats, workers, steps
    counts = {r["payload_bits"] for r in made if r["kind"] == "learn" and r["protocol"] == "full_sample"}
    assert counts == {60 * 3}


def test_samples_of_a_server_are_the_same_for_every_protocol_and_any_number_of_servers() -> None:
    def samples(m: int, protocol: str) -> Any:
        table = {"n": 9, "m": m, "s": 2, "distribution": "dirichlet", "protocol": protocol, "seed": 4}
        asked = spec.check(spec.normalise(table))
        (trial,) = experiment.plan(asked)
        return experiment.sampler(trial, asked, from_seed(4)[1])(1).draw(range(20))

    first = samples(20, "full_sample")
    assert np.array_equal(first, samples(50, "multiset"))
    assert np.array_equal(first, samples(50, "arithmetic_counts"))
