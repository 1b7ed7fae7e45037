"""Several samples a server: one-bit counts, dense counts, refinement.

Seeds are fixed. A mean may be 3 standard errors off a first-order formula, which is good to well within that at the
sizes here; a right program fails such a comparison with probability 0.3 % (normal approximation). Where two protocols
are told apart, their means differ by more than 5 standard errors.
"""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.bounds import one_bit as formulas
from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.learning import norms, sampling
from distest.learning.fitting import one_bit, one_bit_likelihood, refinement
from distest.learning.fitting.frames import Frames, scaled
from distest.learning.norms import Pmf
from distest.learning.run import learn
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.wire.channel import Channel
from distest.wire.transport import Solo
from tests import laws

Floats = NDArray[np.float64]


def build(task: Task, name: str, **options: Any) -> Any:
    return catalog.build("protocol", {"name": name, **options}, task=task)


def law(name: str, n: int) -> Pmf:
    weights = {"uniform": np.ones(n), "zipf": 1 / np.arange(1, n + 1), "geometric": 0.8 ** np.arange(n) + 1e-4}[name]
    return np.asarray(weights / weights.sum(), np.float64)


def losses(protocol: Any, pmf: Pmf, repeats: int) -> tuple[Floats, Floats]:
    """Squared l2 and l1 losses of some runs; their bits are checked on the way."""
    task = protocol.task
    coins, data = from_seed(5)
    squares, sums = [], []
    for repeat in range(repeats):
        draw = sampling.independent(pmf, task.s, data.fold("repeat", repeat)).draw
        outcome = learn(protocol, draw, Channel(task.m, Solo(), protocol.model), coins)
        assert outcome is not None
        assert outcome.ledger.payload_bits == protocol.payload_bits(pmf)
        assert outcome.ledger.payload_bits <= task.m * protocol.bits_per_server()
        squares.append(norms.l2_squared(outcome.estimate, pmf))
        sums.append(norms.l1(outcome.estimate, pmf))
    return np.array(squares), np.array(sums)


def error(values: Floats) -> float:
    """The standard error of a mean."""
    return float(np.std(values, ddof=1)) / math.sqrt(values.size)


def apart(larger: Floats, smaller: Floats) -> float:
    """By how many standard errors one mean is above another."""
    return float(larger.mean() - smaller.mean()) / math.hypot(error(larger), error(smaller))


@pytest.mark.parametrize(("s", "top"), [(2, 1), (4, 1), (5, 2), (16, 2), (64, 3), (256, 4), (4096, 6), (10**5, 9)])
def test_levels(s: int, top: int) -> None:
    assert one_bit.top_level(s) == top
    assert 2**top >= math.sqrt(s) > 2 ** (top - 1)
    answers = one_bit.table(s)
    assert answers.shape == (2 * top + 1, s + 1)
    assert not (answers == answers[:, :1]).all(axis=1).any(), "a question with one answer tells nothing"
    assert np.bincount(one_bit.order(s)).tolist() == [top, top] + [1] * (2 * top - 2) + [2]


def test_the_answers_are_far_from_where_machines_could_disagree() -> None:
    """Exact ties, such as N = 8 of 16, are moved to one side by 1e-9; nothing else is within 1e-10 of an edge."""
    assert one_bit.table(16)[0, 8] == 1
    for s in range(2, 400):
        turns = np.sqrt(s) * np.arcsin(np.sqrt(np.arange(s + 1) / s)) / math.pi
        for row, (level, phase) in enumerate(one_bit.questions(s)):
            at = (turns / 2**level + phase + 1e-9) % 0.5
            assert min(at.min(), (0.5 - at).min()) > 1e-10
            assert np.array_equal(one_bit.table(s)[row], (turns / 2**level + phase + 1e-9) % 1 < 0.5)


