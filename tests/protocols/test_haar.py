"""The Haar wavelet: its risk is its formula, its messages are few, and any bits decode or are refused.

Measured risks are means of independent runs; that one of the comparisons below is 3.5 standard errors off by chance has
probability 0.0005 each, and all seeds are fixed.
"""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from analysis.bounds import risks
from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.kernels import haar as kernel
from distest.learning import norms
from distest.learning.fitting import haar
from distest.learning.norms import Pmf
from distest.learning.servers import Servers
from distest.learning.task import Task
from tests import laws


def zipf(n: int) -> Pmf:
    weights = 1 / np.arange(1.0, n + 1)
    return np.asarray(weights / weights.sum(), np.float64)


def build(task: Task, **options: Any) -> Any:
    return catalog.build("protocol", {"name": "haar_wavelet", **options}, task=task)


def measured(protocol: Any, pmf: Pmf, runs: int) -> tuple[float, float, float]:
    """Mean squared l2 error, its standard error, mean bits a server."""
    errors, bits = [], 0
    for seed in range(runs):
        outcome = laws.run(protocol, pmf, *from_seed(seed))
        errors.append(norms.l2_squared(outcome.estimate, pmf))
        bits += outcome.ledger.payload_bits
    return float(np.mean(errors)), float(np.std(errors)) / math.sqrt(runs), bits / (runs * protocol.task.m)


@pytest.mark.parametrize(
    ("task", "lam"),
    [(Task(16, 100, 5), None), (Task(16, 100, 5), 0.1), (Task(11, 60, 40), 0.7), (Task(64, 20, 300), 0.2)],
)
def test_the_risk_is_the_formula_and_below_the_worst(task: Task, lam: float | None) -> None:
    protocol, pmf = build(task, lam=lam), zipf(task.n)
    risk, worst = protocol.risk(pmf), protocol.worst_risk()
    mean, error, _ = measured(protocol, pmf, 300)
    assert risk.exact
    assert abs(mean - risk.l2_squared) < 3.5 * error
    assert not worst.exact
    assert risk.l2_squared < worst.l2_squared


def test_it_is_told_from_the_full_sample() -> None:
    """The rounding shows by more than 5 standard errors, in the error and in the bits."""
    task = Task(64, 20, 300)
    mean, error, bits = measured(build(task), zipf(64), 100)
    full = catalog.build("protocol", {"name": "full_sample"}, task=task)
    assert mean - 5 * error > full.risk(zipf(64)).l2_squared
    assert bits < full.bits_per_server() / 10


