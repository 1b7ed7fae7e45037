"""Servers: a block of servers and their samples. The unit of all work; there is no object per server."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError


@dataclass(frozen=True, slots=True)
class Servers:
    """The speakers of one block.

    parties: their numbers, a range. samples: int32 (len(parties), s), symbols 0..n-1.
    """

    parties: range
    samples: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.parties)


def within(samples: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """The samples, once all are symbols 0..n-1. Raises UsageError naming the first that is not."""
    if samples.size and (int(samples.min()) < 0 or int(samples.max()) >= n):
        bad = int(samples[(samples < 0) | (samples >= n)][0])
        raise UsageError(f"samples are symbols from 0 to {n - 1}, a server has {bad}")
    return samples
