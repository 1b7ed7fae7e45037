"""How fast is fixed-width packing? Gigasymbols a second on one core, widths 1 to 8, from and to uint8.

Against memcpy of the same bytes; at width 1 also against numpy's packbits and unpackbits alone. Medians of
interleaved rounds. Run: python scripts/bench/bitpack.py [symbols] [rounds]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from timing import medians

from distest.kernels import bitpack


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 22
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 21, 9)
    print(f"{count} symbols, medians of {rounds} rounds, Gsymbol/s; ratios to memcpy of the symbols")
    print(f"{'width':>5}{'pack':>8}{'unpack':>8}{'memcpy':>8}{'pack/':>8}{'unpack/':>8}")
    for width in range(1, 9):
        symbols = np.random.default_rng(width).integers(0, 1 << width, count, dtype=np.uint8)
        data, _ = bitpack.pack_symbols(symbols, width)
        target = np.empty_like(symbols)
        jobs: dict[str, Callable[[], object]] = {
            "pack": partial(bitpack.pack_symbols, symbols, width),
            "unpack": partial(bitpack.unpack_symbols, data, width, count),
            "memcpy": partial(np.copyto, target, symbols),
        }
        if width == 1:
            jobs["packbits"] = partial(np.packbits, symbols)
            jobs["unpackbits"] = partial(np.unpackbits, data, count=count)
        rate = {job: count / each / 1e9 for job, each in medians(jobs, rounds).items()}
        line = f"{width:5}{rate['pack']:8.2f}{rate['unpack']:8.2f}{rate['memcpy']:8.1f}"
        line += f"{rate['pack'] / rate['memcpy']:8.2f}{rate['unpack'] / rate['memcpy']:8.2f}"
        if width == 1:
            line += f"   np.packbits {rate['packbits']:.2f}, np.unpackbits {rate['unpackbits']:.2f}"
        print(line)


if __name__ == "__main__":
    main()
