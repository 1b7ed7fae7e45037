"""Where the samples of a server come from: i.i.d. from a law, or dealt out of a finite population."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.kernels import alias
from distest.learning.norms import Pmf

if TYPE_CHECKING:
    from distest.learning.population import Population


@dataclass(frozen=True, slots=True)
class Independent:
    """Every sample of every server is an independent draw from a law.

    Server i's samples are a function of (key, i), so they are the same at any number of ranks.
    """

    table: alias.AliasTable
    s: int
    coins: DataCoins

    def draw(self, block: range) -> NDArray[np.int32]:
        """Samples of a block of servers, int32 (len(block), s)."""
        key = self.coins.splitmix_key()
        if key is not None and self.s == 1:
            return self.table.draw(key, block)
        return self.table.sample(self.coins.words(block, self.s))


@dataclass(frozen=True, slots=True)
class Dealt:
    """Rows of a population dealt out without replacement: server i gets rows i * s .. i * s + s - 1 of a shuffle.

    rows: int32, the shuffled symbols of the half that is dealt.
    """

    rows: NDArray[np.int32]
    s: int

    def draw(self, block: range) -> NDArray[np.int32]:
        """Samples of a block of servers, int32 (len(block), s)."""
        return self.rows.reshape(-1, self.s)[block.start : block.stop : block.step]


def independent(pmf: Pmf, s: int, coins: DataCoins) -> Independent:
    """Draws from a pmf, s a server."""
    return Independent(alias.table(pmf), s, coins.fold("samples"))


def deal(population: "Population", m: int, s: int, coins: DataCoins) -> tuple[Dealt, Pmf]:
    """Shuffle a population; deal one half to m servers, s rows each, and return the law of the held-out half.

    Raises UsageError where the half is too small, or the population too large to be held (2^28 rows).
    """
    if population.rows >= 1 << 28:
        raise UsageError(
            f"{population.name} has {population.rows} rows, too many to deal out one by one; use sampling 'iid'"
        )
    half = population.rows // 2
    if m * s > half:
        raise UsageError(
            f"{m} servers with {s} samples need {m * s} rows; half of {population.name} is {half} rows (the other "
            "half is held out to measure against)"
        )
    symbols = np.repeat(np.arange(population.n, dtype=np.int32), population.counts)
    order = np.argsort(coins.fold("deal").common(population.rows), kind="stable")
    held_out = np.bincount(symbols[order[half:]], minlength=population.n)
    return Dealt(symbols[order[: m * s]], s), held_out / held_out.sum()
