"""Adagrad with few bits: steps by hand, ternary codes, one scale for all, and models that travel as they are sparse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, training
from distest.bits import BitReader, Messages
from distest.errors import UsageError, WireError
from distest.sgd import indices
from distest.sgd.adagrad import Adagrad
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.ternary import Ternary
from distest.sgd.exchanges.common_scale import CommonScale
from distest.sgd.methods.qcmd_adagrad import QcmdAdagrad
from distest.sgd.methods.qrda_adagrad import QrdaAdagrad
from distest.sgd.problem import Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import COINS, stepped

GOLDEN = np.array([[0.4, -0.1, 0.05]], np.float32)
PAPER = np.array([0.5, -1, 0.25, 0, 0.75], np.float32)
RULES = ("max", "mean", "top_k", "best")
ROWS = np.random.default_rng(5).standard_normal((4, 50)).astype(np.float32)


def said(code: Ternary, x: Vector) -> tuple[Messages, Vector]:
    message = code.encode(x, 0, COINS)
    return message, code.decode(BitReader(message.data, message.n_bits), x.size, 0, COINS.public)


# ---- the step


@pytest.mark.parametrize(
    ("method", "expected"),
    [(QcmdAdagrad, [0.321429, -0.109091, 0]), (QrdaAdagrad, [-0.107143, 0, 0])],
    ids=["qcmd", "qrda"],
)
def test_a_step_is_that_of_the_worked_example(method: type[Adagrad], expected: list[float]) -> None:
    start = State(np.array([0.5, -0.2, 0], np.float32), l1=0.1)
    rule = Rule(rate=0.5)
    state, _ = stepped(method(compressor=Identity(), delta=1.0), GOLDEN, rule=rule, state=start)
    assert state.x == pytest.approx(expected, abs=1e-6)
    assert [bool(value) for value in state.x] == [bool(value) for value in expected]  # zeros are zeros
    assert state.shared["squares"].dtype == state.shared["sum"].dtype == np.float64


def least(method: str, x: Any, q: Any, h: Any, t: int, rate: float, l1: float, l2: float) -> Any:
    """The least of the objective that defines a step, by ternary search on each coordinate."""

    def value(w: Any) -> Any:
        near = h * (w - x) ** 2 / 2 if method == "qcmd" else h * w**2 / (2 * t)
        return rate * q * w + rate * l1 * np.abs(w) + rate * l2 * w**2 / 2 + near

    low, high = np.full(x.size, -100.0), np.full(x.size, 100.0)
    for _ in range(200):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        left = value(a) < value(b)
        low, high = np.where(left, low, a), np.where(left, b, high)
    return (low + high) / 2


@pytest.mark.parametrize("name", ["qcmd", "qrda"])
def test_steps_are_least_points_of_what_defines_them(name: str) -> None:
    method = catalog.build("method", {"name": f"{name}_adagrad", "compressor": "identity", "ridge": "step"})
    state = State(np.zeros(50, np.float32), l1=0.3, l2=0.2)
    squares, total = np.zeros(50), np.zeros(50)
    for t in range(1, 6):
        before = state.x.astype(np.float64)
        rows = ROWS * t
        state, _ = stepped(method, rows, rule=Rule(rate=0.2), state=state)
        q = (rows.sum(axis=0, dtype=np.float32) / np.float32(4)).astype(np.float64)
        squares, total = squares + q**2, total + q
        h = 0.01 + np.sqrt(squares)
        found = least(name, before, q if name == "qcmd" else total / t, h, t, 0.2, 0.3, 0.2)
        assert state.x == pytest.approx(found, abs=1e-5)
        assert (state.x == 0).any()


def test_without_codes_and_l1_it_is_adagrad_bit_for_bit() -> None:
    rule = Rule(rate=0.3)
    state, channel = stepped(QcmdAdagrad(compressor=Identity()), ROWS, 7, rule=rule, slope=0.7)
    x, squares = np.zeros(50, np.float32), np.zeros(50)
    for _ in range(7):
        gradients = [row + np.float32(0.7) * x for row in ROWS]
        q = ((gradients[0] + gradients[1] + gradients[2] + gradients[3]) / np.float32(4)).astype(np.float64)
        squares = squares + q**2
        x = (x - 0.3 * q / (0.01 + np.sqrt(squares))).astype(np.float32)
    assert np.array_equal(state.x, x)
    assert channel.ledger.payload("board") == 7 * 4 * 32 * 50


# ---- one scale


def test_thresholds_of_the_worked_example() -> None:
    message, y = said(Ternary(rule="mean"), PAPER)
    assert y.tolist() == [0.75, -0.75, 0, 0, 0.75]
    assert message.n_bits == 2 + 32 + 8  # one byte holds five
    assert said(Ternary(rule="max", threshold=0.5), PAPER)[1].tolist() == [0.75, -0.75, 0, 0, 0.75]
    assert said(Ternary(rule="top_k", count=1), PAPER)[1].tolist() == [0, -1, 0, 0, 0]


@pytest.mark.parametrize("rule", RULES)
def test_the_scale_is_the_best_and_the_error_is_what_is_said(rule: Any) -> None:
    x = np.random.default_rng(3).standard_t(3, 700).astype(np.float32)
    _, y = said(Ternary(rule=rule), x)
    kept = y != 0
    wide, s = x.astype(np.float64), float(np.abs(y).max())
    assert s == pytest.approx(np.abs(wide[kept]).mean(), rel=1e-6)
    assert ((wide - y) ** 2).sum() == pytest.approx((wide**2).sum() - kept.sum() * s * s, rel=1e-5)
    best = min(((wide - said(Ternary(rule="top_k", count=k), x)[1]) ** 2).sum() for k in range(1, 701, 3))
    assert ((wide - said(Ternary(rule="best"), x)[1]) ** 2).sum() <= best * (1 + 1e-6)


def test_the_shortest_way_of_writing_is_taken() -> None:
    for d, k in ((3, 2), (4, 4), (6, 5), (50, 30), (1000, 600), (1000, 20), (1000, 1)):
        x = np.zeros(d, np.float32)
        x[np.random.default_rng(d).permutation(d)[:k]] = -1
        message, y = said(Ternary(), x)
        assert np.array_equal(x, y)
        places = indices.write_count(k).n_bits + indices.n_bits(np.flatnonzero(x), d) + k
        assert message.n_bits == 34 + min(2 * d, 8 * -(-d // 5), places)
    assert said(Ternary(), np.zeros(9, np.float32))[0].n_bits == 2


def test_bits_that_are_no_signs_are_refused() -> None:
    message, _ = said(Ternary(), np.ones(7, np.float32))  # 2 bits each: 34 + 14
    bits = np.unpackbits(message.data[:6])
    bits[34:36] = 1
    with pytest.raises(WireError, match="neither minus, zero nor plus"):
        Ternary().decode(BitReader(np.packbits(bits), 48), 7, 0, COINS.public)
    for changed in (slice(34, 42), slice(49, 50)):  # 255, and a sixth coordinate of five
        message, _ = said(Ternary(), np.array([1, 1, 1, 1, 1, 1, 1, 1, 1], np.float32))
        bits = np.unpackbits(message.data[:7])
        bits[changed] = 1 if changed.start == 34 else 1 - bits[changed]
        with pytest.raises(WireError, match="no five coordinates"):
            Ternary().decode(BitReader(np.packbits(bits), 50), 9, 0, COINS.public)
    for wrong in ({"rule": "best", "threshold": 0.5}, {"threshold": 1.0}, {"rule": "top_k", "density": 0.0}):
        with pytest.raises(UsageError, match="ternary"):
            catalog.build("compressor", {"name": "ternary", **wrong})


# ---- one scale for all, and sparse models


def test_signs_on_the_largest_scale_add_up_exactly() -> None:
    code = Ternary(rule="mean")
    state, channel = stepped(QcmdAdagrad(compressor=code, exchange=CommonScale(2)), ROWS, rule=Rule(rate=1.0))
    signs, scales = zip(*(code.signs(row) for row in ROWS), strict=True)
    total = np.sum([one.astype(int) for one in signs], axis=0)
    q = total * float(max(scales)) / 4
    assert state.shared["sum"] == pytest.approx(q, rel=1e-6)
    assert channel.ledger.payload("board") == 4 * 32 + 50 * 4  # sums of -4..4
    assert channel.ledger.payload("peer") == 3 * 50 * 2
    with pytest.raises(UsageError, match="at bits=2 ternary"):
        CommonScale(4).check(code, 50, 4)


@pytest.mark.parametrize("name", ["qcmd_adagrad", "qrda_adagrad"])
def test_a_server_tells_the_model_as_what_is_not_zero(name: str) -> None:
    rule = Rule(rate=0.2)
    method, served = (catalog.build("method", {"name": name, "downlink": way}) for way in ("mean", "model"))
    a, b = (State(np.zeros(50, np.float32), l1=0.4) for _ in range(2))
    for _ in range(5):
        a, _ = stepped(method, ROWS, rule=rule, state=a, slope=0.5)
        b, channel = stepped(served, ROWS, rule=rule, state=b, slope=0.5)
        assert np.array_equal(a.x, b.x)
    kept = np.flatnonzero(b.x)
    assert 0 < kept.size < 40
    assert served.figures(b, lambda counts: counts)["zeros"] == 1 - kept.size / 50
    n_bits = indices.write_count(kept.size).n_bits + indices.n_bits(kept, 50) + 32 * kept.size
    assert channel.ledger.payload("down_unicast") == 4 * n_bits


def test_what_is_not_theirs_is_refused() -> None:
    with pytest.raises(UsageError, match="makes the whole step by itself"):
        stepped(QcmdAdagrad(), ROWS, rule=Rule(momentum=0.9))
    with pytest.raises(UsageError, match="delta"):
        QrdaAdagrad(delta=0.0)
    with pytest.raises(UsageError, match="downlink=model"):
        QrdaAdagrad(downlink="model", exchange=CommonScale(2))


@pytest.mark.parametrize("downlink", ["mean", "model"])
def test_the_objective_has_l1_and_gradients_do_not(downlink: str, tmp_path: Path) -> None:
    """At the end x is nearly the least of the composite objective, known by scipy, with exact zeros; audited."""
    method = {"name": "qcmd_adagrad", "compressor": "identity", "downlink": downlink}
    problem = {"name": "logistic", "data": "ionosphere", "l1": 0.03, "l2": 0.01}
    table = {"problem": problem, "workers": 3, "batch": 0, "method": method, "steps": 300, "rate": 0.5}
    spec = check(normalise(table))
    record, _, board = next(training.run(spec, training.plan(spec), Solo(), keep_board=True))
    assert record["loss"] - record["optimum"] < 1e-3
    assert record["zeros"] > 0.3
    other = catalog.build("problem", problem)
    x, rows = np.full(35, 0.5, np.float32), np.arange(280)
    assert other.gradient(x, rows) == pytest.approx(other.smooth_gradient(x, rows) + 0.03, abs=1e-6)
    assert other.smooth_gradient(x, rows) == pytest.approx(other.data_gradient(x, rows) + 0.005, abs=1e-6)
    assert board is not None
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, {**record, "board": "kept"}, 1).wrong is None
