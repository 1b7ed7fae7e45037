"""Step sizes of theory: the formulas by other means, what they promise, who refuses; and what records say of a step."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, catalog, training
from distest.coins import from_seed
from distest.errors import UsageError
from distest.sgd.shards import deal
from distest.train_spec import check, normalise
from distest.wire.transport import Solo

LINE: dict[str, Any] = {"problem": "least_squares:data=synthetic,points=256,columns=16,condition=10,l2=0"}
SMALL: dict[str, Any] = {**LINE, "workers": 4, "steps": 150, "batch": 0, "rate": "theory"}


def planned(method: Any, **table: Any) -> tuple[Any, list[training.Trial]]:
    spec = check(normalise({**SMALL, "method": method, **table}))
    return spec, training.plan(spec)


def trained(method: Any, keep: bool = False, **table: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    spec, trials = planned(method, **table)
    return next(training.run(spec, trials, Solo(), keep))


def smooth() -> tuple[float, list[float]]:
    """L of all rows and of each worker's, by numpy's eigenvalues."""
    problem = catalog.build("problem", planned("mean")[0].problem)
    shards = deal(problem, 4, "iid", from_seed(0)[0].fold("repeat", 0).public)
    X = problem._table().X.astype(np.float64)

    def of(rows: Any) -> float:
        return float(np.linalg.eigvalsh(X[rows].T @ X[rows] / len(rows))[-1])

    return of(np.arange(256)), [of(shards.rows(worker)) for worker in range(4)]


TOP, RAND = {"name": "top_k", "k": 4}, {"name": "random_k", "k": 4}  # a = 1/4; o = 3


def formulas() -> dict[str, tuple[Any, float]]:
    """Methods, and their step written out anew."""
    whole, each = smooth()
    root, largest = math.sqrt(sum(one**2 for one in each) / 4), max(each)
    t = 1 - math.sqrt(3 / 4)
    return {
        "gd": ("mean", 1 / whole),
        "quantised gd": ({"name": "mean", "compressor": RAND}, 1 / (whole + 2 * 3 * largest / 4)),
        "ef21": ({"name": "ef21", "compressor": TOP}, 1 / (whole + root * math.sqrt(3 / 4 / t / t))),
        "clag": ({"name": "clag", "compressor": TOP, "zeta": 50.0}, 1 / (whole + root * math.sqrt(50 / t))),
        "diana": ({"name": "diana", "compressor": RAND}, 1 / (largest * (1 + 4 * 3 / 4))),
        "marina": ({"name": "marina", "compressor": RAND, "p": 0.5}, 1 / (whole + root * math.sqrt(0.5 * 3 / 2))),
        "dasha": ({"name": "dasha", "compressor": RAND}, 1 / (whole + root * math.sqrt(16 * 3 * 7 / 4))),
        "ef21_p": ({"name": "ef21_p", "down": TOP}, 1 / 4 / (4 * whole)),
        "lag_wk": ({"name": "lag_wk", "xi": 0.025}, (1 - 0.5) / whole),
        "lag_ps by sums": ({"name": "lag_ps", "xi": 0.025, "follow": "sum"}, (1 - 0.5) / whole / 4),
        "lag without trigger": ({"name": "lag_wk", "trigger": False}, 1 / whole),
        "laq": ({"name": "laq", "xi": 0.064}, (1 - 0.8) / whole),
    }


@pytest.mark.parametrize("name", list(formulas()))
def test_the_step_of_theory_is_its_formula_and_the_loss_falls(name: str) -> None:
    method, step = formulas()[name]
    record, series, _ = trained(method)
    assert record["rate"] == pytest.approx(step, rel=1e-5)
    assert (record["step"], record["tuning"], record["spec"]["rate"]) == ("theory", None, "theory")
    losses = [point["loss"] for point in series]
    assert losses[-1] - record["optimum"] < 0.7 * (losses[0] - record["optimum"])
    if name in ("gd", "lag_wk"):
        assert all(later <= earlier + 1e-7 for earlier, later in itertools.pairwise(losses))  # but for rounding


def test_theory_promises_what_a_step_of_twice_the_size_does_not_keep() -> None:
    """Of quadratics alone: gradient descent diverges beyond 2/L."""
    whole, _ = smooth()
    beyond, _, _ = trained("mean", rate=2.1 / whole)
    at, _, _ = trained("mean")
    assert at["loss"] < at["optimum"] + 0.01 < beyond["loss"]


REFUSED = {
    "lag_wk": r"asks for xi < 1/depth = 0\.1, got xi=0\.1",
    "lasg_wk2": "noisy gradients",
    "slaq": "noisy gradients",
    "local_sgd": "no theorem is known here",
    "d_psgd": "no theorem is known here",
    "comp_ams": "steps that adapt",
    "ef_signsgd": "error feedback",
    "diana:inner=5": "VR-DIANA",
    "ef21:average=0.5": "averages of gradients",
    "ef21_p:compressor=top_k": "uplink that is compressed",
    "mean:compressor=top_k": "right on average",
    "mean:compressor=natural,exchange=scatter_reduce": "rounds means once more",
}


@pytest.mark.parametrize("method", REFUSED)
def test_who_has_no_rule_says_so_in_a_sentence_before_anything_runs(method: str) -> None:
    with pytest.raises(UsageError, match=REFUSED[method]):
        planned(method)


def test_theory_knows_no_momentum_and_no_net() -> None:
    with pytest.raises(UsageError, match="leave out momentum and optimiser"):
        planned("mean", momentum=0.9)
    with pytest.raises(UsageError, match="rate=theory needs to know how smooth"):
        planned("mean", problem="mlp")
    record, _, _ = trained("mean", batch=16)
    assert any("noise may ask for a smaller one" in sentence for sentence in record["warnings"])


def test_a_board_is_audited_at_the_step_of_theory_and_repeats_have_their_own(tmp_path: Path) -> None:
    spec, trials = planned("diana", repeats=2, steps=10)
    (first, _, board), (second, _, _) = training.run(spec, trials, Solo(), True)
    assert first["rate"] != second["rate"]  # other rows, other workers' L
    assert first["spec_hash"] == second["spec_hash"]
    (tmp_path / "boards").mkdir()
    assert board is not None
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, {**first, "board": "kept"}, 1).wrong is None


def test_a_record_says_how_its_step_was_chosen_and_tuning_is_no_part_of_the_hash() -> None:
    given, _, _ = trained("mean", rate=0.25, steps=3)
    assert (given["step"], given["rate"], given["steps"]) == ("given", 0.25, 3)
    grid = {"rates": [0.1, 0.25, 1.0], "target": 0.5}
    tuned, _, _ = trained("mean", rate=0.25, steps=3, tuning=grid)
    assert (tuned["step"], tuned["tuning"]) == ("tuned", grid)
    assert tuned["spec_hash"] == given["spec_hash"]
    assert tuned["model_sha256"] == given["model_sha256"]


# ---- what is refused or counted before a run


@pytest.mark.parametrize("method", ["d_psgd", "choco_sgd", "rennala", "asy_lpg", "qcmd_adagrad", "diloco"])
def test_momentum_is_refused_before_a_run_where_there_is_no_place_for_it(method: str) -> None:
    for rule in ({"momentum": 0.9}, {"optimiser": "adam"}):
        with pytest.raises(UsageError, match=r"momentum|optimiser"):
            planned(method, rate=0.1, problem="logistic:data=ionosphere", **rule)
    with pytest.raises(UsageError, match="comp_ams steps by amsgrad"):
        planned("comp_ams", rate=0.1, optimiser="adam")


def test_epochs_of_asynchronous_methods_count_rows_that_steps_are_made_of() -> None:
    """256 rows: ringmaster looks at 8 x 4 of them in a round, rennala at twice that, asy_lpg at all once more."""
    table: dict[str, Any] = {"rate": 0.01, "batch": 4, "epochs": 2.0, "steps": None}
    table = {key: value for key, value in {**SMALL, **table}.items() if value is not None}
    for method, steps in (("ringmaster:inner=8", 16), ("rennala:inner=8,collect=2", 8), ("asy_lpg:inner=64", 1)):
        spec = check(normalise({**table, "method": method}))
        (trial,) = training.plan(spec)
        assert trial.rule.steps == steps, method
        record, _, _ = next(training.run(spec, [trial], Solo(), False))
        assert record["epochs"] == 2, method
        assert record["steps"] == steps
    live = check(normalise({**table, "method": "ringmaster:inner=8", "epochs": 0.5}))
    assert training.plan(live)[0].rule.steps == 4
    assert training.plan(check(normalise({**table, "method": "mean"})))[0].rule.steps == 32


@pytest.mark.parametrize("method", ["lag_wk", "lag_ps", "laq", "two_laq", "clag"])
def test_deterministic_triggers_warn_of_minibatches_and_name_who_is_for_them(method: str) -> None:
    noisy, _, _ = trained(method, rate=0.1, batch=8, steps=3)
    assert any("batch=0" in sentence and "lasg_wk2" in sentence for sentence in noisy["warnings"])
    for quiet in (trained(method, rate=0.1, steps=3), trained("slaq", rate=0.1, batch=8, steps=3)):
        assert not any("batch=0" in sentence for sentence in quiet[0]["warnings"])
