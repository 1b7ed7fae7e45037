"""Intervals: against scipy and by coverage on made-up repeats; what is paired is paired."""

import numpy as np
import pytest
from scipy import stats

from analysis import intervals

RNG = np.random.default_rng(3)


def test_the_interval_of_a_mean_is_students() -> None:
    values = RNG.normal(5, 2, 12)
    theirs = stats.t.interval(0.99, 11, values.mean(), stats.sem(values))
    assert intervals.mean(values.tolist()).interval(0.99) == pytest.approx(theirs)


def test_a_slope_is_least_squares_and_its_interval_covers() -> None:
    """500 intervals of 90 %: fewer than 427 or more than 471 hold the truth with probability below 1 %."""
    x = [10.0, 100.0, 1000.0]
    held = 0
    for _ in range(500):
        columns = [(u**-0.5 * RNG.normal(1, 0.1, 30)).tolist() for u in x]
        found = intervals.slope(x, columns)
        low, high = found.interval(0.9)
        held += low <= -0.5 <= high
    means = [float(np.mean(column)) for column in columns]
    assert found.value == pytest.approx(np.polyfit(np.log(x), np.log(means), 1)[0])
    assert 427 <= held <= 471


def test_a_line_is_least_squares() -> None:
    columns = [[1.0, 1.0], [3.0, 3.0], [8.0, 8.0]]
    found = intervals.line([0, 1, 2], columns)
    assert found.value == pytest.approx(3.5)
    assert found.error == 0


def test_repeats_are_pairs() -> None:
    """What both sides of a ratio share does not blur it."""
    shared = RNG.normal(10, 3, 50)
    above, below = 2 * shared + RNG.normal(0, 0.01, 50), shared
    paired = intervals.ratio(above.tolist(), below.tolist())
    shuffled = intervals.ratio(above.tolist(), RNG.permutation(below).tolist())
    assert paired.value == pytest.approx(2, abs=0.01)
    assert paired.error < shuffled.error / 50


def test_columns_may_have_different_lengths() -> None:
    long, short = RNG.normal(4, 1, 400), RNG.normal(2, 1, 100)
    found = intervals.ratio(long.tolist(), short.tolist())
    apart = 2 * np.sqrt((1 / 4) ** 2 / 400 + (1 / 2) ** 2 / 100)
    assert found.error == pytest.approx(apart, rel=0.25)
    assert found.freedom == 99


def test_what_is_the_same_in_every_repeat_is_exact() -> None:
    found = intervals.ratio([0.1, 0.1, 0.1], [0.3, 0.3, 0.3])
    assert found.interval(0.99) == (found.value, found.value)


@pytest.mark.parametrize("columns", [[[1.0]], [[1.0, 2.0], [1.0]]])
def test_one_repeat_says_nothing_about_its_error(columns: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="at least 2 repeats"):
        intervals.through(lambda means: float(means.sum()), columns)


@pytest.mark.parametrize(("x", "said"), [([2.0, 2.0], "two different x"), ([0.0, 1.0], "x > 0")])
def test_a_slope_needs_a_range(x: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        intervals.slope(x, [[1.0, 2.0], [1.0, 2.0]])
