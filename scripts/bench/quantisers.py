"""How fast are the quantisers? Encoding, and decoding with adding up, against memcpy of the same float32 bytes.

One core, in seconds of the core. Each row is measured in rounds of its own, a copy of the vector to warm memory and
then the job, and says the ratio of the medians; the bars stand beside them. memcpy of 4 MB stays in the last cache
and of 32 MB does not, so a ratio means something with its d alone. Peers in the same table: torch, if it is there
(its rows are measured in a process of its own, against its own copy).

Run: python scripts/bench/quantisers.py [--bucket 512] [--rounds 21] [--torch PYTHON] [d ...]
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import peer_torch
from timing import medians

from distest import catalog, coins
from distest.bits import BitReader, Messages
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.natural import Natural
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.sign import Sign
from distest.sgd.compressors.terngrad import Terngrad
from distest.sgd.problem import Vector

KEY, _ = coins.from_seed(0)
STRICT, _ = coins.from_seed(0, "philox")
SMALL, LARGE = 1 << 20, 1 << 23
Bars = dict[int, float]


def rows(bucket: int) -> list[tuple[Compressor, Bars, Bars]]:
    """Compressors with the bars of encoding and of adding up, by d."""
    added = {SMALL: 0.85, LARGE: 1.7}
    return [
        (Qsgd(bits=4, norm="max", bucket=bucket), {SMALL: 0.45, LARGE: 1.5}, added),
        (Qsgd(bits=4, bucket=bucket), {SMALL: 0.40, LARGE: 1.2}, added),
        (Qsgd(bits=2, norm="max", bucket=bucket), {LARGE: 1.2}, {}),
        (Qsgd(bits=3, norm="max", bucket=bucket), {LARGE: 1.2}, {}),
        (Qsgd(bits=8, norm="max", bucket=bucket), {LARGE: 1.2}, {}),
        (Nuqsgd(bits=4, bucket=bucket), {LARGE: 1.2}, {}),
        (Nuqsgd(bits=4, norm="max", bucket=bucket), {}, {}),
        (Nuqsgd(bits=4, levels="nozero", bucket=bucket), {}, {}),
        (Qsgd(bits=4, norm="max", levels="nozero", bucket=bucket), {}, {}),
        (Terngrad(bucket=bucket), {}, {}),
        (Natural(), {}, {}),
        (Sign(), {}, {}),
    ]


def against_copy(job: Callable[[], object], x: Vector, rounds: int) -> tuple[float, float]:
    """Seconds of the job, and how many times those of a copy of x go into them."""
    found = medians({"memcpy": partial(np.copyto, np.empty_like(x), x), "job": job}, rounds, cpu=True)
    return found["job"], found["memcpy"] / found["job"]


def cell(d: int, seconds: float, ratio: float, bar: float | None) -> str:
    """Gcoordinate/s, the ratio, and whether the bar is met."""
    verdict = "" if bar is None else f"{bar:g} {'met' if ratio >= bar else 'MISSED'}"
    return f"{d / seconds / 1e9:8.2f}{ratio:8.2f}  {verdict:12}"


def add(compressor: Compressor, message: Messages, total: Vector) -> None:
    """Decode a message and add it to a total."""
    compressor.add(BitReader(message.data, message.n_bits), total.size, 0, KEY.public, total, 0.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bucket", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--torch", default=sys.executable, help="the interpreter that has torch")
    parser.add_argument("d", type=int, nargs="*", default=[SMALL, LARGE])
    args = parser.parse_args()
    rounds = max(args.rounds, 9)
    for d in args.d:
        x = np.random.default_rng(0).standard_normal(d).astype(np.float32)
        total, copy = np.zeros_like(x), np.empty_like(x)
        base = medians({"memcpy": partial(np.copyto, copy, x)}, rounds, cpu=True)["memcpy"]
        print(f"d = {d}, bucket {args.bucket}, memcpy {4 * d / base / 1e9:.1f} GB/s, medians of {rounds} rounds;")
        print("Gcoordinate/s, ratio to memcpy, bar")
        print(f"{'':46}{'encode':>8}{'/memcpy':>8}{'':14}{'add':>8}{'/memcpy':>8}")
        for compressor, bars, adding in rows(args.bucket):
            message = compressor.encode(x, 0, KEY)
            said = against_copy(partial(compressor.encode, x, 0, KEY), x, rounds)
            heard = against_copy(partial(add, compressor, message, total), x, rounds)
            line = f"{catalog.label(compressor):46}{cell(d, *said, bars.get(d))}{cell(d, *heard, adding.get(d))}"
            print(line.rstrip(), flush=True)
        strict = against_copy(partial(rows(args.bucket)[0][0].encode, x, 0, STRICT), x, rounds)
        print(f"{'the first with words of Philox':46}{cell(d, *strict, None)}".rstrip())
        theirs = peer_torch.measured(d, rounds, args.torch)
        if not theirs:
            print("torch is not installed: no peer")
        for name in ("whole", "buckets") if theirs else ():
            ratio = theirs["copy"] / theirs[name]
            print(f"{f'torch, QSGD of {name}':46}{cell(d, theirs[name], ratio, None)}".rstrip())


if __name__ == "__main__":
    main()
