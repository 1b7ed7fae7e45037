"""Methods after EF21, DIANA and local SGD: what each is without compression, and what it remembers with it."""

from typing import Any

import numpy as np
import pytest

from distest import catalog, training
from distest.errors import UsageError
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.random_k import RandomK
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.method import Method
from distest.sgd.methods.clag import Clag
from distest.sgd.methods.comp_ams import CompAms
from distest.sgd.methods.dasha import Dasha
from distest.sgd.methods.diana import Diana
from distest.sgd.methods.diloco import Diloco
from distest.sgd.methods.ef21 import Ef21
from distest.sgd.methods.ef21_p import Ef21P
from distest.sgd.methods.fedpaq import Fedpaq
from distest.sgd.methods.local_sgd import LocalSgd
from distest.sgd.methods.marina import Marina
from distest.sgd.methods.mean import Mean
from distest.sgd.methods.one_bit_adam import OneBitAdam
from distest.sgd.methods.qsparse_local_sgd import QsparseLocalSgd
from distest.sgd.methods.sparseloco import Sparseloco
from distest.sgd.methods.supersgd import Supersgd
from distest.sgd.methods.zero_one_adam import ZeroOneAdam
from distest.sgd.rule import Rule
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import Given, stepped

RNG = np.random.default_rng(17)
ROWS = RNG.standard_normal((3, 40)).astype(np.float32)
EXACT = Identity()
SGD = Rule(rate=0.1, momentum=0.5, steps=12)
ADAM, AMSGRAD = Rule(rate=0.1, optimiser="adam", steps=12), Rule(rate=0.1, optimiser="amsgrad", steps=12)


# ---- without compression


