"""Specs: TOML, flags and --set mean the same, and what does not fit is one sentence that names the nearest."""

import re
from pathlib import Path
from typing import Any

import pytest

from distest import spec as specs
from distest.errors import UsageError
from distest.spec import LearnSpec

Table = dict[str, Any]
PLAIN: Table = {"protocols": [{"name": "grouping", "bits": 3}], "distribution": {"name": "uniform"}, "n": 8, "m": 30}

TOML = """
protocol = "grouping:bits=3"
n = 8
m = 30
seed = 5

[distribution]
name = "zipf"
exponent = 1.5
"""


def checked(table: Table) -> LearnSpec:
    return specs.check(specs.normalise(table))


# ---- TOML


def test_a_toml_file_is_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TOML)
    spec = checked(specs.read_toml(path))
    assert spec.protocols == [{"name": "grouping", "bits": 3}]
    assert spec.distribution == {"name": "zipf", "exponent": 1.5}
    assert (spec.n, spec.m, spec.s, spec.seed, spec.repeats) == (8, 30, 1, 5, 1)


def test_specs_shipped_with_the_project_are_specs() -> None:
    folder = Path(specs.__file__).parents[1] / "scripts" / "specs"
    found = [path for path in folder.glob("*.toml") if path.name != "thresholds.toml"]
    assert found
    for path in found:
        for table in specs.expand(specs.read_toml(path)):
            assert specs.check(table).protocols


@pytest.mark.parametrize(
    ("text", "said"),
    [("n = ", "is not TOML"), ("n = 1\nn = 2", "is not TOML"), ("\udcff", "is not TOML"), ("[a", "is not TOML")],
)
def test_what_is_no_toml_is_refused_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=rf"bad\.toml {said}"):
        specs.read_toml(path)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            specs.read_toml(path)


# ---- short forms


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("grouping", {"name": "grouping"}),
        ("grouping:bits=3,shift=false", {"name": "grouping", "bits": 3, "shift": False}),
        ("zipf: exponent = 1.5", {"name": "zipf", "exponent": 1.5}),
        ("full_sample:code=block", {"name": "full_sample", "code": "block"}),
        ('full_sample:code="block"', {"name": "full_sample", "code": "block"}),
    ],
)
def test_a_short_form_is_a_table(text: str, table: Table) -> None:
    assert specs.named(text) == table


@pytest.mark.parametrize("text", ["grouping:3", "grouping:bits", "grouping:bits=3,", "grouping:=3"])
def test_a_short_form_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="options are written key=value"):
        specs.named(text)


@pytest.mark.parametrize(
    "table",
    [
        {"protocol": "grouping:bits=3"},
        {"protocol": {"name": "grouping", "bits": 3}},
        {"protocols": "grouping:bits=3"},
        {"protocols": ["grouping:bits=3"]},
        {"protocols": [{"name": "grouping", "bits": 3}]},
        {"protocol": ["grouping:bits=3"]},
        {"protocols": [], "protocol": "grouping:bits=3"},
    ],
    ids=str,
)
def test_protocols_may_be_named_in_every_form(table: Table) -> None:
    spec = checked({"distribution": "uniform", "n": 8, "m": 30, **table})
    assert spec.protocols == [{"name": "grouping", "bits": 3}]
    assert spec.distribution == {"name": "uniform"}


def test_normalising_changes_no_argument_and_is_done_once() -> None:
    table = {"protocol": "grouping:bits=3", "protocols": ["full_sample"], "data": "departures:slot=15"}
    before = repr(table)
    once = specs.normalise(table)
    assert repr(table) == before
    assert once == {
        "protocols": [{"name": "full_sample"}, {"name": "grouping", "bits": 3}],
        "data": {"name": "departures", "slot": 15},
    }
    assert specs.normalise(once) == once


@pytest.mark.parametrize("entry", [3, [3], [None], True, 1.5])
def test_a_protocol_that_is_neither_name_nor_table_is_refused(entry: Any) -> None:
    with pytest.raises(UsageError, match="a protocol is a name or a table"):
        specs.normalise({"protocols": entry})


