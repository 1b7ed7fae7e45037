"""Records: a line is written whole or not at all, and a file says in one sentence what is wrong with it."""

import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distest import reading, records
from distest.records import RecordError

RECORD: dict[str, Any] = {"schema": 1, "kind": "learn", "spec": {"b": {"c": "ä\n"}, "a": [1, 2.5, None]}, "n": 3}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_records_come_back_in_order(tmp_path: Path) -> None:
    for number in range(3):
        records.append(tmp_path / records.FILE, {**RECORD, "seed": number})
    expected = [{**RECORD, "seed": number} for number in range(3)]
    assert records.load(tmp_path) == records.load(tmp_path / records.FILE) == expected
    assert len((tmp_path / records.FILE).read_bytes().splitlines()) == 3


@given(record=st.dictionaries(st.text(), JSON, max_size=4))
def test_any_values_survive(tmp_path_factory: pytest.TempPathFactory, record: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("records") / "r.jsonl"
    records.append(path, {**record, "schema": 1})
    assert records.load(path) == [{**record, "schema": 1}]


def test_every_cut_of_the_last_line_leaves_the_others_and_the_next_is_whole(tmp_path: Path) -> None:
    path = tmp_path / records.FILE
    records.append(path, {**RECORD, "seed": 0})
    start = path.stat().st_size
    records.append(path, {**RECORD, "seed": 1})
    data = path.read_bytes()
    for cut in range(start, len(data) - 1):
        path.write_bytes(data[:cut])
        assert [r["seed"] for r in records.load(path)] == [0]
        records.append(path, {**RECORD, "seed": 2})
        assert [r["seed"] for r in records.load(path)] == [0, 2], f"cut at byte {cut - start} of the line"
        assert path.read_bytes().startswith(data[:cut])


def test_a_record_that_is_no_json_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / records.FILE
    records.append(path, RECORD)
    before = path.read_bytes()
    for bad in (float("nan"), float("inf"), {1, 2}, object()):
        with pytest.raises((ValueError, TypeError)):
            records.append(path, {**RECORD, "bad": bad})
    assert path.read_bytes() == before


def test_a_disk_that_fills_up_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    """A limit on the file size stands for the disk: the system writes what fits, which is half of the line."""
    path = tmp_path / records.FILE
    records.append(path, RECORD)
    before = path.read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, len(before) + 20))

    program = (
        "import sys; from pathlib import Path; from distest import records\n"
        "try: records.append(Path(sys.argv[1]), {'schema': 1, 'long': 'x' * 100})\n"
        "except records.RecordError as error: print(error)"
    )
    root = Path(records.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit,
        check=True,
    )
    assert "cannot be written" in done.stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize("schema", [2, 0, "1", None])
def test_another_schema_is_refused_with_the_line(tmp_path: Path, schema: Any) -> None:
    path = tmp_path / records.FILE
    records.append(path, RECORD)
    records.append(path, {**RECORD, "schema": schema})
    with pytest.raises(RecordError, match=rf"records.jsonl, line 2 has schema {schema!r}; this version .* reads 1"):
        records.load(path)


@pytest.mark.parametrize("line", ['{"kind":"learn"}', "[1,2]", "3", '"text"', "null"])
def test_a_line_that_is_no_record_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / records.FILE
    path.write_text(line + "\n")
    with pytest.raises(RecordError, match="line 1 is no record: it has no 'schema'"):
        records.load(path)


@pytest.mark.parametrize("line", ['{"schema":1,}', '{"schema" 1}', "{schema:1}", '{"schema":' + "1" * 5000 + "}"])
def test_a_line_that_is_no_json_is_refused_where_it_was_not_cut_off(tmp_path: Path, line: str) -> None:
    path = tmp_path / records.FILE
    path.write_text(line + "\n" + records.canonical(RECORD) + "\n")
    with pytest.raises(RecordError, match="line 1 is no JSON object"):
        records.load(path)


def test_missing_and_unreadable_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"records\.jsonl is not a readable records file \(No such file"):
        records.load(tmp_path)
    (tmp_path / records.FILE).write_bytes(b"\xff\xfe\n")
    with pytest.raises(RecordError, match="not UTF-8 text"):
        records.load(tmp_path)
    with pytest.raises(RecordError, match="cannot be written"):
        records.append(tmp_path / "nowhere" / records.FILE, RECORD)


def test_empty_lines_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / records.FILE
    path.write_text("\n\n" + records.canonical(RECORD) + "\n\n")
    assert records.load(path) == [RECORD]


def test_a_hash_is_frozen_and_does_not_depend_on_the_order_of_keys() -> None:
    spec = {"kind": "learn", "protocol": {"name": "grouping", "bits": 3, "shift": True}, "n": 16, "m": 3200}
    assert records.spec_hash(spec) == "1d089cd9776f63aa"
    backwards = {key: spec[key] for key in reversed(spec)}
    assert records.spec_hash(backwards) == records.spec_hash(spec)
    assert records.spec_hash({**spec, "n": 17}) != records.spec_hash(spec)
    assert records.spec_hash(json.loads(records.canonical(spec))) == records.spec_hash(spec)


def test_versions_tell_what_the_numbers_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = records.versions()
    assert {"python", "numpy", "numba"} <= set(found)
    assert all(isinstance(version, str) and version for version in found.values())
    monkeypatch.chdir(tmp_path)
    assert records.versions() == found
    if "commit" in found:
        assert len(found["commit"]) == 40
        assert int(found["commit"], 16) >= 0


def test_the_machine_is_named_as_the_system_names_it(tmp_path: Path) -> None:
    found = records.machine()
    assert set(found) == {"processor", "cores", "system"}
    assert found["cores"] == os.cpu_count()
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9 @ 2: fast\nmodel name\t: other\n")
    assert records._processor(tmp_path / "cpuinfo") == "Abacus 9 @ 2: fast"
    (tmp_path / "bare").write_text("processor\t: 0\n")
    assert records._processor(tmp_path / "bare") == records._processor(tmp_path / "none") == platform.machine()


def test_a_commit_is_read_from_a_branch_from_packed_branches_and_from_a_bare_head(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = tmp_path / ".git"
    assert records._commit(git) is None
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert records._commit(git) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n")
    assert records._commit(git) == commit
    (git / "refs" / "heads" / "main").write_text(commit[::-1] + "\n")
    assert records._commit(git) == commit[::-1]
    (git / "HEAD").write_text(commit + "\n")
    assert records._commit(git) == commit


def test_records_need_nothing_else_of_distest() -> None:
    source = Path(records.__file__).read_text()
    assert source.count("from distest") == source.count("from distest.reading") == 1
    for text in (source, Path(reading.__file__).read_text()):
        assert "import numpy" not in text
    assert os.path.basename(records.FILE) == "records.jsonl"
