"""How fast are the quantisers? Encoding, and decoding with adding up, against memcpy of the same float32 bytes.

One core, medians of interleaved rounds in one run; Gcoordinate/s and ratios. Run: python scripts/bench/quantisers.py
[bucket] [rounds] [d ...]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
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


def main() -> None:
    bucket = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 15, 9)
    sizes = [int(d) for d in sys.argv[3:]] or [1 << 20, 1 << 23]
    compressors: list[Compressor] = [
        *(Qsgd(bits=bits, norm="max", bucket=bucket) for bits in (2, 3, 4, 8)),
        Qsgd(bits=4, bucket=bucket),
        Qsgd(bits=4, norm="max", levels="nozero", bucket=bucket),
        Nuqsgd(bits=4, bucket=bucket),
        Nuqsgd(bits=4, levels="nozero", bucket=bucket),
        Nuqsgd(bits=8, bucket=bucket),
        Terngrad(bucket=bucket),
        Natural(),
        Sign(),
    ]
    for d in sizes:
        x = np.random.default_rng(0).standard_normal(d).astype(np.float32)
        total, copy = np.zeros_like(x), np.empty_like(x)
        jobs: dict[str, Callable[[], object]] = {"memcpy": partial(np.copyto, copy, x)}
        for compressor in compressors:
            label = catalog.label(compressor)
            jobs[f"encode {label}"] = partial(compressor.encode, x, 0, KEY)
            jobs[f"add {label}"] = partial(add, compressor, compressor.encode(x, 0, KEY), total)
        seconds = medians(jobs, rounds)
        base = seconds["memcpy"]
        print(f"d = {d}, bucket {bucket}, memcpy {4 * d / base / 1e9:.1f} GB/s; medians of {rounds} rounds")
        print(f"{'':44}{'encode':>9}{'/memcpy':>9}{'add':>9}{'/memcpy':>9}")
        for label in map(catalog.label, compressors):
            encode, decode = seconds[f"encode {label}"], seconds[f"add {label}"]
            line = f"{label:44}{d / encode / 1e9:9.2f}{base / encode:9.2f}{d / decode / 1e9:9.2f}{base / decode:9.2f}"
            print(line)


def add(compressor: Compressor, message: Messages, total: Vector) -> None:
    """Decode a message and add it to a total."""
    compressor.add(BitReader(message.data, message.n_bits), total.size, 0, KEY.public, total, 0.25)


if __name__ == "__main__":
    main()
