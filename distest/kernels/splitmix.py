"""The default generator: splitmix64's finaliser on a keyed counter.

word(key, party, index) = mix(key + (party * 2^32 + index) * 0x9E3779B97F4A7C15), all modulo 2^64.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), the mixing function;
constants by Stafford (variant 13).
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

GAMMA = np.uint64(0x9E3779B97F4A7C15)


def words(key: int, parties: range, count: int) -> NDArray[np.uint64]:
    """`count` words for each party of a range with positive step, uint64 (len(parties), count)."""
    out = np.empty((len(parties), count), np.uint64)
    if out.size == 0:
        return out
    if worth_compiling(out.size):
        jitted("splitmix").fill(np.uint64(key), np.uint64(parties.start), np.uint64(parties.step), out)
        return out
    party: NDArray[np.uint64] = np.arange(parties.start, parties.stop, parties.step, dtype=np.uint64)[:, None]
    counter = (party << np.uint64(32)) + np.arange(count, dtype=np.uint64)
    z: NDArray[np.uint64] = np.asarray(np.full(1, key, np.uint64) + counter * GAMMA, np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out[...] = z ^ (z >> np.uint64(31))
    return out
