"""Lazy methods: equal to their parents without laziness, memories alike at both ends, books, clocks and guards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, training
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import DistestError, DivergedError, UsageError
from distest.sgd.ahead import TOGETHER, ahead
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.laq_grid import LaqGrid
from distest.sgd.curvature import largest_eigenvalue
from distest.sgd.innovation import Innovation, digest
from distest.sgd.lazy import Lazy
from distest.sgd.link import Link
from distest.sgd.oracle import Oracle
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.train_spec import check, normalise
from distest.wire.channel import Channel
from distest.wire.transport import Solo

LAZY = ("lag_wk", "lag_ps", "laq", "slaq", "two_laq", "qgd", "lasg_wk1", "lasg_wk2")
SMALL: dict[str, Any] = {"problem": "logistic:data=ionosphere", "workers": 5, "steps": 60, "batch": 0, "rate": 0.5}


def trained(method: str | dict[str, Any], keep: bool = False, **table: Any) -> tuple[dict[str, Any], Any]:
    asked = check(normalise({**SMALL, "method": method, **table}))
    record, _, board = next(training.run(asked, training.plan(asked), Solo(), keep))
    return record, board


def stepped(method: Lazy, rounds: int, batch: int = 0, **problem: Any) -> tuple[State, Channel, Oracle]:
    """A run round by round; what is left of it."""
    built = catalog.build("problem", {"name": "logistic", "data": "ionosphere", **problem})
    coins, data = from_seed(0)
    oracle = Oracle(built, deal(built, 5, "iid", coins.public), batch, data, "here")
    channel = Channel(5, Solo(), "blackboard")
    state, link = State(built.start(coins.public)), Link(channel)
    for _ in range(rounds):
        method.round(state, Rule(rate=0.5, steps=rounds), oracle, link, coins)
    return state, channel, oracle


@pytest.mark.parametrize("batch", [0, 8])
@pytest.mark.parametrize("name", LAZY)
def test_without_silence_and_compression_each_is_its_parent_bit_for_bit(name: str, batch: int) -> None:
    identity = {"compressor": "identity"} | ({"down": "identity"} if name == "two_laq" else {})
    plain, _ = trained("mean", batch=batch)
    record, _ = trained({"name": name, "trigger": False, **identity}, batch=batch)
    assert record["model_sha256"] == plain["model_sha256"]
    assert record["gradient_evaluations"] == plain["gradient_evaluations"] == 300
    assert record["uploads"] == 300


@pytest.mark.parametrize("grid", [{"name": "laq_grid"}, {"name": "laq_grid", "grid": "odd", "block": 8}, "identity"])
@pytest.mark.parametrize("name", LAZY)
def test_both_ends_remember_the_same(name: str, grid: Any) -> None:
    method = catalog.build("method", {"name": name, "compressor": grid})
    state, _, _ = stepped(method, 30, batch=8)
    at_server = dict(enumerate(state.shared["table"]))
    assert digest(at_server) == digest(state.own["said"])
    assert digest(at_server) != digest({worker: vector + np.float32(1e-3) for worker, vector in at_server.items()})


def test_what_is_booked_is_flags_uploads_and_x() -> None:
    record, _ = trained("lag_wk")
    d, rounds, uploads = record["d"], 60, record["uploads"]
    assert record["payload_bits_up"] == 5 * (rounds - 1) + 32 * d * uploads  # nobody may be silent in the first round
    assert record["payload_bits_down_broadcast"] == 32 * d * rounds
    each, _ = trained("lag_wk:downlink=unicast")
    assert each["payload_bits_down_unicast"] == 5 * record["payload_bits_down_broadcast"]
    assert each["model_sha256"] == record["model_sha256"]
    laq, _ = trained("laq")
    assert laq["payload_bits_up"] == 5 * (rounds - 1) + (32 + 4 * d) * laq["uploads"]
    two, _ = trained("two_laq")
    assert two["payload_bits_down_broadcast"] == (32 + 4 * d) * rounds


def test_lag_ps_pays_for_whom_it_asks_and_others_compute_nothing() -> None:
    record, _ = trained("lag_ps")
    d, uploads = record["d"], record["uploads"]
    assert record["gradient_evaluations"] == uploads < 300
    assert record["payload_bits_down_unicast"] == 5 * 59 + 32 * d * (uploads - 5)
    assert record["payload_bits_up"] == 5 * 64 + 32 * d * uploads + (300 - uploads)
    lag_wk, _ = trained("lag_wk")
    assert lag_wk["gradient_evaluations"] == 300
    lasg, _ = trained("lasg_wk2")
    assert lasg["gradient_evaluations"] == 600 - 5


@pytest.mark.parametrize("method", ["lag_wk:start=paper", "lag_ps:start=paper", "laq:stagger=true", "lag_ps:clock=3"])
def test_other_starts_and_clocks_are_audited(method: str, tmp_path: Path) -> None:
    record, board = trained(method, keep=True)
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, {**record, "board": "kept"}, 1).wrong is None


def test_a_server_that_says_another_x_is_found() -> None:
    """A bit of a message down is flipped, the digest made anew: only what follows from the uploads tells."""
    for method in ("lag_wk", "two_laq", "lag_ps"):
        record, board = trained(method, keep=True)
        post = next(p for p in board.posts[6:] if p.turn.from_referee and p.chunks[0].n_bits > 5)
        post.chunks[0].data[post.chunks[0].n_bits // 8 - 1] ^= 4
        with pytest.raises(DistestError, match="another x"):
            training.replay(record, board, from_seed(0)[0].fold("repeat", 0))


def test_a_clock_makes_silent_workers_speak() -> None:
    record, _ = trained("lag_wk:clock=4,xi=5", steps=41, rate=0.001)
    assert record["uploads"] == 5 * 9  # in rounds 0, 5, 10, ..., 40
    assert record["uploads_forced"] == 8 / 9
    staggered, _ = trained("lag_wk:clock=4,xi=5,stagger=true", steps=40, rate=0.001)
    assert staggered["uploads"] == 8 + 8 + 9 + 9 + 9  # rounds 5, 5, 4, 3 and 2 come next after the first


def test_too_large_an_xi_is_halved_or_stops() -> None:
    table: dict[str, Any] = {"problem": "least_squares", "steps": 300, "rate": 0.3}
    wild = {"name": "lag_wk", "xi": 1.0, "clock": 0}
    record, _ = trained(wild, **table)
    assert record["xi_halved"] > 0
    assert record["loss"] - record["optimum"] < 0.01
    loose, _ = trained({**wild, "guard": "off"}, **table)
    assert loose["loss"] > 1e6
    with pytest.raises(DivergedError, match=r"moved further and further for 20 rounds.*smaller xi \(it is 1\)"):
        trained({**wild, "guard": "stop"}, **table)


def test_the_proximal_variant_finds_exact_zeros_and_the_optimum() -> None:
    problem = "logistic:data=ionosphere,l1=0.02"
    record, _ = trained("lag_wk:l1=0.02", problem=problem, steps=800, rate=0.9)
    assert record["loss"] - record["optimum"] < 1e-5
    state, _, _ = stepped(catalog.build("method", {"name": "lag_wk", "l1": 0.02}), 300, l1=0.02)
    assert np.count_nonzero(state.x == 0) > 5
    with pytest.raises(UsageError, match="give both the same"):
        trained("lag_wk", problem=problem)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("lag_wk:xi=-1", "takes xi from 0 to 10 with depth=10, got xi=-1"),
        ("lag_wk:xi=11", "theory asks for less than 0.1"),
        ("lag_wk:xi=nan", "takes xi from 0"),
        ("lag_ps:depth=0", "a depth of 1 to 1000 rounds"),
        ("laq:clock=-1", "a clock of at least 1 round"),
        ("laq:slack=-1", "a slack from 0 to 10"),
        ({"name": "laq", "compressor": {"name": "laq_grid", "bits": 9}}, "1 to 8 bits a coordinate"),
        ({"name": "laq", "compressor": {"name": "laq_grid", "bits": 1, "grid": "odd"}}, "2 to 8 bits"),
    ],
)
def test_options_outside_their_range_are_one_sentence(method: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trained(method)


def test_lag_ps_refuses_a_problem_whose_smoothness_is_unknown() -> None:
    with pytest.raises(DistestError, match="needs to know how smooth"):
        trained("lag_ps", problem="mlp", workers=2)


@pytest.mark.parametrize(
    ("bits", "levels", "read"),
    [
        (1, [1, 0, 1, 1, 1], [1, -1, 1, 1, 1]),
        (2, [2, 0, 2, 2, 3], [1 / 3, -1, 1 / 3, 1 / 3, 1]),
        (4, [11, 0, 9, 8, 13], [0.466667, -1, 0.2, 0.0666667, 0.733333]),
    ],
)
def test_the_grid_of_the_paper_has_its_golden_values(bits: int, levels: list[int], read: list[float]) -> None:
    g = np.array([0.5, -1, 0.25, 0, 0.75], np.float32)
    message = LaqGrid(bits=bits).encode(g, 0, from_seed(0)[0])
    assert message.n_bits == 32 + 5 * bits
    reader = BitReader(message.data, message.n_bits)
    reader.fixed(1, 32)
    assert reader.fixed(5, bits)[:, 0].tolist() == levels
    x = LaqGrid(bits=bits).decode(BitReader(message.data, message.n_bits), 5, 0, from_seed(0)[0].public)
    np.testing.assert_allclose(x, read, rtol=1e-5)


@pytest.mark.parametrize("block", [None, 7, 64])
@pytest.mark.parametrize(("grid", "points"), [("paper", 8), ("odd", 7)])
def test_errors_are_at_most_half_a_gap_of_the_block(grid: Any, points: int, block: int | None) -> None:
    x = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    x[70:140] = 0
    code = LaqGrid(3, grid, block)
    message = code.encode(x, 0, from_seed(0)[0])
    y = code.decode(BitReader(message.data, message.n_bits), 300, 0, from_seed(0)[0].public)
    size = block or 300
    for at in range(0, 300, size):
        radius = np.abs(x[at : at + size]).max()
        assert np.abs(y - x)[at : at + size].max() <= radius / (points - 1) * (1 + 1e-6)
    if grid == "odd":
        assert not y[x == 0].any()


def test_an_innovation_of_nothing_is_a_radius_alone() -> None:
    x = np.arange(5, dtype=np.float32)
    news = Innovation(LaqGrid()).news([x], x[None], range(1), from_seed(0)[0])
    assert news.message(0).n_bits == 32
    assert (news.vector(0) == x).all()
    assert news.lost[0] == 0


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (5, 5)])
def test_the_largest_eigenvalue_is_numpys(shape: tuple[int, int]) -> None:
    X = np.random.default_rng(1).standard_normal(shape)
    assert largest_eigenvalue(X) == pytest.approx(np.linalg.eigvalsh(X.T @ X)[-1], rel=1e-9)
    assert largest_eigenvalue(np.zeros((3, 2))) == 0


@pytest.mark.parametrize("problem", ["logistic:data=ionosphere", "least_squares", "softmax", "shard_sums:blocks=5"])
def test_smoothness_bounds_how_gradients_change(problem: str) -> None:
    built = catalog.build("problem", normalise({"method": [], "problem": problem})["problem"])
    rows = np.arange(min(100, built.rows))
    draw = np.random.default_rng(2)
    bound = built.smoothness(rows)
    for _ in range(20):
        x, y = draw.standard_normal((2, built.d)).astype(np.float32)
        assert (
            np.linalg.norm(built.gradient(x, rows) - built.gradient(y, rows)) <= bound * np.linalg.norm(x - y) * 1.001
        )


def test_shard_sums_is_the_mean_of_sums(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    X, y = draw.standard_normal((20, 3)), np.arange(20) % 2
    np.savez(tmp_path / "t.npz", X=X, y=y, sizes=np.array([4, 9, 6]))
    options = {"name": "shard_sums", "data": str(tmp_path / "t.npz"), "blocks": 3, "loss_of": "logistic", "l2": 0.1}
    built = catalog.build("problem", options)
    x = draw.standard_normal(3)
    signs = np.where(y == 1, 1, -1)
    each = np.log1p(np.exp(-signs * (X @ x)))
    expected = sum(each[a:b].sum() for a, b in ((0, 4), (4, 13), (13, 19))) / 3 + 0.05 * x @ x
    assert built.loss(x) == pytest.approx(expected)
    numeric = [(built.loss(x + e) - built.loss(x - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(built.gradient(x, np.arange(3)), numeric, rtol=1e-5)
    best = built.optimum()
    assert best is not None
    assert best < built.loss(x)
    raw = catalog.build("problem", {**options, "labels_as": "raw"})
    assert raw.loss(x) != built.loss(x)
    with pytest.raises(UsageError, match="not cut into 4 blocks"):
        _ = catalog.build("problem", {**options, "blocks": 4}).d


def test_lasg_saves_uploads_where_lag_saves_none_on_batches() -> None:
    """The noise of fresh batches is news to LAG's rule; the same batch at two x shows what x has done."""
    table: dict[str, Any] = {"steps": 200, "batch": 8}
    sgd, _ = trained("mean", **table)
    lag, _ = trained("lag_wk:xi=0.08", **table)
    lasg, _ = trained("lasg_wk2", **table)
    assert lag["uploads"] > 0.85 * 1000
    assert lasg["uploads"] < 0.25 * 1000
    assert lasg["loss"] < sgd["loss"] + 0.04


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_memory_of_what_travels_whole_is_the_vector_to_the_bit(dtype: Any) -> None:
    code, coins = Innovation(Identity()), from_seed(1)[0]
    new, memory = np.array([0.1, 1e-9, -3.0], dtype), np.array([1e7, 1.0, 1 / 3], dtype)
    news = code.news([new], memory[None], range(1), coins)
    message = news.message(0)
    assert message.n_bits == 3 * 8 * new.itemsize
    read = code.read(BitReader(message.data, message.n_bits), memory, 0, coins.public)
    assert read.tobytes() == new.tobytes() == news.vector(0).tobytes()