def brute_force(pmf: Pmf, s: int, here: haar.Grid) -> float:
    """The rounding's part of the risk, over all sequences of s samples, by the matrix of the wavelets."""
    n, t = pmf.size, here.t
    total = 0.0
    for samples in itertools.product(range(n), repeat=s):
        law = np.bincount(samples, minlength=1 << t) / s
        chance = float(np.prod(pmf[list(samples)]))
        for j in range(1, t + 1):
            width = 1 << j
            for first in range(0, 1 << t, width):
                wave = np.zeros(1 << t)
                wave[first : first + width // 2] = width**-0.5
                wave[first + width // 2 : first + width] = -(width**-0.5)
                ratio = abs(float(wave @ law)) / float(here.lams[j - 1])
                part = ratio - math.floor(ratio + 1e-12)
                total += chance * float(here.lams[j - 1]) ** 2 * part * (1 - part) * float((wave[:n] ** 2).sum())
    return total


@pytest.mark.parametrize(("n", "s", "lam"), [(4, 3, "0.3"), (3, 4, "0.9"), (5, 2, "0.11"), (8, 3, "1.5")])
def test_the_variance_of_the_rounding_is_that_of_all_samples(n: int, s: int, lam: str) -> None:
    here = haar.grid(n, s, Fraction(lam))
    assert here is not None
    assert risks.wavelet_rounding(zipf(n), s, here.counts) == pytest.approx(brute_force(zipf(n), s, here), rel=1e-9)


def test_a_point_mass_has_the_largest_coefficients() -> None:
    assert risks.wavelet_l1(8) == pytest.approx(2.263325, abs=1e-6)
    assert 2.414 < risks.wavelet_l1(40) < 1 + math.sqrt(2)
    for pmf in (zipf(256), np.eye(256)[77], np.random.default_rng(1).dirichlet(np.full(256, 0.01))):
        mass, total = pmf, 0.0
        for j in range(1, 9):
            total += float(np.abs(mass[::2] - mass[1::2]).sum()) * 2.0 ** (-j / 2)
            mass = mass[::2] + mass[1::2]
        assert total <= risks.wavelet_l1(8) + 1e-12


@pytest.mark.parametrize("lam", ["0.01", "0.05", "0.3"])
def test_the_bound_for_every_law_is_above_every_law(lam: str) -> None:
    here = haar.grid(32, 50, Fraction(lam))
    assert here is not None
    bound = risks.wavelet_rounding_at_most(here.lams)
    assert bound <= risks.wavelet_l1(5) * here.lams.max()
    for pmf in (zipf(32), np.full(32, 1 / 32), np.eye(32)[5], np.eye(32)[::9].mean(axis=0)):
        assert risks.wavelet_rounding(pmf, 50, here.counts) <= bound


def test_long_formulas_become_bounds() -> None:
    task = Task(1 << 12, 10, 1 << 11)
    risk = build(task).risk(zipf(task.n))
    assert not risk.exact
    assert risk.l2_squared <= build(task).worst_risk().l2_squared
    assert build(Task(16, 10, 4), threshold=True).risk(zipf(16)) is None
    assert build(Task(16, 10, 4), threshold=True).worst_risk() is None


def test_non_zeros_are_as_few_as_promised() -> None:
    """On average below 2.4143/lam, and far fewer for smooth p than for a spike."""
    s, m, lam = 400, 400, 0.02
    protocol = build(Task(256, m, s), lam=lam)
    spike = np.zeros((m, s), np.int32)
    for samples in (spike, np.arange(m * s, dtype=np.int32).reshape(m, s) % 256):
        coins, _ = from_seed(3)
        ordered = np.sort(samples, axis=1)
        words = coins.private.words(range(m), kernel.words_needed(s, 8))
        counts = kernel.rounded(ordered, 8, protocol.grid.steps, protocol.grid.shifts, words)[0]
        mean, error = counts.mean(), counts.std() / math.sqrt(m) + 1e-9
        assert mean - 5 * error < risks.wavelet_l1(8) / lam
    assert measured(protocol, np.full(256, 1 / 256), 3)[2] < 0.5 * s * 8


def test_a_threshold_helps_where_pieces_are_few() -> None:
    """Flat p: everything is dropped and the error is 0, against the formula's 10^-4; five pieces: less by 5 s.e."""
    task = Task(256, 40, 500)
    assert measured(build(task, threshold=True), np.full(256, 1 / 256), 5)[0] < 1e-12
    pieces = np.repeat([3.0, 1.0, 0.2, 2.0, 0.5], [20, 100, 36, 40, 60])
    pmf = pieces / pieces.sum()
    with_it, error, _ = measured(build(task, threshold=True), pmf, 60)
    without, other, _ = measured(build(task), pmf, 60)
    assert with_it + 5 * math.hypot(error, other) < without


@pytest.mark.parametrize(("n", "s", "lam"), [(2, 2, None), (16, 5, 0.05), (300, 17, None), (1 << 20, 9, 0.003)])
def test_both_roads_give_the_same_bits(n: int, s: int, lam: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    m = 60
    protocol = build(Task(n, m, s), lam=lam)
    coins, _ = from_seed(5)
    samples = np.random.default_rng(2).geometric(min(0.9, 3 / n), (m, s)).astype(np.int32) % n
    said, heard, aside = [], [], []
    for compiled in (True, False):
        monkeypatch.setattr(kernel, "worth_compiling", lambda n_items, compiled=compiled: compiled)
        messages = protocol.message(Servers(range(7, 7 + m), samples), coins)
        said.append((messages.n_bits, messages.to_bytes(), np.asarray(messages.lengths).tolist()))
        reader = BitReader(messages.data, messages.n_bits)
        heard.append(protocol.read(range(7, 7 + m), reader, coins.public))
        assert reader.unread() == 0
        assert np.array_equal(reader.booked()[1], np.asarray(messages.lengths))
        aside.append(reader.side_bits)
    assert said[0] == said[1]
    assert aside[0] == aside[1]
    assert np.array_equal(heard[0], heard[1])


def test_exact_multiples_travel_without_noise() -> None:
    """Where every coefficient is a multiple of lam nothing is random: 4 samples of one symbol out of 4, lam = 1/2."""
    protocol = build(Task(4, 1, 4), lam=0.5)
    samples = np.full((1, 4), 2, np.int32)
    for seed in range(5):
        coins, _ = from_seed(seed)
        messages = protocol.message(Servers(range(1), samples), coins)
        tally = protocol.read(range(1), BitReader(messages.data, messages.n_bits), coins.public)
        assert tally[0] == -1  # the root: -1/2
        assert tally[1] == 0
        assert tally[2] in (1, 2)  # 2^(-1/2) is between one and two halves


@pytest.mark.parametrize("compiled", [True, False])
def test_any_bits_decode_or_are_refused(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "worth_compiling", lambda n_items: compiled)
    protocol, public = build(Task(16, 50, 4)), from_seed(1)[0].public
    random, refused = np.random.default_rng(0), 0
    for size in range(300):
        data = random.integers(0, 256, size % 40, dtype=np.uint8) | (random.integers(0, 256) if size % 3 else 0)
        reader = BitReader(data.astype(np.uint8), 8 * data.size)
        try:
            protocol.read(range(1 + size % 7), reader, public)
        except WireError:
            refused += 1
    assert 50 < refused < 300


def test_damaged_messages_are_refused() -> None:
    protocol, (coins, _) = build(Task(16, 50, 4)), from_seed(1)
    messages = protocol.message(Servers(range(50), np.full((50, 4), 9, np.int32)), coins)
    with pytest.raises(WireError, match="end early"):
        protocol.read(range(50), BitReader(messages.data, messages.n_bits - 1), coins.public)
    with pytest.raises(WireError, match="end early"):
        protocol.read(range(1 << 40), BitReader(messages.data, messages.n_bits), coins.public)
    many = Messages.of_symbols(np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], np.uint8), 1)  # 31 - 1 of 15 places
    with pytest.raises(WireError, match="no list of coefficients"):
        protocol.read(range(1), BitReader(many.data, many.n_bits), coins.public)


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        (Task(16, 100), {}, "two samples a server and more, got s=1"),
        (Task(16, 100, 4), {"lam": 0.0}, "positive lam, got lam=0.0"),
        (Task(16, 100, 4), {"lam": -1.0}, "positive lam"),
        (Task(16, 100, 4), {"lam": float("nan")}, "positive lam"),
        (Task(16, 100, 4), {"lam": 1e-9}, "takes a lam from 2^-20"),
        (Task(16, 100, 4), {"lam": 1e9}, "takes a lam from 2^-20"),
    ],
)
def test_bad_parameters(task: Task, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(task, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_samples_outside_the_domain() -> None:
    with pytest.raises(UsageError, match="from 0 to 10, got 11"):
        build(Task(11, 5, 2)).message(Servers(range(1), np.array([[0, 11]], np.int32)), from_seed(1)[0])
