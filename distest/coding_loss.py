"""Coding loss: what a compressor loses of vectors and how many bits it takes, measured, beside what is provable."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import gradient_limits
from analysis.bounds.bound import Bound
from distest.bits import BitReader
from distest.coins import Coins, Stream, from_seed
from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.shards import deal

MOST = 1 << 28
Vectors = Callable[[int, int], Vector]  # of a draw and a worker


@dataclass(frozen=True, slots=True)
class Loss:
    """What was measured on vectors of d coordinates, over `draws` draws of them and of the coins.

    bits: all bits of a message over d. nmse: |y - x|^2 over |x|^2, mean over draws; with W workers those of the mean:
    |mean of y - mean of x|^2 over the mean of |x|^2. spread: standard error of nmse. claimed: the bound on it that the
    compressor states for every x; infinite without one, and for several workers unless it is unbiased. unbiased:
    whether the compressor says so.
    """

    d: int
    workers: int
    draws: int
    bits: float
    nmse: float
    spread: float
    claimed: float
    unbiased: bool

    def describe(self) -> dict[str, Any]:
        """The figures and their distance from the limits, plain values; None where there is no such number.

        unbiased_limit: 1 / (W (4^b - 1)); any_limit: 4^-b, for one worker. excess_bits: bits a coordinate beyond what a
        code of this error takes at least, an unbiased one where the compressor is; of a mean only then. Vectors are
        float32, so that what is sent whole has no error, and no distance from limits for real numbers.
        """
        unbiased = gradient_limits.separate_mean_nmse(self.bits, self.workers).value
        least = gradient_limits.vector_nmse(self.bits).value if self.workers == 1 else None
        one = self.nmse * self.workers
        known = one > 0 and (self.unbiased or self.workers == 1)
        return {
            "d": self.d,
            "workers": self.workers,
            "draws": self.draws,
            "bits_per_coordinate": self.bits,
            "nmse": self.nmse,
            "standard_error": self.spread,
            "unbiased": self.unbiased,
            "claimed": self.claimed if math.isfinite(self.claimed) else None,
            "unbiased_limit": unbiased if math.isfinite(unbiased) else None,
            "over_unbiased_limit": _ratio(self.nmse, unbiased),
            "any_limit": least,
            "over_any_limit": _ratio(self.nmse, least),
            "excess_bits": gradient_limits.excess_bits(one, self.bits, self.unbiased) if known else None,
        }


def measure(compressor: Compressor, vectors: Vectors, d: int, workers: int, draws: int, coins: Coins) -> Loss:
    """Code and decode `draws` times the vectors of W workers. Raises UsageError for d that the compressor refuses."""
    if not 1 <= d <= MOST or workers < 1 or draws < 1:
        raise UsageError(f"vectors have 1 to 2^28 coordinates, W and draws are at least 1: {d}, {workers}, {draws}")
    compressor.check(d)
    losses = np.zeros(draws)
    bits = 0
    for draw in range(draws):
        off, energy = np.zeros(d), 0.0
        here = coins.fold("draw", draw)
        for worker in range(workers):
            x = vectors(draw, worker)
            message = compressor.encode(x, worker, here)
            y = compressor.decode(BitReader(message.data, message.n_bits), d, worker, here.public)
            bits += message.n_bits
            off += np.subtract(y, x, dtype=np.float64)
            energy += float(np.square(x, dtype=np.float64).sum())
        losses[draw] = float(np.square(off / workers).sum()) / (energy / workers) if energy else 0.0
    claimed = compressor.distortion(d) / workers if workers == 1 or compressor.unbiased else math.inf
    spread = float(losses.std(ddof=1)) / math.sqrt(draws) if draws > 1 else math.nan
    return Loss(
        d, workers, draws, bits / (draws * workers * d), float(losses.mean()), spread, claimed, compressor.unbiased
    )


def gaussian(d: int, coins: Stream) -> Vectors:
    """Vectors of d independent N(0, 1) coordinates, independent between workers and draws; by Box and Muller."""

    def draw(number: int, worker: int) -> Vector:
        words = coins.fold("gaussian", number).words(range(worker, worker + 1), 2 * -(-d // 2))[0]
        uniform: NDArray[np.float64] = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        radius, angle = np.sqrt(-2 * np.log(uniform[::2])), 2 * math.pi * uniform[1::2]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:d].astype(np.float32)

    return draw


def gradients(problem: Problem, workers: int, batch: int, steps: int, rate: float, seed: int) -> Vectors:
    """Gradients of minibatches of the workers' shards at the x where `steps` uncompressed steps of SGD have led.

    A draw is another batch of every worker. Raises UsageError as `deal` does, DivergedError for a rate too large.
    """
    coins, data = from_seed(seed)
    oracle = Oracle(problem, deal(problem, workers, "iid", coins.public), batch or None, data, "bounds")
    x = problem.start(coins.public.fold("start"))
    for step in range(steps):
        mean = np.mean([oracle.gradient(worker, x, step) for worker in range(workers)], axis=0, dtype=np.float64)
        x = x - np.float32(rate) * mean.astype(np.float32)
    return lambda draw, worker: oracle.gradient(worker, x, steps + draw)


def limits(loss: Loss) -> Iterator[Bound]:
    """What is provable at the bits that were measured."""
    if loss.workers == 1:
        yield gradient_limits.vector_nmse(loss.bits)
        yield gradient_limits.unbiased_nmse(loss.bits)
        return
    yield gradient_limits.separate_mean_nmse(loss.bits, loss.workers)
    yield gradient_limits.pooled_mean_nmse(loss.bits, loss.workers)
    yield gradient_limits.gaussian_mean_l2(loss.d, loss.workers, loss.bits * loss.d)


def _ratio(value: float, limit: float | None) -> float | None:
    return value / limit if value > 0 and limit is not None and math.isfinite(limit) and limit > 0 else None
