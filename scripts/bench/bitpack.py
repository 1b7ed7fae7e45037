"""How fast is fixed-width packing? Gigasymbols a second on one core, widths 1 to 8, from and to uint8.

In planes (`kernels/planes.py`, what quantisers send) and in order (`kernels/bitpack.py`), against memcpy of the float32
vector whose symbols they are; at width 1 also against numpy's packbits and unpackbits. Bars: planes twice memcpy at
every width, and width 1 not below np.packbits. Medians of rounds in which a copy and the job take turns, seconds of
the core.
Run: python scripts/bench/bitpack.py [symbols] [rounds]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from timing import medians

from distest.kernels import bitpack, planes


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 22
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 21, 9)
    x, target = np.zeros(count, np.float32), np.zeros(count, np.float32)
    print(f"{count} symbols, medians of {rounds} rounds: Gsymbol/s and ratio to memcpy of the float32 vector")
    print(f"{'width':>5}{'planes: pack':>16}{'unpack':>16}{'in order: pack':>16}{'unpack':>16}")
    for width in range(1, 9):
        symbols = np.random.default_rng(width).integers(0, 1 << width, count, dtype=np.uint8)
        data, _ = bitpack.pack_symbols(symbols, width)
        planar = np.zeros(data.size, np.uint8)
        planes.pack(symbols, width, planar)
        jobs: list[Callable[[], object]] = [
            partial(planes.pack, symbols, width, planar),
            partial(planes.unpack, planar, width, count),
            partial(bitpack.pack_symbols, symbols, width),
            partial(bitpack.unpack_symbols, data, width, count),
        ]
        if width == 1:
            jobs += [partial(np.packbits, symbols), partial(np.unpackbits, data, count=count)]
        cells = []
        for job in jobs:
            found = medians({"memcpy": partial(np.copyto, target, x), "job": job}, rounds, cpu=True)
            cells.append(f"{count / found['job'] / 1e9:9.2f}{found['memcpy'] / found['job']:6.2f}x")
        print(
            f"{width:5}{''.join(cells[:4])}{'   np.packbits, np.unpackbits' if width == 1 else ''}{''.join(cells[4:])}"
        )


if __name__ == "__main__":
    main()
