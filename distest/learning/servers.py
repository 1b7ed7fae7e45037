"""Servers: a block of servers and their samples. The unit of all work; there is no object per server."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Servers:
    """The speakers of one block.

    parties: their numbers, a range. samples: int32 (len(parties), s), symbols 0..n-1.
    """

    parties: range
    samples: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.parties)
