"""Asynchronous training: against a loop of its own, its gate, its books, its traces; live runs once more from these."""

import heapq
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, training
from distest.coins import NO_PRIVATE, Coins, PublicCoins, from_seed
from distest.errors import DivergedError, ModelError, PartyError, UsageError, WireError
from distest.sgd import downlink
from distest.sgd.asynchronous import Asynchronous
from distest.sgd.compressors.twos_complement import TwosComplement
from distest.sgd.exponential import exponential
from distest.sgd.problem import Vector
from distest.sgd.proximal import shrunk
from distest.sgd.saving import Saving
from distest.sgd.shards import deal
from distest.train_spec import TrainSpec, check, normalise
from distest.wire.transport import Solo

METHODS = [name for name in catalog.names("method") if issubclass(catalog.find("method", name), Asynchronous)]
W, ROUNDS, INNER, RATE, BATCH = 3, 3, 15, 0.3, 8
L1, L2 = 0.002, 0.01
SMALL: dict[str, Any] = {
    "problem": {"name": "logistic", "data": "ionosphere", "l1": L1, "l2": L2},
    "workers": W,
    "steps": ROUNDS,
    "batch": BATCH,
    "rate": RATE,
    "evaluate": 1,
}
KEYS = ("model_sha256", "digest", "payload_bits_up", "payload_bits_down", "messages")
IDENTITY = {"name": "identity"}


def spec(method: dict[str, Any] | str, **more: Any) -> TrainSpec:
    table = {"name": method} if isinstance(method, str) else method
    return check(normalise({**SMALL, "method": {"inner": INNER, **table}, **more}))


def trained(method: dict[str, Any] | str, keep: bool = False, **more: Any) -> tuple[dict[str, Any], Any]:
    asked = spec(method, **more)
    record, _, board = next(training.run(asked, training.plan(asked), Solo(), keep))
    return record, board


def serial(accelerated: bool) -> Vector:
    """Asynchronous proximal SVRG with the clock `virtual`, written down once more as one loop over a heap of times."""
    problem = catalog.build("problem", SMALL["problem"])
    coins, data = from_seed(0)
    here, draws = coins.fold("repeat", 0).public, data.fold("repeat", 0)
    shards = deal(problem, W, "iid", here)
    x = np.zeros(problem.d, np.float32)
    z = x
    for epoch in range(ROUNDS):
        weight = np.float32(2 / (epoch + 2))
        rate = RATE / (2 / (epoch + 2)) if accelerated else RATE
        snapshot, total = x, np.zeros(problem.d)
        for worker in range(W):
            rows = shards.rows(worker)
            part = problem.smooth_gradient(x, rows)
            total += np.float32(len(rows) * W / problem.rows) * part
        whole = (total / W).astype(np.float32)
        told = dict.fromkeys(range(W), x)
        if accelerated:
            told = dict.fromkeys(range(W), snapshot + weight * (z - snapshot))
        asked = [0] * W
        events: list[tuple[float, int]] = []

        def start(worker: int, now: float, epoch: int = epoch, asked: list[int] = asked, events: Any = events) -> None:
            times = here.fold("step", epoch).fold("times").fold(asked[worker])
            word = int(times.words(range(worker, worker + 1))[0, 0])
            heapq.heappush(events, (now + (1 + 0.0625 * worker) * exponential(word), worker))
            asked[worker] += 1

        for worker in range(W):
            start(worker, 0.0)
        models = []
        for _ in range(INNER):
            now, worker = heapq.heappop(events)
            rows = shards.batch(worker, epoch, BATCH, draws.fold("asked", asked[worker] - 1))
            moved = problem.smooth_gradient(told[worker], rows) - problem.smooth_gradient(snapshot, rows)
            before = z if accelerated else x
            after = shrunk(before - np.float32(rate) * (moved + whole), rate * L1)
            if accelerated:
                z, x = after, snapshot + weight * (after - snapshot)
            else:
                x = after
            told[worker] = x
            models.append(x)
            start(worker, now)
        if accelerated:
            x = np.asarray(np.sum(models, axis=0, dtype=np.float64) / INNER, np.float32)
    return x


@pytest.mark.parametrize("name", ["asy_fpg", "acc_asy_fpg"])
def test_full_precision_is_the_loop_it_stands_for_bit_for_bit(name: str) -> None:
    record, _ = trained(name)
    assert record["model_sha256"] == training.model_digest(serial(name.startswith("acc")))


@pytest.mark.parametrize("name", ["asy_lpg", "sparse_asy_lpg", "qsvrg", "halp", "acc_asy_lpg"])
def test_without_compression_every_variant_is_its_uncompressed_parent_bit_for_bit(name: str) -> None:
    record, _ = trained({"name": name, "compressor": IDENTITY, "down": IDENTITY, "mode": "direct"})
    parent, _ = trained("acc_asy_fpg" if name.startswith("acc") else "asy_fpg")
    assert {key: record[key] for key in KEYS} == {key: parent[key] for key in KEYS}