@pytest.mark.parametrize("s", [2, 16, 301, 10**4, 10**5])
def test_binomial_sums(s: int) -> None:
    angles = np.concatenate(([0, 1e-5, math.pi / 4, math.pi / 2], np.linspace(0.01, 1.56, 9)))
    q = np.sin(angles) ** 2
    counts = np.arange(s + 1)
    chances = np.asarray(stats.binom.pmf(counts, s, q[:, None]))
    answers = one_bit.table(s)
    ones, zeros = formulas.chances(answers, angles)
    moments = formulas.leanings(answers, angles)
    assert np.allclose(ones, answers @ chances.T, rtol=0, atol=1e-12)
    assert np.allclose(zeros, (1 - answers) @ chances.T, rtol=0, atol=1e-12)
    assert np.allclose(moments, answers @ (chances * (counts - s * q[:, None])).T, rtol=0, atol=1e-10)
    at = formulas.medians(s, angles)
    assert np.array_equal(at, stats.binom.median(s, q))
    assert np.allclose(formulas.below(s, at, angles)[0], stats.binom.cdf(at, s, q), rtol=0, atol=1e-12)


def test_information_of_a_threshold_on_a_large_count_is_2_over_pi() -> None:
    """And never is a bit worth more than the count, whose information is s/(q (1-q))."""
    s, q = 10**5, np.array([0.3, 0.5])
    at = formulas.medians(s, np.arcsin(np.sqrt(q)))
    none = np.zeros((2, len(one_bit.table(s))), np.int64)
    threshold = formulas.reports_variance(one_bit.table(s), none, q, at, np.ones(2, np.int64))
    assert np.allclose(threshold * s / (q * (1 - q)), math.pi / 2, rtol=0.01)
    for s in (2, 16, 256):
        q = np.linspace(0.001, 0.999, 400)
        for question in range(len(one_bit.table(s))):
            often = np.zeros((q.size, len(one_bit.table(s))), np.int64)
            often[:, question] = 1
            assert (formulas.reports_variance(one_bit.table(s), often, q) * s / (q * (1 - q)) > 1 - 1e-9).all()


@pytest.mark.parametrize("s", [16, 256])
@pytest.mark.parametrize("reports", [200, 1000])
def test_one_bit_constants(s: int, reports: int) -> None:
    """Error in units of max(q (1-q), 1/(4s))/(m' s) as promised, by formula and measured; no turn is ever missed."""
    random = np.random.Generator(np.random.Philox(s + reports))
    order, answers, runs = one_bit.order(s), one_bit.table(s), 400
    often = one_bit.Design(s, 1, 1).often(reports)
    assert np.array_equal(often[0], np.bincount(order[np.arange(reports) % order.size], minlength=len(answers)))
    for q in (0.0, 0.5 / s, 2 / s, 0.1, 0.5, 0.97):
        ones = np.stack(
            [
                random.binomial(
                    often[0, g], formulas.chances(answers, np.array([math.asin(math.sqrt(q))]))[0][g, 0], runs
                )
                for g in range(len(answers))
            ],
            axis=1,
        )
        found = one_bit_likelihood.estimate(ones, np.repeat(often, runs, axis=0), s)
        if q == 0:
            assert (found == 0).all()
            continue
        unit = max(q * (1 - q), 1 / (4 * s)) / (reports * s)
        squared = (found - q) ** 2 / unit
        predicted = formulas.reports_variance(answers, often, np.array([q]))[0] / unit
        assert 1.6 <= predicted <= 5
        assert 1.6 - 3 * error(squared) <= squared.mean() <= 5 + 3 * error(squared)
        assert abs(squared.mean() / predicted - 1) <= 3 * error(squared) / predicted + 20 / reports
        missed = 2 * math.sqrt(s) * np.abs(np.arcsin(np.sqrt(found)) - math.asin(math.sqrt(q)))
        assert missed.max() < 1.5, "half a turn of level 0 is pi"


def test_grid_and_refinement_agree_with_an_exhaustive_search() -> None:
    s, reports = 64, 120
    random = np.random.Generator(np.random.Philox(9))
    often = np.repeat(one_bit.Design(s, 1, 1).often(reports), 40, axis=0)
    yes, _ = formulas.chances(one_bit.table(s), np.arcsin(np.sqrt(random.random(40))))
    ones = random.binomial(often, yes.T)
    fine = np.linspace(0, math.pi / 2, 50_001)
    logs = [np.log(np.maximum(chance, 1e-300)) for chance in formulas.chances(one_bit.table(s), fine)]
    best = fine[np.argmax(ones @ logs[0] + (often - ones) @ logs[1], axis=1)]
    found = np.arcsin(np.sqrt(one_bit_likelihood.estimate(ones, often, s)))
    assert np.abs(found - best).max() <= 1 / (40 * math.sqrt(reports * s))


