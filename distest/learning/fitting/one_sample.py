"""What the protocols share in which every server has one sample and a few bits: what they refuse, and why."""

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.learning.servers import Servers, within
from distest.learning.task import Task

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


def symbols(servers: Servers, n: int) -> NDArray[np.int32]:
    """The one sample of each server, int32 (len(servers),). Raises UsageError for a symbol outside 0..n-1."""
    return within(servers.samples[:, 0], n)
