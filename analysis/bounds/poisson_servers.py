"""l1 when servers hold s samples each and the whole transcript has B bits: Poissonised servers (Proposition 6.5b).

A server whose number of samples is Poisson has independent counts, so what a bit says about one pair of symbols is a
question about two independent Poisson counts. That is answered here by numbers, not by a formula: see `restricted`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from analysis.bounds.bound import BAYES_RATIO, Bound, check_sizes
from analysis.bounds.total_bits_l1 import G

Floats = NDArray[np.float64]

THETAS = np.round(np.arange(0.0, 0.951, 0.05), 2)
"""Where the suprema over theta are looked for; D is one of them, so they are running maxima."""
_RATIO, _FIRST, _LAST = 1.03, 1e-3, 600.0  # the grid of lambda, times the largest score
_COUNTS = 1024  # largest truncation Y that is tried
_FAILURES = (1e-2, 1e-3, 1e-5)
_LOST = (1e-1, 1e-2, 1e-4)
_SOURCE = "docs/bounds.md, section 6.5"


def restricted(mean: float, Y: int, thetas: Floats) -> tuple[Floats, Floats]:
    """Return R_Y and V_Y for each theta >= 0, (k,) each, of a pair with counts Poisson(mean (1 +- theta)).

    The score is S = U/(1+theta) - V/(1-theta), Z is S where both counts are at most Y and 0 elsewhere, less its mean.
    R_Y = sup over laws Q of (E_Q Z)^2 / D(Q||P) = sup over lambda of 4 ln E exp(lambda Z) / lambda^2, bounded from
    above on a geometric grid of lambda (the logarithm is convex), within 6e-4. V_Y = E S^2 where a count exceeds Y.

    Source: docs/bounds.md, Proposition 6.5b.
    """
    theta = np.asarray(thetas, np.float64)
    first, second = _truncated(mean * (1.0 + theta), Y), _truncated(mean * (1.0 - theta), Y)
    up, down = 1.0 / (1.0 + theta), 1.0 / (1.0 - theta)
    centre = up * first[1] * second[0] - down * second[1] * first[0]
    square = up**2 * first[2] * second[0] - 2.0 * up * down * first[1] * second[1] + down**2 * second[2] * first[0]
    whole = mean * (up + down)
    largest = Y * down + np.abs(centre)  # |Z| is at most this
    steps = 1 + math.ceil(math.log(_LAST / _FIRST) / math.log(_RATIO))
    grid = (_FIRST * _RATIO ** np.arange(steps))[:, None] / largest
    best = 2.0 * (square - centre**2) * (1.0 + _FIRST)  # below the grid, by Bennett's inequality
    for tilt in (grid, -grid):
        mgf = _tilted(mean * (1.0 + theta), Y, tilt * up) * _tilted(mean * (1.0 - theta), Y, -tilt * down)
        log = np.log(mgf + (1.0 - first[0] * second[0])) - tilt * centre
        best = np.maximum(best, (4.0 * log / tilt**2).max(axis=0) * (1.0 + _RATIO) ** 2 / (4.0 * _RATIO))
    best = np.maximum(best, 4.0 * largest / grid[-1])  # beyond the grid ln E exp(lambda Z) <= lambda max Z
    return best, np.maximum(whole - square, 0.0) + 1e-12 * whole


def _truncated(mean: Floats, Y: int) -> tuple[Floats, Floats, Floats]:
    """Return E N^k where N <= Y, for k = 0, 1, 2 and N Poisson."""
    chance = _chances(mean, Y)
    counts = np.arange(Y + 1.0)[:, None]
    return chance.sum(axis=0), (counts * chance).sum(axis=0), (counts**2 * chance).sum(axis=0)


def _tilted(mean: Floats, Y: int, tilt: Floats) -> Floats:
    """Return E exp(tilt N) where N <= Y, for N Poisson; tilt (l, k), mean (k,)."""
    total = np.zeros(tilt.shape)
    power = np.exp(tilt)
    for chance in _chances(mean, Y)[::-1]:  # Horner
        total *= power
        total += chance
    return total


def _chances(mean: Floats, Y: int) -> Floats:
    """Return P(N = 0..Y), (Y + 1, k), for N Poisson."""
    counts = np.arange(Y + 1.0)[:, None]
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, Y + 1.0)))])[:, None]
    return np.asarray(np.exp(counts * np.log(mean) - factorial - mean), np.float64)


def poisson_trace(R: Floats, V: Floats, n_sub: int, m: int, bits: float) -> Floats:
    """Return (sqrt(R B ln 2) + sqrt(m (n'/2) V))^2, a cap on the Fisher trace of B bits of m Poissonised servers."""
    return np.asarray((np.sqrt(R * math.log(2.0) * bits) + np.sqrt(0.5 * m * n_sub * V)) ** 2, np.float64)


def shortfall(mean: float, s: int) -> float:
    """Return P(Poisson(mean) < s), from above: the last term and a geometric series of the ratio of the last two."""
    if s == 0:
        return 0.0
    last = math.exp(min(0.0, (s - 1) * math.log(mean) - math.lgamma(s) - mean))
    ratio = (s - 1) / mean
    return min(1.0, last / (1.0 - ratio)) if ratio < 1.0 else 1.0


def total_bits_many_samples_l1(
    n: int, m: int, s: int, bits_total: float, capped: bool, room: list[int] | None = None
) -> Bound:
    """Return the l1 error that is provable for B bits in all and m servers of exactly s samples.

    room: the most symbols n' (cells) for each D of `THETAS[1:]`; n for all of them if left out.

    capped: B bounds every run, whatever the samples (m b for a hard cap b); otherwise it is the expected length.
    Maximum over n', D, the truncation Y and the Poisson mean s0 of G((2/n') T, D) - 2D P - 2D gamma, with P = m
    P(Poisson(s0) < s), T from `poisson_trace` at B, or B (1 + P/gamma) where B is expected, then gamma > 0. 0 where
    only truncations above 1024 would help.

    Source: docs/bounds.md, Proposition 6.5b.
    """
    check_sizes(n, m, s)
    if not bits_total >= 0:
        raise ValueError(f"the expected number of bits is at least 0, got {bits_total}")
    D, best, found = THETAS[1:], 0.0, {"n_sub": float(n - n % 2), "D": 0.0}
    most = np.full(D.size, n) if room is None else np.asarray(room)
    sizes = _sizes(n) if room is None else sorted({2 * (k // 2) for k in room if k >= 2})
    for failure in _FAILURES:
        mean = _mean_for(s, failure / m)
        gamma = 0.0 if capped else math.sqrt(failure) * 0.1
        bits = bits_total if capped else bits_total * (1.0 + failure / gamma)
        for n_sub in sizes:
            data = m * mean * np.arctanh(D) / D
            for Y in _truncations(mean / n_sub, n_sub, m, bits):
                R, V = restricted(mean / n_sub, Y, THETAS)
                R, V = np.maximum.accumulate(R)[1:], np.maximum.accumulate(V)[1:]
                trace = np.minimum(data, poisson_trace(R, V, n_sub, m, bits))
                errors = np.where(most >= n_sub, G(2.0 * trace / n_sub, D) - 2.0 * D * (failure + gamma), 0.0)
                place = int(np.argmax(errors))
                if errors[place] > best:
                    best = float(errors[place])
                    found = {
                        "n_sub": float(n_sub), "D": float(D[place]), "trace": float(trace[place]), "Y": float(Y),
                        "poisson_mean": mean, "R": float(R[place]), "V": float(V[place]), "gamma": gamma,
                    }  # fmt: skip
    return _bound(best, {**found, "bits": float(bits_total)}, capped)


def _sizes(n: int) -> list[int]:
    """Return n and half as often, a quarter, ... (even): any sizes give valid bounds."""
    return sorted({2 * max(1, n >> (j + 1)) for j in range(min(6, n.bit_length()))})


def _mean_for(s: int, chance: float) -> float:
    """Return a Poisson mean that falls short of s with at most this chance, by bisection."""
    low, high = float(s), s + 10.0 * math.sqrt(s * 50.0) + 100.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if shortfall(middle, s) <= chance else (middle, high)
    return high


def _truncations(mean: float, n_sub: int, m: int, bits: float) -> list[int]:
    """Return the smallest Y whose tail, at theta = 1/2, loses certain shares of what the bits carry; any Y is valid."""
    top = int(min(_COUNTS, 4.0 * mean + 60.0))
    out = set()
    theta = 0.5
    counts = np.arange(top + 1.0)
    chances = _chances(np.array([mean * (1.0 + theta)]), top)[:, 0]
    tail = mean / (1.0 + theta) - np.cumsum((counts / (1.0 + theta) - mean) ** 2 * chances)  # of U alone
    carried = 4.0 * mean * math.log(2.0) * bits / (0.5 * n_sub * m)
    for lost in _LOST:
        fits = np.flatnonzero(tail <= lost * carried)
        if fits.size and fits[0] > 0:
            out.add(int(fits[0]))
    return sorted(out)


def _bound(value: float, constants: dict[str, float], capped: bool) -> Bound:
    return Bound(
        name="6.5b total bits, several samples per server, l1",
        problem="all p on n symbols, s samples per server, loss E||ph - p||_1",
        model="blackboard",
        sense="bayesian",
        regime="uniform pair prior on n_sub symbols (theta in [-D, D]); "
        + ("B is a hard cap on the bits of a run" if capped else "bits averaged over it")
        + "; any interaction, private and public coins; the suprema over theta are maxima over a grid of step .05",
        kind="lower",
        formula="G(2T/n', D) - 2D (P + gamma), T = min(m s0 atanh(D)/D, (sqrt(R_Y B' ln 2) + sqrt(m n' V_Y/2))^2), "
        + ("B' = B, gamma = 0" if capped else "B' = B (1 + P/gamma)"),
        constants=constants,
        source=_SOURCE,
        value=value,
        unit="l1",
        ratio_ok=BAYES_RATIO,
    )
