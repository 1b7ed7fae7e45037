"""What repeats tell: centres with bootstrap intervals, paired differences, slopes against theory, bits to a target.

Numbers come from scipy, with a fixed seed where it draws, so that a report is the same twice. Where nothing is known
of an error (a single run) the ends of an interval are None, never 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from analysis import intervals

Row = dict[str, Any]
Repeat = tuple[Any, Any]
Statistic = Literal["mean", "median"]
CONFIDENCE = 0.95  # of intervals, where no other is asked for
SEED = 0  # of the resamples
RESAMPLES = 9999
ROUNDING = 1e-9  # of a share
RISING = ("accuracy", "r2")  # columns of a series that are better when they are larger
_CENTRES: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}


class Interval(NamedTuple):
    """A number and the ends of its interval, None where they are not known."""

    value: float
    low: float | None
    high: float | None


class Reached(NamedTuple):
    """Bits at which a run was first seen to reach a target; censored: it never was, these are all it wrote."""

    bits: float
    censored: bool


def bootstrap(values: Sequence[float], confidence: float = CONFIDENCE, statistic: Statistic = "mean") -> Interval:
    """The mean or median of values, with a bootstrap interval: BCa for a mean, percentiles for a median.

    The acceleration of BCa is made of jackknife values, of which a median has only two or three different ones. A
    bootstrap cannot see beyond what was drawn: of 5 values its interval of 95 % holds the mean in about 85 % of cases,
    of 20 in 92 %; for few repeats `student` and `paired` have Student's. Raises ValueError for no values.

    Source: Efron, "Better Bootstrap Confidence Intervals" (1987), as in scipy.stats.bootstrap.
    """
    data = np.asarray(values, np.float64)
    if not data.size:
        raise ValueError(f"a {statistic} needs at least one value, got none")
    centre = _CENTRES[statistic]
    value = float(centre(data))
    if data.size == 1:
        return Interval(value, None, None)
    if data.min() == data.max():
        return Interval(value, value, value)
    from scipy import stats  # a second of start-up: only for those who ask for an interval

    method: Literal["BCa", "percentile"] = "BCa" if statistic == "mean" else "percentile"
    batch = max(1, (1 << 24) // data.size)  # 128 MB of resamples at a time
    found = stats.bootstrap(
        [data], centre, n_resamples=RESAMPLES, batch=batch, confidence_level=confidence, method=method, rng=SEED
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def student(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The mean of values with Student's interval; no ends for a single one. Raises ValueError for no values."""
    if len(values) == 1:
        return Interval(values[0], None, None)
    found = intervals.mean(values)
    return Interval(found.value, *found.interval(confidence))


def by_repeat(records: Iterable[Row], key: str) -> dict[Repeat, float]:
    """A column of records by seed and repeat, which is what `paired` pairs."""
    return {(record["seed"], record["repeat"]): record[key] for record in records}


