"""Reading: what `Lines` says of a file is what Python's own json says; runs with two results are found."""

import json
from pathlib import Path
from typing import Any

import pytest

from distest import reading, records
from distest.reading import Lines, RecordError
from distest.runs import Part, Runs

TABLE = {"name": "zipf", "deep": {"of": [1, 2]}}


def record(place: int, **changed: Any) -> dict[str, Any]:
    """A record of one of three shapes, by its place."""
    shape = ({}, {"method": "mean", "warnings": []}, {"not an identifier": None, "wide": 10**30})[place % 3]
    return {"schema": 1, "repeat": place, "l1": place / 7, "spec": TABLE, "name": "ä\u2028", **shape, **changed}


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("chunk", [1, 100, 1 << 17])
def test_lines_are_what_json_reads_in_every_way_of_asking(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", chunk)
    written = [record(place) for place in (0, 3, 6, 9, 1, 0, 2, 5, 4, 9, 12, 12)]
    found = Lines(write(tmp_path / "r.jsonl", [json.dumps(one, ensure_ascii=False) for one in written]))
    assert list(found) == written
    assert [found[place] for place in range(-len(written), len(written))] == written * 2
    assert found[3:9:2] == written[3:9:2]
    assert list(found.rows(("l1", "method"))) == [(one["l1"], one.get("method")) for one in written]
    assert [found.line(place) for place in range(len(written))] == list(range(1, 13))
    with pytest.raises(IndexError, match="has 12 records, there is none at 12"):
        found[12]


def test_numbers_of_lines_pass_over_what_is_no_record(tmp_path: Path) -> None:
    rows = [json.dumps(record(place)) for place in range(4)]
    found = Lines(write(tmp_path / "r.jsonl", [rows[0], "", rows[1], rows[2][:20], rows[3]]))
    assert [one["repeat"] for one in found] == [0, 1, 3]
    assert [found.line(place) for place in range(3)] == [1, 3, 5]


def test_an_infinity_is_read_as_json_reads_it(tmp_path: Path) -> None:
    found = Lines(write(tmp_path / "r.jsonl", ['{"schema":1,"l1":1e999}', '{"schema":1,"l1":1}']))
    assert list(found.rows(("l1",))) == [(float("inf"),), (1,)]
    assert [one["l1"] for one in found] == [float("inf"), 1]


def test_equal_tables_are_one_object_and_different_ones_are_not(tmp_path: Path) -> None:
    rows = [record(0), record(3), record(6, spec={**TABLE, "name": "uniform"}), record(9)]
    found = list(Lines(write(tmp_path / "r.jsonl", [json.dumps(one) for one in rows])))
    assert found[1]["spec"] is found[3]["spec"]
    assert found == rows


def test_an_older_schema_is_converted_where_somebody_knows_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "r.jsonl", ['{"schema":0,"error":2}', '{"schema":1,"l1":3}'])
    with pytest.raises(RecordError, match=r"line 1 has schema 0; this version of distest reads 1: run it once more"):
        Lines(path)
    monkeypatch.setitem(reading.CONVERT, 0, lambda old: {"schema": 1, "l1": old["error"]})
    assert records.load(path) == [{"schema": 1, "l1": 2}, {"schema": 1, "l1": 3}]


def test_a_newer_schema_asks_for_a_newer_version(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"reads 1: install the version of distest that wrote it"):
        Lines(write(tmp_path / "r.jsonl", ['{"schema":2}']))


def run(**changed: Any) -> dict[str, Any]:
    made = {"schema": 1, "label": "grouping b=3", "spec": {"n": 4}, "spec_hash": "ab", "seed": 0, "repeat": 1}
    return {**made, "payload_bits": 9, "digest": "d", "estimate_sha256": "e", "versions": {"numpy": "2.4"}, **changed}


@pytest.mark.parametrize("column", ["payload_bits", "digest", "estimate_sha256", "model_sha256"])
def test_one_run_with_two_results_is_an_alarm(tmp_path: Path, column: str) -> None:
    both = [run(), run(seed=5), run(**{column: "other"}), run(seconds=3.0)]
    lines = Lines(write(tmp_path / "r.jsonl", [json.dumps(one) for one in both]))
    for some in (both, lines):
        (found,) = records.conflicts(some)
        assert (found.column, found.places, found.values[1]) == (column, ("record 1", "record 3"), "other")
    (found,) = records.conflicts(lines, lambda place: f"{lines.path}, line {lines.line(place)}")
    assert "ALARM: one run, two results: grouping b=3 (spec ab, seed 0, repeat 1)" in str(found)
    assert "r.jsonl, line 1 and " in str(found)
    assert "their versions are the same" in str(found)


def test_an_alarm_says_which_versions_differ() -> None:
    (found,) = records.conflicts([run(), run(digest="x", versions={"numpy": "2.5", "commit": "c"})])
    assert str(found).endswith("their versions differ: commit absent and c, numpy 2.4 and 2.5")


def test_results_that_depend_on_more_than_the_seed_are_no_alarm() -> None:
    live = {"method": {"name": "asy_fpg", "clock": {"name": "live"}}}
    for changed in ({"ledger": "none"}, {"spec": live}):
        assert records.conflicts([run(**changed), run(digest="x", **changed)]) == []
    assert records.conflicts([run(), run(), run(repeat=2, digest="x")]) == []


@pytest.mark.parametrize("chunk", [1, 300, 1 << 17])
def test_a_run_is_found_again_in_whatever_file_and_form_it_comes(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", chunk)
    rows = [run(repeat=place) for place in range(20)]
    odd = [run(repeat=20, l1=float("inf")), run(seed=[1]), {**run(), "spec_hash": None}, {"schema": 1}, {"schema": 1}]
    one = write(tmp_path / "a.jsonl", [json.dumps(row) for row in (*rows, *odd)])
    again = [run(repeat=7), run(repeat=20, digest="x"), run(repeat=3, digest="y")]
    other = write(tmp_path / "b.jsonl", ["", *map(json.dumps, again)])
    memory = [run(repeat=40), run(repeat=5, payload_bits=8)]
    found = Runs([Part(Lines(one), one), Part(memory), Part(Lines(other), other)])
    said = [(conflict.column, conflict.places) for conflict in found.conflicts()]
    first = f"{one}, line"
    assert said == [
        ("payload_bits", (f"{first} 6", "record 27")),
        ("digest", (f"{first} 21", f"{other}, line 3")),
        ("digest", (f"{first} 4", f"{other}, line 4")),
    ]
    assert len(set(found.runs[:20])) == 20
    assert list(found.rows(("repeat",), [0, 19, 25, 29])) == [(0,), (19,), (40,), (3,)]


def test_a_run_that_is_not_repeated_costs_no_second_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines(write(tmp_path / "r.jsonl", [json.dumps(run(repeat=place)) for place in range(5)]))
    monkeypatch.setattr(reading._Decoder, "rows", lambda *_: pytest.fail("a line was decoded once more"))
    assert records.conflicts(lines) == []
