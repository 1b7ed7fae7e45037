"""What a sweep asks for: several kinds in one, lists as axes, and a sentence for everything that makes no sense."""

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from distest import spec
from distest.errors import UsageError
from distest.sweep import forecast
from distest.sweep.aim import Budget, Target
from distest.sweep.asked import read, variants
from distest.sweep.run import check

SPECS = Path(__file__).parents[2] / "scripts" / "specs"
LEARN: dict[str, Any] = {"n": 16, "m": 50, "distribution": "zipf", "protocols": ["full_sample"]}


def cases(table: dict[str, Any]) -> list[Any]:
    return list(read(table).cases())


def test_several_kinds_share_what_stands_beside_them() -> None:
    both = {"title": "two", "seed": 7, "repeats": 3, "learn": [LEARN, {**LEARN, "seed": 9}], "train": {"steps": 2}}
    found = cases(both)
    assert [case.kind for case in found] == ["learn", "learn", "train"]
    assert [case.table["seed"] for case in found] == [7, 9, 7]
    assert [case.repeats for case in found] == [3, 3, 3]
    assert [case.place for case in found] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert read(both).title == "two"


def test_a_list_in_the_place_of_a_value_is_an_axis_before_those_of_the_grid() -> None:
    table = {**LEARN, "n": [8, 16], "distribution": {"name": "zipf", "exponent": [1, 2]}, "grid": {"m": [5, 6]}}
    del table["m"]
    found = [(c.table["n"], c.table["distribution"]["exponent"], c.table["m"]) for c in cases(table)]
    assert found == list(itertools.product([8, 16], [1, 2], [5, 6]))


def test_a_list_in_a_protocol_makes_several_of_it() -> None:
    assert variants({"name": "grouping", "bits": [1, 2], "shift": [True, False]}) == [
        {"name": "grouping", "bits": bits, "shift": shift} for bits in (1, 2) for shift in (True, False)
    ]
    nested = {"name": "mean", "compressor": {"name": "qsgd", "bits": [2, 4]}}
    assert [each["compressor"]["bits"] for each in variants(nested)] == [2, 4]
    matrix = {"name": "d_psgd", "graph": {"name": "matrix", "rows": [[0.5, 0.5], [0.5, 0.5]]}}
    assert variants(matrix) == [matrix]


@pytest.mark.parametrize("path", sorted(SPECS.glob("e[0-9]*.toml")), ids=lambda path: path.stem)
def test_a_spec_of_learn_is_a_sweep_of_the_same_runs(path: Path) -> None:
    tables = spec.expand(spec.read_toml(path))
    sweep = read(path)
    assert sum(part.grid.size for part in sweep.parts) == len(tables)
    if "every" not in path.read_text():
        assert [case.part for case in sweep.cases()] == [p for table in tables for p in table["protocols"]]


def test_a_table_is_written_as_the_toml_that_it_is() -> None:
    table = {"title": 'a "b" \n', "learn": [{**LEARN, "budget": {"bits": 2.5, "per": "server"}}]}
    assert tomllib.loads(read(table).text) == table
    assert read(tomllib.loads(read(table).text)).identity == read(table).identity


def test_budgets_and_targets_are_axes_too() -> None:
    found = cases({**LEARN, "budget": {"bits": [2, 3], "per": "server"}})
    assert [case.aim for case in found] == [Budget(2.0, "server"), Budget(3.0, "server")]
    found = cases({**LEARN, "target": [{"l1": 0.5}, {"l2_squared": 0.1}]})
    assert [(case.aim.key, case.aim.value) for case in found] == [("l1", 0.5), ("l2_squared", 0.1)]
    assert isinstance(found[0].aim, Target)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "is empty"),
    ({"protocl": "grouping"}, "did you mean 'protocol'?"),
    ({"protocols": ["full_sample"], "method": "mean"}, "names protocols and methods in one table"),
    ({"seed": 3}, "there are no trials"),
    ({"learn": []}, "no trials"),
    ({"learn": [LEARN], "workers": 3}, "'workers' is no key of a [[learn]] table"),
    ({"learn": [LEARN], "wokers": 3}, "did you mean 'workers'?"),
    ({"learn": [{**LEARN, "rpeats": 3}]}, "did you mean 'repeats'?"),
    ({"learn": [LEARN], "kind": "learn"}, "has no kind of its own"),
    ({**LEARN, "grid": {"mm": [1]}}, "did you mean 'm'?"),
    ({**LEARN, "n": []}, "at least one value"),
    ({**LEARN, "repeats": 0}, "at least one repeat"),
    ({**LEARN, "protocols": [{"name": "grouping", "bits": []}]}, "empty list"),
    ({**LEARN, "protocols": ["grouping:bits=3,shft=true"]}, "did you mean 'shift'?"),
    ({**LEARN, "budget": {"bits": 3, "pr": "server"}}, "did you mean 'per'?"),
    ({**LEARN, "budget": {"bits": 3, "per": "sever"}}, "did you mean 'server'?"),
    ({**LEARN, "budget": {"per": "server"}}, "a positive number of 'bits'"),
    ({**LEARN, "budget": 3}, "a budget is a table"),
    ({**LEARN, "budget": {"bits": 3}, "target": {"l1": 1}}, "a budget or a target, not both"),
    ({**LEARN, "target": {"l1_": 0.1}}, "did you mean 'l1'?"),
    ({**LEARN, "target": {"l1": 0.1, "l2": 0.1}}, "names one number"),
    ({**LEARN, "target": {"l1": -1}}, "a positive number of 'l1'"),
    ({"method": "mean", "target": {"loss": "low"}}, "a finite number of 'loss'"),
]


@pytest.mark.parametrize(("table", "why"), WRONG, ids=[why for _, why in WRONG])
def test_what_makes_no_sense_is_refused_in_one_sentence(table: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as refused:
        check(read(table))
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_grid_of_a_million_is_counted_and_checked_without_being_made() -> None:
    table = {**LEARN, "m": list(range(1, 1001)), "seed": list(range(1000))}
    sweep = read(table)
    assert sweep.parts[0].grid.size == 10**6
    assert forecast.count(sweep) == (10**6, True)
    check(sweep)
    with pytest.raises(UsageError, match="m=0"):  # the last value of an axis is looked at
        check(read({**table, "m": [*range(1, 1000), 0]}))


def test_places_of_a_grid_are_the_tables_in_their_order() -> None:
    base = {key: value for key, value in LEARN.items() if key != "n"}
    grid = spec.Grid({**base, "grid": [{"n": [4, 8, 16]}, {"s": [1, 2], "seed": [5, 6]}]})
    assert [grid.at(place) for place in range(grid.size)] == list(grid)
    assert [(t["n"], t["s"], t["seed"]) for t in grid] == [(n, s, s + 4) for n in (4, 8, 16) for s in (1, 2)]
    corners = [(t["n"], t["s"]) for t in map(grid.at, grid.corners())]
    assert sorted(corners) == [(4, 1), (4, 2), (8, 1), (16, 1)]
