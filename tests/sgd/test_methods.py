"""Methods step by step: what is sent, followed and remembered; and what holds for every one of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import catalog, training
from distest.errors import UsageError
from distest.sgd.compressors.identity import Identity
from distest.sgd.lowrank import orthonormal, product
from distest.sgd.method import Method
from distest.sgd.methods.dgc import Dgc
from distest.sgd.methods.gspar_svrg import GsparSvrg
from distest.sgd.methods.heavymix_sgd import HeavymixSgd
from distest.sgd.methods.pkk import Pkk
from distest.sgd.methods.power_sgd import PowerSgd
from distest.sgd.methods.random_k import RandomK
from distest.sgd.methods.supersgd import Supersgd
from distest.sgd.methods.true_top_k import TrueTopK
from distest.sgd.rule import Rule
from distest.sgd.saving import Saving
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import Given, stepped

RNG = np.random.default_rng(11)
ROWS = RNG.standard_normal((3, 60)).astype(np.float32)
FEW: dict[str, dict[str, Any]] = {
    name: {"inner": 4} for name in catalog.names("method") if "inner" in catalog.options("method", name)
} | {
    "dgc": {"warmup": 6, "density": 0.01},
    "marina": {"p": 0.5},
    "one_bit_adam": {"freeze": 2},
    "zero_one_adam": {"freeze": 3, "slower": 2, "meet": 2, "most": 4},
}


# ---- laws of all


@pytest.mark.parametrize("name", catalog.names("method"))
def test_one_coordinate_one_worker_and_nothing_but_zeros_are_no_trouble(name: str) -> None:
    whole = {"fragments": 1} if name == "streaming_diloco" else {}  # one coordinate cannot be cut
    method: Method = catalog.build("method", {"name": name, **FEW.get(name, {}), **whole})
    shape = (8, 9) if name == "power_sgd" else (1,)
    for rows in (np.zeros((1, 1)), np.zeros((3, 1)), np.full((1, 1), 2.0), np.full((2, 1), -3.0)):
        state, _ = stepped(method, np.repeat(rows, np.prod(shape), axis=1), 3, rule=Rule(rate=0.5), shape=shape)
        assert np.isfinite(state.x).all()
        if not rows.any():
            assert not state.x.any()
        elif name in ("mean", "supersgd", "true_top_k", "pkk", "power_sgd", "local_top_k", "scalecom", "qsgdinf"):
            assert state.x == pytest.approx(-1.5 * rows[0, 0], rel=1e-5)  # everything arrives


@pytest.mark.parametrize("name", ["dgc", "gspar_svrg"])
def test_an_exchange_that_would_pass_over_the_compressor_is_refused_before_anything_runs(name: str) -> None:
    spec = check(normalise({"problem": "softmax", "method": {"name": name, "exchange": "common_scale"}}))
    with pytest.raises(UsageError, match="common_scale rounds by itself"):
        training.plan(spec)


@pytest.mark.parametrize("name", catalog.names("method"))
def test_a_run_that_was_cut_off_ends_like_one_that_was_not(name: str, tmp_path: Path) -> None:
    table = {"problem": "softmax", "workers": 2, "steps": 8, "batch": 4, "method": {"name": name, **FEW.get(name, {})}}
    spec = check(normalise(table))

    def run(saving: Any = None, stop: int = 99) -> Any:
        done = 0

        def count(steps: int) -> None:
            nonlocal done
            done += steps
            if done >= stop:
                raise KeyboardInterrupt

        return next(training.run(spec, training.plan(spec), Solo(), False, count, saving))[0]

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(Saving(tmp_path, 3, False), 7)
    again = run(Saving(tmp_path, 3, True))
    for key in ("model_sha256", "digest", "payload_bits", "gradient_evaluations", "paper_bits", "warnings"):
        assert again[key] == whole[key], key


@pytest.mark.parametrize(
    ("method", "steps"),
    [
        (RandomK(density=0.1), 40),
        (Pkk(density=0.05, candidates=2), 40),
        (Dgc(density=0.05, momentum=0.0, warmup=10), 40),
        (PowerSgd(rank=1), 40),
        (TrueTopK(density=0.05), 40),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_lost_of_what_workers_have_said(method: Method, steps: int) -> None:
    """Without momentum x is minus the sum of the mean gradients, less what the memories hold."""
    state, _ = stepped(method, ROWS, steps, shape=(6, 10))
    held = sum(state.own["memory"].values()) / 3
    assert state.x + steps * ROWS.mean(axis=0) - held == pytest.approx(0, abs=1e-3)
    assert np.abs(held).max() > 1


# ---- random-k and Pkk


def test_random_k_sends_the_same_places_of_all_and_no_index() -> None:
    state, channel = stepped(RandomK(density=0.1), ROWS)
    moved = np.flatnonzero(state.x)
    assert moved.size == 6
    assert state.x[moved] == pytest.approx(-ROWS.mean(axis=0)[moved])
    assert channel.ledger.payload_bits == 3 * 32 * 6
    assert not state.own["memory"][1][moved].any()
    others, _ = stepped(RandomK(density=0.1), ROWS, 2)
    assert np.flatnonzero(others.x).size > 6  # drawn anew


def test_pkk_finds_the_largest_of_the_mean_among_what_anybody_names() -> None:
    """Sums are 2, 8, 9, -1, 0, 1; the workers name {0, 2} and {0, 1}."""
    rows = [[9, 3, 5, -1, 0, 1], [-7, 5, 4, 0, 0, 0]]
    state, channel = stepped(Pkk(density=1 / 3, candidates=1), rows)
    assert state.x.tolist() == [0, -4, -4.5, 0, 0, 0]
    assert state.own["memory"][0].tolist() == [9, 0, 0, -1, 0, 1]
    assert channel.ledger.payload_bits == 2 * (2 + 4) + 2 * 3 * 32  # 4 bits for one of 15 sets, three values each
    for momentum in (0.0, 0.9):
        all_named, _ = stepped(Pkk(density=0.1, candidates=10, momentum=momentum), ROWS, 9)
        true, _ = stepped(TrueTopK(density=0.1, momentum=momentum), ROWS, 9)
        assert np.array_equal(all_named.x, true.x)


# ---- DGC


def test_dgc_forgets_momentum_and_sum_where_a_worker_has_sent() -> None:
    """u and v of (4, 1) at momentum 1/2: the first is sent in steps 0 and 1, while v of the second is 1, 2.5, 4.25."""
    method = Dgc(density=0.5, momentum=0.5)
    state, _ = stepped(method, [[4.0, 1.0]], 3)
    assert state.own["momentum"][0].tolist() == [4, 0]
    assert state.own["memory"][0].tolist() == [4, 0]
    assert state.x.tolist() == [-8, -4.25]
    state, _ = stepped(method, [[4.0, 1.0], [0.0, 2.0]])  # each its own place
    assert state.x.tolist() == [-2, -1]
    assert state.own["memory"][0].tolist() == [0, 1]


def test_dgc_warms_up_in_five_stages_and_cuts_long_gradients() -> None:
    method = Dgc(density=0.001, warmup=10)
    shares = [method.density_at(step) for step in range(11)]
    assert shares == [0.25, 0.25, 0.0625, 0.0625, 0.015625, 0.015625, 0.00390625, 0.00390625, 0.001, 0.001, 0.001]
    assert Dgc(density=0.1).density_at(0) == Dgc(density=0.1, warmup=100).density_at(99) == 0.1
    state, _ = stepped(Dgc(density=0.5, clip=5.0), [[3.0, 4.0]] * 4)  # to 5 / sqrt(4)
    assert state.x.tolist() == [0, -2]
    assert state.own["memory"][3].tolist() == pytest.approx([1.5, 0])


# ---- SVRG


def test_between_snapshots_the_full_gradient_is_corrected_by_differences() -> None:
    """Gradients row + x, the same in each batch: what is followed is the gradient at x, as without compression."""
    exact = GsparSvrg(compressor=Identity(), inner=5)
    oracle = Given(ROWS, slope=1.0)
    rule = Rule(rate=0.1)
    state, channel = stepped(exact, ROWS, 12, oracle=oracle, rule=rule)
    plain, _ = stepped(Supersgd(), ROWS, 12, rule=rule, slope=1.0)
    assert state.x == pytest.approx(plain.x, abs=1e-6)
    assert oracle.wholes == 3 * 3  # steps 0, 5, 10
    assert channel.ledger.payload_bits == 12 * 3 * 32 * 60
    _, channel = stepped(GsparSvrg(inner=5), ROWS, 12, rule=rule, slope=1.0)
    assert channel.ledger.payload_bits < 0.4 * 12 * 3 * 32 * 60


def trained(method: dict[str, Any], **table: Any) -> dict[str, Any]:
    small = {"problem": "logistic:data=ionosphere", "workers": 3, "batch": 4, "method": method, "shards": "sorted"}
    spec = check(normalise({**small, **table}))
    return next(training.run(spec, training.plan(spec), Solo(), False))[0]


def test_svrg_comes_nearer_to_the_optimum_than_sgd_at_the_same_density_and_rate() -> None:
    """Noise of batches and of sparsifying goes to 0 with x - snapshot; that of SGD at a constant rate does not."""
    options = {"steps": 480, "rate": 0.3}
    compressor = {"name": "gspar", "density": 0.2}
    plain = trained({"name": "gspar_sgd", "compressor": compressor}, **options)
    reduced = trained({"name": "gspar_svrg", "compressor": compressor, "inner": 40}, **options)
    assert reduced["loss"] - reduced["optimum"] < 0.5 * (plain["loss"] - plain["optimum"])
    rows = (280 // 3, 2 * 280 // 3 - 280 // 3, 280 - 2 * 280 // 3)
    assert reduced["gradient_evaluations"] == 12 * sum(-(-n // 4) for n in rows) + 2 * 3 * (480 - 12)
    assert plain["gradient_evaluations"] == 3 * 480


# ---- PowerSGD


def test_a_mean_of_low_rank_is_followed_exactly_in_one_step() -> None:
    a, b = RNG.standard_normal((6, 2)), RNG.standard_normal((2, 10))
    rows = [(a * np.array(scales) @ b).ravel() for scales in ([1, 2], [3, -1], [0, 1])]
    state, channel = stepped(PowerSgd(rank=2), rows, shape=(6, 10))
    assert state.x == pytest.approx(-np.mean(rows, axis=0), abs=1e-5)
    assert channel.ledger.payload_bits == 3 * 32 * 2 * (6 + 10)
    assert max(np.abs(memory).max() for memory in state.own["memory"].values()) < 1e-5


def test_the_power_method_turns_to_the_largest_direction() -> None:
    """Singular values 4 and 1: what rank 1 leaves falls to 1 as 16^-steps, where nothing is remembered."""
    left, right = (np.linalg.qr(RNG.standard_normal((n, 2)))[0] for n in (6, 10))
    matrix = (left * np.array([4.0, 1.0]) @ right.T).ravel()
    oracle = Given([matrix])
    state, _ = stepped(PowerSgd(rank=1), None, oracle=oracle, shape=(6, 10))
    lefts = [float(np.linalg.norm(state.x + matrix))]
    for _ in range(5):
        before = state.x
        state.own["memory"].clear()
        state, _ = stepped(PowerSgd(rank=1), None, oracle=oracle, state=state)
        lefts.append(float(np.linalg.norm(state.x - before + matrix)))
    assert lefts[0] > 1.001
    assert lefts[-1] == pytest.approx(1, abs=1e-5)


def test_a_gradient_of_zeros_does_not_end_the_directions() -> None:
    class Late(Given):
        def gradient(self, worker: int, x: Any, step: int) -> Any:
            return super().gradient(worker, x, step) * np.float32(step >= 2)

    rows = np.outer(np.arange(1, 7), np.arange(1, 11)).reshape(1, 60)
    state, _ = stepped(PowerSgd(rank=2), None, 3, oracle=Late(rows), shape=(6, 10))
    assert state.x == pytest.approx(-rows[0], rel=1e-5)


def test_orthonormal_columns_and_products_agree_with_linear_algebra() -> None:
    columns = RNG.standard_normal((200, 4)).astype(np.float32)
    columns[:, 2] = 2 * columns[:, 0] - columns[:, 1]  # depends on those before
    columns[:, 3] *= np.float32(1e-30)
    found = orthonormal(columns)
    assert not found[:, 2].any()
    kept = found[:, [0, 1, 3]].astype(np.float64)
    assert kept.T @ kept == pytest.approx(np.eye(3), abs=1e-6)
    basis = np.linalg.qr(columns[:, [0, 1, 3]].astype(np.float64) * np.array([1, 1, 1e30]))[0]
    assert kept @ kept.T == pytest.approx(basis @ basis.T, abs=1e-6)
    other = RNG.standard_normal((30, 4)).astype(np.float32)
    assert product(columns, other) == pytest.approx(columns @ other.T, rel=1e-4, abs=1e-5)


# ---- HEAVYMIX


def test_the_rate_is_inside_the_memory_and_the_mean_is_taken_from_each() -> None:
    """Sums (6, 2, 0, 0), k = 2: the first is heavy (36 >= 40 / 2), the second is not; one other comes at random."""
    rows = [[4.0, 1, 0, 0], [2.0, 1, 0, 0]]
    method = HeavymixSgd(density=0.5, rows=7, columns=4096, precision=30)
    state, _ = stepped(method, rows, rule=Rule(rate=0.5))
    assert state.x[0] == -1.5
    assert state.own["memory"][0][0] == 0.5
    assert state.own["memory"][1][0] == -0.5
    assert state.step == 1
    state, _ = stepped(method, rows, 29, rule=Rule(rate=1.0, schedule="inverse", decay=1.0))
    assert state.x[1] != 0  # chosen at random, with a chance of 1/3 a step
    rate = sum(1 / (1 + t) for t in range(29))
    held = sum(state.own["memory"].values()) / 2
    assert state.x - held == pytest.approx([-3 * rate, -rate, 0, 0], rel=1e-5)
    with pytest.raises(UsageError, match="step size inside its memories"):
        stepped(method, rows, rule=Rule(momentum=0.9))


@pytest.mark.parametrize(
    ("method", "problem", "said"),
    [
        ("random_k:density=0", "softmax", "random_k"),
        ("random_k:momentum=1", "softmax", "momentum"),
        ("pkk:candidates=0", "softmax", "candidates >= 1"),
        ("pkk:momentum=-1", "softmax", "momentum"),
        ("dgc:density=2", "softmax", "dgc"),
        ("dgc:warmup=-1", "softmax", "warms up"),
        ("dgc:clip=-1", "softmax", "no clipping"),
        ("dgc:momentum=1.5", "softmax", "momentum"),
        ("dgc:layers=true,exchange=scatter_reduce", "softmax", "layers=false"),
        ("gspar_svrg:inner=0", "softmax", "inner >= 1"),
        ("power_sgd:rank=0", "softmax", "rank >= 1"),
        ("power_sgd", "logistic:data=ionosphere", "needs a matrix that two of rank 2 are smaller than"),
        ("power_sgd:rank=10", "softmax", "needs a matrix"),
        ("heavymix_sgd:density=0", "softmax", "heavymix_sgd"),
        ("heavymix_sgd:rows=2", "softmax", "odd number of rows"),
        ("heavymix_sgd:precision=31", "softmax", "precision"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(method: str, problem: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        training.plan(check(normalise({"method": method, "problem": problem})))
    assert "\n" not in str(caught.value)