@pytest.mark.parametrize(
    ("n", "m", "s", "name", "options", "shape"),
    [
        (16, 3200, 64, "dense_counts", {"bits": 4}, "uniform"),
        (16, 3200, 64, "dense_counts", {"bits": 4}, "zipf"),
        (11, 2000, 40, "dense_counts", {"bits": 11}, "zipf"),
        (16, 12800, 256, "one_bit_counts", {}, "uniform"),
        (2, 800, 30, "one_bit_counts", {}, "zipf"),
        (16, 12800, 256, "one_bit_adaptive", {}, "uniform"),
        (2, 800, 30, "one_bit_adaptive", {}, "zipf"),
        (256, 4000, 16, "block_refinement", {"bits": 10}, "uniform"),
        (64, 16000, 8, "block_refinement", {"bits": 8}, "zipf"),
        (256, 4000, 16, "adaptive_refinement", {"bits": 10}, "zipf"),
        (256, 64_000, 16, "block_refinement", {"bits": 4}, "uniform"),
        (256, 64_000, 16, "adaptive_refinement", {"bits": 4}, "uniform"),
    ],
)
def test_risk_is_that_of_the_formula(n: int, m: int, s: int, name: str, options: dict[str, Any], shape: str) -> None:
    pmf = law(shape, n)
    protocol = build(Task(n, m, s), name, **options)
    risk = protocol.risk(pmf)
    assert not risk.exact
    assert "first order" in risk.note
    squares, sums = losses(protocol, pmf, 30 if n < 100 else 12)
    assert abs(squares.mean() - risk.l2_squared) <= 3 * error(squares) + 0.03 * risk.l2_squared
    assert abs(sums.mean() - risk.l1) <= 3 * error(sums) + 0.03 * risk.l1


@pytest.mark.parametrize(("n", "s", "m", "bits"), [(16, 64, 800, 4), (16, 256, 800, 4), (16, 16, 800, 4)])
def test_dense_counts_constant(n: int, s: int, m: int, bits: int) -> None:
    """Squared l2 risk C n (1 - |p|^2)/(m s bits), C from 2.5 to 5; l1 c n/sqrt(m s bits), c from 1.1 to 1.8."""
    for shape in ("uniform", "zipf"):
        pmf = law(shape, n)
        risk = build(Task(n, m, s), "dense_counts", bits=bits).risk(pmf)
        assert 2.5 <= risk.l2_squared * m * s * bits / (n * (1 - (pmf**2).sum())) <= 5
        assert 1.1 <= risk.l1 * math.sqrt(m * s * bits) / n <= 1.8


def test_thresholds_at_the_median_beat_fixed_questions() -> None:
    """C of about 1.8, not far from pi/2, against more than 4: to be told apart by more than 5 standard errors."""
    n, m, s = 16, 12800, 256
    pmf = law("uniform", n)
    fixed, _ = losses(build(Task(n, m, s), "one_bit_counts"), pmf, 20)
    adaptive, _ = losses(build(Task(n, m, s), "one_bit_adaptive"), pmf, 20)
    assert apart(fixed, adaptive) > 5
    constant = adaptive * m * s / (n * (1 - 1 / n))
    assert math.pi / 2 - 3 * error(constant) <= constant.mean() <= 2 + 3 * error(constant)


def test_two_symbols_are_one_question() -> None:
    protocol = build(Task(2, 64, 9), "one_bit_counts")
    random = np.random.Generator(np.random.Philox(1))
    coins, _ = from_seed(1)
    samples = random.integers(0, 2, (64, 9)).astype(np.int32)
    messages = protocol.message(Servers(range(64), samples), coins)
    estimate = protocol.decide(protocol.read(range(64), BitReader(messages.data, 64), coins.public))
    assert messages.n_bits == 64
    assert estimate.sum() == 1


