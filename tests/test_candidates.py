"""Which protocols fit a problem: class, loss, model, budget, and options chosen for what they promise."""

import math

import pytest

from distest import catalog, experiment, spec, warming
from distest.candidates import WIDER, Candidate, Problem, fitting, some_fitting
from distest.errors import UsageError
from distest.learning.task import Task

PROBLEMS = [
    Problem(Task(256, 25_600), bits=3),
    Problem(Task(256, 25_600)),
    Problem(Task(256, 25_600, loss="l1"), total_bits=25_600 * 4.5, referee=True),
    Problem(Task(64, 300, s=40), bits=300),
    Problem(Task(4096, 9000, loss="l1"), "monotone", bits=6),
    Problem(Task(4096, 9000), "monotone", bits=5),
    Problem(Task(128, 9000), "sparse", bits=2, support=3),
    Problem(Task(128, 9000), "histogram", bits=3, pieces=4),
]


def named(found: list[Candidate]) -> dict[str, Candidate]:
    return {candidate.spec["name"]: candidate for candidate in found}


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_what_fits_keeps_to_the_problem(problem: Problem) -> None:
    found = fitting(problem)
    assert found
    assert [c.spec["name"] for c in found] == sorted({c.spec["name"] for c in found})
    for candidate in found:
        protocol = candidate.protocol
        assert catalog.build("protocol", candidate.spec, task=problem.task) == protocol
        assert protocol.family in WIDER[problem.family]
        assert problem.task.loss in protocol.losses
        assert protocol.model == "referee" or not problem.referee
        if problem.budget is not None:
            cap = protocol.bits_per_server()
            assert cap is not None
            assert cap <= problem.budget


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_nothing_that_fits_is_left_out_and_no_variant_promises_less(problem: Problem) -> None:
    """Against every variant of the catalog that `distest doctor` warms, at the largest budget that each takes."""
    found = named(fitting(problem))
    loss = problem.task.loss
    for bits in range(1, 9) if problem.budget is None else range(1, problem.budget + 1)[:8]:
        for table, protocol in warming.variants(problem.task, bits):
            cap = protocol.bits_per_server()
            within = problem.budget is None or (cap is not None and cap <= problem.budget)
            serves = protocol.family in WIDER[problem.family] and loss in protocol.losses
            needs = "bits" in table and problem.budget is None
            if not (within and serves) or needs or (problem.referee and protocol.model != "referee"):
                continue
            if {"support", "pieces"} & set(table) and problem.family in ("all", "monotone"):
                continue
            assert table["name"] in found
            if found[table["name"]].spec.get("bits") == table.get("bits") and not {"support", "pieces"} & set(table):
                worst = protocol.worst_risk()
                value = None if worst is None else worst.l1 if loss == "l1" else worst.l2_squared
                assert found[table["name"]].promise(loss) <= (math.inf if value is None else value)


def test_options_are_chosen_for_the_budget_and_the_loss() -> None:
    found = named(fitting(Problem(Task(4096, 9000, loss="l1"), "monotone", bits=6)))
    assert found["monotone_cells"].spec["tau"] in (0.1, 0.05, 0.2)
    assert found["monotone_cells"].spec["direction"] == "falling"
    assert (
        found["grouping"].spec == {"name": "grouping", "bits": 6, "shift": True} or found["grouping"].spec["bits"] == 6
    )
    assert "monotone_l2" not in found
    whole = named(fitting(Problem(Task(16, 1500), bits=20)))
    assert whole["linear_hash"].spec["bits"] == 4
    assert whole["full_sample"].spec["estimator"] == "minimax"
    assert "sparse_hash" not in whole
    few = named(fitting(Problem(Task(16, 1500), "sparse", bits=2, support=3)))
    assert few["sparse_hash"].spec == {"name": "sparse_hash", "bits": 2, "support": 3}
    cycle = named(fitting(Problem(Task(16, 1500), bits=2)))["linear_hash"]
    assert cycle.spec["design"] == "cycle" or cycle.promise("l2") <= 15**2 / (16 * 1500 * 3) * (1 + 1e-12)


def test_a_budget_in_all_is_shared() -> None:
    assert Problem(Task(16, 100), total_bits=250).budget == 2
    assert Problem(Task(16, 100), bits=1, total_bits=250).budget == 1
    assert Problem(Task(16, 100)).budget is None


def test_below_every_minimum_the_least_is_named() -> None:
    with pytest.raises(UsageError, match=r"keeps to 1 bits a server; the least is \d+, of multiset"):
        some_fitting(Problem(Task(64, 300, s=40), bits=1))
    with pytest.raises(UsageError, match="keeps to 0 bits a server; the least is 1, of"):
        some_fitting(Problem(Task(16, 100), total_bits=99))


def test_every_becomes_the_protocols_that_fit() -> None:
    table = spec.normalise(
        {"protocol": ["every:bits=2", "full_sample"], "n": 16, "m": 300, "distribution": "uniform", "loss": "l2"}
    )
    trials = experiment.plan(spec.check(table))
    expected = [c.spec["name"] for c in fitting(Problem(Task(16, 300), bits=2))] + ["full_sample"]
    assert [trial.spec["protocol"]["name"] for trial in trials] == expected


def test_a_law_is_found_where_every_stands_alone() -> None:
    assert spec.law_for_every([{"name": "every"}]) == {"name": "uniform"}
    assert spec.law_for_every([{"name": "every", "family": "histogram", "pieces": 3}]) == {"name": "pieces", "k": 3}
    assert spec.law_for_every([{"name": "every", "family": "sparse", "support": 3}]) is None
    assert spec.law_for_every([{"name": "every"}, {"name": "grouping"}]) is None
