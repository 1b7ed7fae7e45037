"""Sketched-SGD: a step by hand, what is remembered, what travels, and what damaged bits do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, training
from distest.bits import BitReader, Messages
from distest.coins import KEY_BITS
from distest.errors import DistestError, UsageError, WireError
from distest.kernels.largest import largest
from distest.sgd import integers
from distest.sgd.methods.sketched_sgd import SketchedSgd
from distest.sgd.methods.true_top_k import TrueTopK
from distest.sgd.saving import Saving
from distest.sgd.sketch import candidates, count_sketch, fixed_point, shift_for, sketch_snr
from distest.sgd.sketch_sum import Summed
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import COINS, stepped

EXACT: dict[str, Any] = {
    "precision": 30,
    "rows": 7,
    "columns": 4096,
}  # six keys: the median is spoilt with probability below 1e-9


def test_the_largest_of_the_mean_are_followed_although_no_worker_has_them_largest() -> None:
    """Sums are 2, 8, 9, -1, 0, 1, and both workers have their own largest in the first place."""
    rows = [[9, 3, 5, -1, 0, 1], [-7, 5, 4, 0, 0, 0]]
    state, _ = stepped(SketchedSgd(density=1 / 3, candidates=1, **EXACT), rows)
    assert state.x.tolist() == [0, -4, -4.5, 0, 0, 0]
    assert state.own["memory"][0].tolist() == [9, 0, 0, -1, 0, 1]
    assert state.own["memory"][1].tolist() == [-7, 0, 0, 0, 0, 0]
    state, _ = stepped(SketchedSgd(density=1 / 3, candidates=1, **EXACT), rows, 2)  # then 4, 8, 9
    assert state.x.tolist() == [0, -8, -9, 0, 0, 0]
    state, _ = stepped(SketchedSgd(density=1 / 3, candidates=3, **EXACT), [[3, 3, -3, 3, 3, 3]])  # equals: the first
    assert state.x.tolist() == [-3, -3, 0, 0, 0, 0]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_where_sketches_tell_all_it_is_true_top_k_bit_for_bit(momentum: float) -> None:
    """Spectra fall as i^-1: 2,000 columns find the 4 largest of 100 among 20 candidates in each of 20 steps."""
    rows = np.random.default_rng(7).standard_normal((3, 100)) / np.arange(1, 101)
    sketched, _ = stepped(SketchedSgd(density=0.04, columns=2000, candidates=5, momentum=momentum), rows, 20)
    true, dear = stepped(TrueTopK(density=0.04, momentum=momentum), rows, 20)
    assert np.array_equal(sketched.x, true.x)
    assert all(np.array_equal(sketched.own["memory"][w], true.own["memory"][w]) for w in range(3))
    assert dear.ledger.payload_bits == 20 * 3 * 32 * 100
    poor, _ = stepped(SketchedSgd(density=0.04, columns=2, candidates=2, momentum=momentum), rows, 20)
    assert not np.array_equal(poor.x, true.x)


def test_momentum_goes_into_the_memory_and_is_forgotten_where_x_has_moved() -> None:
    """u and v of (4, 1): the first is followed in steps 0 and 1, while v of the second is 1, 2.5, then 4.25."""
    state, _ = stepped(SketchedSgd(density=0.5, momentum=0.5, **EXACT), [[4.0, 1.0]], 3)
    assert state.own["momentum"][0].tolist() == [4, 0]
    assert state.own["memory"][0].tolist() == [4, 0]
    assert state.x.tolist() == [-8, -4.25]
    state, _ = stepped(SketchedSgd(density=0.5, momentum=0.5, **EXACT), [[4.0, 1.0]], 2)
    assert state.own["momentum"][0].tolist() == [0, 1.5]
    assert state.own["memory"][0].tolist() == [0, 2.5]


def test_without_momentum_nothing_is_lost_of_what_workers_have_said() -> None:
    """x is minus the sum of the mean gradients, less what the memories hold: also with a sketch that knows nothing."""
    rows = np.random.default_rng(5).integers(-9, 10, (3, 200))
    state, _ = stepped(SketchedSgd(density=0.02, rows=3, columns=2), rows, 30)
    held = sum(state.own["memory"].values()) / 3
    assert state.x + 30 * rows.mean(axis=0) - held == pytest.approx(0, abs=1e-3)
    assert np.abs(held).max() > 9


def trained(method: dict[str, Any], **table: Any) -> dict[str, Any]:
    small = {"problem": "softmax", "workers": 4, "steps": 40, "batch": 8, **table}
    spec = check(normalise({**small, "method": method}))
    record, _, _ = next(training.run(spec, training.plan(spec), Solo(), False))
    return record


def test_traffic_is_that_of_the_formula_and_its_part_of_a_worker_does_not_grow_with_their_number() -> None:
    """d = 1,970, so k = 20: 80 values, a largest one, and a table of 5 x 20 counters in a measured width."""
    record = {}
    for workers in (4, 16):
        method = SketchedSgd()
        rows = np.random.default_rng(workers).standard_normal((workers, 1970)).astype(np.float32)
        _, channel = stepped(method, rows)
        each = channel.ledger.by_party(workers + 1)[:workers]
        widths = (each - 7 - 32 * 80 - 32) / (5 * 20)
        assert set(widths.tolist()) <= {16, 17, 18, 19, 20}  # the largest has 16 bits and a sign, sums of 50 a few more
        record[workers] = trained({"name": "sketched_sgd"}, workers=workers)
        assert record[workers]["loss"] < 2.0
        assert record[workers]["coin_bits"] == KEY_BITS
        each_step = record[workers]["payload_bits"] / workers / 40
        assert 7 + 32 * 80 + 32 + 100 * 15 < each_step < 7 + 32 * 80 + 32 + 100 * 20


@pytest.mark.parametrize("exchange", ["parameter_server", "scatter_reduce"])
def test_it_trains_over_every_exchange_and_with_momentum(exchange: str) -> None:
    record = trained({"name": "sketched_sgd", "exchange": exchange, "momentum": 0.9, "density": 0.02}, rate=0.03)
    assert record["loss"] < 2.0


def test_the_bits_alone_give_digest_ledger_and_model(tmp_path: Path) -> None:
    table = {"problem": "logistic:data=ionosphere", "workers": 3, "steps": 12, "batch": 8}
    for method in (
        {"name": "sketched_sgd", "momentum": 0.9, "density": 0.1},
        {"name": "sketched_sgd", "exchange": "parameter_server"},
        {"name": "sketched_sgd", "exchange": "scatter_reduce"},
        {"name": "true_top_k", "momentum": 0.9},
    ):
        spec = check(normalise({**table, "method": method}))
        record, _, board = next(training.run(spec, training.plan(spec), Solo(), True))
        assert board is not None
        (tmp_path / "boards").mkdir(exist_ok=True)
        board.save(tmp_path / "boards" / "kept")
        record["board"] = "kept"
        assert audit.audit(tmp_path, record, 1).wrong is None
        for key in ("payload_bits", "model_sha256", "coin_bits"):
            assert "the bits say" in str(audit.audit(tmp_path, {**record, key: 1}, 1).wrong)


def test_momentum_and_memory_are_in_a_checkpoint(tmp_path: Path) -> None:
    method = {"name": "sketched_sgd", "momentum": 0.9, "density": 0.1}
    table: dict[str, Any] = {
        "problem": "logistic:data=ionosphere",
        "workers": 3,
        "steps": 12,
        "batch": 8,
        "method": method,
    }
    spec = check(normalise(table))
    done = 0

    def cut_off(steps: int) -> None:
        nonlocal done
        done += steps
        if done == 7:
            raise InterruptedError

    def run(resume: bool, notice: training.Notice | None) -> dict[str, Any]:
        saving = Saving(tmp_path, 4, resume)
        return next(training.run(spec, training.plan(spec), Solo(), False, notice, saving))[0]

    with pytest.raises(InterruptedError):
        run(False, cut_off)
    again, whole = run(True, None), trained(**table)
    assert again["gradient_evaluations"] == 3 * 12
    for key in ("model_sha256", "digest", "payload_bits", "coin_bits"):
        assert again[key] == whole[key]


@pytest.mark.parametrize(
    ("compressor", "public"),
    [
        ({"name": "qsgd", "bits": 4}, False),
        ({"name": "hadamard_dither"}, True),
        ({"name": "eden"}, True),
        ({"name": "random_k"}, True),
        ({"name": "random_k", "draw": "private"}, False),
    ],
)
def test_public_coins_are_booked_where_a_reader_needs_them(compressor: dict[str, Any], public: bool) -> None:
    for method in (
        {"name": "mean", "compressor": compressor},
        {"name": "mean", "exchange": {"name": "parameter_server", "down": compressor}},
    ):
        record = trained(method, problem="logistic:data=ionosphere", steps=1)
        assert record["coin_bits"] == (KEY_BITS if public else 0)


@pytest.mark.parametrize(
    ("table", "width"),
    [([[0, 0]], 0), ([[-1, 0]], 1), ([[1, 0]], 2), ([[-2, 1]], 2), ([[2, 0]], 3), ([[1 << 62, -5]], 64)],
)
def test_counters_are_as_wide_as_they_have_to_be(table: list[list[int]], width: int) -> None:
    message = integers.write(np.array(table))
    assert message.n_bits == 7 + 2 * width
    reader = BitReader(message.data, message.n_bits)
    assert integers.read(reader, 2, 1 << 62).tolist() == table[0]
    assert reader.unread() == 0
    assert reader.booked() == (1, message.n_bits)


def test_counters_after_other_bits_and_damaged_ones() -> None:
    table = np.random.default_rng(0).integers(-(1 << 40), 1 << 40, (3, 50))
    flag = Messages.of_symbols(np.ones(1, np.uint8), 3)
    both = Messages.join([flag, integers.write(table)])
    assert np.array_equal(integers.read(BitReader(both.data, both.n_bits, 3), 150, 1 << 40), table.ravel())
    for cut in (1, 8, 500, both.n_bits - 5):
        with pytest.raises(WireError, match="end early"):
            integers.read(BitReader(both.data, both.n_bits - cut, 3), 150, 1 << 40)
    with pytest.raises(WireError, match="a number is beyond"):
        integers.read(BitReader(both.data, both.n_bits, 3), 150, 1 << 30)
    wide = Messages.of_bytes(b"\xff" * 4096)
    with pytest.raises(WireError, match="127 bits are announced"):
        integers.read(BitReader(wide.data, wide.n_bits), 150, 1 << 40)


def test_memories_that_overflow_name_method_worker_and_step() -> None:
    with pytest.raises(DistestError, match="sketched_sgd: the memory of worker 0 at step 1"), np.errstate(all="ignore"):
        stepped(SketchedSgd(density=0.5, **EXACT), [[3e38, 3e38]], 3)


def test_the_signal_of_a_sketch() -> None:
    """The second largest of (3, -4, 0, 12) is 4, the length 13; 40 spikes above noise are found where it is above 2."""
    assert sketch_snr(np.array([3, -4, 0, 12], np.float32), 2, 169) == pytest.approx(4)
    assert sketch_snr(np.zeros(3, np.float32), 1, 10) == 0
    assert sketch_snr(np.array([1e30, 1e30], np.float32), 1, 2) == pytest.approx(1)
    with pytest.raises(UsageError, match="no 4-th largest"):
        sketch_snr(np.zeros(3, np.float32), 4, 10)
    v = np.random.default_rng(2).standard_normal(4000).astype(np.float32)
    v[:40] = 60
    assert sketch_snr(v, 40, 400) > 2 > sketch_snr(v, 41, 400)
    state, _ = stepped(SketchedSgd(density=0.01, columns=400, candidates=4), [v])
    assert np.flatnonzero(state.x).tolist() == list(range(40))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"density": 0.0}, "sketched_sgd"),
        ({"density": 2.0}, "sketched_sgd"),
        ({"rows": 4}, "odd number of rows"),
        ({"columns": -1}, "columns"),
        ({"columns": 1 << 25}, "columns"),
        ({"precision": 0}, "precision"),
        ({"precision": 31}, "precision"),
        ({"candidates": 0}, "candidates >= 1"),
        ({"momentum": 1.0}, "momentum"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        trained({"name": "sketched_sgd", **options})
    if options.keys() & {"density", "momentum"}:
        with pytest.raises(UsageError, match="true_top_k"):
            trained({"name": "true_top_k", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("columns", [500, 1000, 2000, 5000])
@pytest.mark.parametrize("law", ["gauss", "t3", "lognormal", "zipf"])
def test_a_signal_of_two_tells_sketches_that_find_the_largest_from_those_that_do_not(law: str, columns: int) -> None:
    """d = 10^5, k = 100, 400 candidates: what is found of the k largest is above 3/4 where the signal is above 2, and
    below 0.9 where it is not; the ratio of the k-th largest to the error of a row (`sketch_snr`) is no such line."""
    draw = np.random.default_rng(8)
    d, k = 100_000, 100
    v = {
        "gauss": draw.standard_normal(d),
        "t3": draw.standard_t(3, d),
        "lognormal": np.exp(2 * draw.standard_normal(d)) * draw.choice([-1, 1], d),
        "zipf": np.arange(1, d + 1) ** -0.7 * draw.choice([-1, 1], d),
    }[law].astype(np.float32)
    shift = shift_for(float(np.abs(v).max()), d)
    sketch = count_sketch(d, 5, columns, COINS.public)
    table = sketch.insert(fixed_point(v, shift))
    estimates = sketch.query(table)
    asked = candidates(estimates, 4 * k)
    kept = asked[largest(v[asked], k)]
    signal = Summed(sketch, table, shift, 1).signal(estimates[kept], v[kept])
    found = np.intersect1d(kept, largest(v, k)).size / k
    assert found > 0.75 if signal > 2 else found < 0.9
