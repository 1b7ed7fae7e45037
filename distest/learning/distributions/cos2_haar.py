"""The prior under which the l2 lower bounds on total bits hold: a random bump around the uniform law."""

from dataclasses import dataclass
from typing import ClassVar

from analysis.bounds import prior
from distest.coins import DataCoins
from distest.errors import UsageError
from distest.learning.distributions.base import Distribution, open_unit
from distest.learning.norms import Pmf, checked_pmf


@dataclass(frozen=True, slots=True)
class Cos2Haar(Distribution):
    """Uniform on n_sub symbols plus independent cos^2 coordinates along Haar directions in blocks of 2^a symbols.

    n_sub: symbols that carry mass, n' <= n. a: levels of a block, 2^a divides n_sub. D: every p_x with mass stays
    within (1 +- D) / n_sub, 0 < D < 1. Left out, they are those at which the bound for the protocol's bits is best.

    Source: docs/bounds.md, Proposition 6.2.
    """

    n_sub: int
    a: int
    D: float
    random: ClassVar[bool] = True

    def pmf(self, n: int, coins: DataCoins) -> Pmf:
        if self.n_sub > n:
            raise UsageError(f"cos2_haar puts mass on n_sub={self.n_sub} symbols, there are only n={n}")
        try:
            directions = prior.haar_directions(self.n_sub, self.a)
            u = open_unit(coins.fold("cos2_haar").common(directions))
            return checked_pmf(prior.draw_cos2_haar(u, n, self.n_sub, self.a, self.D), "cos2_haar")
        except ValueError as error:
            raise UsageError(f"cos2_haar: {error}") from None
