"""A law at a known distance from a class: a histogram or a falling law, perturbed in pairs of neighbours."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution
from distest.learning.distributions.monotone import Monotone
from distest.learning.distributions.pieces import Pieces
from distest.learning.norms import Pmf, checked_pmf
from distest.learning.task import Loss


@dataclass(frozen=True, slots=True)
class Perturbed(Distribution):
    """q_2j (1 - d) and q_2j+1 (1 + d), where the member q of the class has the same mass on both symbols of a pair.

    q is a member of the class on floor(n/2) symbols, each of them cut into two halves; an odd last symbol has the
    mass of its neighbour and is not perturbed. d is such that |p - q|_1 = distance exactly.

    member: "pieces", a random k-piece histogram, or "monotone", the average of k random prefixes.
    k: 1 <= k <= n/2 for pieces. distance: in l1, 0 < distance <= 0.5. Domains have at least 4 symbols.

    How far p is from the whole class, not only from q: docs/bounds.md, Proposition S5c, and `opt`.
    """

    member: Literal["pieces", "monotone"] = "pieces"
    k: int = 4
    distance: float = 0.1
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"perturbed starts from at least one piece or prefix, got k={self.k}")
        if not 0 < self.distance <= 0.5:
            raise UsageError(f"perturbed moves a law by an l1 distance in (0, 0.5], got distance={self.distance}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        q = self.center(n, coins)
        pairs = n // 2 * 2
        d = self.distance / q[:pairs].sum()
        p = q.copy()
        p[:pairs:2] *= 1 - d
        p[1:pairs:2] *= 1 + d
        return checked_pmf(p, "perturbed")

    def center(self, n: int, coins: DataCoins) -> Pmf:
        """The member q of the class that is perturbed, float64 (n,). Raises UsageError where k or n do not fit."""
        if n < 4 or (self.member == "pieces" and self.k > n // 2):
            raise UsageError(
                f"perturbed needs n >= 4 symbols and, for pieces, two symbols a piece, got n={n}, k={self.k}"
            )
        law = Pieces(self.k) if self.member == "pieces" else Monotone(self.k)
        half = np.repeat(law.pmf(n // 2, coins) / 2, 2)
        q = np.concatenate((half, half[-1:])) if n % 2 else half
        return checked_pmf(q / q.sum(), "perturbed")

    def opt(self, n: int, coins: DataCoins, loss: Loss) -> tuple[float, float]:
        """Bounds on the distance of pmf(n, coins) to the class, in l1 or l2 (not squared): at least, at most.

        The class: all functions with at most k pieces, or all non-increasing functions. For these both bounds are
        equal. Proof: docs/bounds.md, Proposition S5c.
        """
        away = np.abs(self.pmf(n, coins) - self.center(n, coins))[: n // 2 * 2]
        costs = away.reshape(-1, 2).sum(axis=1) if loss == "l1" else np.square(away).reshape(-1, 2).sum(axis=1)
        cut = self.k - 1 if self.member == "pieces" else 0
        low, high = np.sort(costs)[: costs.size - cut].sum(), costs.sum()
        return (float(low), float(high)) if loss == "l1" else (float(low**0.5), float(high**0.5))
