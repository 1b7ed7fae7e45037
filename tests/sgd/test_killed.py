"""A rank that is killed while it trains ends the job soon and by name; --resume ends as if nothing had happened."""

import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from distest import records, training
from distest.train_spec import check, normalise
from distest.wire.transport import Solo

SOON_S = 10.0
STEPS, EVERY = 300, 20
TABLE: dict[str, Any] = {"problem": "logistic:data=ionosphere", "workers": 8, "steps": STEPS, "batch": 8}
KEYS = ("model_sha256", "digest", "payload_bits", "gradient_evaluations", "loss")


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The record of a run in one process that nobody kills."""
    asked = check(normalise({**TABLE, "method": {"name": "local_top_k"}}))
    return next(training.run(asked, training.plan(asked), Solo(), False))[0]


@pytest.mark.mpi
@pytest.mark.parametrize("boards", ["--boards", "--no-boards"])
def test_a_killed_rank_costs_ten_seconds_and_no_step(
    mpi: ModuleType, whole: dict[str, Any], tmp_path: Path, boards: str
) -> None:
    flags = [word for key, value in TABLE.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "distest", "train", *flags, "--method", "local_top_k", "--ranks", "4"]
    command += ["--out", str(tmp_path), "--checkpoint", str(EVERY), boards]

    def kill_in_the_middle(job: str) -> None:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("checkpoints/*-0-0/server.npz")) and time.monotonic() < deadline:
            time.sleep(0.01)
        mpi.kill(job, 2)

    ran = mpi.finish(command, 120.0, None, kill_in_the_middle)
    assert ran.left == ()
    assert ran.seconds < SOON_S
    assert ran.code != 0
    assert ran.err.startswith("distest: rank 2 (servers 4-5) was killed")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / records.FILE).exists()
    kept = next(tmp_path.glob("checkpoints/*-0-0")) / ("posts" if boards == "--boards" else "workers-1.npz")
    good = kept.read_bytes()
    kept.write_bytes(good[: len(good) // 2])
    refused = mpi.finish([*command, "--resume"], 120.0)
    assert (refused.code, refused.err.count("\n"), refused.left) == (2, 1, ()), refused.err
    assert str(kept.parent) in refused.err
    kept.write_bytes(good)
    again = mpi.finish([*command, "--resume", "--json"], 120.0)
    assert (again.code, again.left, again.err) == (0, (), "")
    record = json.loads(again.out)
    assert {key: record[key] for key in KEYS} == {key: whole[key] for key in KEYS}
    assert record["steps"] == STEPS
    if boards == "--boards":
        audited = mpi.finish([sys.executable, "-m", "distest", "audit", str(tmp_path)], 120.0)
        assert audited.out == "audit: 1 transcript verified\n", audited.err
