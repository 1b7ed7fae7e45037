"""Tree localisation: what it finds, what its bound says, and where it beats the sparse hash and where not.

Measured risks are means of independent runs; that one of the comparisons below is 3.5 standard errors off by chance has
probability 0.0005 each, and all seeds are fixed.
"""

import math
from typing import Any

import numpy as np
import pytest

from analysis.bounds import risks
from distest import catalog
from distest.coins import from_seed
from distest.errors import ModelError, UsageError
from distest.learning import norms
from distest.learning.fitting import prefix_tree
from distest.learning.norms import Pmf
from distest.learning.task import Task
from tests import laws


def tree(n: int, m: int, bits: int, support: int) -> Any:
    spec = {"name": "tree_localisation", "bits": bits, "support": support}
    return catalog.build("protocol", spec, task=Task(n, m))


def spread(n: int, masses: list[float]) -> Pmf:
    """Masses at places far apart, but for two neighbours."""
    pmf = np.zeros(n)
    places = 5 + np.arange(len(masses)) * (n - 6) // len(masses)
    places[-1] = places[0] + 1
    pmf[places] = masses
    return pmf


def skewed(n: int) -> Pmf:
    return spread(n, [0.9] + [0.1 / 7] * 7)


def flat(n: int) -> Pmf:
    return spread(n, [1 / 8] * 8)


def errors(protocol: Any, pmf: Pmf, runs: int) -> tuple[float, float, float, float]:
    """Mean squared l2 error and its standard error, mean l1 error and its."""
    l2, l1 = [], []
    for seed in range(runs):
        estimate = laws.run(protocol, pmf, *from_seed(seed)).estimate
        l2.append(norms.l2_squared(estimate, pmf))
        l1.append(norms.l1(estimate, pmf))
    root = math.sqrt(runs)
    return float(np.mean(l2)), float(np.std(l2)) / root, float(np.mean(l1)), float(np.std(l1)) / root


@pytest.mark.parametrize(("n", "m", "bits"), [(1 << 12, 20_000, 3), (3000, 16_000, 5), (1 << 12, 60_000, 2)])
def test_the_risk_is_that_of_counting_once_all_is_found(n: int, m: int, bits: int) -> None:
    """Nothing is lost (but with chance 10^-6), so the first term of the bound is the risk, up to whole servers."""
    protocol, pmf = tree(n, m, bits, 8), flat(n)
    plan = protocol.plan
    levels = plan.levels_of(np.flatnonzero(pmf))
    way, end = protocol._least(levels, 8)
    assert levels * (1 - 1 / 8) ** way < 1e-6
    mean, error, l1, noise = errors(protocol, pmf, 120)
    bound = protocol.risk(pmf)
    assert bound.l2_squared == pytest.approx((1 - 1 / 8) / end, rel=1e-4)
    assert abs(mean - bound.l2_squared) < 3.5 * error
    assert abs(l1 - bound.l1) < 3.5 * noise
    assert bound.l2_squared <= protocol.worst_risk().l2_squared


@pytest.mark.parametrize(("m", "bits"), [(700, 1), (700, 3), (6000, 1), (6000, 3)])
def test_the_bound_holds_where_symbols_are_lost(m: int, bits: int) -> None:
    for pmf in (skewed(1 << 10), flat(1 << 10), spread(1 << 10, [0.5, 0.3, 0.1, 0.06, 0.02, 0.01, 0.005, 0.005])):
        protocol = tree(1 << 10, m, bits, 8)
        mean, error, l1, noise = errors(protocol, pmf, 30)
        assert mean - 3.5 * error < protocol.risk(pmf).l2_squared
        assert l1 - 3.5 * noise < protocol.risk(pmf).l1
        assert protocol.risk(pmf).l2_squared <= protocol.worst_risk().l2_squared
        assert protocol.risk(pmf).l1 <= protocol.worst_risk().l1


def test_better_than_the_sparse_hash_where_one_symbol_has_most_of_the_mass() -> None:
    """n = 2^16, 8 symbols, same m and b: noise p_x (1-p_x) against a constant. 5 standard errors and a factor apart."""
    for m, bits in ((8000, 1), (50_000, 1), (8000, 4)):
        hashed = catalog.build("protocol", {"name": "sparse_hash", "bits": bits, "support": 8}, task=Task(1 << 16, m))
        ours, error, *_ = errors(tree(1 << 16, m, bits, 8), skewed(1 << 16), 40)
        theirs, other, *_ = errors(hashed, skewed(1 << 16), 40)
        assert ours + 5 * math.hypot(error, other) < theirs
        assert 1.5 * ours < theirs


def test_worse_than_the_sparse_hash_where_p_is_flat_on_its_support() -> None:
    """By a factor below 3 where all is found, by more where servers are too few to find it."""
    for m, most in ((100_000, 3), (8000, 100)):
        hashed = catalog.build("protocol", {"name": "sparse_hash", "bits": 1, "support": 8}, task=Task(1 << 12, m))
        ours, error, *_ = errors(tree(1 << 12, m, 1, 8), flat(1 << 12), 60)
        theirs, other, *_ = errors(hashed, flat(1 << 12), 60)
        assert theirs + 5 * math.hypot(error, other) < ours < most * theirs


