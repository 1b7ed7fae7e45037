"""Clock: which answer the server of an asynchronous method handles next."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.wire.mailbox import Mailbox

Trace = Sequence[tuple[int, int]]
"""Every answer handled: the worker, and the version of the model that it was told."""


class Order(ABC):
    """The order of one round. `sent` is told of every message to a worker, `next` asked for every answer."""

    now: float = 0.0  # when the last answer was handled, in the clock's own unit

    @abstractmethod
    def sent(self, worker: int, n_bits: int) -> None:
        """The server has sent a worker a message of so many bits."""

    @abstractmethod
    def next(self, mailbox: Mailbox, due: int | None) -> int:
        """The worker whose answer is handled next; `due` where the gate leaves no choice."""


class Clock(ABC):
    """Implementations are frozen dataclasses of plain values.

    live: whether runs are not repeated by the same seed, so that their trace is worth keeping.
    """

    live: ClassVar[bool] = False

    @abstractmethod
    def order(self, workers: int, coins: PublicCoins, handled: int) -> Order:
        """The order of a round. coins: of this round. handled: answers in the rounds before."""

    def pause(self, worker: int, number: int, coins: PublicCoins) -> float:
        """Seconds that a worker really waits before its number-th answer of a round."""
        return 0.0


def keep_trace(path: Path, trace: list[list[int]]) -> str:
    """Write the order of a live run to a file, for the clock `recorded`; its name. UsageError if that cannot be."""
    try:
        path.write_text(json.dumps(trace), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
    return path.name
