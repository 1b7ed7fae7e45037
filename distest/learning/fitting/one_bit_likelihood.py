"""What one-bit counts say of q: the maximum of the exact binomial likelihood, coordinate by coordinate.

First on a grid of angles a = asin(sqrt q), fine enough that no other peak is taken for the highest; then closer and
closer around the best point. On the grid logarithms are integers and sums are exact, so whoever reads a board with the
same table finds the same point; tables of machines whose sines or logarithms differ in the last place differ by 1e-9
nats at most, which moves no point but in a tie. What is said after a first turn hangs on the grid alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import one_bit as formulas
from distest.learning.fitting import one_bit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_ENOUGH = 100  # reports beyond which the grid gets no finer: the peak is then refined
_LOG_MIN = -40.0  # what an answer that cannot be costs, in nats, on the grid
_PART = 1 << 22
_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Reports of a second turn: `tries` servers were asked whether N <= at, `hits` said yes; int64 (n,) each."""

    at: Ints
    tries: Ints
    hits: Ints


def grid(s: int, reports: int) -> Floats:
    """Angles from 0 to pi/2, a step of 1/(4 sqrt(reports s)) apart or less, reports counting up to 100."""
    steps = math.ceil(2 * math.pi * math.sqrt(min(max(reports, 1), _ENOUGH) * s))
    return np.linspace(0, math.pi / 2, steps + 1)


def on_grid(ones: Ints, often: Ints, s: int) -> Ints:
    """The likeliest point of `grid`, its number, int64 (n,); the first of equals.

    ones, often: int64 (n, questions): reports that said 1, and all. Logarithms are rounded to multiples of a
    power of two so small that every sum is exact, in whatever order it is taken.
    """
    reports = int(often.sum(axis=1).max())
    scale = 2.0 ** (52 - math.ceil(math.log2(-_LOG_MIN * max(reports, 1))))
    yes, no = (np.rint(logs * scale) for logs in _logs(s, reports))
    rows = max(1, _PART // yes.shape[1])
    best = np.empty(len(ones), np.int64)
    for start in range(0, len(ones), rows):
        said = ones[start : start + rows]
        score = said.astype(np.float64) @ yes + (often[start : start + rows] - said).astype(np.float64) @ no
        best[start : start + rows] = np.argmax(score, axis=1)
    return best


def medians(ones: Ints, often: Ints, s: int) -> Ints:
    """The median of the count at the likeliest grid point, within 0..s-1, int64 (n,); reports as in `on_grid`."""
    points = grid(s, int(often.sum(axis=1).max()))
    middle = np.clip(formulas.medians(s, points), 0, s - 1)
    found: Ints = middle[on_grid(ones, often, s)]
    return found


@lru_cache(maxsize=8)
def _logs(s: int, reports: int) -> tuple[Floats, Floats]:
    """The logarithms of the chances of 1 and of 0, float64 (questions, points) each, on the grid."""
    yes, no = formulas.chances(one_bit.table(s), grid(s, reports))
    least = math.exp(_LOG_MIN)
    return np.log(np.maximum(yes, least)), np.log(np.maximum(no, least))


def estimate(ones: Ints, often: Ints, s: int, second: Thresholds | None = None) -> Floats:
    """The likeliest q of each coordinate, float64 (n,), in 0..1; reports as in `on_grid`, and of a second turn."""
    angles = np.empty(len(ones))
    points = grid(s, int(often.sum(axis=1).max()))
    first = points[on_grid(ones, often, s)]
    reports = often.sum(axis=1) + (0 if second is None else second.tries)
    width = float(points[1]) if second is None else 8 / math.sqrt(max(1, int(often.sum(axis=1).min())) * s)
    rows = 1 << 12
    for start in range(0, len(ones), rows):
        here = slice(start, start + rows)
        score = _score(ones[here], often[here], s, None if second is None else _cut(second, here))
        angles[here] = _closer(first[here], width, 1 / (64 * math.sqrt(max(1, int(reports.max())) * s)), score)
    return np.asarray(np.sin(angles) ** 2, np.float64)


def _cut(second: Thresholds, here: slice) -> Thresholds:
    return Thresholds(second.at[here], second.tries[here], second.hits[here])


def _score(ones: Ints, often: Ints, s: int, second: Thresholds | None) -> Callable[[Floats], Floats]:
    """The log-likelihood of angles (n, points), as a function."""

    def score(angles: Floats) -> Floats:
        yes, no = formulas.chances(one_bit.table(s), angles.ravel())
        out = np.zeros(angles.shape)
        for g in range(len(yes)):
            out += ones[:, g, None] * _log(yes[g]).reshape(angles.shape)
            out += (often - ones)[:, g, None] * _log(no[g]).reshape(angles.shape)
        if second is not None:
            at = np.repeat(second.at, angles.shape[1])
            low, high, _ = formulas.below(s, at, angles.ravel())
            out += second.hits[:, None] * _log(low).reshape(angles.shape)
            out += (second.tries - second.hits)[:, None] * _log(high).reshape(angles.shape)
        return out

    return score


def _log(chance: Floats) -> Floats:
    return np.log(np.maximum(chance, _LEAST))


def _closer(angles: Floats, width: float, least: float, score: Callable[[Floats], Floats]) -> Floats:
    """The best of nine points within `width` of each angle, then of nine four times as close, down to `least`."""
    while width > least:
        points = np.clip(angles[:, None] + width / 4 * np.arange(-4, 5), 0, math.pi / 2)
        angles = np.take_along_axis(points, np.argmax(score(points), axis=1)[:, None], axis=1)[:, 0]
        width /= 4
    return angles
