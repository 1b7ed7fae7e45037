"""Samples: a function of (key, server), or dealt out of a population without replacement."""

import numpy as np
import pytest
from scipy import stats

from distest.coins import DataCoins, from_seed
from distest.errors import UsageError
from distest.learning import sampling
from distest.learning.population import Population, bundled

COINS = from_seed(4)[1]
PMF = np.arange(1, 31) / 465.0


def population(counts: list[int]) -> Population:
    return Population(np.array(counts), None, "toy", "this test")


@pytest.mark.parametrize("generator", ["splitmix", "philox"])
@pytest.mark.parametrize("s", [1, 3])
def test_a_server_has_the_same_samples_whatever_block_is_asked(s: int, generator: str) -> None:
    source = sampling.independent(PMF, s, from_seed(4, generator)[1])
    whole = source.draw(range(500))
    assert whole.shape == (500, s)
    assert whole.dtype == np.int32
    for block in (range(1), range(499, 500), range(100, 300), range(3, 500, 7), range(0, 500, 499), range(9, 9)):
        assert np.array_equal(source.draw(block), whole[block.start : block.stop : block.step])
    assert np.array_equal(sampling.independent(PMF, s, from_seed(4, generator)[1]).draw(range(500)), whole)


def test_more_samples_of_a_server_go_on_where_fewer_ended() -> None:
    few, many = (sampling.independent(PMF, s, COINS).draw(range(50)) for s in (2, 5))
    assert np.array_equal(many[:, :2], few)


def test_other_seeds_and_repeats_give_other_samples() -> None:
    sources = [COINS, COINS.fold("repeat", 1), from_seed(5)[1], from_seed(4, "philox")[1]]
    drawn = {sampling.independent(PMF, 1, coins).draw(range(200)).tobytes() for coins in sources}
    assert len(drawn) == len(sources)


def test_independent_samples_follow_the_law() -> None:
    """Chi-square over 30 symbols, 300 000 draws, refused at p < 1e-8."""
    found = np.bincount(sampling.independent(PMF, 3, COINS).draw(range(100_000)).ravel(), minlength=30)
    expected = 300_000 * PMF
    assert stats.chi2.sf(((found - expected) ** 2 / expected).sum(), 29) > 1e-8


def test_dealing_is_without_replacement_and_leaves_the_other_half() -> None:
    toy = population([5, 0, 40, 1, 54])
    dealt, held_out = sampling.deal(toy, 25, 2, COINS)
    handed = np.bincount(dealt.draw(range(25)).ravel(), minlength=toy.n)
    left = np.rint(held_out * 50).astype(np.int64)
    assert held_out.sum() == pytest.approx(1)
    assert np.array_equal(handed + left, toy.counts)


def test_dealing_a_few_leaves_no_row_twice() -> None:
    toy = population([1] * 41)
    dealt, held_out = sampling.deal(toy, 10, 1, COINS)
    handed = dealt.draw(range(10)).ravel().tolist()
    assert len(set(handed)) == 10
    assert not held_out[handed].any()
    assert np.count_nonzero(held_out) == 21  # of an odd number the larger half is held out


def test_a_server_is_dealt_the_same_rows_whatever_block_and_however_many_servers() -> None:
    toy = bundled("ages")
    whole = sampling.deal(toy, 1000, 3, COINS)[0].draw(range(1000))
    for block in (range(7), range(100, 900), range(5, 1000, 9)):
        part, held_out = sampling.deal(toy, 900 if block.stop <= 900 else 1000, 3, COINS)
        assert np.array_equal(part.draw(block), whole[block.start : block.stop : block.step])
    assert np.array_equal(held_out, sampling.deal(toy, 1, 1, COINS)[1])


def test_the_held_out_half_is_what_errors_are_measured_against() -> None:
    """Each half of n rows has the law of all up to the spread of a hypergeometric count: six deviations at most."""
    toy = bundled("ages")
    _, held_out = sampling.deal(toy, 1, 1, COINS)
    rows = toy.rows - toy.rows // 2
    assert np.allclose(held_out * rows, np.rint(held_out * rows))
    deviation = np.sqrt(toy.pmf * (1 - toy.pmf) / rows * (toy.rows // 2) / (toy.rows - 1))
    assert (np.abs(held_out - toy.pmf) <= 6 * deviation).all()
    assert not np.array_equal(held_out, toy.pmf)


def test_each_repeat_deals_anew() -> None:
    toy = bundled("ages")
    deals = [sampling.deal(toy, 50, 1, COINS.fold("repeat", r)) for r in range(3)]
    assert len({dealt.draw(range(50)).tobytes() for dealt, _ in deals}) == 3
    assert len({held_out.tobytes() for _, held_out in deals}) == 3


@pytest.mark.parametrize(("m", "s"), [(51, 1), (26, 2), (1, 51)])
def test_too_many_servers_are_refused(m: int, s: int) -> None:
    with pytest.raises(UsageError, match=f"need {m * s} rows; half of toy is 50 rows"):
        sampling.deal(population([60, 41]), m, s, COINS)
    sampling.deal(population([60, 41]), 50, 1, COINS)


def test_a_population_too_large_to_hold_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="use sampling 'iid'"):
        sampling.deal(bundled("words"), 10, 1, COINS)


def test_a_sample_needs_data_coins() -> None:
    source = sampling.independent(PMF, 1, COINS)
    assert type(source.coins) is DataCoins
    assert source.coins.path == ("samples",)