def test_a_large_domain_costs_levels_and_no_memory() -> None:
    n = 1 << 24
    protocol = tree(n, 60_000, 4, 4)
    pmf = spread(n, [0.4, 0.3, 0.2, 0.1])
    outcome = laws.run(protocol, pmf, *from_seed(1))
    assert np.array_equal(np.flatnonzero(outcome.estimate), np.flatnonzero(pmf))
    assert norms.l2_squared(outcome.estimate, pmf) < 4 * protocol.risk(pmf).l2_squared
    assert outcome.ledger.payload_bits == 4 * 60_000


def test_heavy_symbols_are_found_under_a_tail() -> None:
    """More symbols than `support`: the heaviest prefixes win, and there is no formula."""
    n, protocol = 1 << 10, tree(1 << 10, 40_000, 4, 4)
    pmf = np.full(n, 0.1 / n)
    pmf[[7, 300, 301, 900]] += [0.4, 0.2, 0.2, 0.1]
    estimate = laws.run(protocol, pmf, *from_seed(2)).estimate
    assert set(np.flatnonzero(estimate)) == {7, 300, 301, 900}
    assert norms.l2_squared(estimate, pmf) < 0.001
    assert protocol.risk(pmf) is None


def test_a_small_domain_is_grouping() -> None:
    task, pmf = Task(16, 300), np.arange(16.0) / 120
    ours, other = tree(16, 300, 2, 8), catalog.build("protocol", {"name": "grouping", "bits": 2}, task=task)
    assert ours.risk(pmf) == other.risk(pmf)
    assert ours.worst_risk().l2_squared >= ours.risk(pmf).l2_squared
    for seed in range(3):
        coins, data = from_seed(seed)
        assert np.array_equal(laws.run(ours, pmf, coins, data).estimate, laws.run(other, pmf, coins, data).estimate)


@pytest.mark.parametrize("size", [1, 3, 7, 255])
@pytest.mark.parametrize("support", [1, 2, 5, 8, 40])
@pytest.mark.parametrize("n", [2, 17, 1000, 1 << 20, (1 << 31) - 1])
def test_the_plan_is_long_enough_for_every_support(n: int, support: int, size: int) -> None:
    if support > n or size > n:
        return
    plan = prefix_tree.Plan(n, support, size, 10**9)
    random = np.random.default_rng(n % 97 + support)
    for _ in range(10):
        symbols = np.unique(random.integers(0, random.integers(1, n + 1), random.integers(1, support + 1)))
        assert plan.levels_of(symbols) <= plan.levels
        assert plan.levels_of(symbols[::2]) <= plan.levels_of(symbols)
        depth, levels = 0, 0
        while not plan.bottom(depth):
            active = np.unique(symbols >> (plan.t - depth))
            depth, below = plan.children(depth, active)
            assert below.size <= plan.most
            assert set(symbols >> (plan.t - depth)) <= set(below)
            levels += 1
        assert levels == plan.levels_of(symbols)


def test_keeping_compares_shares_exactly() -> None:
    prefixes = np.array([3, 5, 8, 9])
    watchers = np.array([11, 11, 10, 10])
    assert prefix_tree.keep(prefixes, np.array([10, 0, 10, 9]), watchers, 2).tolist() == [3, 8]  # 10/10 > 10/11 > 9/10
    assert prefix_tree.keep(prefixes, np.array([10, 0, 10, 9]), watchers, 1).tolist() == [8]
    assert prefix_tree.keep(prefixes, np.array([2, 0, 2, 2]), watchers, 2).tolist() == [8, 9]  # the first of equals
    assert prefix_tree.keep(prefixes, np.array([0, 1, 0, 0]), watchers, 3).tolist() == [5]
    assert prefix_tree.keep(prefixes, np.zeros(4, np.int64), watchers, 3).tolist() == [3, 5, 8]


def test_worst_chances_are_worst() -> None:
    for way in (1, 3, 50, 1000):
        q = np.linspace(0, 1, 100_001)
        top = float((q * (1 - q) ** way).max())
        assert risks.localised_worst(1, 1, way, 1)[0] == pytest.approx(top, rel=1e-6)
        assert top < 1 / (math.e * way)


@pytest.mark.parametrize(
    ("task", "support", "said"),
    [
        (Task(1 << 16, 100_000), 0, "support of 1 to 65536 symbols"),
        (Task(16, 100_000), 17, "support of 1 to 16 symbols of n=16, got support=17"),
        (Task(1 << 16, 100), 8, "needs 156 servers for 13 levels of up to 16 prefixes"),
        (Task(1 << 16, 100_000, 2), 8, "one sample per server, got s=2"),
    ],
)
def test_bad_parameters(task: Task, support: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalog.build("protocol", {"name": "tree_localisation", "bits": 2, "support": support}, task=task)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_estimate_before_the_end() -> None:
    protocol = tree(1 << 10, 1000, 2, 4)
    with pytest.raises(ModelError, match="after its last turn"):
        protocol.estimate(protocol.start())