@pytest.mark.parametrize("rule", laws.LAWS, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(
    ("task", "name", "options"),
    [
        (Task(2, 60, s=4), "one_bit_counts", {}),
        (Task(2, 60, s=4), "one_bit_adaptive", {}),
        (Task(40, 80, s=20), "block_refinement", {"bits": 12}),
        (Task(40, 80, s=20), "adaptive_refinement", {"bits": 12}),
    ],
    ids=str,
)
def test_laws(task: Task, name: str, options: dict[str, Any], rule: laws.Law) -> None:
    rule(build(task, name, **options), law("zipf", task.n), 7)


def test_refinement_beats_dense_counts_in_l1() -> None:
    """s < n: n log(n/s + 1) against n^2/s under the root."""
    for shape in ("uniform", "zipf"):
        pmf, task = law(shape, 256), Task(256, 4000, 16)
        _, dense = losses(build(task, "dense_counts", bits=5), pmf, 8)
        _, blocks = losses(build(task, "block_refinement", bits=5), pmf, 8)
        assert apart(dense, blocks) > 5


def test_frames_that_follow_the_masses_beat_even_frames_in_l2() -> None:
    pmf, task = law("geometric", 256), Task(256, 4000, 64)
    even, _ = losses(build(task, "block_refinement", bits=6), pmf, 25)
    follow, _ = losses(build(task, "adaptive_refinement", bits=6), pmf, 25)
    assert apart(even, follow) > 5
    assert even.mean() > 10 * follow.mean()


def test_refinement_beats_full_samples_of_as_many_bits() -> None:
    """64 samples a server and 6 bits: more than the 3 whole samples that 4 servers could send."""
    pmf = law("uniform", 256)
    _, blocks = losses(build(Task(256, 4000, 64), "block_refinement", bits=6), pmf, 30)
    _, full = losses(build(Task(256, 3000), "full_sample"), pmf, 30)
    assert apart(full, blocks) > 5


@pytest.mark.parametrize(
    ("n", "s", "bits", "tiers"),
    [  # symbols, width, blocks, frames of each tier, coarse to fine
        (256, 16, 5, [(256, 31, 9, 1)]),
        (256, 64, 6, [(256, 7, 37, 2)]),
        (64, 8, 60, [(64, 15, 5, 8)]),
        (31, 2, 5, [(31, 31, 1, 1)]),
        (256, 16, 4, [(18, 3, 6, 2), (256, 15, 18, 1)]),
        (256, 2, 2, [(4, 3, 2, 1), (10, 3, 4, 1), (29, 3, 10, 1), (86, 3, 29, 1), (256, 3, 86, 1)]),
    ],
)
def test_tiers(n: int, s: int, bits: int, tiers: list[tuple[int, int, int, int]]) -> None:
    plan = refinement.Refinement(Task(n, 1000, s), bits)
    assert [(tier.n, tier.width, tier.blocks, tier.count) for tier in plan.tiers] == tiers
    assert plan.tiers[0].width.bit_length() == math.ceil(math.log2(tiers[0][0] / s + 1))
    assert plan.blocks <= s
    assert plan.bits_max() <= bits
    ends = [0, plan.counting, *(tier.servers.stop for tier in plan.tiers)]
    assert ends[-1] == 1000
    assert np.allclose(np.diff(ends[1:])[::-1], 1000 / 2.0 ** np.arange(1, len(ends) - 1), atol=1)


def frames(s: int, count: int) -> Frames:
    """About blocks of 15 of 64 symbols, of servers 50 to 99."""
    return Frames(64, s, 15, count, range(50, 100))


def test_frames_are_shared_out_by_weight() -> None:
    """Every server has floor or ceil(c r_j) frames of block j; as many servers as the weights sum to, exactly c w_j."""
    tier = frames(8, 7)
    for weights in (np.array([5, 0, 1, 2, 3]), tier.even, np.array([0, 0, 0, 0, 9])):
        total = int(weights.sum())
        found = tier.plan(range(61, 61 + total), weights)
        each = np.stack([np.bincount(row, minlength=5) for row in found])
        share = 7 * weights / total
        assert ((each == np.floor(share)) | (each == np.ceil(share))).all()
        assert np.array_equal(each.sum(axis=0), 7 * weights)
        assert (np.diff(found, axis=1) >= 0).all()


def test_frames_name_the_first_sample_of_their_part() -> None:
    samples = np.array([[40, 3, 63, 16, 2, 61, 17, 62]], np.int32)  # parts 0-1, 2-4, 5-7
    for block, said in ((0, [4, 3, 0]), (4, [0, 4, 2]), (3, [0, 0, 0])):
        messages = frames(8, 3).message(samples, range(50, 51), np.eye(5, dtype=np.int64)[block])
        assert messages.n_bits == 12
        assert BitReader(messages.data, 12).fixed(1, 4, 3).tolist() == [said]


def test_weights() -> None:
    assert scaled(np.zeros(3)).tolist() == [1, 1, 1]
    assert 0 < int(scaled(np.ones(10_000)).sum()) < 1 << 31
    assert scaled(np.array([0.5, 0, 0.25])).tolist() == [1 << 29, 0, 1 << 28]


def test_tiers_beat_the_protocols_of_one_sample() -> None:
    """Four samples and three bits: n/sqrt(m s 2^b) against n/sqrt(m 2^b)."""
    pmf = law("uniform", 256)
    one, _ = losses(build(Task(256, 16_000), "grouping", bits=3), pmf, 8)
    four, _ = losses(build(Task(256, 16_000, 4), "block_refinement", bits=3), pmf, 8)
    assert apart(one, four) > 5


@pytest.mark.parametrize(
    ("task", "spec", "said"),
    [
        (Task(16, 1000), {"name": "one_bit_counts"}, "s=1"),
        (Task(16, 1000), {"name": "one_bit_adaptive"}, "s=1"),
        (Task(16, 1000), {"name": "dense_counts", "bits": 2}, "s=1"),
        (Task(16, 1000), {"name": "block_refinement", "bits": 5}, "s=1"),
        (Task(16, 1000, (1 << 20) + 1), {"name": "dense_counts", "bits": 2}, "1048576 samples"),
        (Task(16, 1000, 8), {"name": "dense_counts", "bits": 0}, "bits=0"),
        (Task(16, 1000, 8), {"name": "dense_counts", "bits": 17}, "bits=17"),
        (Task(16, 127, 8), {"name": "one_bit_counts"}, "128 servers"),
        (Task(16, 63, 8), {"name": "dense_counts", "bits": 2}, "64 servers"),
        (Task(16, 508, 8), {"name": "one_bit_adaptive"}, "first turn, a quarter of 508"),
        (Task(16, 1000, 16), {"name": "block_refinement", "bits": 3}, "use dense_counts"),
        (Task(16, 1000, 3), {"name": "block_refinement", "bits": 1}, "takes 2 to n bits"),
        (Task(16, 1000, 3), {"name": "adaptive_refinement", "bits": 17}, "takes 2 to n bits"),
        (Task(16, 6, 3), {"name": "adaptive_refinement", "bits": 3}, "that count, of m=6"),
    ],
    ids=str,
)
def test_what_is_refused(task: Task, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalog.build("protocol", spec, task=task)
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one_bit_counts", {}),
        ("one_bit_adaptive", {}),
        ("dense_counts", {"bits": 3}),
        ("block_refinement", {"bits": 3}),
        ("adaptive_refinement", {"bits": 3}),
    ],
)
def test_samples_outside_the_domain(name: str, options: dict[str, Any]) -> None:
    protocol = build(Task(16, 1000, 8), name, **options)
    coins, _ = from_seed(1)
    for place in (0, 999):
        for bad in (-1, 16, 1 << 20):
            samples = np.zeros((1000, 8), np.int32)
            samples[place, 3] = bad
            with pytest.raises(UsageError, match="symbols from 0 to 15"):
                protocol.speak(Servers(range(1000), samples), protocol.start(), coins)


def test_frames_that_name_no_symbol() -> None:
    """40 symbols in blocks of 3: the last block has one symbol, two words of its frames name nothing."""
    protocol = build(Task(40, 200, 20), "block_refinement", bits=2)
    plan, coins = protocol.plan, from_seed(1)[0].public
    tier = plan.tiers[0]
    party = next(k for k in range(100, 200) if tier.plan(range(k, k + 1), tier.even)[0, 0] == 13)
    for code in range(4):
        messages = Messages.of_symbols(np.array([code], np.uint8), 2)
        reader = BitReader(messages.data, 2)
        if code < 2:
            assert protocol.read(range(party, party + 1), reader, coins)[-1] == code
        else:
            with pytest.raises(WireError, match="outside the domain of 40"):
                protocol.read(range(party, party + 1), reader, coins)
    with pytest.raises(WireError, match="end early"):
        protocol.read(range(3), BitReader(np.zeros(1, np.uint8), 5), coins)