def test_workers_are_worked_out_together_and_fail_in_their_turn() -> None:
    asked: list[range] = []

    def made(workers: range) -> list[Messages | None]:
        asked.append(workers)
        if 5 in workers:
            raise DivergedError("5 fails")
        return [Messages.of_symbols(np.array([worker], np.uint8), 8) if worker % 2 else None for worker in workers]

    encode = ahead(made, range(2, 7), TOGETHER // 2)
    for worker in (2, 3, 4):
        message = encode(worker)
        assert message is None if worker % 2 == 0 else message is not None and message.data[0] == worker
    with pytest.raises(DivergedError, match="5 fails"):
        encode(5)
    assert asked == [range(2, 4), range(4, 6), range(4, 5), range(5, 7), range(5, 6)]
    assert ahead(made, range(9), 10 * TOGETHER)(0) is None
    assert asked[-1] == range(1)


def copied(kept: dict[int, Any]) -> dict[int, Any]:
    """Each array by itself, in another order."""
    return {worker: array.copy() for worker, array in reversed(kept.items())}


@pytest.mark.parametrize("name", LAZY)
def test_arrays_of_workers_may_come_back_one_by_one(name: str) -> None:
    """As from a checkpoint, in the middle of a run, in any order."""
    built, method = (
        catalog.build("problem", {"name": "logistic", "data": "ionosphere"}),
        catalog.build("method", {"name": name}),
    )
    coins, data = from_seed(0)
    ends = []
    for cut in (False, True):
        oracle = Oracle(built, deal(built, 5, "iid", coins.public), None, data, "here")
        state, link = State(built.start(coins.public)), Link(Channel(5, Solo(), "blackboard"))
        for step in range(12):
            if cut and step == 6:
                state.own = {what: copied(kept) for what, kept in state.own.items()}
                state.notes = {what: copied(kept) for what, kept in state.notes.items()}
            method.round(state, Rule(rate=0.5, steps=12), oracle, link, coins)
        ends.append((state.x.tobytes(), digest(state.own["said"]), method.figures(state, lambda counts: counts)))
    assert ends[0] == ends[1]
