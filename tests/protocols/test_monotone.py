"""Monotone cells: errors below their bounds on random and real monotone laws, exact bits, what other laws cost.

Means over runs may be 3 standard errors above a bound or off an exact value; a right formula is farther off with
probability below 0.3 % a number (normal approximation). Seeds are fixed.
"""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.learning import norms, sampling
from distest.learning.fitting import isotonic
from distest.learning.norms import Pmf
from distest.learning.population import bundled
from distest.learning.protocol import Protocol
from distest.learning.run import Outcome, learn
from distest.learning.task import Task
from distest.wire.channel import Channel
from distest.wire.transport import Solo

Floats = NDArray[np.float64]


def falling_law(name: str) -> Pmf:
    """A falling law by name: of the bundle, or drawn as a mixture of prefixes."""
    if name in ("survivors", "words", "babynames"):
        return -np.sort(-bundled(name).pmf)
    if name == "zipf":
        pmf: Pmf = catalog.build("distribution", {"name": "zipf"}).pmf(4096, from_seed(0)[1])
    else:
        pmf = catalog.build("distribution", {"name": "monotone", "prefixes": 5}).pmf(1 << 14, from_seed(3)[1])
    return pmf


def outcomes(protocol: Protocol[Any], pmf: Pmf, repeats: int) -> list[Outcome]:
    task = protocol.task
    coins, data = from_seed(5)
    out = []
    for repeat in range(repeats):
        source = sampling.independent(pmf, task.s, data.fold("repeat", repeat))
        outcome = learn(protocol, source.draw, Channel(task.m, Solo(), protocol.model), coins)
        assert outcome is not None
        out.append(outcome)
    return out


def mean_and_slack(values: list[float]) -> tuple[float, float]:
    """The mean and three standard errors."""
    return float(np.mean(values)), 3 * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def build(task: Task, **spec: Any) -> Any:
    return catalog.build("protocol", {"name": "monotone_cells", **spec}, task=task)


@pytest.mark.parametrize("name", ["survivors", "words", "babynames", "zipf", "monotone"])
@pytest.mark.parametrize("options", [{}, {"isotonic": False}, {"tau": 0.05, "partition": "birge"}], ids=str)
def test_l1_error_is_below_its_bounds(name: str, options: dict[str, Any]) -> None:
    pmf = falling_law(name)
    protocol = build(Task(pmf.size, 4000), **options)
    risk = protocol.risk(pmf)
    assert risk.l1 <= protocol.worst_l1()
    assert f"{protocol.worst_l1():.6g} for every falling p" in risk.note
    runs = outcomes(protocol, pmf, 12)
    mean, slack = mean_and_slack([norms.l1(run.estimate, pmf) for run in runs])
    assert mean <= risk.l1 + slack
    squared, slack = mean_and_slack([norms.l2_squared(run.estimate, pmf) for run in runs])
    assert squared <= risk.l2_squared + slack
    if not protocol.isotonic:
        assert squared >= risk.l2_squared - slack  # exact
    width = math.ceil(math.log2(len(protocol.grid)))
    assert {run.ledger.payload_bits for run in runs} == {4000 * width} == {protocol.payload_bits(pmf)}


def test_the_bound_is_what_the_docstring_says() -> None:
    """Greedy cells for tau = 0.1 and 2^20 symbols: 68, seven bits; the worst error is met exactly."""
    protocol = build(Task(1 << 20, 5000, s=2))
    assert len(protocol.grid) == 68
    assert protocol.bits_per_server() == 14
    assert protocol.worst_l1() == pytest.approx(0.1 + math.sqrt(67 / 10_000))


def test_greedy_cells_need_fewer_bits_than_the_samples_at_about_their_error() -> None:
    """82,834 words: 6 bits a sample where the full sample takes 17, and less error, as p is known to fall."""
    pmf = falling_law("words")
    cells, plain = (
        build(Task(pmf.size, 4000)),
        catalog.build("protocol", {"name": "full_sample"}, task=Task(pmf.size, 4000)),
    )
    ours, theirs = (outcomes(protocol, pmf, 3) for protocol in (cells, plain))
    assert [runs[0].ledger.payload_bits for runs in (ours, theirs)] == [24_000, 68_000]
    assert max(norms.l1(r.estimate, pmf) for r in ours) < 0.3 * min(norms.l1(r.estimate, pmf) for r in theirs)


@pytest.mark.parametrize("options", [{"tau": 0.05}, {"tau": 0.05, "partition": "birge"}], ids=str)
def test_pooling_never_hurts_on_monotone_laws(options: dict[str, Any]) -> None:
    pmf = falling_law("words")
    with_, without = (build(Task(pmf.size, 2000), **options, isotonic=on) for on in (True, False))
    for a, b in zip(outcomes(with_, pmf, 5), outcomes(without, pmf, 5), strict=True):
        assert a.digest == b.digest
        assert (np.diff(a.estimate) <= 0).all()
        for loss in (norms.l1, norms.l2_squared):
            assert loss(a.estimate, pmf) <= loss(b.estimate, pmf) + 1e-12


