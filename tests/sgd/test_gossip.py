"""Training on a graph: each method against its recursion written down plainly, and what holds for all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, records, training
from distest.errors import DivergedError, PartyError, UsageError
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.random_k import RandomK
from distest.sgd.gossip import Gossip
from distest.sgd.graph import network
from distest.sgd.graphs.complete import Complete
from distest.sgd.graphs.matrix import Matrix
from distest.sgd.graphs.ring import Ring
from distest.sgd.methods.choco_sgd import ChocoSgd
from distest.sgd.methods.d_psgd import DPsgd
from distest.sgd.methods.dcd_psgd import DcdPsgd
from distest.sgd.methods.ecd_psgd import EcdPsgd
from distest.sgd.methods.supersgd import Supersgd
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.saving import Saving
from distest.train_spec import TrainSpec, check, normalise
from distest.wire.transport import Solo, Transport
from tests.sgd.stepping import stepped
from tests.wire.threads import on_ranks

NAMES = ("d_psgd", "ecd_psgd", "dcd_psgd", "choco_sgd")
QUARTERS = Matrix(rows=((0.5, 0.25, 0, 0.25), (0.25, 0.5, 0.25, 0), (0, 0.25, 0.5, 0.25), (0.25, 0, 0.25, 0.5)))
WHOLE = np.random.default_rng(8).integers(-8, 9, (4, 30)).astype(np.float32)
ROWS = np.random.default_rng(9).standard_normal((5, 60)).astype(np.float32)
EXACT = Identity()
RULE = Rule(rate=0.2, schedule="inverse", decay=10.0, steps=12)


def models(state: Any) -> Any:
    """x of each worker, float64 (W, d)."""
    kept = state.own["x"] or state.near["estimate"]
    return np.array([kept[w] for w in sorted(kept)], np.float64)


# ---- recursions, as in the papers, with exact messages


def recursion(name: str, M: Any, rows: Any, steps: int, rule: Rule, gamma: float = 1.0) -> Any:
    """All x after some steps from 0, where worker i's gradient is rows[i] + x / 2; float64, sums by matrix products."""
    rows = rows.astype(np.float64)
    x, y = np.zeros_like(rows), np.zeros_like(rows)
    for t in range(1, steps + 1):
        rate = rule.at(t - 1)
        if name == "d_psgd":
            x = M @ x - rate * (rows + x / 2)
        elif name == "d_psgd step":
            x = M @ x
            x = x - rate * (rows + x / 2)
        elif name == "ecd_psgd":
            new = M @ y - rate * (rows + x / 2)
            z = (1 - t / 2) * x + t / 2 * new
            x, y = new, (1 - 2 / t) * y + 2 / t * z
        elif name == "dcd_psgd":
            half = M @ x - rate * (rows + x / 2)
            x = x + (half - x)
        else:
            half = x - rate * (rows + x / 2)
            y = y + (half - y)
            x = half + gamma * (M @ y - y)
    return x


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (DPsgd(graph=Ring()), "d_psgd"),
        (DPsgd(graph=Ring(), order="step"), "d_psgd step"),
        (EcdPsgd(graph=Ring(), compressor=EXACT), "ecd_psgd"),
        (DcdPsgd(graph=Ring(), compressor=EXACT), "dcd_psgd"),
        (ChocoSgd(graph=Ring(), compressor=EXACT, gamma=0.3), "choco_sgd"),
    ],
    ids=str,
)
def test_with_exact_messages_a_method_is_its_recursion(method: Gossip, name: str) -> None:
    M = network(Ring(), 5).M
    state, _ = stepped(method, ROWS, 12, rule=RULE, slope=0.5)
    expected = recursion(name, M, ROWS, 12, RULE, 0.3)
    assert models(state) == pytest.approx(expected, abs=2e-5)
    assert state.x == pytest.approx(expected.mean(axis=0), abs=1e-5)
    assert np.ptp(models(state), axis=0).max() > 0.1  # they do not agree, so the graph matters


def test_on_numbers_that_float32_holds_all_are_d_psgd_to_the_last_bit() -> None:
    """Small integers, weights of a quarter, rates of a half: four steps round nothing, nor two of ECD (2/t)."""
    rule = Rule(rate=0.5, steps=4)

    def after(method: Gossip, steps: int) -> Any:
        return models(stepped(method, WHOLE, steps, rule=rule, slope=0.5)[0])

    for steps in (1, 2, 4):
        mixed = after(DPsgd(graph=QUARTERS), steps)
        assert np.array_equal(mixed, recursion("d_psgd", QUARTERS.matrix(4), WHOLE, steps, rule))
        assert np.array_equal(after(DcdPsgd(graph=QUARTERS, compressor=EXACT), steps), mixed)
        if steps <= 2:
            assert np.array_equal(after(EcdPsgd(graph=QUARTERS, compressor=EXACT), steps), mixed)
        stepped_first = DPsgd(graph=QUARTERS, order="step")
        pulled = after(ChocoSgd(graph=QUARTERS, compressor=EXACT, gamma=1.0), steps)
        assert np.array_equal(pulled, QUARTERS.matrix(4) @ after(stepped_first, steps))
        assert not np.array_equal(pulled, mixed)


