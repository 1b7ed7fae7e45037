"""Roster: what sets some servers apart: how many samples they hold, whether they speak, whether they lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import open_unit
from distest.learning.protocol import Protocol
from distest.learning.task import Task

Draw = Callable[[range], NDArray[np.int32]]
NONE = -1  # in a row of samples: there are no more

HOPELESS = (
    "with one sample a server no referee can repair this: lies look like the samples of honest servers whose p is "
    "(1 - a) p + a q, for any share a of liars and any law q of what they say, so some p must be missed by about a "
    "in l1 however large m is"
)


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody holds s samples, speaks, and tells the truth, except as said here.

    sizes: server i holds sizes[i mod len(sizes)] samples, each 0..s, the largest s. silent: the probability, in
    0..1, that a server holds none, independently of all else. lying: this many servers, evenly spaced, who never
    are silent, hold the symbol `says` in place of every sample and otherwise keep to the protocol.
    """

    sizes: tuple[int, ...] = ()
    silent: float = 0.0
    lying: int = 0
    says: int = 0

    @property
    def plain(self) -> bool:
        """Whether nobody is set apart."""
        return not self.sizes and not self.silent and not self.lying

    def check(self, protocol: Protocol[Any]) -> None:
        """Raise UsageError where the roster contradicts the task, or the protocol cannot live with it."""
        task = protocol.task
        if self.sizes and (min(self.sizes) < 0 or max(self.sizes) != task.s):
            raise UsageError(
                f"servers.sizes are numbers of samples from 0 to s, the largest of them s={task.s}, got "
                f"{list(self.sizes)}"
            )
        if not 0 <= self.silent < 1:
            raise UsageError(f"servers.silent is a probability, at least 0 and below 1, got {self.silent}")
        if not 0 <= self.lying <= task.m:
            raise UsageError(f"servers.lying is a number of the m={task.m} servers, got {self.lying}")
        if not 0 <= self.says < task.n:
            raise UsageError(f"servers.says is one of the n={task.n} symbols from 0 on, got {self.says}")
        if (self.sizes or self.silent) and not protocol.uneven:
            name = type(protocol).__module__.rsplit(".", 1)[1]
            raise UsageError(
                f"{name} needs exactly s={task.s} at every server; unequal and silent servers are understood by "
                "uneven_samples"
            )

    def lies(self, block: range, m: int) -> NDArray[np.bool_]:
        """Who of a block lies, bool (len(block),)."""
        party = np.arange(block.start, block.stop, block.step, dtype=np.int64)
        return np.asarray((party + 1) * self.lying // m > party * self.lying // m)

    def held(self, block: range, task: Task, coins: DataCoins) -> NDArray[np.int64]:
        """How many samples each server of a block holds, int64 (len(block),)."""
        party = np.arange(block.start, block.stop, block.step, dtype=np.int64)
        sizes = np.asarray(self.sizes or (task.s,), np.int64)[party % max(1, len(self.sizes))]
        if self.silent:
            absent = open_unit(coins.fold("silent").words(block)[:, 0]) < self.silent
            sizes[absent & ~self.lies(block, task.m)] = 0
        return sizes

    def apart(self, draw: Draw, task: Task, coins: DataCoins) -> Draw:
        """The samples servers hold under this roster; places beyond a server's own are NONE."""
        if self.plain:
            return draw

        def drawn(block: range) -> NDArray[np.int32]:
            samples = np.array(draw(block), np.int32)
            samples[self.lies(block, task.m)] = self.says
            if self.sizes or self.silent:
                samples[np.arange(task.s) >= self.held(block, task, coins)[:, None]] = NONE
            return samples

        return drawn
