"""Training: every part together, its books, its kept bits, its errors."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, records, training, warming
from distest.coins import from_seed
from distest.errors import DistestError, DivergedError, PartyError, UsageError, WireError
from distest.sgd.asynchronous import Asynchronous
from distest.sgd.methods.local_sgd import LocalSgd
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.train_spec import TrainSpec, check, normalise, spread
from distest.wire.transport import Solo

COMPRESSORS = list({spec["name"]: spec for spec in map(catalog.describe, warming.compressors())}.values())
SMALL: dict[str, Any] = {"problem": "logistic:data=ionosphere", "workers": 3, "steps": 12, "batch": 8}


def spec(**table: Any) -> TrainSpec:
    return check(normalise({**SMALL, **table}))


def trained(keep: bool = False, **table: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    asked = spec(**table)
    return next(training.run(asked, training.plan(asked), Solo(), keep))


def method(**options: Any) -> dict[str, Any]:
    return {"name": "mean", **options}


def test_without_compression_it_is_sgd_on_the_mean_gradient() -> None:
    record, _, _ = trained(rate=0.5, steps=5)
    asked = spec(rate=0.5, steps=5)
    problem = catalog.build("problem", asked.problem)
    coins, data = from_seed(0)
    here = coins.fold("repeat", 0)
    shards = deal(problem, 3, "iid", here.public)
    x = problem.start(here.public.fold("start"))
    for step in range(5):
        rows = [shards.batch(worker, step, 8, data.fold("repeat", 0)) for worker in range(3)]
        first, second, third = (problem.gradient(x, r) for r in rows)
        x = x - np.float32(0.5) * ((first + second + third) / np.float32(3))
    assert record["model_sha256"] == training.model_digest(x)
    assert record["payload_bits"] == 5 * 3 * 32 * problem.d == record["payload_bits_board"]
    assert record["gradient_evaluations"] == 15


def test_whole_shards_and_small_steps_come_near_the_optimum() -> None:
    record, series, _ = trained(batch=0, steps=400, rate=0.4, momentum=0.9)
    assert record["loss"] - record["optimum"] < 0.01
    assert [point["step"] for point in series] == [*range(0, 400, 40), 400]
    losses = [point["loss"] for point in series]
    assert losses[-1] < losses[0]


OVER = [
    pytest.param(compressor, exchange, id=f"{compressor['name']}-{exchange}")
    for exchange in catalog.names("exchange")
    for compressor in COMPRESSORS
    if exchange != "common_scale"  # it rounds by itself
]
OVER += [pytest.param({"name": "identity"}, "common_scale", id="identity-common_scale")]


@pytest.mark.parametrize(("compressor", "exchange"), OVER)
def test_the_bits_alone_give_digest_ledger_and_model(compressor: dict[str, Any], exchange: str, tmp_path: Path) -> None:
    record, _, board = trained(True, method=method(compressor=compressor, exchange=exchange))
    board.save(tmp_path / "kept")
    (tmp_path / "boards").mkdir()
    (tmp_path / "kept").rename(tmp_path / "boards" / "kept")
    record["board"] = "kept"
    record = json.loads(records.canonical({**record, "seed": None}))
    assert audit.audit(tmp_path, record, 1).wrong is None
    for key in ("payload_bits", "model_sha256", "digest"):
        wrong = {**record, key: 1}
        assert "the bits say" in str(audit.audit(tmp_path, wrong, 1).wrong)


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=lambda spec: spec["name"])
def test_a_flipped_bit_of_a_board_is_found(compressor: dict[str, Any], tmp_path: Path) -> None:
    record, _, board = trained(True, method=method(compressor=compressor))
    (tmp_path / "boards").mkdir()
    path = tmp_path / "boards" / "kept"
    board.save(path)
    whole = path.read_bytes()
    record["board"] = "kept"
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        assert audit.audit(tmp_path, record, 1).wrong is not None


def test_the_server_pays_for_each_worker_it_speaks_to() -> None:
    record, _, _ = trained(
        method=method(compressor={"name": "identity", "precision": "bfloat16"}, exchange="parameter_server")
    )
    d = record["d"]
    assert record["payload_bits_up"] == 12 * 3 * 16 * d
    assert record["payload_bits_down"] == 12 * 3 * 32 * d


def test_error_feedback_remembers_what_was_left_out() -> None:
    """Constant gradients through bfloat16 (8 binary places): with feedback what is sent is right on average."""
    from distest.sgd.compressors.identity import Identity
    from distest.sgd.exchanges.all_gather import AllGather
    from distest.sgd.link import Link
    from distest.sgd.methods.mean import Mean
    from distest.wire.channel import Channel

    class Constant:
        def gradient(self, worker: int, x: Any, step: int) -> Any:
            return np.full(4, 1 + 2.0**-10, np.float32)

    ends = []
    for feedback in (False, True):
        state = State(np.zeros(4, np.float32))
        part = Mean(Identity("bfloat16"), AllGather(), feedback)
        link = Link(Channel(2, Solo(), "blackboard"))
        for _ in range(256):
            part.round(state, Rule(rate=1.0), Constant(), link, from_seed(0)[0])
        ends.append(float(state.x[0]))
    assert ends[0] == -256.0
    assert abs(ends[1] + 256 * (1 + 2.0**-10)) <= 2.0**-8


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"optimiser": "adam", "rate": 0.01}]
)
@pytest.mark.parametrize("schedule", ["constant", "inverse", "cosine", "linear"])
def test_every_rule_lowers_the_loss(options: dict[str, Any], schedule: str) -> None:
    _, series, _ = trained(batch=0, steps=30, schedule=schedule, **options)
    assert series[-1]["loss"] < 0.9 * series[0]["loss"]


def test_schedules_are_what_they_say() -> None:
    def rates(**options: Any) -> list[float]:
        rule = Rule(rate=1.0, steps=8, **options)
        return [round(rule.at(step), 12) for step in range(8)]

    assert rates() == [1.0] * 8
    assert rates(schedule="linear") == [1 - t / 8 for t in range(8)]
    assert rates(schedule="inverse", decay=2.0) == [round(2 / (2 + t), 12) for t in range(8)]
    assert rates(schedule="cosine")[::4] == [1.0, 0.5]
    halves = rates(schedule="steps", milestones=(0.5, 0.75))
    assert halves == rates(schedule="steps", milestones=(4, 6)) == [1.0] * 4 + [0.1] * 2 + [0.01] * 2
    assert rates(schedule="steps", milestones=(0.7,), factor=0.5) == [1.0] * 6 + [0.5] * 2
    assert rates(warmup=4) == [0.25, 0.5, 0.75] + [1.0] * 5
    assert rates(schedule="linear", warmup=2)[:3] == [0.5, 7 / 8, 6 / 8]


@pytest.mark.parametrize(("epochs", "batch", "steps"), [(3, 8, 35), (0.5, 8, 6), (2.5, 0, 3), (1e-9, 8, 1)])
def test_epochs_become_steps_and_the_record_says_both(epochs: float, batch: int, steps: int, tmp_path: Path) -> None:
    table = {key: value for key, value in SMALL.items() if key != "steps"}
    asked = check(normalise({**table, "epochs": epochs, "batch": batch, "method": "supersgd"}))
    record, series, board = next(training.run(asked, training.plan(asked), Solo(), True))
    assert record["steps"] == record["spec"]["steps"] == series[-1]["step"] == steps
    assert record["epochs"] == pytest.approx(steps * (24 if batch else 280) / 280)
    assert record["spec"]["epochs"] == epochs
    assert board is not None
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, json.loads(records.canonical({**record, "board": "kept"})), 1).wrong is None


def test_a_series_ends_with_the_books_of_the_record() -> None:
    for exchange in catalog.names("exchange"):
        record, series, _ = trained(method=method(exchange=exchange))
        assert {key for key in series[0] if key.startswith("payload")} < set(record)
        for key, value in series[-1].items():
            if key not in ("step", "seconds"):
                assert record[key] == value, key
        assert [point["payload_bits"] for point in series] == sorted({point["payload_bits"] for point in series})
        assert record["gradient_evaluations"] == 12 * 3


def test_a_gradient_that_explodes_names_method_worker_and_step() -> None:
    with pytest.raises(PartyError, match=r"mean: the gradient of worker \d at step \d+ has \d+ of \d+ coordinates"):
        trained(problem="least_squares:data=abalone", rate=1e30, steps=50, evaluate=50)
    with pytest.raises(DivergedError, match=r"mean: after \d+ steps the loss is no finite number"):
        trained(problem="least_squares:data=abalone", rate=1e18, steps=5, evaluate=1)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"steps": 0}, "steps is at least 1, got 0"),
        ({"workers": 0}, "workers is at least 1, got 0"),
        ({"workers": 10_000}, "training rows can be dealt"),
        ({"rate": 0.0}, "a step size is positive"),
        ({"momentum": 1.0}, "momentum is at least 0 and below 1"),
        ({"method": "meen"}, "did you mean 'mean'"),
        ({"method": "mean:compresor=identity"}, "did you mean 'compressor'"),
        ({"method": method(compressor="identitty")}, "did you mean 'identity'"),
        ({"method": method(exchange="ring")}, "no exchange 'ring'"),
        ({"method": method(compressor={"name": "identity", "precision": "float8"})}, "precision='float8' does not fit"),
        ({"schedule": "steps"}, "milestones go with schedule='steps'"),
        ({"milestones": [0.5]}, "milestones go with schedule='steps'"),
        ({"schedule": "steps", "milestones": [-1]}, "milestones are steps, or shares"),
        ({"schedule": "steps", "milestones": [1], "factor": 0.0}, "the factor of a schedule is positive"),
        ({"warmup": -1}, "a warm-up is a number of steps"),
        ({"epochs": 2.0}, "give steps or epochs, not both: got steps=12 and epochs=2"),
        ({"epochs": -1.0}, "epochs are a positive number"),
        ({"speed": 3}, "no key of a train spec"),
        ({"shards": "random"}, "the spec does not fit"),
        ({"seed": -1}, "a seed is an integer"),
    ],
)
def test_bad_specs_are_one_sentence(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        trained(**table)
    assert "\n" not in str(caught.value)


def test_a_label_names_parts_that_are_not_the_usual() -> None:
    built = catalog.build(
        "method", method(compressor={"name": "identity", "precision": "bfloat16"}, exchange="parameter_server")
    )
    assert catalog.label(built) == "mean identity precision=bfloat16 parameter_server"
    assert catalog.build("method", catalog.describe(built)) == built


def test_damaged_words_of_the_identity_are_refused() -> None:
    from distest.bits import BitReader
    from distest.sgd.compressors.identity import Identity

    infinite = BitReader(np.frombuffer(np.float32(np.inf).tobytes()[::-1], np.uint8), 32)
    with pytest.raises(WireError, match="not a finite number"):
        Identity().decode(infinite, 1, 0, from_seed(0)[0].public)
    with pytest.raises(DistestError, match="float16 holds numbers up to 65,504"):
        Identity("float16").encode(np.array([1e6], np.float32), 0, from_seed(0)[0])


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """Models and ledgers of one process without MPI."""
    from tests.mpi import launching

    ran = launching.run("models.py", ranks=0)
    assert (ran.code, ran.left) == (0, ()), ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_model_and_ledger_are_the_same_at_any_number_of_ranks(
    mpi: ModuleType, alone: dict[str, Any], ranks: int
) -> None:
    ran = mpi.run("models.py", ranks=ranks, limit_s=180.0)
    assert (ran.code, ran.left) == (0, ()), ran.err
    assert json.loads(ran.out) == alone
    assert len(alone) >= 2 * len(catalog.names("compressor")) * len(catalog.names("exchange"))


@pytest.mark.mpi
def test_methods_are_the_same_where_some_ranks_have_no_worker(mpi: ModuleType, alone: dict[str, Any]) -> None:
    ran = mpi.run("models.py", "methods", ranks=9, limit_s=300.0)
    assert (ran.code, ran.left) == (0, ()), ran.err
    found = json.loads(ran.out)
    assert found == {key: alone[key] for key in found}
    assert len(found) >= len(catalog.names("method"))


def test_a_budget_goes_to_all_that_take_one() -> None:
    methods: list[dict[str, Any]] = [
        {"name": "supersgd"},
        {"name": "qsgd"},
        {"name": "mean", "compressor": "eden:scale=least"},
    ]
    spread(methods, "bits", 3)
    assert methods[0] == {"name": "supersgd"}
    assert methods[1]["compressor"]["bits"] == 3
    assert methods[2]["compressor"] == {"name": "eden", "scale": "least", "bits": 3}
    sparse: list[dict[str, Any]] = [{"name": "scalecom"}, {"name": "local_top_k"}]
    spread(sparse, "density", 0.1)
    assert sparse[0]["density"] == sparse[1]["compressor"]["density"] == 0.1
    with pytest.raises(UsageError, match=r"--density 0.1 fits none of the methods asked for \(qsgd\)"):
        spread([{"name": "qsgd"}], "density", 0.1)


LIKE_ADAM = ("comp_ams", "one_bit_adam", "zero_one_adam", "diloco", "sparseloco", "cada", "qadam", "streaming_diloco")


@pytest.mark.parametrize("name", catalog.names("method"))
def test_every_method_trains_and_is_audited(name: str, tmp_path: Path) -> None:
    steps = 2 if issubclass(catalog.find("method", name), Asynchronous) else 60  # rounds of a hundred updates
    rate = 0.003 if name in LIKE_ADAM else 0.1
    local = {"inner": 5} if issubclass(catalog.find("method", name), LocalSgd) else {}
    record, series, board = trained(True, method={"name": name, **local}, problem="softmax", steps=steps, rate=rate)
    assert series[-1]["loss"] < 0.9 * series[0]["loss"]
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, {**record, "board": "kept"}, 1).wrong is None