@pytest.mark.parametrize(
    ("method", "rule", "parent"),
    [
        (Diana(EXACT), SGD, SGD),
        (Diana(EXACT, inner=1), SGD, SGD),
        (Marina(EXACT), SGD, SGD),
        (Dasha(EXACT), SGD, SGD),
        (Ef21(EXACT), SGD, SGD),
        (Clag(EXACT, zeta=0.0), SGD, SGD),
        (Ef21P(down=EXACT), SGD, SGD),
        (LocalSgd(inner=1), SGD, SGD),
        (Fedpaq(EXACT, inner=1), SGD, SGD),
        (QsparseLocalSgd(EXACT, inner=1), SGD, SGD),
        (CompAms(EXACT), Rule(rate=0.1, steps=12), AMSGRAD),
        (OneBitAdam(exchange=AllGather(), freeze=12), Rule(rate=0.1, steps=12), ADAM),
        (ZeroOneAdam(exchange=AllGather(), freeze=12, slower=12), Rule(rate=0.1, steps=12), ADAM),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_compression_a_method_is_its_parent_bit_for_bit(method: Method, rule: Rule, parent: Rule) -> None:
    """Gradients row + 0.7 x; 32 bits a coordinate go up."""
    state, _ = stepped(method, ROWS, 12, rule=rule, slope=0.7)
    plain, _ = stepped(Supersgd(), ROWS, 12, rule=parent, slope=0.7)
    assert np.array_equal(state.x, plain.x)
    assert state.step == 12


def test_clag_without_laziness_is_ef21_bit_for_bit() -> None:
    ours, here = stepped(Clag(TopK(density=0.1), zeta=0.0), ROWS, 12, rule=SGD, slope=0.7)
    ef21, there = stepped(Ef21(TopK(density=0.1)), ROWS, 12, rule=SGD, slope=0.7)
    mean, _ = stepped(Mean(TopK(density=0.1), feedback="ef21"), ROWS, 12, rule=SGD, slope=0.7)
    assert np.array_equal(ours.x, ef21.x)
    assert np.array_equal(mean.x, ef21.x)
    assert here.digest() == there.digest()  # the same messages


def test_clag_without_codes_is_lag_by_its_rule() -> None:
    """A worker tells how its gradient has changed since it last spoke, where that is news; the sum goes on with the
    old otherwise."""
    zeta, rule = 6.0, Rule(rate=0.1)
    state, channel = stepped(Clag(EXACT, zeta=zeta), ROWS, 25, rule=rule, slope=0.7)
    x, total = np.zeros(40, np.float32), np.zeros(40, np.float32)
    told: list[Any] = [None] * 3
    last: list[Any] = [None] * 3
    fired = 0
    for _ in range(25):
        news = []
        for worker in range(3):
            g = ROWS[worker] + np.float32(0.7) * x
            change = g if told[worker] is None else g - told[worker]
            moved = None if last[worker] is None else (g - last[worker]).astype(np.float64)
            last[worker] = g
            if moved is not None and (change.astype(np.float64) ** 2).sum() <= zeta * (moved**2).sum():
                change = np.zeros(40, np.float32)
            else:
                fired += 1
            told[worker] = change if told[worker] is None else told[worker] + change
            news.append(change)
        total = total + (news[0] + news[1] + news[2]) / np.float32(3)
        x = x - np.float32(0.1) * total
    assert np.array_equal(state.x, x)
    assert 10 < fired < 65
    assert channel.ledger.payload_bits == 25 * 3 + fired * 32 * 40


# ---- what is learnt


@pytest.mark.parametrize("code", [RandomK(density=0.25), Qsgd(bits=4)], ids=["random_k", "qsgd"])
def test_shifts_and_estimates_become_the_gradients(code: Any) -> None:
    """Of gradients that stay the same: DIANA's noise and DASHA's errors die out, MARINA has none."""
    mean = ROWS.mean(axis=0)
    diana, _ = stepped(Diana(code), ROWS, 120)
    assert diana.shared["shift"] == pytest.approx(mean, abs=1e-4)
    assert np.stack([diana.own["memory"][worker] for worker in range(3)]) == pytest.approx(ROWS, abs=1e-4)
    dasha, _ = stepped(Dasha(code), ROWS, 250)
    assert dasha.shared["estimate"] == pytest.approx(mean, abs=1e-4)
    marina, channel = stepped(Marina(code, p=0.2), ROWS, 40)
    assert marina.shared["estimate"] == pytest.approx(mean, abs=1e-6)
    assert marina.x == pytest.approx(-40 * mean, rel=1e-4, abs=1e-5)
    assert channel.ledger.payload_bits < 40 * 3 * 32 * 40 / 2


def test_estimates_of_dasha_follow_gradients_that_move() -> None:
    """x ends where the mean gradient is 0, as gradient descent does, while every message is compressed."""
    state, _ = stepped(Dasha(RandomK(density=0.25)), ROWS, 200, rule=Rule(rate=0.15), slope=1.0)
    assert state.x == pytest.approx(-ROWS.mean(axis=0), abs=1e-3)
    oracle = Given(ROWS, slope=1.0)
    oracle.noisy = True  # gradients at both points are asked for then
    state, _ = stepped(Dasha(RandomK(density=0.25)), ROWS, 200, rule=Rule(rate=0.15), oracle=oracle)
    assert state.x == pytest.approx(-ROWS.mean(axis=0), abs=1e-3)


def test_marina_takes_differences_of_the_same_batch_and_now_and_then_whole_shards() -> None:
    oracle = Given(ROWS, slope=1.0)
    oracle.noisy = True
    state, _ = stepped(Marina(RandomK(density=0.25), p=0.25), ROWS, 200, rule=Rule(rate=0.1), oracle=oracle)
    assert state.x == pytest.approx(-ROWS.mean(axis=0), abs=1e-3)
    assert 3 * 20 < oracle.wholes < 3 * 80  # 50 of 200 on average, 6 SD


def test_means_that_fade_smooth_noise() -> None:
    """Gradients 0 with noise: where all is sent x is minus the sum of the smoothed ones."""
    smooth, plain = (
        stepped(Ef21(TopK(density=0.5), average=share), np.zeros((2, 40)), 60, noise=1.0)[0] for share in (0.05, 1.0)
    )
    assert np.abs(smooth.shared["estimate"]).mean() < 0.5 * np.abs(plain.shared["estimate"]).mean()
    assert np.abs(smooth.own["average"][0]).std() < 0.3


def test_models_go_down_by_their_differences() -> None:
    state, channel = stepped(Ef21P(down=TopK(density=0.1)), ROWS, 400, rule=Rule(rate=0.05), slope=1.0)
    assert state.x == pytest.approx(-ROWS.mean(axis=0), abs=1e-3)
    assert state.shared["server"] == pytest.approx(state.x, abs=1e-3)
    assert channel.ledger.payload("up") == 400 * 3 * 32 * 40
    assert channel.ledger.payload("down_unicast") < channel.ledger.payload("up") / 5
    _, once = stepped(Ef21P(downlink="broadcast"), ROWS, 3)
    _, each = stepped(Ef21P(), ROWS, 3)
    assert 3 * once.ledger.payload("down_broadcast") == each.ledger.payload("down_unicast")


# ---- local steps


def test_local_steps_end_at_the_mean_of_where_they_lead() -> None:
    state, channel = stepped(LocalSgd(inner=3), ROWS, 7, rule=Rule(rate=0.1, steps=7), slope=0.7)
    x = np.zeros(40)
    for inner in (3, 3, 1):
        ends = []
        for row in ROWS:
            own = x
            for _ in range(inner):
                own = own - 0.1 * (row + 0.7 * own)
            ends.append(own)
        x = np.mean(ends, axis=0)
    assert state.x == pytest.approx(x, abs=1e-6)
    assert channel.ledger.payload_bits == 3 * 3 * 32 * 40


def adamw(x: Any, row: Any, m: Any, v: Any, steps: range, rate: float, decay: float) -> tuple[Any, Any, Any]:
    for t in steps:
        g = row + 0.7 * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - rate * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + decay * x)
    return x, m, v


def test_diloco_is_local_adamw_and_an_outer_step_of_nesterov() -> None:
    method = Diloco(inner=4, decay=0.1)
    state, _ = stepped(method, ROWS, 8, rule=Rule(rate=0.01, steps=8), slope=0.7)
    x, u = np.zeros(40), np.zeros(40)
    kept = [(np.zeros(40), np.zeros(40)) for _ in range(3)]
    for first in (1, 5):
        moved = []
        for worker, row in enumerate(ROWS):
            end, m, v = adamw(x, row, *kept[worker], range(first, first + 4), 0.01, 0.1)
            kept[worker] = m, v
            moved.append(x - end)
        mean = np.mean(moved, axis=0)
        u = 0.9 * u + mean
        x = x - 0.7 * (mean + 0.9 * u)
    assert state.x == pytest.approx(x, abs=1e-5)
    with pytest.raises(UsageError, match="makes the whole step by itself"):
        stepped(method, ROWS, 8, rule=Rule(momentum=0.9))


def test_the_memory_of_sparseloco_fades() -> None:
    """Without a step of the outer rate to speak of: e' = 0.95 e + moved - said, and moved is known."""
    method = Sparseloco(compressor=TopK(k=4), inner=1, fade=0.5, outer_rate=1e-30)
    one, _ = stepped(method, ROWS[:1], 1, rule=Rule(rate=0.1))
    moved = np.sort(np.abs(one.own["memory"][0]))
    assert np.count_nonzero(moved) == 36
    kept = one.own["memory"][0].copy()
    two, _ = stepped(method, ROWS[:1], 1, rule=Rule(rate=0.1), state=one)
    same = two.own["memory"][0][(two.own["memory"][0] != 0) & (kept != 0)]
    assert np.abs(same).max() == pytest.approx(0.15, rel=1e-2)  # 0.5 * 0.1 + 0.1: Adam's steps are 0.1 in size


# ---- Adam in signs


def test_a_frozen_second_moment_and_a_momentum_of_all() -> None:
    method = OneBitAdam(compressor=EXACT, exchange=AllGather(), freeze=3)
    state, _ = stepped(method, ROWS, 9, rule=Rule(rate=0.01, steps=9), slope=0.7)
    x, m, v = np.zeros(40), np.zeros(40), np.zeros(40)
    for t in range(1, 10):
        g = (ROWS + 0.7 * x).mean(axis=0)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g if t <= 3 else v
        x = x - 0.01 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999 ** min(t, 3))) + 1e-8)
    assert state.x == pytest.approx(x, abs=1e-5)


