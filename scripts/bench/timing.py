"""What the benchmarks of this folder share: interleaved rounds and medians."""

import time
from collections.abc import Callable

import numpy as np


def medians(jobs: dict[str, Callable[[], object]], rounds: int, *, cpu: bool = False) -> dict[str, float]:
    """Median seconds of each job, one run of each a round, after one that is not timed.

    cpu: seconds of the core in place of seconds of the clock, for machines that are shared.
    """
    clock = time.process_time if cpu else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(rounds + 1):
        for name, job in jobs.items():
            start = clock()
            job()
            if round_:
                seconds[name].append(clock() - start)
    return {name: float(np.median(each)) for name, each in seconds.items()}