def test_rennala_with_one_gradient_a_step_and_ringmaster_that_drops_stale_ones_are_the_same() -> None:
    one, _ = trained({"name": "rennala", "collect": 1})
    other, _ = trained({"name": "ringmaster", "limit": 1})
    assert {key: one[key] for key in KEYS} == {key: other[key] for key in KEYS}
    assert one["delays"] == other["delays"] == [ROUNDS * INNER]
    assert one["answers_dropped"] > 0


def test_ringmaster_shortens_steps_of_late_gradients() -> None:
    plain, _ = trained("ringmaster", workers=6)
    patient, _ = trained({"name": "ringmaster", "patience": 100}, workers=6)
    short, _ = trained({"name": "ringmaster", "patience": 1}, workers=6)
    assert plain["delay_max"] < 100
    assert plain["model_sha256"] == patient["model_sha256"] != short["model_sha256"]


# ---- the gate


@pytest.mark.parametrize(("workers", "tau"), [(8, 7), (8, 11), (4, 3), (1, 0)])
def test_no_answer_is_later_than_the_gate_and_some_are_as_late(workers: int, tau: int) -> None:
    clock = {"name": "virtual", "slow": 3.0}
    record, _ = trained({"name": "asy_lpg", "tau": tau, "clock": clock, "inner": 120}, workers=workers)
    assert record["delay_max"] == tau
    assert sum(record["delays"]) == ROUNDS * 120 == record["updates"]


def test_a_board_of_a_run_with_a_wider_gate_is_refused() -> None:
    clock = {"name": "virtual", "slow": 3.0}
    record, board = trained({"name": "asy_lpg", "tau": 20, "clock": clock, "inner": 60}, True, workers=8)
    assert record["delay_max"] > 7
    record["spec"]["method"]["tau"] = 7
    with pytest.raises(ModelError, match=r"worker \d answers after \d+ versions, the gate lets at most 7 pass"):
        training.replay(record, board, keys(record))


def keys(record: dict[str, Any]) -> Coins:
    return Coins(PublicCoins(record["public_key"], "splitmix", tuple(record["coin_path"])), NO_PRIVATE)


# ---- books and boards


