"""Bounds 6.3b, 6.4, 6.5 and 6.6: independent check values, order relations, exact risks they must not exceed.

The expected numbers come from programs written from the formulas alone, without this package.
"""

from __future__ import annotations

import json
import math
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.bounds import Bound, best_lower, best_lower_bits, for_problem
from analysis.bounds.assouad import assouad_bits_l1, assouad_l1, binary_entropy, inverse_entropy
from analysis.bounds.bound import Loss
from analysis.bounds.describing import (
    simplex_bits_l1,
    simplex_bits_l2,
    simplex_l1,
    simplex_l2,
    subset_bits,
    subsets_bits,
    subsets_error,
)
from analysis.bounds.many_samples import bennett_trace, many_samples_l1, trace_of_many_samples
from analysis.bounds.no_communication import all_data_l1
from analysis.bounds.structured import (
    as_histogram,
    histogram_symbols,
    monotone_bits_l1,
    monotone_cells,
    monotone_l1,
)
from analysis.bounds.total_bits_l1 import G, PairGrid, bits_for_l1, total_bits_l1
from tests.analysis.test_worst import least_attained

Floats = NDArray[np.float64]


def one_pair_grid(n_sub: int, D: float) -> PairGrid:
    return PairGrid(n_sub=np.array([[float(n_sub)]]), D=np.array([[D]]))


# 6.3b


def test_two_values_per_pair_values() -> None:
    assert assouad_bits_l1(256, 0.1).value == pytest.approx(604.1, rel=5e-3)
    assert assouad_bits_l1(256, 0.4).value == pytest.approx(37.8, rel=5e-3)


def test_entropy_and_its_inverse_undo_each_other_from_below() -> None:
    q = np.linspace(0.0, 0.5, 101)
    found = inverse_entropy(binary_entropy(q))
    assert np.all(found <= q)
    np.testing.assert_allclose(found, q, atol=2e-7)  # h is flat at 1/2: 1e-14 in h is 1e-7 in q
    assert inverse_entropy(-3.0) == 0


def test_two_values_per_pair_stay_below_the_exact_bayes_error() -> None:
    """n = 2, theta = +D or -D: the exact Bayes error is 2D times the chance that the likelier sign is wrong."""
    for n_samples in (1, 2, 5, 10, 30):
        bound = assouad_l1(2, n_samples)
        D = bound.constants["D"]
        counts = range(n_samples + 1)
        up = [math.comb(n_samples, k) * (0.5 + D / 2) ** k * (0.5 - D / 2) ** (n_samples - k) for k in counts]
        exact = 2 * D * 0.5 * sum(min(a, b) for a, b in zip(up, reversed(up), strict=True))
        assert 0.5 * exact < bound.value < exact


