"""Runs and the flat API: what the command line does, as Python; tables that pandas and polars open by themselves."""

import csv
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import distest
from analysis import exports
from distest import catalog, records
from distest.cli.main import run
from distest.errors import UsageError
from distest.runs import ConflictWarning, Runs

PROTOCOLS = ["grouping:bits=2", "full_sample"]


@pytest.fixture(scope="module")
def learned() -> Runs:
    return distest.learn(PROTOCOLS, n=16, m=300, distribution="zipf", repeats=3)


@pytest.fixture(scope="module")
def trained() -> Runs:
    return distest.train("softmax", ["qsgd", "mean"], workers=2, steps=8, batch=8, evaluate=4, repeats=2)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command prints."""

    def call(*arguments: str) -> str:
        run(list(arguments))
        return capfd.readouterr().out

    return call


@pytest.fixture
def folder(tmp_path: Path, learned: Runs, trained: Runs) -> Path:
    """Two folders of records below one."""
    learned.save(tmp_path / "a")
    trained.save(tmp_path / "b")
    return tmp_path


def bare(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "seconds"}


# ---- what runs


def test_learn_is_the_command_line(command: Any, learned: Runs) -> None:
    protocols = [f"--protocol={one}" for one in PROTOCOLS]
    said = command("learn", *protocols, "--n", "16", "--m", "300", "--distribution", "zipf", "--repeats", "3", "--json")
    assert [bare(record) for record in learned] == [bare(json.loads(line)) for line in said.splitlines()]


def test_train_is_the_command_line_with_its_series(command: Any, trained: Runs, tmp_path: Path) -> None:
    methods = ["--method", "qsgd", "--method", "mean", "--workers", "2", "--steps", "8", "--batch", "8"]
    command("train", *methods, "--evaluate", "4", "--repeats", "2", "--out", str(tmp_path / "out"))
    kept = distest.load(tmp_path / "out")
    assert [bare(record) for record in trained] == [bare(record) for record in kept]
    points = {run: [bare(p) for p in told] for run, told in trained.points().items()}
    assert points == {run: [bare({**p}) for p in _plain(told)] for run, told in kept.points().items()}
    assert [len(told) for told in points.values()] == [3] * 4


def _plain(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in point.items() if key != "schema"} for point in points]


def test_parts_of_methods_may_be_said_apart_or_inside() -> None:
    apart = distest.train("quadratic", "mean", compressor="qsgd:bits=2", workers=2, steps=1)
    inside = distest.train({"name": "quadratic"}, {"name": "mean", "compressor": "qsgd:bits=2"}, workers=2, steps=1)
    assert apart[0]["spec_hash"] == inside[0]["spec_hash"]
    assert apart[0]["spec"]["method"]["compressor"]["bits"] == 2


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: distest.learn("groping", n=9, m=60), "did you mean 'grouping'"),
        (lambda: distest.learn("grouping:bits=2", m=60), "give n"),
        (lambda: distest.learn([], n=9, m=60), "no protocol was named"),
        (lambda: distest.learn("full_sample", n=9, m=60, data="ages", distribution="zipf"), "and not both"),
        (lambda: distest.learn("full_sample", n=9, m=60, repeats=0), "at least one repeat"),
        (lambda: distest.train("softmx"), "did you mean 'softmax'"),
        (lambda: distest.train("softmax", "qsgd:bit=3"), "no option of qsgd 'bit'"),
        (lambda: distest.train(steps=3, epochs=1.0), "steps or epochs, not both"),
        (lambda: distest.train(workers=0), "workers is at least 1"),
        (lambda: distest.bounds(1, 3), "2 <= n < 2"),
        (lambda: distest.bounds(4, 3, bits=0), "at least one bit"),
        (lambda: distest.load(), "no file or folder"),
        (lambda: distest.load("nowhere"), "nowhere is not a readable records file"),
    ],
)
def test_bad_input_is_the_sentence_of_the_command_line(call: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        call()


def test_compare_is_the_command_line_and_keeps_its_folder(command: Callable[..., str], tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('[[learn]]\nprotocol = "full_sample"\nn = 16\nm = [10, 20]\ndistribution = "zipf"\nrepeats = 2\n')
    said = command("compare", str(spec), "--out", str(tmp_path / "out"), "--json")
    expected = [bare(json.loads(line)) for line in said.splitlines()]
    table = {"learn": [{"protocol": "full_sample", "n": 16, "m": [10, 20], "distribution": "zipf", "repeats": 2}]}
    assert [bare(record) for record in distest.compare(spec, tmp_path / "mine")] == expected
    bare_of_title = [{key: value for key, value in record.items() if key != "sweep"} for record in expected]
    found = [bare(record) for record in distest.compare(table)]
    assert [{key: value for key, value in record.items() if key != "sweep"} for record in found] == bare_of_title
    assert [bare(record) for record in distest.load(tmp_path / "mine")] == expected
    with pytest.raises(UsageError):
        distest.compare(spec, tmp_path / "mine")
    with pytest.raises(UsageError, match="did you mean"):
        distest.compare({"learn": [{"protocl": "full_sample"}]})


def test_bounds_are_those_of_the_command_line(command: Any) -> None:
    found = distest.bounds(n=64, m=1000, bits=2, loss="l2")
    said = command("bounds", "--n", "64", "--m", "1000", "--bits", "2", "--loss", "l2", "--json")
    assert found.rows() == [json.loads(line) for line in said.splitlines()]
    frame = found.to_pandas()
    assert list(frame["name"]) == [bound.name for bound in found]
    assert found[0].value == frame["value"][0]
    assert frame["binds"].sum() == 2


def test_a_star_import_gives_the_flat_names() -> None:
    names: dict[str, Any] = {}
    assert set(distest.__all__) == {"bounds", "compare", "learn", "load", "train"}
    for name in distest.__all__:
        names[name] = getattr(distest, name)
        assert names[name].__doc__
        assert "return" in names[name].__annotations__


# ---- what is read


def test_folders_below_a_folder_are_read_with_the_places_of_records(folder: Path) -> None:
    found = distest.load(folder)
    assert len(found) == 10
    assert repr(found) == "<Runs: 10 records of learn and train>"
    assert found.place(0) == f"{folder / 'a' / records.FILE}, line 1"
    assert found.place(-1) == f"{folder / 'b' / records.FILE}, line 4"
    assert [*found] == [found[place] for place in range(10)] == [*found[0:10]]
    assert len(distest.load(folder / "a", folder / "b" / records.FILE, folder)) == 10  # no file twice
    assert {record["protocol"] for record in found.where(kind="learn", repeat=1)} == {"grouping", "full_sample"}
    with pytest.raises(IndexError, match="10 records, none at 10"):
        found[10]


def test_an_empty_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / records.FILE).touch()
    with pytest.raises(UsageError, match=r"records.jsonl holds no record: no run was finished"):
        distest.load(tmp_path)


def test_one_run_with_two_results_is_a_warning_that_names_both_places(folder: Path) -> None:
    record = distest.load(folder / "a")[1]
    records.append(folder / "b" / records.FILE, {**record, "estimate_sha256": "0" * 64})
    with pytest.warns(ConflictWarning, match=r"a/records.jsonl, line 2 and 0{64} in .*b/records.jsonl, line 5"):
        distest.load(folder)


def test_kept_boards_are_audited(command: Any, tmp_path: Path, learned: Runs) -> None:
    command("learn", "--protocol", "grouping:bits=2", "--n", "9", "--m", "60", "--distribution", "zipf",
            "--out", str(tmp_path), "--no-figures")  # fmt: skip
    assert [verdict.wrong for verdict in distest.load(tmp_path).verify()] == [None]
    with pytest.raises(UsageError, match="no board was kept"):
        learned.verify()


# ---- tables


def test_the_table_of_learning_has_the_means_of_the_records(learned: Runs) -> None:
    grouping, _ = learned.table()
    some = [record for record in learned if record["protocol"] == "grouping"]
    assert grouping["runs"] == 3
    assert grouping["l2^2"] == pytest.approx(np.mean([record["l2_squared"] for record in some]))
    assert grouping["payload bits"] == 600


def test_the_table_of_training_has_the_median_bits_at_the_target(trained: Runs) -> None:
    points = trained.points()
    middle = {run: told[1] for run, told in points.items()}
    target = max(point["loss"] for point in middle.values())
    for row, first in zip(trained.table(target), (0, 2), strict=True):
        runs = [records.run_name(trained[first + repeat]) for repeat in (0, 1)]
        assert row["runs at target"] == 2
        assert row["bits at target"] == np.median([middle[run]["payload_bits"] for run in runs])
        assert row["loss"] == pytest.approx(np.mean([points[run][-1]["loss"] for run in runs]))
    (never, _) = trained.table(0.0)
    assert (never["runs at target"], never["bits at target"]) == (0, None)


def test_series_are_one_long_table(trained: Runs) -> None:
    frame = trained.series()
    assert len(frame) == 12
    assert list(frame.groupby("label", sort=False)["step"].max()) == [8, 8]
    assert {"run", "seed", "repeat", "loss", "payload_bits"} <= set(frame.columns)


def test_parquet_opens_in_polars_and_pandas_with_every_value(folder: Path) -> None:
    found = distest.load(folder)
    path = found.to_parquet(folder / "records.parquet")
    tables: list[list[dict[Any, Any]]] = [pl.read_parquet(path).to_dicts(), pd.read_parquet(path).to_dict("records")]
    for rows in tables:
        for record, row in zip(found, rows, strict=True):
            flat = exports.flat(record)
            for key, value in row.items():
                expected = flat.get(key)
                missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
                assert missing if expected is None else value == expected, key
    frame = pl.read_parquet(path)
    assert frame.filter(pl.col("spec.protocol.name") == "grouping")["spec.protocol.bits"].to_list() == [2, 2, 2]
    assert frame["versions.numpy"].unique().to_list() == [np.__version__]
    assert [*found.to_pandas().columns] == frame.columns


def test_csv_has_every_digit(folder: Path) -> None:
    found = distest.load(folder)
    with open(found.to_csv(folder / "records.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for record, row in zip(found, rows, strict=True):
        assert row["payload_bits"] == str(record["payload_bits"])
        assert row["spec.protocol.shift"] == ("false" if record.get("protocol") == "grouping" else "")
        assert record["kind"] == "train" or float(row["l1"]) == record["l1"]


def test_columns_have_one_type() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": True, "c": 2**64 - 1, "d": None, "e": {"f": [1, "x"]}, "g": 2**70}]
    rows += [{"a": 0.5, "b": 3, "c": 0, "d": None, "e": {"h": {}}, "g": -1}]
    table = exports.arrow(rows)
    assert table.to_pydict() == {
        "a": [1.0, 0.5],
        "b": ["true", "3"],
        "c": [2**64 - 1, 0],
        "d": [None, None],
        "e.f": ['[1, "x"]', None],
        "g": [str(2**70), "-1"],
    }
    assert [str(kind) for kind in table.schema.types[:4]] == ["double", "string", "uint64", "double"]


def test_markdown_is_the_table_for_people(learned: Runs) -> None:
    lines = learned.to_markdown().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("| protocol | runs | bits/server |")
    assert lines[1].startswith("| --- | ---: | ---: |")
    assert lines[2].startswith("| grouping b=2 | 3 | 2 | 600 |")
    assert exports.markdown([]) == ""
    assert exports.markdown([{"a|b": "c|d"}]) == "| a\\|b |\n| --- |\n| c\\|d |\n"


def test_what_cannot_be_written_is_one_sentence(learned: Runs, tmp_path: Path) -> None:
    for write in (learned.to_csv, learned.to_parquet):
        with pytest.raises(UsageError, match="cannot be written"):
            write(tmp_path / "missing" / "file")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        learned.save(tmp_path / "file")


# ---- pictures


def test_a_plot_of_learning_has_a_line_a_protocol_and_the_bound(learned: Runs) -> None:
    axes = learned.plot()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert set(labels) == {"grouping", "full_sample", "provable lower bound, worst p"}
    assert axes.get_ylabel() == "squared l2 error"
    axes.figure.clear()


def test_a_plot_of_training_has_the_means_of_the_series(trained: Runs) -> None:
    axes = trained.plot("accuracy")
    line = axes.get_lines()[0]
    told = [trained.points()[records.run_name(trained[repeat])] for repeat in (0, 1)]
    assert line.get_label() == catalog.label(catalog.build("method", {"name": "qsgd"}))
    assert np.asarray(line.get_ydata()) == pytest.approx(
        np.mean([[p["accuracy"] for p in t[1:]] for t in told], axis=0)
    )
    assert trained.plot(ax=axes) is axes
    axes.figure.clear()


def test_a_plot_of_both_kinds_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="one kind of runs, got learn and train"):
        distest.load(folder).plot()


def test_figures_for_a_paper_are_the_same_twice(folder: Path) -> None:
    found = distest.load(folder)
    first = found.figures(folder / "one")
    second = found.where(kind="train").figures(folder / "two")
    assert sorted(path.suffix for path in first) == [".pdf", ".pdf", ".svg", ".svg"]
    assert [path.name.split("-")[0] for path in first] == ["error", "error", "loss", "loss"]
    assert [path.read_bytes() for path in first[2:]] == [path.read_bytes() for path in second]


def test_the_papers_behind_runs_are_bibtex(folder: Path) -> None:
    found = distest.load(folder).bibtex()
    assert {"han2018", "alistarh2017", "seide2014", "steinhaus1957"} <= set(re.findall(r"\{(\w+),", found))


# ---- without the extras


@pytest.mark.parametrize(
    ("package", "asked", "what", "extra"),
    [
        ("pandas", lambda runs, _: runs.to_pandas(), "to_pandas", "report"),
        ("pandas", lambda runs, _: runs.series(), "a series as a table", "report"),
        ("pandas", lambda runs, _: distest.bounds(n=16, m=100).to_pandas(), "to_pandas", "report"),
        ("pyarrow", lambda runs, _: runs.to_arrow(), "to_arrow", "report"),
        ("pyarrow", lambda runs, path: runs.to_parquet(path / "a.parquet"), "a .parquet file", "parquet"),
        ("matplotlib", lambda runs, _: runs.plot(), "a plot", "report"),
        ("matplotlib", lambda runs, path: runs.figures(path), "a figure", "report"),
        ("scipy", lambda runs, _: runs.table(target=1.0), "a median of bits to a target", "train"),
        ("scipy", lambda _, path: run(["report", str(path / "b"), "-o", str(path / "r.md")]), "a report", "report"),
        ("jinja2", lambda _, path: run(["report", str(path / "b"), "-o", str(path / "r.html")]), "a page", "report"),
    ],
)
def test_a_package_that_is_missing_costs_one_sentence(
    package: str,
    asked: Callable[[Runs, Path], object],
    what: str,
    extra: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = distest.load(folder / "b")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as refused:
        asked(runs, folder)
    assert str(refused.value) == f'{what} needs {package}, which is missing: pip install "distest[{extra}]"'


def test_markdown_and_csv_need_nothing_that_draws_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("jinja2", "plotly", "matplotlib", "pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, package, None)
    for name in ("r.md", "r.csv"):
        run(["report", str(folder), "-o", str(folder / name)])
        assert (folder / name).stat().st_size > 500
