"""Single pieces of work that must not take longer than a bar, on one core, warm: seconds against the bar.

Seconds of the core, medians of the given number of rounds; nothing is taken from a cache.
Run: python scripts/bench/limits.py [rounds]
"""

import sys
from collections.abc import Callable

import numpy as np
from timing import medians

from analysis.bounds.total_bits_l2 import bits_for_l2, total_bits_l2
from distest import catalog, coins
from distest.bits import BitReader, Messages
from distest.learning import sampling
from distest.learning.fitting import merging, oblivious
from distest.learning.servers import Servers
from distest.learning.task import Task

Job = Callable[[], object]


def linear_hash() -> Job:
    """The referee's work on 10^6 messages of 4 bits, n = 2^20: hash rows again, count, transform."""
    task = Task(1 << 20, 10**6)
    protocol = catalog.build("protocol", {"name": "linear_hash", "bits": 4}, task=task)
    key, data = coins.from_seed(0)
    parties = range(task.m)
    samples = sampling.independent(np.full(task.n, 1 / task.n), 1, data).draw(parties)
    said: Messages = protocol.message(Servers(parties, samples), key)
    return lambda: protocol.decide(protocol.read(parties, BitReader(said.data, said.n_bits), key.public))


def merging_l2() -> Job:
    """From the counts of 10^7 samples of 8 pieces to intervals; n = 2^24, so most samples stand alone."""
    n, random = 1 << 24, np.random.default_rng(0)
    pieces = random.choice(8, 10**7, p=np.array([5, 1, 3, 0.2, 2, 0.1, 1, 1]) / 13.3)
    samples = pieces * (n // 8) + random.integers(0, n // 8, pieces.size)

    symbols, counts = np.unique(samples, return_counts=True)
    return lambda: merging.l2(*merging.of_samples(symbols, counts, n), k=8)


def greedy_cells(tau: str) -> Job:
    """The fewest cells for falling laws on n = 2^20 symbols."""
    exact = oblivious.exact(float(tau))
    return lambda: oblivious.greedy.__wrapped__(1 << 20, exact)


WORK: list[tuple[str, float, Callable[[], Job]]] = [
    ("linear_hash: hear and decide, n = 2^20, m = 10^6, b = 4", 2.0, linear_hash),
    ("merging.l2: 10^7 samples, n = 2^24, k = 8", 2.0, merging_l2),
    ("greedy cells: n = 2^20, tau = 0.1", 1.0, lambda: greedy_cells("0.1")),
    ("greedy cells: n = 2^20, tau = 0.001", 1.0, lambda: greedy_cells("0.001")),
    ("total_bits_l2: n = 256, B = 10^6", 1.0, lambda: lambda: total_bits_l2(256, 10**6)),
    ("bits_for_l2: n = 4096, risk 10^-4", 1.0, lambda: lambda: bits_for_l2(4096, 1e-4)),
    ("bits_for_l2: n = 2^20, risk 10^-6", 1.0, lambda: lambda: bits_for_l2(1 << 20, 1e-6)),
]


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"medians of {rounds} rounds\n{'work':60}{'seconds':>9}{'bar':>6}  verdict")
    for name, bar, prepare in WORK:
        seconds = medians({name: prepare()}, rounds, cpu=True)[name]
        print(f"{name:60}{seconds:9.3f}{bar:6.1f}  {'kept' if seconds <= bar else 'MISSED'}", flush=True)


if __name__ == "__main__":
    main()
