"""Theory: the step size that a theorem promises, from how smooth losses are: what `rate = "theory"` stands for.

Each method says its own (`Method.theory`). Here are smoothness, measured, and what several of them share.
"""

import math
from dataclasses import dataclass

import numpy as np

from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.oracle import smoothness_of
from distest.sgd.problem import Problem
from distest.sgd.shards import Shards

PLACES = 6
_WHO = "rate=theory"


@dataclass(frozen=True, slots=True)
class Smoothness:
    """By how much gradients move: at most by L |x - y| from x to y.

    whole: L of the mean loss over all rows. each: L of the mean loss over the rows of each worker.
    """

    whole: float
    each: tuple[float, ...]

    @property
    def workers(self) -> int:
        """W."""
        return len(self.each)

    @property
    def largest(self) -> float:
        """The largest of the workers'."""
        return max(self.each)

    @property
    def root(self) -> float:
        """L', the root of the mean of the squared L of the workers."""
        return math.sqrt(math.fsum(one * one for one in self.each) / len(self.each))


def measured(problem: Problem, shards: Shards) -> Smoothness:
    """Of rows as they are dealt. Raises UsageError where the problem does not know."""
    each = tuple(smoothness_of(_WHO, problem, shards.rows(worker)) for worker in range(shards.workers))
    return Smoothness(_of_all(problem), each)


def unshared(problem: Problem, workers: int) -> Smoothness:
    """As if every worker had all rows, for who asks before they are dealt. Raises as `measured` does."""
    whole = _of_all(problem)
    return Smoothness(whole, (whole,) * workers)


def rounded(rate: float) -> float:
    """To six places, which do not hang on the last bits of sums that another machine makes in another order.

    Raises UsageError for what is no step size.
    """
    if not 0 < rate < math.inf:
        raise UsageError(f"theory knows no step size here, it finds {rate:g}; give the rate as a number")
    return float(f"{rate:.{PLACES}g}")


def differences(compressor: Compressor, d: int, smooth: Smoothness, least: float = 0.0) -> float:
    """1 / (L + L' sqrt(B / A)) of EF21 and CLAG, A = t = 1 - sqrt(1 - a) and B the larger of (1 - a) / t and `least`,
    for |C(x) - x|^2 <= (1 - a) |x|^2. Raises UsageError where no bound below 1 is known."""
    left = below_one(compressor, d)
    t = 1 - math.sqrt(left)
    return 1 / (smooth.whole + smooth.root * math.sqrt(max(left / t, least) / t))


def below_one(compressor: Compressor, d: int) -> float:
    """1 - a, the share of |x|^2 that messages leave out at most. Raises UsageError where it is not known below 1."""
    left = compressor.distortion(d)
    if not left < 1:
        raise UsageError(
            "theory asks for a compressor that is known to leave out less than all of a vector, such as top_k, and of "
            "this one it is not known; give the rate as a number"
        )
    return left


def none(who: str, why: str) -> UsageError:
    """What to raise where a method has no rule. why: the reason, as half a sentence."""
    return UsageError(f"theory gives no step size for {who}: {why}; give the rate as a number, or try distest tune")


def _of_all(problem: Problem) -> float:
    return smoothness_of(_WHO, problem, np.arange(problem.rows, dtype=np.int64))
