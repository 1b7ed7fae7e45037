"""Numbers with confidence intervals, from the repeats of a run.

A number is a smooth function of averages over repeats (a slope, a ratio, a bound at the measured error), and its
standard error comes from its linear part at these averages. Repeat r of all columns is drawn together: a sweep
gives the same coins to the same repeat, so columns are correlated, and what is added up first is the effect of one
repeat on the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEP = 1e-4  # of an average, for the derivative


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its standard error and the degrees of freedom of that."""

    value: float
    error: float
    freedom: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """Student's interval of the given confidence, a number between 0 and 1."""
        reach = self.error and self.error * _student(self.freedom, confidence)
        return self.value - reach, self.value + reach


@cache
def _student(freedom: int, confidence: float) -> float:
    """How many standard errors an interval reaches; kept, since a page has many intervals of a few sizes."""
    from scipy.special import stdtrit  # scipy.stats, which has it too, takes a second to start

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def through(function: Callable[[Floats], float], columns: Sequence[Sequence[float]]) -> Estimate:
    """function(averages of the columns), each column the values of repeats 0, 1, 2, ...; columns may end early.

    Raises ValueError where a column has fewer than two repeats: nothing is known about its error.
    """
    arrays = [np.asarray(column, np.float64) for column in columns]
    repeats = [array.size for array in arrays]
    if min(repeats) < 2:
        raise ValueError(f"an interval needs at least 2 repeats, got {min(repeats)}")
    means = np.array([array.mean() for array in arrays])
    effect = np.zeros(max(repeats))
    for place, array in enumerate(arrays):
        spread = array - means[place]
        if np.abs(spread).max() <= 1e-12 * abs(means[place]):
            continue  # the same in every repeat, such as a length that is fixed
        step = np.zeros(means.size)
        step[place] = STEP * abs(means[place]) or STEP
        slope = (function(means + step) - function(means - step)) / (2 * step[place])
        effect[: array.size] += slope * spread / array.size
    least = min(repeats)
    return Estimate(function(means), math.sqrt(float((effect**2).sum()) * least / (least - 1)), least - 1)


def mean(column: Sequence[float]) -> Estimate:
    """The average of a column."""
    return through(lambda means: float(means[0]), [column])


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """The average of one column over that of another; repeats are pairs."""
    return through(lambda means: float(means[0] / means[1]), [above, below])


def slope(x: Sequence[float], columns: Sequence[Sequence[float]]) -> Estimate:
    """The least-squares slope of log average against log x, one column for each x.

    Raises ValueError unless there are two different x, all positive.
    """
    if min(x) <= 0:
        raise ValueError(f"a slope in logarithms needs x > 0, got {min(x)}")
    weights = _weights(np.log(np.asarray(x, np.float64)))
    return through(lambda means: float(weights @ np.log(means)), columns)


def line(x: Sequence[float], columns: Sequence[Sequence[float]]) -> Estimate:
    """The least-squares slope of the average against x; arguments and errors as in `slope`, for x of any sign."""
    weights = _weights(np.asarray(x, np.float64))
    return through(lambda means: float(weights @ means), columns)


def _weights(x: Floats) -> Floats:
    """What each y counts for in a least-squares slope."""
    away = x - x.mean()
    if not np.any(away):
        raise ValueError(f"a slope needs at least two different x, got {x.tolist()}")
    return np.asarray(away / (away @ away), np.float64)
