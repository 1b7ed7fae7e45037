"""A random distribution without structure: Dirichlet's, from nearly uniform to nearly a point."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf

ALPHA_MAX = 1e9  # beyond it rounding is seen in the test that accepts a draw


@dataclass(frozen=True, slots=True)
class Dirichlet(Distribution):
    """Independent gamma variables of shape alpha over their sum, drawn from the coins.

    alpha: the concentration, 0 < alpha <= 10^9. At 1 the law is uniform on the simplex, for large alpha near the
    uniform distribution, for small alpha near a point: the sum of p_x^2 is (alpha + 1)/(alpha n + 1) on average.

    A gamma variable of shape alpha is one of shape alpha + 1 times U^(1/alpha). Logarithms are taken, and only
    their distances to the largest are divided by alpha: for small alpha all variables themselves would be 0.

    Source: Marsaglia, Tsang, "A simple method for generating gamma variables" (2000), with Box and Muller's normals.
    """

    alpha: float = 1.0
    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= ALPHA_MAX:
            raise UsageError(f"dirichlet takes a concentration 0 < alpha <= 10^9, got alpha={self.alpha}")

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        here = coins.fold("dirichlet")
        boost = np.log(open_unit(here.fold("boost").common(n)))
        scaled = self.alpha * _log_gamma(self.alpha + 1, n, here) + boost
        with np.errstate(over="ignore"):  # -inf is the logarithm of 0
            weight = np.exp((scaled - scaled.max()) / self.alpha)
        return checked_pmf(weight / weight.sum(), "dirichlet")


def _log_gamma(shape: float, n: int, coins: DataCoins) -> NDArray[np.float64]:
    """n logarithms of gamma variables of a shape >= 1, up to one constant that all share, float64 (n,).

    Every round draws all that are still missing; more than nineteen of twenty are accepted.
    """
    d = shape - 1 / 3
    found = np.empty(n)
    missing, number = np.arange(n), 0
    while missing.size:
        draws = coins.fold("round", number).words(range(missing.size), 3)
        u, v, w = open_unit(draws).T
        normal = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
        root = 1 + normal / np.sqrt(9 * d)
        inside = root > 0
        log_cube = 3 * np.log(np.where(inside, root, 1))
        accepted = inside & (np.log(w) < normal**2 / 2 + d * (1 - root**3 + log_cube))
        found[missing[accepted]] = log_cube[accepted]
        missing, number = missing[~accepted], number + 1
    return found
