"""What no code of vectors can beat: squared error for the bits of a message (docs/bounds.md, section X).

b is all bits of a message, side information included, divided by the number d of coordinates.
"""

from __future__ import annotations

import math

from analysis.bounds.bound import Bound

_SOURCE = "docs/bounds.md, section X"
_GAUSSIAN = (
    "yes, if error, energy and bits are averaged over Gaussian vectors, or the error is at most this multiple of "
    "|x|^2 for every x"
)


def vector_nmse(bits: float) -> Bound:
    """Return 4^-b, the least E|y - x|^2 / E|x|^2 of one vector from b bits a coordinate.

    Source: docs/bounds.md, Proposition X1.
    """
    _check_bits(bits)
    return _nmse("X1 one vector", 4.0**-bits, {"b": float(bits)}, "4^-b", "one message, public and private coins")


def unbiased_nmse(bits: float) -> Bound:
    """Return 1 / (4^b - 1), the least E|y - x|^2 / E|x|^2 of one vector where y has mean x; infinite for b = 0.

    Source: docs/bounds.md, Proposition X2.
    """
    _check_bits(bits)
    regime = "one message, public and private coins, E[y | x] = x for every x"
    return _nmse("X2 one vector, unbiased", _one_over(bits), {"b": float(bits)}, "1 / (4^b - 1)", regime)


def separate_mean_nmse(bits: float, workers: int) -> Bound:
    """Return 1 / (W (4^b - 1)), of W codes that are unbiased and whose errors are uncorrelated.

    The error of the mean over the mean energy of the W vectors. Codes that share coins are not held by it: correlated
    or lattice codes fall below where vectors are alike.

    Source: docs/bounds.md, Proposition X3.
    """
    _check_bits(bits)
    _check_workers(workers)
    regime = "b bits a coordinate from each worker, E[y_i | x] = x_i, errors of workers uncorrelated"
    value = _one_over(bits) / workers
    constants = {"b": float(bits), "W": float(workers)}
    return _nmse("X3 a mean, separate unbiased codes", value, constants, "1 / (W (4^b - 1))", regime)


def pooled_mean_nmse(bits: float, workers: int) -> Bound:
    """Return 4^(-W b), the least E|y - mu|^2 / E|mu|^2 of the mean mu of W Gaussian vectors, all bits pooled.

    A genie who knows all vectors writes W b d bits. Whatever the correlation of the workers; for equal vectors and
    shared coins it can be approached, for independent ones it is far away.

    Source: docs/bounds.md, Proposition X4.
    """
    _check_bits(bits)
    _check_workers(workers)
    regime = "b bits a coordinate from each worker, any interaction, public and private coins; jointly Gaussian vectors"
    constants = {"b": float(bits), "W": float(workers)}
    return _nmse("X4 a mean, all bits pooled", 4.0 ** (-workers * bits), constants, "4^(-W b)", regime)


def gaussian_mean_l2(
    d: int, workers: int, bits_per_worker: float, sigma: float = 1.0, half_width: float = 1.0
) -> Bound:
    """Return d^2 / (W min(d, 2 ln 2 k) / sigma^2 + d pi^2 / B^2) for X_i ~ N(theta, sigma^2 I_d), k bits a worker.

    Averaged over theta with independent coordinates of density cos^2(pi t / 2B) / B on [-B, B]. Below k = 0.72 d the
    error grows as 1 / k; above it is that of unquantised samples.

    Source: docs/bounds.md, Proposition X5.
    """
    if d < 1 or not sigma > 0 or not half_width > 0:
        raise ValueError(f"needs d >= 1, sigma > 0 and half_width > 0, got {d}, {sigma} and {half_width}")
    _check_bits(bits_per_worker)
    _check_workers(workers)
    trace = workers * min(float(d), 2.0 * math.log(2.0) * bits_per_worker) / sigma**2
    return Bound(
        name="X5 the mean of a Gaussian, k bits a worker",
        problem="X_i ~ N(theta, sigma^2 I_d), theta in [-B, B]^d, loss E||y - theta||_2^2",
        model="one-way",
        sense="bayesian",
        regime="each worker has one sample and writes k bits on average, once, knowing the messages before",
        kind="lower",
        formula="d^2 / (W min(d, 2 ln 2 k) / sigma^2 + d pi^2 / B^2)",
        constants={
            "d": d, "W": workers, "k": float(bits_per_worker), "sigma": float(sigma), "B": float(half_width)
        },
        source=f"{_SOURCE}; Barnes, Han, Ozgur, 'Lower bounds for learning distributions under communication "
        "constraints via Fisher information' (2020)",
        value=d**2 / (trace + d * (math.pi / half_width) ** 2),
        unit="l2_squared",
        ratio_ok="yes, if error and bits are averaged over this prior, or both are the supremum over theta",
    )  # fmt: skip


def support_bits(d: int, k: int, value_bits: float = 0.0) -> Bound:
    """Return log2 C(d, k) + k v, the mean bits that tell any k of d places, and k values of v bits each.

    Source: docs/bounds.md, Proposition X6.
    """
    if not 0 <= k <= d or value_bits < 0:
        raise ValueError(f"needs 0 <= k <= d and value_bits >= 0, got k={k}, d={d} and value_bits={value_bits}")
    log_choices = (math.lgamma(d + 1) - math.lgamma(k + 1) - math.lgamma(d - k + 1)) / math.log(2.0)
    return Bound(
        name="X6 places of a sparse vector",
        problem="k of d places, uniform, and v bits of entropy in each of their values, recovered exactly",
        model="blackboard",
        sense="bayesian",
        regime="mean length of a prefix code, public and private coins",
        kind="lower",
        formula="log2 C(d, k) + k v",
        constants={"d": d, "k": k, "v": float(value_bits)},
        source=_SOURCE,
        value=max(0.0, log_choices) + k * value_bits,
        unit="bits",
        ratio_ok="yes, for the mean over uniform places or the worst case",
    )


def index_efficiency(d: int, k: int, bits_used: float) -> float:
    """Return the share of the bits spent on k of d places that was needed: log2 C(d, k) / bits_used."""
    if not bits_used > 0:
        raise ValueError(f"an efficiency needs bits that were used, got {bits_used}")
    return support_bits(d, k).value / bits_used


def excess_bits(nmse: float, bits: float, unbiased: bool = True) -> float:
    """Return the bits a coordinate above the limit at this error: b - log2(1 + 1/w) / 2, or b - log2(1/w) / 2."""
    if not nmse > 0:
        raise ValueError(f"excess bits need an error above 0, got {nmse}")
    return bits - 0.5 * math.log2(1.0 + 1.0 / nmse if unbiased else 1.0 / nmse)


def _one_over(bits: float) -> float:
    below = math.expm1(min(bits, 500.0) * math.log(4.0))
    return 1.0 / below if below > 0 else math.inf


def _nmse(name: str, value: float, constants: dict[str, float], formula: str, regime: str) -> Bound:
    return Bound(
        name=name,
        problem="vectors of d coordinates, loss E||y - x||^2 / E||x||^2",
        model="blackboard",
        sense="bayesian",
        regime=f"x Gaussian, coordinates independent and equal, any d; b the mean bits of a code over d; {regime}",
        kind="lower",
        formula=formula,
        constants=constants,
        source=_SOURCE,
        value=value,
        unit="nmse",
        ratio_ok=_GAUSSIAN,
    )


def _check_bits(bits: float) -> None:
    if not 0 <= bits < math.inf:
        raise ValueError(f"a limit needs a finite number of bits of at least 0, got {bits}")


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise ValueError(f"a limit needs at least one worker, got {workers}")
