"""How fast are top-k, index sets, sparsifiers and sketches? On one core, in seconds of the core.

Bars: exact top-k of 8.4 million Gaussians 12 times np.argpartition at 1 % and 20 times at 0.1 %; a sketch of five rows
takes 180 million coordinates a second (up to 64 k columns) and answers for 150 million (8 k). Medians of interleaved
rounds. Peers on the same table: np.argpartition, and torch.topk if torch is there, in a process of its own.
Run: python scripts/bench/sparsifiers.py [log2 d] [rounds] [python that has torch]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import peer_torch
from numpy.typing import NDArray
from timing import medians

from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd.compressor import Compressor
from distest.sgd.sketch import candidates, count_sketch, fixed_point, shift_for

COINS = from_seed(1)[0]
SPECS: tuple[dict[str, object], ...] = (
    {"name": "top_k"},
    {"name": "top_k", "values": "float16"},
    {"name": "chunk_top"},
    {"name": "threshold"},
    {"name": "random_k"},
    {"name": "random_k", "draw": "private"},
    {"name": "gspar", "density": 0.01},
    {"name": "gspar", "eps": 10.0},
)


def verdict(value: float, bar: float) -> str:
    """Beside a bar."""
    return f"bar {bar:g} {'met' if value >= bar else 'MISSED'}"


def tops(x: NDArray[np.float32], rounds: int, python: str) -> None:
    """Exact top-k against np.argpartition of magnitudes that are there already, and against one look at the vector.

    Each in rounds of its own, and then all in turns, when what the others leave in the caches counts as well.
    """
    sizes = np.abs(x)
    theirs = peer_torch.measured(x.size, rounds, python)
    for share, bar in ((0.001, 20), (0.01, 12), (0.1, 1)):
        k = int(share * x.size)
        jobs: dict[str, Callable[[], object]] = {
            "ours": partial(largest, x, k),
            "argpartition": partial(np.argpartition, sizes, x.size - k),
            "max": x.max,
        }
        alone = {name: medians({name: job}, rounds, cpu=True)[name] for name, job in jobs.items()}
        for how, found in (("alone", alone), ("in turns", medians(jobs, rounds, cpu=True))):
            times = ", ".join(f"{name} {1e3 * seconds:5.2f} ms" for name, seconds in found.items())
            ratio = found["argpartition"] / found["ours"]
            print(f"top {share:.1%} {how:8s}: {times}: {ratio:5.1f} x, {verdict(ratio, bar)}")
        if f"topk {share}" in theirs:
            theirs_s = theirs[f"topk {share}"]
            print(f"top {share:.1%} torch.topk {1e3 * theirs_s:.2f} ms: {theirs_s / alone['ours']:5.1f} x")
    if not theirs:
        print("torch is not installed: no peer")


def sets(d: int, rounds: int) -> None:
    """Sets of indices of d, written and read."""
    for share in (1e-4, 1e-3, 1e-2, 1e-1):
        places = np.sort(np.random.default_rng(0).choice(d, int(share * d), replace=False))
        sent = indices.write(places, d)
        found = medians(
            {"write": partial(indices.write, places, d), "read": partial(read_set, sent, places.size, d)},
            rounds,
            cpu=True,
        )
        each = f"write {1e3 * found['write']:6.2f} ms, read {1e3 * found['read']:6.2f} ms"
        print(f"{places.size:8d} of {d} indices: {sent.n_bits / places.size:6.3f} bits each, {each}")


def read_set(sent: Messages, k: int, d: int) -> NDArray[np.int64]:
    """The set of a message."""
    return indices.read(BitReader(sent.data, sent.n_bits), k, d)


def decode(compressor: Compressor, sent: Messages, d: int) -> NDArray[np.float32]:
    """The vector of a message."""
    return compressor.decode(BitReader(sent.data, sent.n_bits), d, 0, COINS.public)


def compressors(x: NDArray[np.float32], rounds: int) -> None:
    """Messages there and back."""
    for spec in SPECS:
        compressor: Compressor = catalog.build("compressor", dict(spec))
        sent = compressor.encode(x, 0, COINS)
        jobs = {
            "encode": partial(compressor.encode, x, 0, COINS),
            "decode": partial(decode, compressor, sent, x.size),
        }
        found = medians(jobs, rounds, cpu=True)
        rates = ", ".join(f"{name} {x.size / seconds / 1e6:5.0f} M/s" for name, seconds in found.items())
        print(f"{catalog.label(compressor):28s} {sent.n_bits / x.size:6.4f} bits a coordinate, {rates}")


def sketches(x: NDArray[np.float32], rounds: int) -> None:
    """Five rows of several sizes."""
    values = fixed_point(x, shift_for(float(np.abs(x).max()), x.size))
    for columns in (1 << 13, 10_000, 1 << 16, 1 << 19):
        sketch = count_sketch(x.size, 5, columns, COINS.public)
        table = sketch.insert(values)
        estimates = sketch.query(table)
        jobs = {
            "insert": partial(sketch.insert, values),
            "query": partial(sketch.query, table),
            "candidates": partial(candidates, estimates, x.size // 100),
        }
        found = medians(jobs, rounds, cpu=True)
        rate = {name: x.size / seconds / 1e6 for name, seconds in found.items()}
        insert = verdict(rate["insert"], 180) if columns <= 1 << 16 else "no bar"
        query = verdict(rate["query"], 150) if columns == 1 << 13 else "no bar"
        line = f"insert {rate['insert']:5.0f} M/s ({insert}), query {rate['query']:5.0f} M/s ({query})"
        print(f"sketch 5 x {columns:6d}: {line}, candidates {rate['candidates']:5.0f} M/s")


def main() -> None:
    """All of it."""
    d = 1 << (int(sys.argv[1]) if len(sys.argv) > 1 else 23)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    x = np.random.default_rng(0).standard_normal(d).astype(np.float32)
    print(f"d = {d}, Gaussian, float32")
    tops(x, rounds, sys.argv[3] if len(sys.argv) > 3 else sys.executable)
    sets(10_000_000, rounds)
    compressors(x, rounds)
    sketches(x[: d // 2], rounds)


if __name__ == "__main__":
    main()