# ---- --set


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("n=16", "n", 16),
        ("m = 5", "m", 5),
        ("sampling=dealt", "sampling", "dealt"),
        ('sampling="dealt"', "sampling", "dealt"),
        ("distribution.exponent=2", "distribution", {"name": "uniform", "exponent": 2}),
        ("data.file=x=y.csv", "data", {"file": "x=y.csv"}),
        ("protocol.bits=1", "protocols", [{"name": "grouping", "bits": 1}]),
        ("distribution=zipf", "distribution", "zipf"),
    ],
)
def test_a_setting_changes_one_key(setting: str, key: str, value: Any) -> None:
    table = specs.normalise(PLAIN)
    specs.assign(table, setting)
    assert table.pop(key) == value
    assert table == {k: v for k, v in specs.normalise(PLAIN).items() if k != key}


@pytest.mark.parametrize("setting", ["n", "=3", "", "a..b=3", ".n=3", "n.=3"])
def test_a_setting_without_key_or_value_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="--set takes key=value"):
        specs.assign(specs.normalise(PLAIN), setting)


def test_a_setting_cannot_reach_into_a_value() -> None:
    with pytest.raises(UsageError, match="'n' is a value, not a table"):
        specs.assign(specs.normalise(PLAIN), "n.x=3")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1.5", 1.5),
        ("true", True),
        ('"3"', "3"),
        ("word", "word"),
        ("[1, 2]", [1, 2]),
        ("", ""),
        ("a b", "a b"),
    ],
)
def test_values_are_read_as_toml_reads_them(text: str, value: Any) -> None:
    found = specs.value_of(text)
    assert found == value
    assert type(found) is type(value)


# ---- a budget of bits


def test_a_budget_goes_to_every_protocol_that_takes_one_and_has_none() -> None:
    protocols = [specs.named(p) for p in ("grouping", "full_sample", "balanced_hash:bits=5")]
    specs.spread(protocols, "bits", 2)
    assert [p.get("bits") for p in protocols] == [2, None, 5]


def test_a_budget_that_fits_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--bits 2 fits none of the protocols asked for \(full_sample\)"):
        specs.spread([{"name": "full_sample"}], "bits", 2)


# ---- checks


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("sede", "seed"), ("repeat", "repeats"), ("protcols", "protocols"), ("samplng", "sampling"), ("N", None)],
)
def test_a_misspelt_key_names_the_nearest(key: str, nearest: str | None) -> None:
    with pytest.raises(UsageError, match=f"no key of a learn spec {key!r}") as caught:
        checked({**PLAIN, key: 1})
    said = str(caught.value)
    assert (f"did you mean {nearest!r}?" in said) == (nearest is not None)
    assert all(known in said for known in LearnSpec.__struct_fields__)


def test_either_a_distribution_or_data_is_given() -> None:
    neither = {k: v for k, v in PLAIN.items() if k != "distribution"}
    for table, got in ((neither, "neither"), ({**PLAIN, "data": "departures"}, "both")):
        with pytest.raises(UsageError, match=f"give either a distribution.* or data to learn, and not both: got {got}"):
            checked(table)
    assert checked({**neither, "data": "departures"}).data == {"name": "departures"}