def test_every_bit_is_charged_those_of_dropped_answers_too() -> None:
    record, _ = trained("asy_fpg")
    d, answers = record["d"], ROUNDS * (INNER + W - 1)
    assert (record["answers"], record["answers_dropped"]) == (answers, ROUNDS * (W - 1))
    assert record["payload_bits_up"] == 32 * d * (ROUNDS * W + answers)
    assert record["payload_bits_down"] == record["payload_bits_down_unicast"] == 32 * d * (answers + ROUNDS * W)
    assert record["gradient_evaluations"] == 2 * answers + ROUNDS * sum(-(-n // BATCH) for n in (93, 93, 94))
    few, _ = trained("asy_lpg")
    dear = ROUNDS * W * 32 * d  # gradients up, snapshots down
    nothing = ROUNDS * W  # who starts is told a difference of 0, and finds one of 0
    assert few["payload_bits_up"] == few["payload_bits_down"] == dear + answers * (32 + 4 * d) - nothing * 4 * d
    small, _ = trained({"name": "asy_lpg", "snapshot": {"name": "twos_complement", "bits": 16}})
    assert small["payload_bits_down"] == few["payload_bits_down"] - dear + ROUNDS * W * (32 + 16 * d)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("options", [{}, {"snapshot": "twos_complement:bits=12"}, {"clock": "live"}], ids=str)
def test_the_bits_alone_give_digest_ledger_and_model(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    record, board = trained({"name": name, **options}, True)
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    record = json.loads(json.dumps({**record, "board": "kept", "seed": None}))
    assert audit.audit(tmp_path, record, 1).wrong is None
    assert "the bits say" in str(audit.audit(tmp_path, {**record, "model_sha256": 1}, 1).wrong)


def test_a_board_that_was_cut_is_refused() -> None:
    record, board = trained("asy_lpg", True)
    for posts in (5, 20, len(board.posts) - 1):
        cut = type(board)(board.parties, board.posts[:posts])
        with pytest.raises(ModelError, match="the board has"):
            training.replay(record, cut, keys(record))


def test_a_run_that_was_cut_off_goes_on_between_rounds(tmp_path: Path) -> None:
    asked = spec("acc_asy_lpg")
    whole, _ = trained("acc_asy_lpg")

    class CutOffError(Exception):
        pass

    def stop(steps: int) -> None:
        if list(tmp_path.glob("*-0-0")):
            raise CutOffError

    with pytest.raises(CutOffError):
        list(training.run(asked, training.plan(asked), Solo(), False, stop, Saving(tmp_path, 1, False)))
    saving = Saving(tmp_path, 1, True)
    record, _, _ = next(training.run(asked, training.plan(asked), Solo(), False, None, saving))
    for key in (*KEYS, "delays", "answers", "virtual_seconds", "gradient_evaluations"):
        assert record[key] == whole[key], key


def test_links_take_their_time_for_real_bits() -> None:
    """With gradients at no time, a round lasts as long as its bits need: 8 times fewer of them, some 7 times sooner."""
    clock = {"name": "virtual", "compute": 0.0, "bandwidth": 1000.0}
    exact, _ = trained({"name": "asy_fpg", "clock": clock})
    few, _ = trained({"name": "asy_lpg", "clock": clock})
    assert exact["virtual_seconds"] == pytest.approx(ROUNDS * (INNER + W - 1) / W * 64 * 35 / 1000, rel=0.1)
    assert 5 < exact["virtual_seconds"] / few["virtual_seconds"] < 8


# ---- parts


@pytest.mark.parametrize("bits", range(2, 25))
def test_two_s_complement_has_the_grid_and_the_error_of_the_paper(bits: int) -> None:
    v = np.array([0.5, -1, 0.25, 0, 0.75], np.float32)
    code = TwosComplement(bits)
    top = 2 ** (bits - 1) - 1
    assert float(code.unit(v)) * top >= 1
    assert float(code.unit(v)) == pytest.approx(1 / top, rel=2e-7)
    fraction = v.astype(np.float64) * top % 1
    slack = 1e-6 * (top + 1)
    assert code.error(v) == pytest.approx((fraction * (1 - fraction)).sum() / top**2, abs=slack / top**2)
    assert code.error(v) <= code.distortion(5) * np.square(v).sum() + 1e-12
    if bits == 3:
        assert code.error(v) == pytest.approx(0.069444, abs=1e-6)


def test_the_code_below_all_is_refused() -> None:
    from distest.bits import BitReader
    from distest.kernels import bitpack

    data, n_bits = bitpack.pack(np.array([0x3F800000, 0b100], np.uint64), np.array([32, 3], np.uint8))
    with pytest.raises(WireError, match="a coordinate of -4 units"):
        TwosComplement(3).decode(BitReader(data, n_bits), 1, 0, from_seed(0)[0].public)


def test_the_width_of_a_model_is_the_least_that_is_near_enough() -> None:
    x = np.sin(np.arange(40, dtype=np.float32))
    step = np.cos(np.arange(40, dtype=np.float32))
    seen = set()
    for distance in (0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 1.0):
        centre = x - np.float32(distance) * step
        width = downlink.least_width(x, centre, 0.5)
        seen.add(width)
        bound = 0.5 * float(np.square(x.astype(np.float64) - centre).sum())
        errors = {bits: TwosComplement(bits).error(x) for bits in range(2, 25)}
        if width == 0:
            assert (x == centre).all()
        elif width == 32:
            assert min(errors.values()) > bound
        else:
            assert width == min(bits for bits, error in errors.items() if error <= bound)
    assert {0} < seen
    assert max(seen) >= 16


def test_damaged_models_decode_or_are_refused() -> None:
    from distest.bits import BitReader

    draw = np.random.default_rng(3)
    key = from_seed(0)[0]
    x, centre = np.sin(np.arange(30, dtype=np.float32)), np.zeros(30, np.float32)
    message = downlink.write("paper", TwosComplement(4), x, centre, 0.1, 0, key)
    decoded = 0
    for case in range(300):
        data, n_bits = message.data.copy(), message.n_bits
        data[draw.integers(0, 3 if case % 2 else message.n_bits // 8)] = draw.integers(0, 256)
        n_bits -= int(draw.integers(0, 9)) * (case % 3 == 0)
        try:
            y = downlink.read("paper", TwosComplement(4), BitReader(data, n_bits), centre, 0, key.public)
        except WireError:
            continue
        decoded += 1
        assert np.isfinite(y).all()
    assert 0 < decoded < 300


def test_a_proximal_step_is_the_least_of_what_it_minimises() -> None:
    x = np.linspace(-2, 2, 41, dtype=np.float32)
    grid = np.linspace(-3, 3, 6001)
    for threshold in (0.0, 0.3, 1.0):
        best = grid[np.argmin((grid - x[:, None]) ** 2 / 2 + threshold * np.abs(grid), axis=1)]
        assert np.abs(shrunk(x, threshold) - best).max() < 1.1e-3


def test_a_smooth_gradient_leaves_out_the_l1_norm_and_nothing_else() -> None:
    problem = catalog.build("problem", SMALL["problem"])
    x = np.linspace(-1, 1, problem.d, dtype=np.float32)
    rows = np.arange(50)
    difference = problem.gradient(x, rows) - problem.smooth_gradient(x, rows)
    assert np.abs(difference - np.float32(L1) * np.sign(x)).max() < 1e-6
    assert problem.l1 == L1
    assert catalog.build("problem", {"name": "softmax"}).l1 == 0


def test_coordinates_that_do_not_matter_become_zero() -> None:
    strong = {**SMALL["problem"], "l1": 0.03}
    asked = spec("asy_lpg", problem=strong, steps=12)
    record, _, board = next(training.run(asked, training.plan(asked), Solo(), True))
    assert board is not None
    last = board.posts[-1]
    model = np.frombuffer(last.chunks[0].payload.tobytes(), ">f4")
    assert training.model_digest(model.astype(np.float32)) == record["model_sha256"]
    assert 5 < int((model == 0).sum()) < record["d"]
    assert record["loss"] - record["optimum"] < 0.02


@pytest.mark.parametrize(
    ("method", "more", "said"),
    [
        ({"name": "asy_lpg", "tau": 6}, {"workers": 8}, "8 workers are late by 7 steps"),
        ({"name": "asy_lpg", "mu": 1.0}, {}, "0 < mu < 1"),
        ({"name": "asy_lpg", "inner": 0}, {}, "at least one version"),
        ({"name": "asy_lpg", "clock": "sundial"}, {}, "no clock 'sundial'"),
        ({"name": "asy_lpg", "mode": "paperr"}, {}, "mode='paperr' does not fit"),
        ({"name": "asy_lpg"}, {"momentum": 0.9}, "leave out momentum"),
        ({"name": "rennala", "collect": 0}, {}, "at least one gradient"),
        ({"name": "ringmaster", "limit": 0}, {}, "limit >= 1"),
        ({"name": "asy_lpg", "compressor": "twos_complement:bits=25"}, {}, "2 to 24 bits"),
        ({"name": "sparse_asy_lpg", "compressor": "proportional:share=0.0"}, {}, "0 < share <= 1"),
    ],
    ids=str,
)
def test_bad_options_are_one_sentence(method: dict[str, Any], more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        trained(method, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["asy_fpg", "asy_lpg", "acc_asy_lpg", "ringmaster"])
def test_a_run_that_explodes_says_so(name: str) -> None:
    with pytest.raises((DivergedError, PartyError), match="try a smaller --rate"):
        trained(name, problem="least_squares:data=abalone", rate=1e30)


# ---- traces


def test_a_trace_repeats_a_live_run(tmp_path: Path) -> None:
    live, _ = trained({"name": "acc_asy_lpg", "clock": "live"})
    assert len(live["trace"]) == live["answers"]
    assert [worker for worker, _ in live["trace"][: 2 * W]] == [*range(W), *range(W)]
    path = tmp_path / "trace"
    path.write_text(json.dumps(live["trace"]))
    again, _ = trained({"name": "acc_asy_lpg", "clock": {"name": "recorded", "trace": str(path)}})
    assert {key: again[key] for key in KEYS} == {key: live[key] for key in KEYS}


@pytest.mark.mpi
def test_a_live_run_on_four_ranks_is_repeated_in_one_process_bit_for_bit(mpi: ModuleType, tmp_path: Path) -> None:
    """Real delays of a millisecond on average, so that arrivals are out of step."""
    plain = [
        *("--problem", "logistic:data=ionosphere", "--workers", "8", "--steps", "2", "--batch", "8", "--seed", "4"),
        *("--method", "asy_lpg:inner=60", "--method", "rennala:inner=20", "--out", str(tmp_path)),
    ]
    command = [sys.executable, "-m", "distest", "train", *plain, "--clock", "live:delay=0.001", "--boards"]
    ran = mpi.finish([*command, "--ranks", "4", "--limit", "60"], 80.0)
    assert (ran.code, ran.left) == (0, ()), ran.err
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [record["ranks"] for record in records] == [4, 4]
    for number, record in enumerate(records):
        assert audit.audit(tmp_path, record, number).wrong is None
        trace = tmp_path / "boards" / record["trace"]
        answered = [worker for worker, _ in json.loads(trace.read_text())]
        assert answered != [worker for _ in answered for worker in range(8)][: len(answered)]
        method = {**record["spec"]["method"], "clock": {"name": "recorded", "trace": str(trace)}}
        whole = {key: value for key, value in record["spec"].items() if key not in ("method", "kind")}
        asked = check(normalise({**whole, "method": method, "seed": 4}))
        again, _, _ = next(training.run(asked, training.plan(asked), Solo(), False))
        assert {key: again[key] for key in KEYS} == {key: record[key] for key in KEYS}
        assert again["delays"] == record["delays"]
