"""How does the time of whole learners grow? Exponents of n, m, s and k, fitted to log seconds over log size.

    python scripts/bench/scaling.py [rounds] [name ...]      # at least 3 rounds

A protocol's line times a whole run in one process: samples, messages, board, ledger, estimate. Seconds are those of the
core, medians of interleaved rounds, and the slope is least squares over all sizes of a line. The bar of 1.1 is for
near-linear time; a slope far below 1 says that something else than this size takes the time. What is held fixed
stands in the line. Arrays stay below 32 MiB where they can: larger ones come from the system page by page, each time
anew, and the jump looks like growth. One protocol more is one line more in LINES; names that are not in the catalog are
passed over.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from timing import medians

from distest import catalog, coins
from distest.learning import sampling
from distest.learning.fitting import isotonic, merging
from distest.learning.norms import Pmf
from distest.learning.run import learn
from distest.learning.task import Task
from distest.wire.channel import Channel
from distest.wire.transport import Solo

BAR = 1.1
Job = Callable[[], object]


@dataclass(frozen=True)
class Line:
    """name: of a protocol, or a key of STEPS. axis: what grows through 2^first, ..., 2^last; fixed: all the rest."""

    name: str
    axis: str
    first: int
    last: int
    fixed: dict[str, Any] = field(default_factory=dict)


def falling(n: int) -> Pmf:
    """A falling law with long flat pieces: 1/(1 + rank of the piece), 16 pieces."""
    pmf = 1 / (1 + np.arange(n) * 16 // n)
    return np.asarray(pmf / pmf.sum(), np.float64)


def whole_run(name: str, given: dict[str, Any]) -> Job:
    """A run of a protocol; given: n, m, s and the options."""
    options = dict(given)
    task = Task(options.pop("n"), options.pop("m"), options.pop("s", 1))
    protocol = catalog.build("protocol", {"name": name, **options}, task=task)
    key, data = coins.from_seed(0)
    source = sampling.independent(falling(task.n), task.s, data)
    return lambda: learn(protocol, source.draw, Channel(task.m, Solo(), protocol.model), key)


def merge(fit: Callable[..., Any], n: int, N: int, k: int) -> Job:
    """N samples to at most 4k + 1 intervals: draw, sort, merge, flatten."""

    def job() -> object:
        pieces = np.random.default_rng(0).choice(16, N, p=falling(16))
        samples = pieces * (n // 16) + np.random.default_rng(1).integers(0, n // 16, N)
        symbols, counts = np.unique(samples, return_counts=True)
        cells, masses = merging.of_samples(symbols, counts, n)
        merged = fit(cells, masses, k)
        return merged.spread(merging.total(cells, masses, merged) / merged.widths) if n <= 1 << 22 else merged

    return job


def pool(n: int, N: int) -> Job:
    """Isotonic regression of N samples on n symbols, every symbol a cell."""
    counts = np.bincount(np.random.default_rng(0).choice(n, N, p=falling(n)), minlength=n)
    widths = np.ones(n, np.int64)
    return lambda: isotonic.falling(counts, widths)


STEPS: dict[str, Callable[..., Job]] = {
    "merging l2": lambda **given: merge(merging.l2, **given),
    "merging l1": lambda **given: merge(merging.l1, **given),
    "isotonic": pool,
}
LINES = [
    Line("full_sample", "m", 19, 23, {"n": 256}),
    Line("full_sample", "s", 4, 8, {"n": 256, "m": 1 << 14}),
    Line("full_sample", "n", 17, 21, {"m": 1 << 14}),
    Line("grouping", "m", 19, 23, {"n": 256, "bits": 3}),
    Line("grouping", "n", 17, 21, {"m": 1 << 15, "bits": 8}),
    Line("linear_hash", "m", 18, 22, {"n": 256, "bits": 3}),
    Line("linear_hash", "n", 17, 21, {"m": 1 << 14, "bits": 3}),
    Line("sparse_hash", "n", 17, 21, {"m": 1 << 14, "bits": 3, "support": 16}),
    Line("sparse_hash", "support", 12, 16, {"m": 1 << 16, "bits": 3, "n": 1 << 18}),
    Line("tree_localisation", "m", 18, 22, {"n": 1 << 16, "bits": 3, "support": 16}),
    Line("tree_localisation", "n", 18, 22, {"m": 1 << 17, "bits": 3, "support": 16}),
    Line("tree_localisation", "support", 6, 10, {"m": 1 << 18, "bits": 3, "n": 1 << 18}),
    Line("haar_wavelet", "m", 12, 16, {"n": 256, "s": 16}),
    Line("haar_wavelet", "s", 7, 11, {"n": 256, "m": 1 << 10}),
    Line("haar_wavelet", "n", 18, 22, {"m": 1 << 8, "s": 16}),
    Line("monotone_cells", "m", 18, 22, {"n": 1 << 16}),
    Line("monotone_cells", "s", 4, 8, {"n": 1 << 16, "m": 1 << 14}),
    Line("monotone_cells", "n", 18, 22, {"m": 1 << 16}),
    Line("monotone_l2", "m", 18, 22, {"n": 1 << 16}),
    Line("two_stage_histogram", "m", 17, 21, {"n": 1 << 16, "pieces": 8}),
    Line("two_stage_histogram", "n", 18, 22, {"m": 1 << 15, "pieces": 8}),
    Line("two_stage_histogram", "pieces", 6, 10, {"m": 1 << 18, "n": 1 << 16}),
    Line("two_stage_histogram_l2", "m", 17, 21, {"n": 1 << 16, "pieces": 8}),
    Line("rank_sampling", "s", 14, 18, {"n": 1 << 16, "m": 16, "pieces": 8, "every": 64}),
    Line("rank_sampling", "n", 18, 22, {"s": 1 << 14, "m": 16, "pieces": 8, "every": 64}),
    Line("dense_counts", "m", 14, 18, {"n": 64, "s": 64, "bits": 8}),
    Line("dense_counts", "s", 6, 10, {"n": 64, "m": 1 << 14, "bits": 8}),
    Line("merging l2", "N", 17, 21, {"n": 1 << 26, "k": 8}),
    Line("merging l2", "n", 20, 30, {"N": 1 << 18, "k": 8}),
    Line("merging l2", "k", 8, 13, {"N": 1 << 18, "n": 1 << 26}),
    Line("merging l1", "N", 17, 21, {"n": 1 << 26, "k": 8}),
    Line("merging l1", "n", 20, 30, {"N": 1 << 18, "k": 8}),
    Line("merging l1", "k", 8, 13, {"N": 1 << 18, "n": 1 << 26}),
    Line("isotonic", "n", 15, 19, {"N": 1 << 20}),
]


def main() -> None:
    """Fit and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"medians of {rounds} rounds, seconds of the core")
    print(f"{'learner':23} {'grows':26}{'fixed':42}{'first s':>9}{'last s':>9}{'slope':>7}  verdict")
    above = []
    known = {*catalog.names("protocol"), *STEPS}
    for line in LINES:
        if line.name not in known or (sys.argv[2:] and line.name not in sys.argv[2:]):
            continue
        jobs = {}
        for power in range(line.first, line.last + 1):
            given = {line.axis: 1 << power, **line.fixed}
            jobs[str(power)] = STEPS[line.name](**given) if line.name in STEPS else whole_run(line.name, given)
        seconds = medians(jobs, rounds, cpu=True)
        taken = list(seconds.values())
        powers = np.array(list(map(int, seconds)))
        slope = float(np.polyfit(powers, np.log2(taken), 1)[0])
        fixed = " ".join(f"{key}={value}" for key, value in line.fixed.items())
        grows = f"{line.axis} = 2^{line.first} .. 2^{line.last}"
        verdict = "kept" if slope <= BAR else "ABOVE"
        print(f"{line.name:23} {grows:26}{fixed:42}{taken[0]:9.4f}{taken[-1]:9.4f}{slope:7.2f}  {verdict}", flush=True)
        if slope > BAR:
            above.append(f"{line.name} in {line.axis}")
    print(f"above {BAR}: {', '.join(above) or 'none'}")


if __name__ == "__main__":
    main()
