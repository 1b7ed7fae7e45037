"""Servers that are not all alike: their samples, what protocols say to them, and medians against lies.

Statistical tests have fixed seeds and allow 3 standard errors off exact formulas (0.3 % each, normal approximation).
"""

import math
from typing import Any

import numpy as np
import pytest

from distest import catalog, experiment
from distest import spec as specs
from distest.bits import BitReader
from distest.coins import from_seed
from distest.errors import UsageError, WireError
from distest.learning import norms
from distest.learning.roster import Roster
from distest.learning.task import Task
from distest.wire.transport import Solo

TASK = Task(8, 1000, 5)


def records(**table: Any) -> list[dict[str, Any]]:
    spec = specs.check(specs.normalise(table))
    return [record for record, _ in experiment.run(spec, experiment.plan(spec), Solo(), False)]


def held(roster: Roster, block: range, task: Task = TASK) -> Any:
    """The samples of a block under a roster, all 7 before it."""
    samples = roster.apart(lambda b: np.full((len(b), task.s), 7, np.int32), task, from_seed(1)[1])
    return samples(block)


def test_a_plain_roster_changes_nothing() -> None:
    assert Roster().plain
    assert (held(Roster(), range(3)) == 7).all()


def test_sizes_go_round_by_the_number_of_the_server() -> None:
    roster = Roster(sizes=(5, 0, 2))
    counts = (held(roster, range(10)) >= 0).sum(axis=1)
    assert counts.tolist() == [5, 0, 2, 5, 0, 2, 5, 0, 2, 5]
    assert (held(roster, range(1, 10, 4)) >= 0).sum(axis=1).tolist() == [0, 2, 5][:3]


def test_liars_are_evenly_spaced_as_many_as_asked_and_never_silent() -> None:
    roster = Roster(silent=0.9, lying=7, says=3)
    samples = held(roster, range(1000))
    liars = np.flatnonzero((samples == 3).all(axis=1))
    assert liars.size == 7
    assert set(np.diff(liars)) <= {142, 143}
    spoken = (samples >= 0).all(axis=1)
    assert 60 < spoken.sum() < 150  # 7 + Bin(993, 0.1): standard deviation 9.5


def test_a_block_holds_what_the_servers_hold_one_by_one() -> None:
    roster = Roster(sizes=(5, 1), silent=0.3, lying=100)
    whole = held(roster, range(200))
    assert all((held(roster, range(i, i + 1)) == whole[i]).all() for i in range(0, 200, 7))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"sizes": [1, 2]}, "the largest of them s=5"),
        ({"sizes": [5, -1]}, "from 0 to s"),
        ({"silent": 1.0}, "at least 0 and below 1"),
        ({"lying": 1001}, "of the m=1000 servers"),
        ({"says": 8}, "of the n=8 symbols"),
        ({"quiet": 1}, "no key of servers 'quiet'"),
        ({"lying": 0.5}, "servers: Expected `int`"),
    ],
)
def test_a_roster_that_makes_no_sense_is_one_sentence(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        records(protocol="uneven_samples", n=8, m=1000, s=5, distribution="uniform", servers=table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", [{"sizes": [3, 1]}, {"silent": 0.1}])
def test_protocols_that_need_all_samples_say_so(table: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="multiset needs exactly s=3 at every server"):
        records(protocol="multiset", n=8, m=10, s=3, distribution="uniform", servers=table)


def test_a_server_without_samples_costs_one_bit_and_the_errors_are_those_of_the_samples_there_are() -> None:
    """Sizes 8, 2, 0 in turn: N = 100 * 10 samples; 3 bits each, 1 + 2 floor(log2(s_i + 1)) for their number."""
    runs = records(
        protocol="uneven_samples", n=8, m=300, s=8, distribution="zipf", servers={"sizes": [8, 2, 0]}, repeats=400
    )
    assert {run["payload_bits"] for run in runs} == {100 * (7 + 24) + 100 * (3 + 6) + 100 * 1}
    pmf = catalog.build("distribution", {"name": "zipf"}).pmf(8, from_seed(0)[1])
    losses = np.array([run["l2_squared"] for run in runs])
    expected = (1 - norms.l2_squared(pmf, 0 * pmf)) / 1000
    assert abs(losses.mean() - expected) < 3 * losses.std(ddof=1) / math.sqrt(losses.size)
    assert runs[0]["risk_l2_squared"] is None  # the formula is for s samples at every server


def lies(referee: str, lying: int) -> tuple[float, float]:
    """Mean l1 and l2 error at n = 64, m = 100, s = 10^4, liars who all report symbol 0."""
    runs = records(
        protocol=f"uneven_samples:referee={referee}", n=64, m=100, s=10_000, distribution="uniform", repeats=4,
        servers={"lying": lying},
    )  # fmt: skip
    return float(np.mean([run["l1"] for run in runs])), math.sqrt(float(np.mean([run["l2_squared"] for run in runs])))


def test_ten_liars_ruin_the_pooled_law_and_not_the_median() -> None:
    """Plain referee at least 10 times the honest error, median at most twice, in l1 and l2.

    The ratios are about 30 and 100, and 1.4; their standard errors below 0.1.
    """
    honest, plain, median = lies("pooled", 0), lies("pooled", 10), lies("median", 10)
    for loss in (0, 1):
        assert plain[loss] > 10 * honest[loss]
        assert median[loss] < 2 * honest[loss]


def test_one_sample_a_server_cannot_be_repaired_and_the_sentence_says_why() -> None:
    with pytest.raises(UsageError, match="look like the samples of honest servers whose p is"):
        catalog.build("protocol", {"name": "uneven_samples", "referee": "median"}, task=Task(64, 100))


@pytest.mark.parametrize(
    ("task", "said"), [(Task(64, 9, 63), "needs s >= n"), (Task(1 << 14, 1 << 14, 1 << 15), "2.27")]
)
def test_medians_have_limits(task: Task, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        catalog.build("protocol", {"name": "uneven_samples", "referee": "median"}, task=task)


def test_nobody_speaks_and_damaged_messages() -> None:
    protocol = catalog.build("protocol", {"name": "uneven_samples"}, task=Task(6, 40, 3))
    assert protocol.decide(np.zeros(6, np.int64)).tolist() == [1 / 6] * 6
    noise = np.random.default_rng(0)
    public = from_seed(0)[0].public
    for _ in range(300):
        junk = noise.integers(0, 256, int(noise.integers(1, 60)), dtype=np.uint8)
        try:
            tally = protocol.read(range(40), BitReader(junk, 8 * junk.size), public)
        except WireError:
            continue
        assert tally.shape == (6,)