def test_signs_go_both_ways_after_the_warm_up() -> None:
    _, channel = stepped(OneBitAdam(freeze=2), ROWS, 5, rule=Rule(rate=0.01))
    _, warm = stepped(OneBitAdam(freeze=5), ROWS, 2, rule=Rule(rate=0.01))
    left = channel.ledger.payload_bits - warm.ledger.payload_bits
    assert left == 3 * (2 * (40 + 3 * 32) + (40 + 3 * 32))  # to two others, and to all
    with pytest.raises(UsageError, match="steps by adam"):
        stepped(OneBitAdam(), ROWS, rule=Rule(optimiser="amsgrad"))


def test_zero_one_adam_looks_and_meets_ever_more_rarely() -> None:
    method = ZeroOneAdam(slower=2, meet=4, most=4)
    assert [step for step in range(20) if method.updates(step)[1]] == [0, 1, 2, 4, 6, 10, 14]
    assert method.updates(6) == (4, True)
    assert [method.turn(after) for after in range(16)] == [1, 1, 1, 1, 0, 2, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4]


def test_local_steps_of_zero_one_adam_are_those_of_each_worker() -> None:
    method = ZeroOneAdam(compressor=EXACT, exchange=AllGather(), freeze=2, slower=2, meet=1, most=2)
    state, channel = stepped(method, ROWS, 6, rule=Rule(rate=0.01, steps=6), slope=0.7)
    x, m, v = np.zeros(40), np.zeros(40), np.zeros(40)

    def step(m: Any, t: int) -> Any:
        return 0.01 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**2)) + 1e-8)

    for t in (1, 2):
        g = (ROWS + 0.7 * x).mean(axis=0)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - 0.01 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    for steps in ((3,), (4,), (5, 6)):
        sums = []
        for row in ROWS:
            own, total = m, np.zeros(40)
            for t in steps:
                own = 0.9 * own + 0.1 * (row + 0.7 * (x - step(total, t - 1)))
                total = total + own
            sums.append(total / len(steps))
        m = np.mean(sums, axis=0)
        x = x - len(steps) * step(m, steps[-1])
    assert state.x == pytest.approx(x, abs=2e-5)
    assert channel.ledger.payload_bits == 5 * 3 * 32 * 40