@pytest.mark.parametrize(
    "method",
    [DPsgd(graph=Complete(), order="step"), ChocoSgd(graph=Complete(), compressor=EXACT, gamma=1.0)],
    ids=lambda method: type(method).__name__,
)
def test_where_all_hear_all_exactly_it_is_synchronous_sgd(method: Gossip) -> None:
    state, _ = stepped(method, ROWS, 12, rule=RULE, slope=0.5)
    plain, _ = stepped(Supersgd(), ROWS, 12, rule=RULE, slope=0.5)
    assert state.x == pytest.approx(plain.x, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_one_worker_alone_is_sgd_and_sends_nothing_but_its_model_at_the_end(name: str) -> None:
    options = {} if name == "d_psgd" else {"compressor": EXACT}
    state, channel = stepped(catalog.find("method", name)(**options), ROWS[:1], 12, rule=RULE, slope=0.5)
    plain, _ = stepped(Supersgd(), ROWS[:1], 12, rule=RULE, slope=0.5)
    assert np.array_equal(state.x, plain.x) if name == "d_psgd" else state.x == pytest.approx(plain.x, abs=1e-5)
    assert channel.ledger.payload("peer") == 0
    assert channel.ledger.payload_bits == channel.ledger.payload("up") == 32 * 60


# ---- books


def test_each_edge_carries_one_message_a_step_and_the_end_is_booked() -> None:
    code = Qsgd(bits=4, norm="max", bucket=20)
    state, channel = stepped(DcdPsgd(compressor=code), ROWS, 7, rule=RULE)
    one = 4 * 60 + 32 * 3
    assert channel.ledger.edges == {(a, b): 7 * one for a in range(5) for b in ((a + 1) % 5, (a - 1) % 5)}
    assert channel.ledger.payload("peer") == 7 * 10 * one
    assert channel.ledger.payload("up") == 5 * 32 * 60
    assert state.paper_bits == 7 * 10 * one  # b + 32 / B bits a coordinate, for each neighbour


def spec(method: dict[str, Any], **more: Any) -> TrainSpec:
    table = {"problem": "logistic:data=ionosphere", "workers": 7, "steps": 9, "batch": 4, "method": method}
    return check(normalise({**table, "evaluate": 4, **more}))


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_bits_alone_give_the_model(name: str, tmp_path: Path) -> None:
    asked = spec({"name": name})
    record, series, board = next(training.run(asked, training.plan(asked), Solo(), True))
    assert board is not None
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "0")
    plain = {**record, "board": "boards/0"}
    assert audit.audit(tmp_path, plain, 0).wrong is None
    wrong = {**plain, "model_sha256": "0" * 64}
    assert "the bits say model_sha256" in str(audit.audit(tmp_path, wrong, 0).wrong)
    assert [point["step"] for point in series] == [0, 4, 8, 9]
    other = {**plain, "spec": {**plain["spec"], "method": {**plain["spec"]["method"], "graph": {"name": "complete"}}}}
    other["spec_hash"] = records.spec_hash(other["spec"])
    assert "the board has" in str(audit.audit(tmp_path, other, 0).wrong)


def test_what_is_watched_on_the_way_is_the_model_that_the_end_tells() -> None:
    """A run of 8 steps ends where a longer one with the same rates is watched after 8."""
    for name in NAMES:
        longer = spec({"name": name}, steps=12)
        _, series, _ = next(training.run(longer, training.plan(longer), Solo(), False))
        short = spec({"name": name}, steps=8)
        record, _, _ = next(training.run(short, training.plan(short), Solo(), False))
        assert record["loss"] == series[2]["loss"]
        assert series[2]["step"] == 8


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_of_three_ranks_goes_on_with_two(name: str, tmp_path: Path) -> None:
    """Each rank has what it believes of the neighbours of its workers, who may live elsewhere afterwards."""
    asked = spec({"name": name}, steps=8)
    whole = next(training.run(asked, training.plan(asked), Solo(), False))[0]

    def part(transport: Transport, resume: bool) -> Any:
        stop = 7

        def count(steps: int) -> None:
            nonlocal stop
            stop -= steps
            if not stop and not resume:
                raise KeyboardInterrupt

        keep = Saving(tmp_path, 3, resume)
        try:
            return list(training.run(asked, training.plan(asked), transport, False, count, keep))
        except KeyboardInterrupt:
            return None

    assert on_ranks(3, lambda transport: part(transport, False)) == [None] * 3
    record = on_ranks(2, lambda transport: part(transport, True))[0][0][0]
    for key in ("model_sha256", "digest", "payload_bits", "edge_bits", "loss", "gradient_evaluations"):
        assert record[key] == whole[key], key


