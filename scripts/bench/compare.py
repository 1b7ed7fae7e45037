"""What a sweep adds to each trial: `python scripts/bench/compare.py [trials]`, in one process and by a crew of two.

The same tiny trials are run bare, by `experiment` or `training`, and by `distest.sweep`, in interleaved rounds; the
difference of the medians is what reading the spec, planning, records, series and their folder take. Last, the time to
count a grid of a million trials and the memory that it takes.
"""

import shutil
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from timing import medians

from distest import experiment, spec, train_spec, training
from distest.sweep import forecast
from distest.sweep.asked import read
from distest.sweep.run import check, run
from distest.wire.transport import Solo

BAR_MS = 5.0
ROUNDS = 3
SIZES = (16, 24, 32, 40)
LEARN: dict[str, Any] = {"n": 8, "distribution": "uniform", "protocols": ["full_sample"]}
TRAIN: dict[str, Any] = {"problem": "logistic:data=ionosphere", "workers": 2, "batch": 2, "methods": ["mean"]}


def tables(trials: int) -> dict[str, dict[str, Any]]:
    """A sweep of each kind of so many trials."""
    each = trials // len(SIZES)
    return {
        "learn": {"learn": [{**LEARN, "m": list(SIZES), "repeats": each}]},
        "learn, one repeat": {"learn": [{**LEARN, "m": list(range(16, 16 + trials))}]},
        "train": {"train": [{**TRAIN, "steps": [2, 3, 4, 5], "repeats": each}]},
    }


def bare(table: dict[str, Any]) -> None:
    """The trials of a sweep, without one."""
    for case in read(table).cases():
        if case.kind == "learn":
            asked = spec.check(case.table)
            for _ in experiment.run(asked, experiment.plan(asked), Solo(), False):
                pass
        else:
            trained = train_spec.check(case.table)
            for _ in training.run(trained, training.plan(trained), Solo(), False):
                pass


def swept(table: dict[str, Any], jobs: int) -> None:
    """The same as a sweep in a folder."""
    out = Path(tempfile.mkdtemp(prefix="distest-bench-"))
    sweep = read(table)
    check(sweep)
    run(sweep, out, Solo(), jobs=jobs)
    shutil.rmtree(out)


def main() -> None:
    """Measure and print."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    worst = 0.0
    for name, table in tables(trials).items():
        taken = medians(
            {
                "bare": lambda table=table: bare(table),  # type: ignore[misc]
                "sweep": lambda table=table: swept(table, 1),  # type: ignore[misc]
                "two jobs": lambda table=table: swept(table, 2),  # type: ignore[misc]
            },
            ROUNDS,
        )
        own = 1000 * (taken["sweep"] - taken["bare"]) / trials
        worst = max(worst, own)
        print(
            f"{name:18s} {trials:,} trials: {1000 * taken['bare'] / trials:6.2f} ms a trial bare, "
            f"{1000 * taken['sweep'] / trials:6.2f} in a sweep ({own:+.2f}), "
            f"{1000 * taken['two jobs'] / trials:6.2f} by two jobs, their start included"
        )
    print(f"overhead a trial: at most {worst:.2f} ms, the bar is {BAR_MS:g}: {'met' if worst < BAR_MS else 'missed'}")
    million = {"learn": [{**LEARN, "m": list(range(16, 1016)), "seed": list(range(1000))}]}
    tracemalloc.start()
    start = time.perf_counter()
    found, _ = forecast.count(read(million))
    taken, memory = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    print(f"{found:,} trials counted in {taken:.2f} s with {memory / (1 << 20):.1f} MB")


if __name__ == "__main__":
    main()