def test_one_bit_messages_lose_the_factor_d_squared() -> None:
    """I(V; W) <= D^2 I(x; W) for random messages about one sample (step ii of the proof)."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        pairs, D, leaves = int(rng.integers(1, 4)), float(rng.uniform(0.05, 1.0)), int(rng.integers(2, 4))
        code = rng.dirichlet(np.full(leaves, 0.3), size=2 * pairs)  # P(w | x)
        signs = np.array([[1 if (v >> j) & 1 else -1 for j in range(pairs)] for v in range(1 << pairs)])
        laws = np.stack([1 + D * signs, 1 - D * signs], axis=-1).reshape(len(signs), 2 * pairs) / (2 * pairs)
        told, mean = laws @ code, code.mean(axis=0)
        informed = float((told * np.log2(told / mean)).sum(axis=1).mean())
        seen = float((code * np.log2(np.where(code > 0, code, 1) / mean)).sum(axis=1).mean())
        assert informed <= D**2 * seen + 1e-12


def test_simultaneous_bits_are_offered_only_to_that_model() -> None:
    assert not [bound for bound in for_problem(256, 10**6, 1, "l1", 10.0) if bound.model == "SMP"]
    best = best_lower(256, 10**6, 1, "l1", 10.0, model="SMP")
    assert (best.model, best.number) == ("SMP", "6.3b")
    assert best.value > best_lower(256, 10**6, 1, "l1", 10.0).value
    assert best_lower_bits(256, 10**6, "l1", 0.6, model="SMP").model == "SMP"
    assert best_lower_bits(256, 10**6, "l1", 0.6).model == "blackboard"
    with pytest.raises(ValueError, match="s=2"):
        assouad_l1(4, 3, 2, 5.0)


def test_error_and_bits_agree_for_two_values() -> None:
    for error in (0.05, 0.2, 0.6):
        bits = assouad_bits_l1(64, error).value
        assert assouad_l1(64, 10**9, 1, bits).value == pytest.approx(error, rel=5e-3)


# 6.6


def test_describing_values() -> None:
    values = [simplex_bits_l1(64, error).value for error in (0.3, 0.1, 0.03)]
    np.testing.assert_allclose(values, [45.9298, 145.7824, 255.2113], atol=1e-3)
    bounds = [simplex_bits_l2(1024, risk) for risk in (1e-2, 1e-3, 1e-4, 1e-5)]
    np.testing.assert_allclose([bound.value for bound in bounds], [10.191, 113.484, 1062.759, 2761.925], atol=1e-2)
    assert [bound.constants["n_sub"] for bound in bounds] == [17, 160, 1024, 1024]
    plain = [subset_bits(65536, 16, wrong, 0.2) + float(binary_entropy(0.2)) - 1 for wrong in range(4)]
    np.testing.assert_allclose(plain, [168.398, 152.398, 138.073, 124.763], atol=1e-2)
    best = subsets_bits(65536, "l1", 0.02, t_max=16)
    assert best.constants["wrong"] == 1
    assert best.constants["pe"] == pytest.approx(0.16)
    assert best.value == pytest.approx(160.43, abs=0.01)


def test_the_best_simplex_is_found_among_all() -> None:
    for n, risk in [(40, 1e-2), (300, 1e-3), (7, 1e-3), (9, 0.3)]:
        every = [
            0.5 * math.log2(d + 1) - math.log2(math.factorial(d)) - 0.5 * d * math.log2(2 * math.pi * math.e * risk / d)
            for d in range(1, n)
        ]
        assert simplex_bits_l2(n, risk).value == pytest.approx(max(0.0, *every), abs=1e-9)


def test_the_ball_is_bounded_from_above() -> None:
    for n in (5, 10, 30):
        for t in range(1, n):
            for wrong in range(t):
                ball = sum(math.comb(t, i) * math.comb(n - t, i) for i in range(wrong + 1))
                most = 0.9 * math.log2(math.comb(n, t) / ball) - float(binary_entropy(0.1))
                assert subset_bits(n, t, wrong, 0.1) <= max(0.0, most) + 1e-9


@pytest.mark.parametrize("loss", ["l1", "l2_squared"])
def test_error_and_bits_of_a_description_agree(loss: Loss) -> None:
    simplex_bits, simplex = (simplex_bits_l1, simplex_l1) if loss == "l1" else (simplex_bits_l2, simplex_l2)
    for error in (1e-2, 1e-3, 1e-4):
        for n in (64, 1000):
            bits = simplex_bits(n, error).value
            assert bits == 0 or simplex(n, bits).value == pytest.approx(error, rel=1e-3)
            sets = subsets_bits(n, loss, error).value
            assert sets == 0 or subsets_error(n, loss, sets).value == pytest.approx(error, rel=1e-6)


def test_describing_stays_below_exact_bayes_risks() -> None:
    """p uniform on the simplex, N samples, all counts sent: the exact Bayes risk is the mean posterior variance.

    There are C(N+n-1, n-1) count vectors, so that many bits (log2, and one to round) are enough.
    """
    for n in (2, 3, 5, 10, 50):
        for n_samples in (1, 3, 10, 100, 10_000):
            bits = math.log2(math.comb(n_samples + n - 1, n - 1)) + 1
            # E sum Var = (1 - E sum alpha_x(alpha_x + 1)/(a(a+1))) ... = n(n-1)/(n(n+1)) (1/(N+n)): Dirichlet algebra.
            risk = (n - 1) / ((n + 1) * (n_samples + n))
            assert simplex_l2(n, bits).value <= risk
            assert simplex_l1(n, bits).value <= math.sqrt(n * risk)


def test_naming_a_set_stays_below_exact_bayes_errors() -> None:
    """The best of all partitions of the t-sets into cells, with the best estimate for each cell (t = 1)."""
    for n in (2, 4, 8, 16):
        for cells in (1, 2, 4, 8):
            if cells <= n:
                size = n // cells
                least = 0.0 if size == 1 else 1.0  # ph = 0 costs 1, any pmf at least as much
                found = subsets_error(n, "l1", math.log2(cells), t_max=1).value
                assert found <= least
                squared = subsets_error(n, "l2_squared", math.log2(cells), t_max=1).value
                assert squared <= 1 - 1 / size
    # t = 1 or 2 of 6 symbols, nothing sent: the best squared l2 estimate is the mean.
    sets = np.array([[1 / 2 if x in pair else 0.0 for x in range(6)] for pair in combinations(range(6), 2)])
    exact = float(((sets - sets.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert subsets_error(6, "l2_squared", 0.0, t_max=2).value <= max(exact, 1 - 1 / 6)


def test_describing_holds_for_any_number_of_samples() -> None:
    for loss in ("l1", "l2_squared"):
        few = {bound.number: bound.value for bound in for_problem(64, 10**6, 1, loss, 300.0)}
        many = {bound.number: bound.value for bound in for_problem(64, 10**6, 10**6, loss, 300.0)}
        for number in few.keys() & {"6.6a", "6.6b", "6.6c"}:
            assert few[number] == many[number]
        assert best_lower(64, 10**6, 10**6, loss, 300.0).number.startswith("6.6")


# 6.5


def test_several_samples_values() -> None:
    for s, values in [(16, (17.5824, 2.06044, 5.36095)), (4096, (4501.10, 527.473, 297.279))]:
        assert s / (1 - 0.3**2) == pytest.approx(values[0], rel=1e-5)
        fixed = one_pair_grid(256, 0.3).trace_of_fixed_bits(1, s, 4)
        assert fixed[0, 0] == pytest.approx(values[1], rel=1e-5)
        rough = bennett_trace(2 * s / (256 * 0.7), 1 / 0.7, 4)
        assert float(rough) == pytest.approx(values[2], rel=1e-5)
        assert trace_of_many_samples(one_pair_grid(256, 0.3), 1, s, 4)[0, 0] <= min(values)
    assert trace_of_many_samples(one_pair_grid(256, 0.3), 1, 4096, 4)[0, 0] == pytest.approx(233.611, rel=1e-5)


def test_several_samples_stay_above_the_best_quantisers() -> None:
    """n = 4, s = 3, D = 0, best trace over all quantisers into 2, 4, 8 messages, found by listing them."""
    for bits, best in [(1, 1.125), (2, 2.25), (3, 2.628606)]:
        trace = trace_of_many_samples(one_pair_grid(4, 1e-9), 1, 3, bits)[0, 0]
        assert best <= trace + 1e-5
        assert trace == pytest.approx({1: 1.5, 2: 3.0, 3: 3.0}[bits], rel=1e-6)


def test_the_second_moment_of_the_surprise() -> None:
    """Lemma 6.5a: maxima of sum P ln^2 P by direct search, and the intervals of the proof for K = 4."""
    rng = np.random.default_rng(3)

    def moment(p: Floats) -> Floats:
        return np.asarray((p * np.log(np.where(p > 0, p, 1.0)) ** 2).sum(axis=-1))

    half = np.linspace(0, 1, 200_001)
    assert float(moment(np.stack([half, 1 - half], axis=1)).max()) == pytest.approx(0.562880, abs=1e-5)
    for size, value in [(3, 1.206949), (4, 1.921812), (8, 4.324077)]:
        assert math.log(size) ** 2 == pytest.approx(value, abs=1e-5)
        for shape in (0.2, 1.0, 10.0):
            assert float(moment(rng.dirichlet(np.full(size, shape), 50_000)).max()) <= value + 1e-6
    for low, high in pairwise([math.exp(-1), 0.38, 0.41, 0.45, 0.55, 1.0]):
        rest = np.linspace(max(1 - high, 1e-9), 1 - low, 10_001)
        assert low * math.log(low) ** 2 + float((rest * np.log(rest / 3) ** 2).max()) < 1.9212 < math.log(4) ** 2


def test_many_samples_are_never_weaker_than_fixed_bits_and_help_when_dense() -> None:
    for s in (1, 16, 256, 4096):
        for b in (1, 2, 4, 8):
            assert many_samples_l1(256, 500, s, b).value >= total_bits_l1(256, 500, None, b, s).value
    assert many_samples_l1(256, 2000, 4096, 4).value > 1.2 * total_bits_l1(256, 2000, None, 4, 4096).value
    assert best_lower(256, 2000, 4096, "l1", bits_per_server=4).number == "6.5"
    # The dense limit .2345 n/sqrt(m s b), from below and above within what D < 1 and the 1/3 term cost.
    n, s, b, m = 64, 10**7, 2, 10**7
    assert many_samples_l1(n, m, s, b).value == pytest.approx(0.2345 * n / math.sqrt(m * s * b), rel=0.05)


def test_many_samples_stay_below_a_protocol() -> None:
    """One coordinate per server, its sign of surplus as the bit: n = 2, s samples, exact error by enumeration.

    With m servers, p = (1 + theta, 1 - theta)/2, one bit "more zeros than ones" and the best estimate from the
    number of ones: the Bayes error on a grid of theta is above the bound at the prior of the bound.
    """
    s, m = 5, 12
    bound = many_samples_l1(2, m, s, 1)
    theta = np.linspace(-bound.constants["D"], bound.constants["D"], 401)
    more = sum(math.comb(s, k) * (0.5 + theta / 2) ** k * (0.5 - theta / 2) ** (s - k) for k in range(3, s + 1))
    error = 0.0
    for k in range(m + 1):
        weight = math.comb(m, k) * more**k * (1 - more) ** (m - k) / theta.size
        median = theta[int(np.searchsorted(np.cumsum(weight), 0.5 * weight.sum()))]
        error += float((weight * np.abs(theta - median)).sum())
    assert bound.value < error


# 6.4


def test_monotone_values() -> None:
    assert monotone_l1(2**20, 10**5).value == pytest.approx(0.00886, rel=1e-2)
    bound = monotone_l1(2**20, 10**5, 1, 1e5)
    assert bound.value == pytest.approx(0.01514, rel=1e-3)
    rough = []  # the same without the overlap count
    for D in np.arange(0.02, 0.2, 0.005):
        cells = monotone_cells(2**20, float(D))
        grid = one_pair_grid(cells - cells % 2, float(D))
        trace = min(grid.trace_of_data(10**5)[0, 0], 1e5 * grid.trace_per_bit()[0, 0])
        rough.append(float(G(2 * trace / grid.n_sub, grid.D, overlap=False)[0, 0]))
    assert max(rough) == pytest.approx(0.01477, rel=1e-2)
    assert monotone_bits_l1(2**20, bound.value).value == pytest.approx(1e5, rel=1e-3)


def test_monotone_cells_keep_p_monotone_in_exact_fractions() -> None:
    for n in (3, 10, 1000, 2**16):
        for parts in (10_000, 300_000, 900_000):
            cells = monotone_cells(n, parts / 1e6)
            widths = [1]
            while len(widths) < cells:
                widths.append(math.ceil(widths[-1] * (10**6 + parts) / (10**6 - parts) - 1e-9))
            assert sum(widths) <= n
            for width, after in pairwise(widths):
                assert (10**6 - parts) * after >= (10**6 + parts) * width
    counts = [monotone_cells(2**16, D) for D in (0.01, 0.1, 0.3, 0.9)]
    assert counts == sorted(counts, reverse=True)


def test_structure_never_raises_a_bound() -> None:
    for bits in (None, 500.0, 5000.0):
        for b in (None, 2):
            whole = best_lower(4096, 2000, 1, "l1", bits, b).value
            monotone = best_lower(4096, 2000, 1, "l1", bits, b, family="monotone").value
            values = [
                best_lower(4096, 2000, 1, "l1", bits, b, family="histogram", pieces=k).value for k in (3, 9, 64, 512)
            ]
            assert monotone <= whole
            assert all(later >= earlier for earlier, later in pairwise([*values, whole]))


def test_histograms_inherit() -> None:
    assert histogram_symbols(1000, 9, "l1") == 9
    assert histogram_symbols(1000, 9, "l2_squared") == 8
    assert histogram_symbols(8, 9, "l2_squared") == 8
    inherited = as_histogram(all_data_l1(9, 50), 1000, 9)
    assert inherited.number == "6.4a"
    assert inherited.value == all_data_l1(9, 50).value
    assert inherited in for_problem(1000, 50, 1, "l1", family="histogram", pieces=9)
    bits = best_lower_bits(2**16, 10**6, "l1", 0.02, family="histogram", pieces=33).value
    assert bits >= max(bits_for_l1(33, 0.02).value, subsets_bits(2**16, "l1", 0.02, t_max=16).value)
    # Few bits and a large domain: only 6.6c sees n.
    atoms = best_lower_bits(2**40, 10**6, "l1", 0.4, family="histogram", pieces=3)
    assert "naming at most 1 atoms" in atoms.name


# All together


def test_no_new_bound_exceeds_an_attained_worst_case_risk() -> None:
    for n, m, b in [(16, 300, 1), (16, 480, 2), (8, 56, 1), (2, 3, 1), (4, 6, 2), (10, 300, 2), (64, 64, 6)]:
        attained = least_attained(n, m, b)
        assert best_lower(n, m, 1, "l2_squared", bits_per_server=b, model="SMP").value <= attained


def test_no_new_l1_bound_exceeds_what_the_full_sample_attains() -> None:
    """The empirical pmf has E||ph - p||_1 <= sqrt((n-1)/N) at every p; m s samples cost m s ceil(log2 n) bits."""
    for n in (2, 3, 8, 64):
        for m, s in [(1, 1), (4, 1), (30, 1), (1000, 1), (10, 50), (1, 3000)]:
            width = s * math.ceil(math.log2(n))
            bound = best_lower(n, m, s, "l1", bits_per_server=width, model="SMP")
            assert bound.value <= math.sqrt((n - 1) / (m * s))
            if n > 2:
                monotone = best_lower(n, m, s, "l1", bits_per_server=width, family="monotone")
                assert monotone.value <= bound.value


def test_more_bits_servers_or_samples_never_raise_the_new_bounds() -> None:
    budgets = np.geomspace(1, 1e7, 30)
    for values in (
        [assouad_l1(64, 10**6, 1, float(bits)).value for bits in budgets],
        [simplex_l1(64, float(bits)).value for bits in budgets],
        [simplex_l2(64, float(bits)).value for bits in budgets],
        [subsets_error(64, "l1", float(bits)).value for bits in budgets],
        [subsets_error(64, "l2_squared", float(bits)).value for bits in budgets],
        [monotone_l1(5000, 10**6, 1, float(bits)).value for bits in budgets],
        [many_samples_l1(64, 1000, 64, b).value for b in range(1, 20)],
        [many_samples_l1(64, 1000, s, 3).value for s in (1, 4, 16, 64, 256)],
        [many_samples_l1(64, m, 16, 3).value for m in (1, 10, 100, 1000)],
        [assouad_l1(64, m).value for m in (1, 10, 100, 1000)],
        [assouad_bits_l1(64, float(error)).value for error in np.geomspace(1e-4, 1, 20)],
        [subsets_bits(64, "l1", float(error)).value for error in np.geomspace(1e-4, 1, 20)],
        [monotone_bits_l1(5000, float(error)).value for error in np.geomspace(1e-3, 1, 20)],
    ):
        assert all(later <= earlier for earlier, later in pairwise(values))
        assert values[-1] < values[0]


def test_new_bounds_describe_themselves_in_plain_json() -> None:
    bounds: list[Bound] = []
    for loss in ("l1", "l2_squared"):
        bounds += for_problem(1000, 300, 5, loss, 500.0, 2, model="SMP")
        bounds += for_problem(1000, 300, 1, loss, 500.0, 2, model="SMP", family="histogram", pieces=12)
        bounds.append(best_lower_bits(1000, 300, loss, 0.1, family="histogram", pieces=12))
    monotone = for_problem(1000, 300, 1, "l1", 500.0, 2, family="monotone")
    bounds += [*monotone, best_lower_bits(1000, 300, "l1", 0.1, family="monotone")]
    for bound in bounds:
        described = json.loads(json.dumps(bound.describe(), allow_nan=False))
        assert described["value"] == bound.value
        assert described["ratio_ok"].startswith(("yes", "no"))
    assert len({bound.name for bound in monotone}) == len(monotone)


def test_bounds_of_zero_are_not_listed() -> None:
    assert all(bound.value > 0 for bound in for_problem(16, 300, 1, "l1", 1e6))
    assert subsets_error(16, "l1", 1e6).value == 0


def test_wrong_questions_are_refused() -> None:
    for support in (None, 1):
        with pytest.raises(ValueError, match="support"):
            best_lower(4, 10, 1, "l1", family="sparse", support=support)
    with pytest.raises(ValueError, match="known: all, sparse, histogram, monotone"):
        best_lower(4, 10, 1, "l1", family="falling")  # type: ignore[arg-type]  # the wrong name is the point
    with pytest.raises(ValueError, match="known: blackboard, SMP"):
        best_lower(4, 10, 1, "l1", model="smp")  # type: ignore[arg-type]  # the wrong name is the point
    with pytest.raises(ValueError, match="pieces go with"):
        best_lower(4, 10, 1, "l1", pieces=3)
    with pytest.raises(ValueError, match="l1 only"):
        best_lower(4, 10, 1, "l2_squared", family="monotone")
    with pytest.raises(ValueError, match="at least 3 symbols"):
        monotone_l1(2, 10)
    with pytest.raises(ValueError, match="k >= 3"):
        best_lower(40, 10, 1, "l2_squared", family="histogram", pieces=2)
    with pytest.raises(ValueError, match="at least 2 bits"):
        bennett_trace(1.0, 1.0, 1)
    with pytest.raises(ValueError, match="pe <= 1/2"):
        subset_bits(10, 3, 1, 0.7)
    with pytest.raises(ValueError, match="positive"):
        simplex_bits_l1(4, 0.0)
    with pytest.raises(ValueError, match="at least 0"):
        simplex_l2(4, -1.0)


@pytest.mark.parametrize("loss", ["l1", "l2_squared"])
def test_sparse_p_inherit_the_bounds_of_their_support_and_must_be_found(loss: Any) -> None:
    """At least the bound for a known support, no more than that for all p; with few bits the places cost more."""
    for bits in (40.0, 4000.0):
        known = best_lower(8, 5000, 1, loss, bits_total=bits)
        sparse = best_lower(1 << 20, 5000, 1, loss, bits_total=bits, family="sparse", support=8)
        assert known.value <= sparse.value
        assert sparse.value <= best_lower(1 << 20, 5000, 1, loss, bits_total=bits).value * (1 + 1e-12)
        assert sparse.name.startswith("6.4c sparse, by ")
    assert best_lower(1 << 20, 5000, 1, loss, bits_total=40.0, family="sparse", support=8).value > 1.5 * (
        best_lower(8, 5000, 1, loss, bits_total=40.0).value
    )
    assert best_lower_bits(1 << 20, 5000, loss, 0.02, family="sparse", support=8).value >= (
        best_lower_bits(8, 5000, loss, 0.02).value
    )
