"""Servers a second of the protocols on one core, warm.

    python scripts/bench/learning.py                               # speak and hear of every referee protocol
    python scripts/bench/learning.py --runs [--servers 1e7] [--long 1e8]    # whole runs, and their memory

Speak and hear: one block of 2^20 servers with one sample each, n = 256, samples drawn beforehand; then, of all that
take them, 2^16 servers with 16 each, where samples are counted. Seconds of the core, medians of interleaved rounds,
against memcpy of the samples (int32). The bar is 5 million servers (or samples) a second for both together.

Whole runs: drawing samples, encoding, packing, hashing the transcript, decoding, booking and estimating are all timed.
Each line is a process of its own, so its peak memory is its own; the interpreter with its libraries is in it.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from timing import medians

from distest import catalog, coins
from distest.bits import BitReader, Messages
from distest.learning import norms, sampling
from distest.learning.protocol import RefereeProtocol
from distest.learning.run import learn
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.warming import variants
from distest.wire.channel import Channel
from distest.wire.transport import Solo
from distest.wire.turn import block_size

N, BITS = 256, 3
BLOCK, SEVERAL = 1 << 20, 16
BAR = 5e6
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


def label(spec: dict[str, Any]) -> str:
    """A spec in one line."""
    return " ".join(str(v) if k == "name" else f"{k}={v}" for k, v in spec.items())


def referees() -> Iterator[tuple[dict[str, Any], RefereeProtocol]]:
    """Every referee protocol of the catalog in every variant, with one sample a server and with several."""
    for task in (Task(N, 16 * BLOCK), Task(N, BLOCK, SEVERAL)):
        seen: set[str] = set()
        for bits in (BITS, 4):  # four where three do not divide log2 256
            for spec, protocol in variants(task, bits):
                alike = label({key: value for key, value in spec.items() if key != "bits"})
                if isinstance(protocol, RefereeProtocol) and alike not in seen:
                    seen.add(alike)
                    yield spec, protocol


def speak_and_hear(rounds: int) -> None:
    """Print the table of speeds."""
    print(f"n = {N}, medians of {rounds} rounds, million servers a second (samples, where s > 1); bar {BAR / 1e6:g}")
    print(f"{'protocol':58}{'s':>3}{'speak':>8}{'hear':>8}{'both':>8}{'memcpy':>8}{'both/memcpy':>12}")
    slow = []
    for spec, protocol in referees():
        task, (key, data) = protocol.task, coins.from_seed(0)
        parties = range(block_size(task.m))
        samples = sampling.independent(np.full(N, 1 / N), task.s, data).draw(parties)
        servers = Servers(parties, samples)
        said = speak(protocol, servers, key)
        jobs = {
            "speak": partial(speak, protocol, servers, key),
            "hear": partial(hear, protocol, parties, said, key.public),
            "memcpy": partial(np.copyto, np.empty_like(samples), samples),
        }
        seconds = medians(jobs, rounds, cpu=True)
        rate = {job: samples.size / each for job, each in seconds.items()}
        both = samples.size / (seconds["speak"] + seconds["hear"])
        line = f"{label(spec):58}{task.s:3}{rate['speak'] / 1e6:8.1f}{rate['hear'] / 1e6:8.1f}{both / 1e6:8.1f}"
        print(f"{line}{rate['memcpy'] / 1e6:8.0f}{both / rate['memcpy']:12.4f}", flush=True)
        if both < BAR:
            slow.append(f"{label(spec)} (s={task.s})")
    print(f"below the bar: {', '.join(slow) or 'none'}")


def speak(protocol: RefereeProtocol, servers: Servers, key: coins.Coins) -> Messages:
    """What a block says, packed."""
    said = protocol.message(servers, key)
    return said if isinstance(said, Messages) else said.pack()


def hear(protocol: RefereeProtocol, parties: range, said: Messages, public: coins.PublicCoins) -> object:
    """The tally of a block."""
    return protocol.read(parties, BitReader(said.data, said.n_bits), public)


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


def whole_runs(servers: int, long: int) -> None:
    """Print the table of whole runs."""
    print(
        f"n = {N}\n{'protocol':50} {'servers':>11} {'s':>7} {'M/s':>7} {'bits/server':>11} {'l2^2':>10} {'peak MiB':>9}"
    )
    for spec, m in [(spec, servers) for spec in SPECS] + [({"name": "grouping", "bits": BITS}, long)]:
        command = [sys.executable, __file__, "--servers", str(m), "--one", json.dumps(spec)]
        line = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
        seconds, error, n_bits, peak = json.loads(line)
        print(
            f"{label(spec):50} {m:11} {seconds:7.2f} {m / seconds / 1e6:7.1f} {n_bits / m:11.3f} {error:10.3g} "
            f"{peak:9.0f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", action="store_true", help="whole runs")
    parser.add_argument("--servers", type=float, default=1e7)
    parser.add_argument("--long", type=float, default=1e8, help="servers of the long run of grouping")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(json.loads(args.one), int(args.servers))
    elif args.runs:
        whole_runs(int(args.servers), int(args.long))
    else:
        speak_and_hear(args.rounds)


if __name__ == "__main__":
    main()
