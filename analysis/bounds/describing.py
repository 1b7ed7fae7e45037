"""What it costs to write down p, however many samples there are (Propositions 6.6a-6.6c).

A transcript from which p can be estimated describes p. These bounds do not know m or s: they hold for every
number of samples, in every model, and are the only ones here that bind when samples are plentiful.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.bounds.assouad import binary_entropy
from analysis.bounds.bound import GRIDS, Bound, Loss, Unit, check_sizes

Floats = NDArray[np.float64]

_SOURCE = "docs/bounds.md, section 6.6"
_ANY = "any number of samples, any interaction, private and public coins; bits averaged over the prior"
_RATIO_SIMPLEX = (
    "yes, if error and bits are both averaged over p uniform on the simplex of n_sub symbols "
    "(Dirichlet with all parameters 1), or both are the supremum over p"
)
_RATIO_SUBSETS = (
    "yes, if error and bits are both averaged over p uniform on a random set of t of the n symbols, or both are "
    "the supremum over p"
)


def simplex_bits_l1(n: int, error: float) -> Bound:
    """Return the bits d log2(2d/(e eps)) - log2((2d)!/d!), d = n - 1, that describe p to l1 error eps, or 0.

    About d log2(1/(2 eps)) - 1/2.

    Source: docs/bounds.md, Proposition 6.6a.
    """
    _check_question(n, error)
    d = n - 1
    value = d * math.log2(2.0 * d / (math.e * error)) - _log_ratio(d)
    return _simplex("6.6a describing p, l1", n, max(0.0, value), "bits", {"error": float(error)})


def simplex_l1(n: int, bits_total: float) -> Bound:
    """Return the l1 error (2d/e) 2^-((B + log2((2d)!/d!))/d), maximised over d < n.

    Source: docs/bounds.md, Proposition 6.6a.
    """
    check_sizes(n)
    _check_bits(bits_total)
    sizes = sorted({2, n, *(int(size) for size in np.geomspace(2, n, 60))})
    errors = [2.0 * d / math.e * 2.0 ** -((bits_total + _log_ratio(d)) / d) for d in (size - 1 for size in sizes)]
    best = int(np.argmax(errors))
    return _simplex("6.6a describing p, l1", sizes[best], errors[best], "l1", {"bits": float(bits_total)})


def simplex_bits_l2(n: int, risk: float) -> Bound:
    """Return the bits log2(n')/2 - log2(d!) - (d/2) log2(2 pi e r/d), d = n' - 1, maximised over n' <= n, or 0.

    The maximum is near n' = 1 + 1/(2 pi r).

    Source: docs/bounds.md, Proposition 6.6b.
    """
    _check_question(n, risk)
    middle = min(n, int(min(1e15, 1.0 / (2.0 * math.pi * risk))) + 1)
    sizes = sorted({min(n, max(2, middle + step)) for step in (-2, -1, 0, 1, 2)})
    values = [
        _content(d) - 0.5 * d * math.log2(2.0 * math.pi * math.e * risk / d) for d in (size - 1 for size in sizes)
    ]
    best = int(np.argmax(values))
    value = max(0.0, values[best])
    return _simplex("6.6b describing p, squared l2", sizes[best], value, "bits", {"risk": float(risk)})


def simplex_l2(n: int, bits_total: float) -> Bound:
    """Return the squared l2 risk d/(2 pi e) 2^(2 (log2(n')/2 - log2(d!) - B)/d), maximised over n' <= n.

    Source: docs/bounds.md, Proposition 6.6b.
    """
    check_sizes(n)
    _check_bits(bits_total)
    sizes = sorted({*range(2, min(n, 64) + 1), n, *(int(size) for size in np.geomspace(2, n, 200))})
    risks = [d / (2.0 * math.pi * math.e) * 2.0 ** (2.0 * (_content(d) - bits_total) / d) for d in np.array(sizes) - 1]
    best = int(np.argmax(risks))
    name = "6.6b describing p, squared l2"
    return _simplex(name, sizes[best], float(risks[best]), "l2_squared", {"bits": float(bits_total)})


def subset_bits(n: int, t: int, wrong: int, pe: float) -> float:
    """Return (1-pe) (log2 C(n,t) - log2 ball) - h(pe), the bits that name a random t-set of n symbols.

    With chance 1 - pe at least, the answer is right up to i0 = `wrong` exchanged elements; ball is (at most)
    the number of such sets, sum of C(t,i) C(n-t,i) over i <= i0. 0 where these terms have begun to fall.

    pe: in (0, 1/2], because h must not fall.
    Source: docs/bounds.md, Proposition 6.6c (Fano with balls).
    """
    if not (1 <= t < n and wrong >= 0 and 0 < pe <= 0.5):
        raise ValueError(f"sets of t={t} of n={n} symbols need 1 <= t < n, wrong >= 0 and 0 < pe <= 1/2")
    return max(0.0, (1.0 - pe) * _list_gain(n, t, wrong) - float(binary_entropy(pe)))


@dataclass(frozen=True, slots=True)
class _Sets:
    """The sets that are tried: sizes t, exchanges i0 and log2 C(n,t) - log2 ball, one per entry."""

    t: Floats
    wrong: Floats
    gain: Floats

    def reach(self, loss: Loss) -> Floats:
        """Return eps/pe: (i0+1)/t for l1, (i0+1)/(2 t^2) for squared l2."""
        return (self.wrong + 1.0) / (self.t if loss == "l1" else 2.0 * self.t**2)


def subsets_bits(n: int, loss: Loss, error: float, t_max: int | None = None) -> Bound:
    """Return the bits that the error needs when p is uniform on a random t-set, maximised over t and i0.

    pe = eps t/(i0+1) for l1, 2 r t^2/(i0+1) for squared l2; t <= t_max if given.

    Source: docs/bounds.md, Proposition 6.6c.
    """
    _check_question(n, error)
    sets = _sets(n, t_max)
    pe = error / sets.reach(loss)
    bits = np.where(pe <= 0.5, (1.0 - pe) * sets.gain - binary_entropy(np.minimum(pe, 0.5)), 0.0)
    best = int(np.argmax(bits))
    constants = _constants(n, sets, best, float(pe[best]))
    return _fano(max(0.0, float(bits[best])), "bits", loss, {**constants, "error": float(error)}, t_max)


def subsets_error(n: int, loss: Loss, bits_total: float, t_max: int | None = None) -> Bound:
    """Return the error that B bits leave when p is uniform on a random t-set, maximised over t and i0.

    pe times (i0+1)/t for l1, (i0+1)/(2 t^2) for squared l2, where pe <= 1/2 is the largest at which naming
    the set still takes more than B bits.

    Source: docs/bounds.md, Proposition 6.6c.
    """
    check_sizes(n)
    _check_bits(bits_total)
    sets = _sets(n, t_max)
    low, high = np.zeros(sets.gain.shape), np.full(sets.gain.shape, 0.5)
    for _ in range(50):
        middle = 0.5 * (low + high)
        open_still = (1.0 - middle) * sets.gain - binary_entropy(middle) > bits_total
        low, high = np.where(open_still, middle, low), np.where(open_still, high, middle)
    errors = low * sets.reach(loss)
    best = int(np.argmax(errors))
    constants = _constants(n, sets, best, float(low[best]))
    return _fano(float(errors[best]), loss, loss, {**constants, "bits": float(bits_total)}, t_max)


@lru_cache(maxsize=GRIDS)
def _sets(n: int, t_max: int | None) -> _Sets:
    """Return a grid of set sizes t and exchanges i0; any grid gives valid bounds."""
    top = n - 1 if t_max is None else min(n - 1, t_max)
    if top < 1:
        raise ValueError(f"a set has at least one element, got t_max={t_max}")
    sizes = {*range(1, min(top, 8) + 1), *(round(size) for size in np.geomspace(1, top, 48))}
    entries = []
    for t in sorted(sizes):
        # From about i0 = t(n-t)/n on the terms fall, the ball holds most sets, and nothing is left to prove.
        last = max(0, min(t * (n - t) // n, t - 1))
        wrongs = {*range(min(last, 6) + 1), *(round(count) for count in np.geomspace(1, last + 1, 32) - 1)}
        entries += [(float(t), float(wrong), _list_gain(n, t, wrong)) for wrong in sorted(wrongs)]
    t, wrong, gain = np.array(entries).T
    return _Sets(t, wrong, gain)


def _list_gain(n: int, t: int, wrong: int) -> float:
    """Return log2 C(n,t) minus log2 of an upper bound on the ball, or 0 where the terms have begun to fall."""
    whole = _log_binomial(n, t)
    if wrong == 0:
        return whole
    # Terms C(t,i) C(n-t,i) grow by a ratio that falls with i; the last growth bounds all earlier ones.
    growth = (t - wrong + 1.0) * (n - t - wrong + 1.0) / wrong**2
    if growth <= 1.0:
        return 0.0
    last = _log_binomial(t, wrong) + _log_binomial(n - t, wrong)
    terms = min(wrong + 1.0, growth / (growth - 1.0))
    return max(0.0, whole - last - math.log2(terms))


def _log_binomial(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2.0)


def _log_ratio(d: int) -> float:
    """Return log2((2d)!/d!)."""
    return (math.lgamma(2 * d + 1) - math.lgamma(d + 1)) / math.log(2.0)


def _content(d: int) -> float:
    """Return log2 of the d-dimensional content sqrt(d+1)/d! of the simplex."""
    return 0.5 * math.log2(d + 1) - math.lgamma(d + 1) / math.log(2.0)


def _constants(n: int, sets: _Sets, index: int, pe: float) -> dict[str, float]:
    return {"n": float(n), "t": float(sets.t[index]), "wrong": float(sets.wrong[index]), "pe": pe}


def _simplex(name: str, n_sub: int, value: float, unit: Unit, constants: dict[str, float]) -> Bound:
    l1 = name.endswith("l1")
    return Bound(
        name=name,
        problem="all p on n symbols, loss " + ("E||ph - p||_1" if l1 else "E||ph - p||_2^2"),
        model="blackboard",
        sense="bayesian",
        regime="p uniform on the simplex of n_sub symbols; " + _ANY,
        kind="lower",
        formula="B >= d log2(2d/(e eps)) - log2((2d)!/d!), d = n' - 1"
        if l1
        else "B >= log2(n')/2 - log2(d!) - (d/2) log2(2 pi e r/d), d = n' - 1",
        constants={"n_sub": float(n_sub), **constants},
        source=_SOURCE,
        value=value,
        unit=unit,
        ratio_ok=_RATIO_SIMPLEX,
    )


def _fano(value: float, unit: Unit, loss: Loss, constants: dict[str, float], t_max: int | None) -> Bound:
    l1 = loss == "l1"
    title = "naming a set" if t_max is None else f"naming at most {t_max} atoms"
    return Bound(
        name=f"6.6c {title}, " + ("l1" if l1 else "squared l2"),
        problem="all p on n symbols, loss " + ("E||ph - p||_1" if l1 else "E||ph - p||_2^2"),
        model="blackboard",
        sense="bayesian",
        regime="p uniform on a random set of t symbols; " + _ANY,
        kind="lower",
        formula="B >= (1-pe) log2(C(n,t)/ball) - h(pe), ball = sum_{i<=i0} C(t,i) C(n-t,i), pe = "
        + ("eps t/(i0+1)" if l1 else "2 r t^2/(i0+1)"),
        constants=constants,
        source=_SOURCE,
        value=value,
        unit=unit,
        ratio_ok=_RATIO_SUBSETS,
    )


def _check_question(n: int, error: float) -> None:
    check_sizes(n)
    if not error > 0:
        raise ValueError(f"an error is positive, got {error}")


def _check_bits(bits_total: float) -> None:
    if not bits_total >= 0:
        raise ValueError(f"the expected number of bits is at least 0, got {bits_total}")
