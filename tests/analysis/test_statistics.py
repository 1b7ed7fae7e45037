"""Statistics: against scipy, numpy and textbook data, and by coverage on made-up repeats."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis import statistics
from analysis.statistics import Reached

RNG = np.random.default_rng(5)

# weeks in remission of 21 patients given 6-MP: Freireich and others (1963), in every textbook on survival
RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
WELL = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)


@pytest.mark.parametrize(("statistic", "centre"), [("mean", np.mean), ("median", np.median)])
def test_a_bootstrap_interval_covers(statistic: statistics.Statistic, centre: object) -> None:
    """150 intervals of 90 % from 30 skew values: the share that holds the truth is 0.80 to 0.97.

    A true coverage of 0.89 leaves this band with probability below 0.2 %; an interval of 68 %, or of 99 %, does so
    with probability above 99 %, or 98 %.
    """
    truth = {"mean": 1.0, "median": math.log(2)}[statistic]
    held = 0
    for _ in range(150):
        values = RNG.exponential(1, 30)
        value, low, high = statistics.bootstrap(values.tolist(), 0.9, statistic)
        assert low is not None
        assert high is not None
        assert value == centre(values)  # type: ignore[operator]
        held += low <= truth <= high
    assert 0.80 <= held / 150 <= 0.97


def test_a_bootstrap_is_the_same_twice_and_scipys() -> None:
    values = RNG.normal(5, 2, 12).tolist()
    theirs = stats.bootstrap((values,), np.mean, confidence_level=0.8, rng=0).confidence_interval
    assert statistics.bootstrap(values, 0.8) == statistics.bootstrap(values, 0.8)
    assert statistics.bootstrap(values, 0.8)[1:] == pytest.approx((theirs.low, theirs.high))


def test_nothing_is_said_of_the_error_of_one_value() -> None:
    assert statistics.bootstrap([3.0]) == (3.0, None, None)
    assert statistics.bootstrap([3.0, 3.0]) == (3.0, 3.0, 3.0)
    assert statistics.paired([3.0], [1.0]) == (2.0, None, None)
    assert statistics.median_bits([Reached(8, False)]) == (8, None, None)
    with pytest.raises(ValueError, match="at least one value"):
        statistics.bootstrap([])


def test_paired_differences_are_students_over_common_repeats() -> None:
    shared = RNG.normal(100, 30, 8)
    noise = RNG.normal(0, 0.1, 8)
    a = {(0, repeat): float(shared[repeat] + 1 + noise[repeat]) for repeat in range(8)}
    b = {(0, repeat): float(shared[repeat]) for repeat in reversed(range(8))}
    theirs = stats.ttest_rel([a[0, r] for r in range(8)], list(shared)).confidence_interval(0.95)
    expected = pytest.approx((1 + noise.mean(), theirs.low, theirs.high))
    assert statistics.paired({**a, (1, 0): 1e9}, {**b, (2, 0): -1e9}) == expected
    assert statistics.paired([a[0, r] for r in range(8)], list(shared)) == expected


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="no seed and repeat in common"):
        statistics.paired({(0, 0): 1.0}, {(0, 1): 1.0})
    with pytest.raises(ValueError, match="equally many values, got 1 and 2"):
        statistics.paired([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="in one way"):
        statistics.paired({(0, 0): 1.0}, [1.0])


def test_by_repeat_takes_a_column() -> None:
    rows = [{"seed": 4, "repeat": r, "l1": r / 2} for r in range(2)]
    assert statistics.by_repeat(rows, "l1") == {(4, 0): 0.0, (4, 1): 0.5}


X = [10.0, 100.0, 1000.0]


def columns(exponent: float, noise: float, repeats: int) -> list[list[float]]:
    return [(x**exponent * RNG.lognormal(0, noise, repeats)).tolist() for x in X]


def test_a_verdict_holds_fails_or_stays_open() -> None:
    clear = columns(-0.5, 0.01, 10)
    assert statistics.slope(X, clear, -0.5).verdict == "holds"
    assert statistics.slope(X, clear, -1.0).verdict == "fails"
    assert statistics.slope(X, columns(-0.5, 1.0, 3), -0.5).verdict == "open"
    assert statistics.slope(X, clear).verdict is None


def test_a_slope_of_single_runs_has_the_interval_of_a_line() -> None:
    single = columns(-0.5, 0.05, 1)
    found = statistics.slope(X, single, -0.5, confidence=0.9)
    theirs = stats.linregress(np.log(X), np.log(np.ravel(single)))
    reach = theirs.stderr * stats.t.ppf(0.95, 1)
    assert (found.value, found.low, found.high) == pytest.approx(
        (theirs.slope, theirs.slope - reach, theirs.slope + reach)
    )
    two = statistics.slope(X[:2], single[:2], -0.5)
    assert (two.low, two.high, two.verdict) == (None, None, "open")


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        ([1.0], [[1.0]], "two different x"),
        ([1.0, 2.0], [[1.0], [0.0]], "values > 0"),
        ([0.0, 1.0], [[1.0], [1.0]], "x > 0"),
        ([1.0, 2.0], [[1.0]], "a column for each x"),
    ],
)
def test_a_slope_of_what_has_none_is_refused(x: list[float], y: list[list[float]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        statistics.slope(x, y)


SERIES = [
    {"step": 0, "payload_bits": 0, "loss": 2.0, "accuracy": 0.1},
    {"step": 5, "payload_bits": 500, "loss": 1.0, "accuracy": 0.6},
    {"step": 10, "payload_bits": 1000, "loss": 1.2, "accuracy": 0.8},
]


def test_bits_are_those_of_the_first_evaluation_that_reached_the_target() -> None:
    assert statistics.bits_to_target(SERIES, "loss", 2.5) == (0, False)
    assert statistics.bits_to_target(SERIES, "loss", 1.0) == (500, False)
    assert statistics.bits_to_target(SERIES, "loss", 0.9) == (1000, True)
    assert statistics.bits_to_target(SERIES, "accuracy", 0.7) == (1000, False)
    assert statistics.bits_to_target(SERIES, "accuracy", 0.9) == (1000, True)
    assert statistics.bits_to_target(SERIES, "step", 5, rising=True) == (500, False)
    with pytest.raises(ValueError, match="no point of the series has 'nats'"):
        statistics.bits_to_target(SERIES, "nats", 1)


def test_the_median_with_censored_runs_is_that_of_the_textbook() -> None:
    runs = [Reached(w, False) for w in RELAPSED] + [Reached(w, True) for w in WELL]
    assert statistics.median_bits(runs) == (23, 13, math.inf)
    assert statistics.median_bits(runs[9:]) == (math.inf, None, None)


@pytest.mark.parametrize("count", [2, 7, 8])
def test_the_median_of_runs_that_all_arrived_is_the_median(count: int) -> None:
    bits = RNG.integers(1, 1000, count).tolist()
    found = statistics.median_bits([Reached(b, False) for b in bits])
    assert found.value == np.median(bits)


def test_the_median_of_what_arrives_is_scipys_and_one_that_never_can_counts() -> None:
    for _ in range(200):
        count = int(RNG.integers(1, 9))
        runs = [Reached(int(RNG.integers(1, 8)), bool(RNG.random() < 0.4)) for _ in range(count)]
        arrived, given_up = ([r.bits for r in runs if r.censored == censored] for censored in (False, True))
        if arrived:
            theirs = stats.ecdf(stats.CensoredData(uncensored=arrived, right=given_up)).sf
            assert statistics.median_arrival(runs) == statistics._crossing(theirs.quantiles, theirs.probabilities)
    never = Reached(math.inf, True)
    assert statistics.median_arrival([Reached(3, False), Reached(5, False), never]) == 5
    assert statistics.median_arrival([Reached(3, False), never, never]) == math.inf
    assert statistics.median_bits([Reached(3, False), Reached(5, False), never])[0] == 5


def test_the_interval_of_a_censored_median_covers() -> None:
    """200 intervals of 90 % from 25 runs, a third of them given up: 0.82 to 0.97 hold the true median.

    A true coverage of 0.90 leaves this band with probability below 0.1 %.
    """
    held = 0
    for _ in range(200):
        arrives, gives_up = RNG.exponential(1, 25), RNG.exponential(2, 25)
        runs = [Reached(min(a, g), g < a) for a, g in zip(arrives, gives_up, strict=True)]
        _, low, high = statistics.median_bits(runs, 0.9)
        held += low is not None and high is not None and low <= math.log(2) <= high
    assert 0.82 <= held / 200 <= 0.97