@pytest.mark.parametrize("table", [{}, {"protocols": []}, {"n": 3}])
def test_a_protocol_is_named(table: Table) -> None:
    with pytest.raises(UsageError, match=r"no protocol was named; known: .*grouping"):
        checked(table)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("n", "many", "Expected `int | null`"),
        ("n", 2.5, "Expected `int | null`"),
        ("m", True, "Expected `int | null`"),
        ("s", "1", "Expected `int`"),
        ("loss", "l3", "Invalid enum value 'l3'"),
        ("sampling", "bootstrap", "Invalid enum value 'bootstrap'"),
        ("estimator", 3, "Expected `object`"),
        ("servers", "many", "Expected `object`"),
        ("generator", "mersenne", "Invalid enum value 'mersenne'"),
        ("hearing", "deaf", "Invalid enum value 'deaf'"),
        ("kind", "train", "Invalid enum value 'train'"),
        ("distribution", 3, "Expected `object | null`"),
        ("repeats", 0, "at least one repeat"),
        ("repeats", -1, "at least one repeat"),
        ("seed", -1, "from 0 to 2\\^64 - 1"),
        ("seed", 1 << 64, "from 0 to 2\\^64 - 1"),
    ],
)
def test_a_value_that_does_not_fit_is_one_sentence(key: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        checked({**PLAIN, key: value})
    assert "\n" not in str(caught.value)


def test_the_defaults_are_those_of_the_help() -> None:
    spec = checked(PLAIN)
    assert (spec.s, spec.loss, spec.sampling) == (1, "l2", "iid")
    assert spec.estimator == {"name": "raw"}
    assert (spec.generator, spec.hearing, spec.seed, spec.repeats) == ("splitmix", "central", 0, 1)
    assert checked({**PLAIN, "seed": (1 << 64) - 1}).seed == (1 << 64) - 1


# ---- sweeps


def test_the_axes_of_a_grid_are_multiplied_and_the_keys_of_an_axis_change_together() -> None:
    grid = [{"n": [8, 16], "m": [30, 60]}, {"protocol.bits": [1, 2, 3]}]
    tables = specs.expand({"protocols": ["grouping:bits=3", "balanced_hash"], "distribution": "uniform", "grid": grid})
    found = [specs.check(table) for table in tables]
    assert [(f.n, f.m) for f in found] == [(8, 30)] * 3 + [(16, 60)] * 3
    assert [[p["bits"] for p in f.protocols] for f in found] == [[1, 1], [2, 2], [3, 3]] * 2


def test_one_table_is_an_axis_and_reaches_into_tables() -> None:
    grid = {"distribution.exponent": [0, 1.5], "repeats": [2, 3]}
    table: Table = {"protocol": "full_sample", "distribution": "zipf", "n": 8, "m": 30, "grid": grid}
    found = [specs.check(case) for case in specs.expand(table)]
    assert [(f.distribution, f.repeats) for f in found] == [
        ({"name": "zipf", "exponent": 0}, 2),
        ({"name": "zipf", "exponent": 1.5}, 3),
    ]
    assert table["grid"] is grid


def test_laws_and_protocols_may_be_swept_by_name() -> None:
    grid = {"protocol": ["full_sample", "grouping:bits=1"], "distribution": ["uniform", "zipf:exponent=2"]}
    found = [specs.check(case) for case in specs.expand({"n": 8, "m": 30, "grid": grid})]
    assert [f.protocols for f in found] == [[{"name": "full_sample"}], [{"name": "grouping", "bits": 1}]]
    assert [f.distribution for f in found] == [{"name": "uniform"}, {"name": "zipf", "exponent": 2}]


def test_without_a_grid_there_is_one_spec() -> None:
    assert specs.expand(PLAIN) == [specs.normalise(PLAIN)]
    assert specs.expand({**PLAIN, "grid": []}) == [specs.normalise(PLAIN)]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (3, "grid is a table, or a list of tables"),
        ([3], "grid is a table, or a list of tables"),
        ({"s": 3}, "'s' takes a list of at least one value, got 3"),
        ({"s": []}, "'s' takes a list of at least one value"),
        ({"s": [1, 2], "seed": [1]}, "need equally many values, got s 2, seed 1"),
        ([{"s": [1]}, {"s": [2]}], "'s' stands on two axes"),
        ({"m": [30, 60]}, "'m' is set to 30 and the grid changes it"),
        ({"n.x": [1]}, "'n' is a value, not a table"),
        ({"protocol.": [1]}, "no key 'protocol.'"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(grid: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        specs.expand({**PLAIN, "grid": grid})


def test_a_misspelt_key_of_a_grid_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'seed'"):
        [specs.check(table) for table in specs.expand({**PLAIN, "grid": {"sed": [1, 2]}})]
