"""The van Trees inequality over the cos^2 Haar priors, shared by Propositions 6.1 and 6.2.

For every sub-domain n', block size 2^a and box size D the squared l2 risk, averaged over that prior, is at
least d^2 / (T + d J): d directions, T the prior-averaged Fisher trace of the transcript, J the Fisher
information of the prior per direction. The functions work on all (n', a, D) of a grid at once.
Source: Gill, Levit, "Applications of the van Trees inequality" (1995); docs/bounds.md, Lemma 6.0f.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.bounds.bound import GRIDS
from analysis.bounds.divergence import kappa, kappa2
from analysis.bounds.prior import haar_directions, haar_peak, haar_sub_domains, half_widths

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HaarGrid:
    """All priors that are tried, one per entry: n_sub, a, D, directions d and h_a as float64 arrays."""

    n_sub: Floats
    a: Floats
    D: Floats
    directions: Floats
    peak: Floats

    @property
    def ratio(self) -> Floats:
        """M = n' / (1 - D), the largest 1/p_x in the box."""
        return self.n_sub / (1.0 - self.D)

    @property
    def prior_information(self) -> Floats:
        """d J = d pi^2 n'^2 h_a^2 / D^2, the Fisher information of the prior over all directions."""
        return self.directions * (math.pi * self.n_sub * self.peak / self.D) ** 2

    @cached_property
    def kappa(self) -> Floats:
        """kappa_1 = kappa2(M) / 2 and kappa_a = kappa(M) for a >= 2."""
        found = kappa(self.ratio)
        finest = self.a == 1.0
        found[finest] = 0.5 * kappa2(self.ratio[finest])
        return found

    def constants(self, index: int) -> dict[str, float]:
        """Return the parameters of one prior under the names that `draw_cos2_haar` uses."""
        return {
            "n_sub": float(self.n_sub[index]),
            "a": float(self.a[index]),
            "D": float(self.D[index]),
            "directions": float(self.directions[index]),
        }


@lru_cache(maxsize=GRIDS)
def haar_grid(n: int) -> HaarGrid:
    """Return every prior with n' of `haar_sub_domains`, 2^a dividing n' and D of `half_widths`."""
    pairs = [(size, a) for size in haar_sub_domains(n) for a in range(1, size.bit_length()) if size % 2**a == 0]
    widths = half_widths()
    return HaarGrid(
        n_sub=np.repeat([float(size) for size, _ in pairs], widths.size),
        a=np.repeat([float(a) for _, a in pairs], widths.size),
        D=np.tile(widths, len(pairs)),
        directions=np.repeat([float(haar_directions(size, a)) for size, a in pairs], widths.size),
        peak=np.repeat([haar_peak(a) for _, a in pairs], widths.size),
    )


def trace_of_data(grid: HaarGrid, n_samples: int) -> Floats:
    """Bound the prior-averaged Fisher trace of all N samples by N d n' / (1 - D^2)."""
    return n_samples * grid.directions * grid.n_sub / (1.0 - grid.D**2)


def trace_of_fixed_bits(grid: HaarGrid, m: int, s: int, bits_per_server: int) -> Floats:
    """Bound the Fisher trace by m s n'/(1 - D) min(2^b - 1, d): Proposition 6.1."""
    return m * s * grid.ratio * np.minimum(2.0 ** min(bits_per_server, 1000) - 1.0, grid.directions)


def trace_per_bit(grid: HaarGrid) -> Floats:
    """Bound the Fisher trace bought by one bit of expected transcript by kappa_a M ln 2 (s = 1): Proposition 6.2."""
    return grid.kappa * grid.ratio * math.log(2.0)


def bayes_risks(grid: HaarGrid, trace: Floats) -> Floats:
    """Return d^2 / (T + d J) for every prior: a lower bound on E||ph - p||_2^2 averaged over it."""
    return grid.directions**2 / (trace + grid.prior_information)


def trace_needed(grid: HaarGrid, risk: float) -> Floats:
    """Return d^2/r - d J, the Fisher trace needed for risk r under every prior (negative: none needed)."""
    return grid.directions**2 / risk - grid.prior_information


def one_prior(n_sub: int, a: int, D: float) -> HaarGrid:
    """Return the grid that holds a single prior: for a measurement made under exactly that one."""
    return HaarGrid(
        n_sub=np.array([float(n_sub)]),
        a=np.array([float(a)]),
        D=np.array([D]),
        directions=np.array([float(haar_directions(n_sub, a))]),
        peak=np.array([haar_peak(a)]),
    )
