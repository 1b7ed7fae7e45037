"""What the protocols share in which every server has one sample and a few bits: what they refuse, and why."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from distest.codecs.fixed import Fixed
from distest.errors import UsageError
from distest.learning.servers import Servers, within
from distest.learning.task import Task
from distest.watch import Watch

BITS_MAX = 8  # a message is packed from one byte


def require(name: str, task: Task, bits: int, most: int) -> None:
    """Raise UsageError unless servers have one sample and `bits` is in 1..min(8, most)."""
    if task.s != 1:
        raise UsageError(f"{name} is for one sample per server, got s={task.s}")
    most = min(BITS_MAX, most)
    if not 1 <= bits <= most:
        raise UsageError(f"{name} on n={task.n} symbols takes 1 to {most} bits, got bits={bits}")


def group_size(name: str, task: Task, m: int, bits: int) -> int:
    """Symbols a server can tell apart from "none of them", 2^bits - 1, once m servers can watch the whole domain.

    Raises UsageError where the parameters are out of range, more symbols would be watched than there are, or
    some would be watched by nobody.
    """
    require(name, task, bits, (task.n + 1).bit_length() - 1)
    size = (1 << bits) - 1
    if m * size < task.n:
        share = "" if m == task.m else f" in its first turn, where {m} of {task.m} servers speak"
        raise UsageError(
            f"{name} needs m(2^bits - 1) >= n{share}, so that every symbol is watched: {m} servers with {bits} bits "
            f"watch {m * size} of n={task.n} symbols; {-(-task.n // size)} would do"
        )
    return size


def fields(message: Watch, bits: int, first: int, n: int) -> None:
    """The one field of a message about the 2^bits - 1 symbols from `first` on, around the domain."""
    fields_of(message, bits, [(first + place) % n for place in range((1 << bits) - 1)])


def fields_of(message: Watch, bits: int, watched: Sequence[int | None], what: str = "symbol") -> None:
    """The same for a list of watched symbols, or prefixes; None where a place has none."""

    def says(codes: Sequence[int]) -> list[str]:
        named = [watched[code - 1] if 0 < code <= len(watched) else None for code in codes]
        return [f"{what} {x}" if x is not None else "none of those watched" for x in named]

    message.take("place among those watched, from 1", Fixed(1 << bits), 1, says)


def behind_gaps(gaps: Sequence[int]) -> list[str]:
    """The symbols that gaps lead to, in words."""
    return [f"symbol {x}" for x in accumulate(gaps)]


def symbols(servers: Servers, n: int) -> NDArray[np.int32]:
    """The one sample of each server, int32 (len(servers),). Raises UsageError for a symbol outside 0..n-1."""
    return within(servers.samples[:, 0], n)