@pytest.mark.parametrize("on", [True, False])
def test_rising_laws_are_falling_ones_read_backwards(on: bool) -> None:
    pmf = falling_law("survivors")
    task = Task(pmf.size, 500)
    counts = np.arange(1, 1 + len(build(task).grid))
    falls, rises = (build(task, direction=direction, isotonic=on) for direction in ("falling", "rising"))
    assert np.allclose(falls.decide(counts), rises.decide(counts[::-1])[::-1])
    a, b = falls.risk(pmf), rises.risk(pmf[::-1])
    assert (a.l1, a.l2_squared) == pytest.approx((b.l1, b.l2_squared))
    runs = outcomes(rises, pmf[::-1].copy(), 20)
    mean, slack = mean_and_slack([norms.l1(run.estimate, pmf[::-1]) for run in runs])
    assert mean <= b.l1 + slack


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("name", ["ages", "deaths", "departures"])
def test_other_laws_cost_at_most_twice_their_distance_more(name: str, on: bool) -> None:
    """The distance to falling laws is at most that of the law's own isotonic fit."""
    pmf = bundled(name).pmf
    protocol = build(Task(pmf.size, 3000), isotonic=on)
    distance = norms.l1(isotonic.falling(pmf, np.ones(pmf.size, np.int64)), pmf)
    risk = protocol.risk(pmf)
    assert risk.l1 <= 2 * distance + protocol.worst_l1()
    runs = outcomes(protocol, pmf, 12)
    mean, slack = mean_and_slack([norms.l1(run.estimate, pmf) for run in runs])
    assert mean <= risk.l1 + slack
    squared, slack = mean_and_slack([norms.l2_squared(run.estimate, pmf) for run in runs])
    assert squared <= risk.l2_squared + slack


@pytest.mark.parametrize("name", ["survivors", "words", "zipf", "monotone"])
def test_l2_risk_is_exact_and_below_its_bound(name: str) -> None:
    pmf = falling_law(name)
    protocol = catalog.build("protocol", {"name": "monotone_l2", "eps": 0.03}, task=Task(pmf.size, 400, s=2))
    risk = protocol.risk(pmf)
    assert risk.exact
    assert risk.l1 is None
    assert risk.l2_squared <= protocol.worst_l2_squared() <= 0.03**2 + 1 / 800
    runs = outcomes(protocol, pmf, 200)
    mean, slack = mean_and_slack([norms.l2_squared(run.estimate, pmf) for run in runs])
    assert abs(mean - risk.l2_squared) < slack
    width = math.ceil(math.log2(len(protocol.grid)))
    assert runs[0].ledger.payload_bits == 800 * width == protocol.payload_bits(pmf)


def test_l2_bits_do_not_depend_on_the_size_of_the_domain() -> None:
    """eps = 0.1: four bits a sample for 256 symbols and for 2^30, and the same bound on the risk."""
    found = [
        catalog.build("protocol", {"name": "monotone_l2", "eps": 0.1}, task=Task(1 << j, 100)) for j in (8, 16, 24, 30)
    ]
    assert [protocol.bits_per_server() for protocol in found] == [4, 4, 4, 4]
    assert len({protocol.worst_l2_squared() for protocol in found}) == 1


@pytest.mark.parametrize(("tau", "s"), [(0.1, 1), (0.1, 2), (0.004, 1)])
def test_words_that_name_no_cell_are_refused(tau: float, s: int) -> None:
    protocol = build(Task(4096, 1, s=s), tau=tau)
    cells, bits = len(protocol.grid), protocol.bits_per_server() // s
    assert cells < 1 << bits
    packed = np.packbits(np.array([int(b) for _ in range(s) for b in f"{cells:0{bits}b}"], np.uint8))
    messages = Messages(packed, s * bits, 1, s * bits)
    with pytest.raises(WireError, match=f"{cells} "):
        protocol.read(range(1), BitReader(messages.data, messages.n_bits), from_seed(1)[0].public)


@pytest.mark.parametrize("options", [{}, {"isotonic": False}, {"tau": 0.05, "partition": "birge"}], ids=str)
@pytest.mark.parametrize("mode", [0, 1, 700, 4095])
def test_unimodal_laws_stay_below_the_bound(options: dict[str, Any], mode: int) -> None:
    """Falls on both sides of the mode; mode 0 is a falling law, and has its cells."""
    n = 4096
    pmf = 1.0 / (1 + np.abs(np.arange(n) - mode))
    pmf /= pmf.sum()
    protocol = build(Task(n, 4000), direction="unimodal", mode=mode, **options)
    if mode == 0:
        assert np.array_equal(protocol.grid.edges, build(Task(n, 4000), **options).grid.edges)
    assert protocol.risk(pmf).l1 <= protocol.worst_l1()
    runs = outcomes(protocol, pmf, 12)
    mean, slack = mean_and_slack([norms.l1(run.estimate, pmf) for run in runs])
    assert mean <= protocol.risk(pmf).l1 + slack
    if protocol.isotonic:
        for run in runs:
            assert (np.diff(run.estimate[:mode]) >= 0).all()
            assert (np.diff(run.estimate[mode:]) <= 0).all()


def test_flat_cells_lose_at_most_tau_on_every_interval_around_the_mode() -> None:
    """All uniform laws on intervals that hold the mode or end just before it: the extreme unimodal laws."""
    n, mode = 120, 50
    grid = build(Task(n, 1000), direction="unimodal", mode=mode, tau=0.2).grid
    for first in range(mode + 1):
        for last in range(mode, n):
            pmf = np.zeros(n)
            pmf[first : last + 1] = 1 / (last + 1 - first)
            assert norms.l1(grid.spread(grid.masses(pmf) / grid.widths), pmf) <= 0.2 + 1e-12


def test_a_mode_outside_the_domain_is_refused() -> None:
    with pytest.raises(UsageError, match="has its mode at one of 0 to 99, got mode=100"):
        build(Task(100, 1000), direction="unimodal", mode=100)
