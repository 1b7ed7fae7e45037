"""Routes: which ranks the messages of a turn between parties go to.

Apart from `turn.py`, which the launcher imports, because arrays take numpy.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from distest.wire.turn import Edges, Readers, Turn, homes, reached


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """Where the messages of `turn.pairs` go, in this order.

    home: the rank of each party. ranks: `reached`. order: places in this order among all messages by the rank of their
    owner. travels: how many ranks each message goes to. owned: messages by the rank of their owner.
    """

    home: list[int]
    ranks: dict[tuple[int, int], set[int]]
    order: list[int]
    travels: list[int]
    owned: list[int]


def routes(turn: Turn, parties: int, size: int) -> Routes:
    """Of a turn between parties; kept, because turns of one shape are run again and again."""
    return _routes(turn.readers, turn.speakers, turn.edges, parties, size)


@lru_cache(maxsize=8)
def _routes(readers: Readers, speakers: range, edges: Edges, parties: int, size: int) -> Routes:
    home, turn = homes(parties, size), Turn(0, speakers, readers, edges)
    ranks = reached(turn, home)
    owners = np.array([home[b] for _, b in ranks], np.int64)
    order = np.argsort(np.argsort(owners, kind="stable")).tolist()
    travels = [len(there - {home[a]}) for (a, _), there in ranks.items()]
    return Routes(home, ranks, order, travels, np.bincount(owners, minlength=size).tolist())