def paired(
    a: Mapping[Repeat, float] | Sequence[float],
    b: Mapping[Repeat, float] | Sequence[float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """The mean of a - b with Student's interval, over what both have: same seed and repeat, so the same coins.

    a, b: values by (seed, repeat), as `by_repeat` gives them, or two lists of equal length, paired by place. Raises
    ValueError where nothing can be paired.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        common = [repeat for repeat in a if repeat in b]
        if not common:
            raise ValueError("the two sides have no seed and repeat in common")
        differences = [a[repeat] - b[repeat] for repeat in common]
    elif isinstance(a, Mapping) or isinstance(b, Mapping):
        raise ValueError("one side has values by seed and repeat, the other by place; give both in one way")
    else:
        if len(a) != len(b) or not a:
            raise ValueError(f"lists are paired by place and need equally many values, got {len(a)} and {len(b)}")
        differences = [left - right for left, right in zip(a, b, strict=True)]
    return student(differences, confidence)


@dataclass(frozen=True, slots=True)
class Slope:
    """A log-log slope, its interval, and what that says of an exponent.

    low, high: None where nothing is known of the error. expected: the exponent of the theory, if one was asked about.
    verdict: "holds" where the whole interval lies within `tolerance` of it, "fails" where the whole interval lies
    outside, "open" where the runs are too few or too noisy to tell.
    """

    value: float
    low: float | None
    high: float | None
    expected: float | None
    tolerance: float
    verdict: Literal["holds", "fails", "open"] | None


def slope(
    x: Sequence[float],
    columns: Sequence[Sequence[float]],
    expected: float | None = None,
    tolerance: float = 0.1,
    confidence: float = CONFIDENCE,
) -> Slope:
    """The least-squares slope of log average against log x, and a verdict on the exponent that is expected.

    columns: the repeats at each x, those of one repeat at the same place in each. With one repeat at some x the
    interval is that of a line through the averages, as they scatter about it, and needs three x. Raises ValueError
    unless there are two different x and all numbers are positive.
    """
    if len(x) != len(columns):
        raise ValueError(f"a slope needs a column for each x, got {len(x)} x and {len(columns)} columns")
    if any(value <= 0 for column in columns for value in column):
        raise ValueError("a slope in logarithms needs values > 0")
    low: float | None
    high: float | None
    if min(len(column) for column in columns) >= 2:
        found = intervals.slope(x, columns)
        value, (low, high) = found.value, found.interval(confidence)
    else:
        value, low, high = _through_averages(x, columns, confidence)
    return Slope(value, low, high, expected, tolerance, _verdict(low, high, expected, tolerance))


def _through_averages(x: Sequence[float], columns: Sequence[Sequence[float]], confidence: float) -> Interval:
    """The slope where repeats say nothing about its error: points scatter about their line."""
    from scipy import stats

    if min(x) <= 0 or len(set(x)) < 2:
        raise ValueError(f"a slope in logarithms needs two different x > 0, got {list(x)}")
    found = stats.linregress(np.log(x), np.log([np.mean(column) for column in columns]))
    value = float(found.slope)
    if len(x) < 3:
        return Interval(value, None, None)
    reach = float(found.stderr) * float(stats.t.ppf(0.5 + confidence / 2, len(x) - 2))
    return Interval(value, value - reach, value + reach)


def _verdict(
    low: float | None, high: float | None, expected: float | None, tolerance: float
) -> Literal["holds", "fails", "open"] | None:
    if expected is None:
        return None
    if low is None or high is None:
        return "open"
    if expected - tolerance <= low and high <= expected + tolerance:
        return "holds"
    return "fails" if high < expected - tolerance or low > expected + tolerance else "open"


def bits_to_target(
    series: Sequence[Row], key: str, target: float, bits: str = "payload_bits", rising: bool | None = None
) -> Reached:
    """The bits of one run at its first evaluation that reaches a target; censored where none does.

    series: points of a run in the order of its steps. key: "loss", "accuracy", ...; rising: whether more is better,
    known for `RISING`. What happened between two evaluations nobody saw, so the true number is at most this one, and
    more than that of the evaluation before. Points without the key are passed over. Raises ValueError for a series in
    which no point has it.
    """
    seen = [point for point in series if point.get(key) is not None]
    if not seen:
        raise ValueError(f"no point of the series has {key!r}")
    upwards = key in RISING if rising is None else rising
    for point in seen:
        if point[key] >= target if upwards else point[key] <= target:
            return Reached(point[bits], False)
    return Reached(seen[-1][bits], True)


def median_arrival(runs: Sequence[Reached]) -> float:
    """The median bits to a target by Kaplan and Meier's estimate; infinity where more than half never arrive.

    A run that was given up counts as under way up to the bits it wrote. One that can never arrive, such as one that
    diverged, is censored at infinity. This is what everything here means by bits at a target: a mean over the runs that
    arrived would favour the method whose slow runs were given up. Raises ValueError for no runs.

    Source: Kaplan, Meier, "Nonparametric Estimation from Incomplete Observations" (1958).
    """
    if not runs:
        raise ValueError("a median needs at least one run, got none")
    bits = np.array([run.bits for run in runs], np.float64)
    arrivals = np.sort([run.bits for run in runs if not run.censored])
    times, at_once = np.unique(arrivals, return_counts=True)
    under_way = np.array([np.count_nonzero(bits >= time) for time in times])
    return _crossing(times, np.cumprod(1 - at_once / under_way))


def median_bits(runs: Sequence[Reached], confidence: float = CONFIDENCE) -> Interval:
    """`median_arrival` with its interval: where the pointwise interval of the estimate (log-log) crosses one half.

    high is infinity where its upper end never does; both ends are None for a single run, and where none arrived.

    Source: Brookmeyer, Crowley, "A Confidence Interval for the Median Survival Time" (1982).
    """
    value = median_arrival(runs)
    if len(runs) == 1 or all(run.censored for run in runs):
        return Interval(value, None, None)
    from scipy import stats

    arrived = [float(run.bits) for run in runs if not run.censored]
    last = max(arrived) + 1  # when a run was given up after all arrivals makes no difference, and may be never
    censored = [min(float(run.bits), last) for run in runs if run.censored]
    survival: Any = stats.ecdf(stats.CensoredData(uncensored=arrived, right=censored)).sf
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # Greenwood's formula has no value at 0
        ends = survival.confidence_interval(confidence, method="log-log")
    low, high = (_crossing(end.quantiles, end.probabilities) for end in (ends.low, ends.high))
    return Interval(value, min(low, value), max(high, value))


def _crossing(bits: Any, under_way: Any) -> float:
    """The least bits at which at most half are still under way; infinity if there are none.

    Where exactly half are, all numbers up to the next arrival would do, and it is the middle of them: the usual median.
    """
    there = np.flatnonzero(np.asarray(under_way) <= 0.5 + ROUNDING)
    if not there.size:
        return float("inf")
    first = there[0]
    later = np.flatnonzero(np.asarray(under_way) < 0.5 - ROUNDING)
    if abs(under_way[first] - 0.5) <= ROUNDING and later.size:
        return (float(bits[first]) + float(bits[later[0]])) / 2
    return float(bits[first])