# ---- training


def gap(name: str, batch: int = 0, rate: float = 0.5, **options: Any) -> tuple[float, int]:
    """Distance to the least loss of shards sorted by label, by default of whole batches; and payload."""
    table = {
        "problem": "logistic:data=ionosphere,l2=0.01",
        "workers": 4,
        "batch": batch,
        "shards": "sorted",
        "method": {"name": name, **options},
        "steps": 300,
        "rate": rate,
    }
    spec = check(normalise(table))
    record = next(training.run(spec, training.plan(spec), Solo(), False))[0]
    return record["loss"] - record["optimum"], record["payload_bits"]


def test_noise_of_compression_dies_out_where_workers_learn_their_shifts() -> None:
    code = {"name": "random_k", "density": 0.2}
    plain, bits = gap("mean", compressor=code)
    whole, _ = gap("supersgd")
    for name, more in (("diana", 1.0), ("dasha", 1.0), ("marina", 3.0)):
        found, spent = gap(name, compressor=code)
        assert found < 0.2 * plain, name
        assert found < 3 * whole + 1e-3, name
        assert spent <= more * bits, name
    lazy, few = gap("clag", compressor={"name": "top_k", "density": 0.2}, zeta=16.0)
    eager, many = gap("ef21", compressor={"name": "top_k", "density": 0.2})
    assert few < 0.6 * many
    assert lazy < eager + 1e-4


def test_snapshots_make_diana_svrg() -> None:
    ours, plain = (gap(name, 8, 0.2, compressor="identity", inner=7)[0] for name in ("diana", "gspar_svrg"))
    assert ours == pytest.approx(plain, abs=1e-5)
    noisy = gap("supersgd", batch=8)[0]
    assert gap("diana", batch=8, inner=7, compressor={"name": "random_k", "density": 0.3})[0] < 0.1 * noisy


@pytest.mark.parametrize("name", ["diana", "marina", "dasha"])
def test_biased_codes_and_rounded_means_are_refused(name: str) -> None:
    for options, said in (
        ({"compressor": "top_k"}, "right on average"),
        ({"exchange": "scatter_reduce"}, "adds up means"),
    ):
        with pytest.raises(UsageError, match=said):
            gap(name, 0, 0.5, **options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "diana", "shift": 2.0},
        {"name": "diana", "inner": -1},
        {"name": "marina", "p": 1.5},
        {"name": "dasha", "average": 0.0},
        {"name": "ef21", "average": 0.0},
        {"name": "ef21", "feedback": True},
        {"name": "clag", "zeta": -1.0},
        {"name": "local_sgd", "inner": 0},
        {"name": "diloco", "fade": 0.0},
        {"name": "diloco", "outer_rate": -1.0},
        {"name": "one_bit_adam", "freeze": -1.0},
        {"name": "zero_one_adam", "most": 3},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        catalog.build("method", wrong)
