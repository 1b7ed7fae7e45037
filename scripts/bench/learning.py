"""Servers a second of every protocol with one turn, warm, in one process, and the memory a run takes.

    python scripts/bench/learning.py [--servers 1e7] [--long 1e8]

Drawing samples, encoding, packing, hashing the transcript, decoding, booking and estimating are all timed.
Each line is a process of its own, so its peak memory is its own; the interpreter with its libraries is in it.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

from distest import catalog, coins
from distest.learning import norms, sampling
from distest.learning.run import learn
from distest.learning.task import Task
from distest.wire.channel import Channel
from distest.wire.transport import Solo

N, BITS = 256, 3
SPECS: list[dict[str, Any]] = [
    {"name": "full_sample"},
    {"name": "full_sample", "code": "truncated"},
    {"name": "grouping", "bits": BITS},
    {"name": "balanced_hash", "bits": BITS},
    {"name": "linear_hash", "bits": BITS},
    {"name": "linear_hash", "bits": 2, "design": "cycle"},  # 3 does not divide log2 256
    {"name": "linear_hash", "bits": 4, "design": "cycle"},
    {"name": "multiset"},
    {"name": "local_refinement", "bits": BITS},
    {"name": "adaptive_entropy"},
]


def run(spec: dict[str, Any], m: int) -> tuple[float, float, int]:
    """Seconds of one run, its squared l2 error, its payload bits."""
    public, data = coins.from_seed(0)
    protocol = catalog.build("protocol", spec, task=Task(N, m))
    pmf = catalog.build("distribution", {"name": "uniform"}).pmf(N, data)
    source = sampling.independent(pmf, 1, data)
    channel = Channel(m, Solo(), protocol.model)
    start = time.perf_counter()
    outcome = learn(protocol, source.draw, channel, public)
    seconds = time.perf_counter() - start
    if outcome is None:
        raise SystemExit("one process hosts the referee")
    return seconds, norms.l2_squared(outcome.estimate, pmf), outcome.ledger.payload_bits


def measure(spec: dict[str, Any], m: int) -> None:
    """Warm up, run three times (once for long runs), print a JSON line."""
    run(spec, min(m, 1 << 20))
    best = min((run(spec, m) for _ in range(3 if m <= 10**7 else 1)), key=lambda r: r[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([*best, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=float, default=1e7)
    parser.add_argument("--long", type=float, default=1e8, help="servers of the long run of grouping")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(json.loads(args.one), int(args.servers))
        return
    print(
        f"n = {N}\n{'protocol':50} {'servers':>11} {'s':>7} {'M/s':>7} {'bits/server':>11} {'l2^2':>10} {'peak MiB':>9}"
    )
    for spec, m in [(spec, int(args.servers)) for spec in SPECS] + [
        ({"name": "grouping", "bits": BITS}, int(args.long))
    ]:
        command = [sys.executable, __file__, "--servers", str(m), "--one", json.dumps(spec)]
        line = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
        seconds, error, n_bits, peak = json.loads(line)
        name = " ".join(str(v) if k == "name" else f"{k}={v}" for k, v in spec.items())
        print(
            f"{name:50} {m:11} {seconds:7.2f} {m / seconds / 1e6:7.1f} {n_bits / m:11.3f} {error:10.3g} {peak:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