# ---- what theory knows


def quadratic(method: dict[str, Any], steps: int = 300) -> float:
    """The relative squared error of the mean of 8 workers on a ring, each drawn to a centre of its own."""
    asked = spec(
        method,
        problem={"name": "quadratic", "points": 256, "columns": 512},
        workers=8,
        batch=1,
        shards="sorted",
        steps=steps,
        evaluate=steps,
        rate=0.2,
        schedule="inverse",
        decay=200.0,
    )
    record, _, _ = next(training.run(asked, training.plan(asked), Solo(), False))
    return float(record["error"])


def test_ecd_with_four_bits_fails_where_choco_and_dcd_pass() -> None:
    """The guard of the specification against mending ECD in silence; D-PSGD is what can be had."""
    code = {"name": "nuqsgd", "bits": 4, "bucket": 512}
    best = quadratic({"name": "d_psgd"})
    assert best < 1e-3
    assert quadratic({"name": "ecd_psgd", "compressor": code}) > 100 * best
    assert quadratic({"name": "dcd_psgd", "compressor": code}) < 1.5 * best
    assert quadratic({"name": "choco_sgd", "compressor": code}) < 1.1 * best


def test_the_squared_error_of_an_estimate_falls_as_one_over_t_for_noise_that_does_not_grow() -> None:
    """y - x of ECD after 50 and 200 steps, with messages rounded to eighths at random.

    e' = (1 - 2/t) e + (2/t) noise has 4/(3t) the variance of the noise, so the ratio is 4; of 300 values each it is off
    by a factor of 2 about once in 10^5.
    """
    draw = np.random.default_rng(12)

    class Grid(Identity):
        def encode(self, x: Any, worker: int, coins: Any) -> Any:
            return super().encode((np.floor(8 * x + draw.random(x.size)) / 8).astype(np.float32), worker, coins)

    def left(steps: int) -> float:
        state, _ = stepped(EcdPsgd(compressor=Grid()), ROWS, steps, rule=Rule(rate=0.05), slope=0.5)
        return float(np.mean([(state.near["estimate"][w] - state.own["x"][w]) ** 2 for w in range(5)]))

    assert 2 < left(50) / left(200) < 8


def test_theory_warns_of_ecd_with_relative_errors_and_of_dcd_beyond_its_bound() -> None:
    problem: Problem = catalog.build("problem", {"name": "quadratic"})
    (said,) = EcdPsgd(compressor=Nuqsgd(bits=4, bucket=512)).warnings(problem, 8)
    assert "grows as fast as its weight 2/t falls" in said
    assert EcdPsgd(compressor=EXACT).warnings(problem, 8) == []
    assert EcdPsgd().warnings(problem, 1) == []
    (said,) = DcdPsgd(compressor=Nuqsgd(bits=4, bucket=512)).warnings(problem, 8)
    assert "below 0.0732 of their length" in said  # (1 - .8047) / (8 / 3)
    assert DcdPsgd().warnings(problem, 8) == []
    assert ChocoSgd().warnings(problem, 8) == []
    (said,) = ChocoSgd(compressor=Nuqsgd(bits=2, bucket=512)).warnings(problem, 8)
    assert "may err by" in said
    with pytest.raises(UsageError, match="choco_sgd needs a compressor that leaves out less than all"):
        ChocoSgd(compressor=RandomK(density=0.01)).check(problem, 8)


@pytest.mark.parametrize("gamma", [0.0, 1.5, -1.0, float("nan")])
def test_a_gamma_outside_its_range_is_refused(gamma: float) -> None:
    with pytest.raises(UsageError, match="0 < gamma <= 1"):
        ChocoSgd(gamma=gamma)


@pytest.mark.parametrize(
    ("method", "more", "said"),
    [
        ({"name": "d_psgd", "graph": "torus"}, {}, "7 workers do not make a torus"),
        ({"name": "d_psgd", "graph": {"name": "edge_list", "edges": [[0, 1]]}}, {}, "not connected"),
        ({"name": "dcd_psgd"}, {"momentum": 0.9}, "a model and a step at every worker"),
        ({"name": "choco_sgd"}, {"optimiser": "adam"}, "use --optimiser sgd and --momentum 0"),
        ({"name": "d_psgd"}, {"fast": True}, "fast=true adds up whole vectors"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_a_sentence(method: dict[str, Any], more: dict[str, Any], said: str) -> None:
    asked = spec(method, **more)
    with pytest.raises(UsageError, match=said) as caught:
        next(training.run(asked, training.plan(asked), Solo(), False))
    assert "\n" not in str(caught.value)


def test_models_that_leave_the_finite_numbers_stop_the_run() -> None:
    asked = spec({"name": "ecd_psgd"}, problem="least_squares", rate=1e9, steps=60)
    with pytest.raises((DivergedError, PartyError), match="finite"):
        next(training.run(asked, training.plan(asked), Solo(), False))
