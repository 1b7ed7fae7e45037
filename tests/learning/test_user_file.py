"""A user's file as a population: every format gives the same symbols, every bad file one sentence."""

import builtins
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest.learning.population import Population
from distest.learning.user_file import read_population

WORDS = ["pear", "fig", "pear", "apple", "fig", "pear"]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    pa = pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def table(population: Population) -> dict[str, int]:
    assert population.labels is not None
    return dict(zip(population.labels, population.counts.tolist(), strict=True))


def refused(path: Path, column: str | None = None) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read_population(path, column)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message.replace(str(path), path.name)


# ---- what is read


def test_every_format_gives_the_same_symbols(tmp_path: Path) -> None:
    comma = "".join(f"{i},{word}\n" for i, word in enumerate(WORDS))
    lines = "".join(json.dumps({"id": i, "fruit": word}) + "\n" for i, word in enumerate(WORDS))
    files = [
        (written(tmp_path, "a.csv", "id,fruit\n" + comma), "fruit"),
        (written(tmp_path, "A.CSV", "\ufeffid,fruit\r\n" + comma.replace("\n", "\r\n")), "fruit"),
        (written(tmp_path, "b.csv.gz", "id,fruit\n" + comma), "fruit"),
        (written(tmp_path, "c.tsv", "id\tfruit\n" + comma.replace(",", "\t")), "fruit"),
        (written(tmp_path, "d.jsonl", lines), "fruit"),
        (written(tmp_path, "e.jsonl.gz", lines), "fruit"),
        (written(tmp_path, "f.txt", "\n".join(WORDS)), None),
        (written(tmp_path, "g", "\n\n".join(WORDS) + "\n \n"), None),
        (written(tmp_path, "h.gz", "\n".join(WORDS)), None),
        (parquet(tmp_path, {"id": list(range(6)), "fruit": WORDS}), "fruit"),
    ]
    for path, column in files:
        population = read_population(path, column)
        assert population.labels == ("apple", "fig", "pear"), path
        assert population.counts.tolist() == [1, 2, 3]
        assert population.name == path.name
    assert len({read_population(*file).sha256 for file in files}) == 1


def test_the_order_of_rows_does_not_change_the_symbols(tmp_path: Path) -> None:
    forth = read_population(written(tmp_path, "a.txt", "\n".join(WORDS)), None)
    back = read_population(written(tmp_path, "b.txt", "\n".join(reversed(WORDS))), None)
    assert forth.sha256 == back.sha256


def test_integers_are_sorted_by_value_and_other_values_as_text(tmp_path: Path) -> None:
    assert read_population(written(tmp_path, "a.txt", "10\n9\n-3\n9"), None).labels == ("-3", "9", "10")
    assert read_population(written(tmp_path, "b.txt", "7\n07\n10"), None).labels == ("07", "7", "10")
    assert read_population(written(tmp_path, "c.txt", "10\n9\nnone"), None).labels == ("10", "9", "none")
    assert read_population(written(tmp_path, "d.txt", "10\n9.5\n1_0"), None).labels == ("10", "1_0", "9.5")


def test_the_only_column_need_not_be_named(tmp_path: Path) -> None:
    assert table(read_population(written(tmp_path, "a.csv", "x\n1\n2\n2\n"), None)) == {"1": 1, "2": 2}
    assert table(read_population(written(tmp_path, "a.jsonl", '{"x": 1}\n{}\n{"x": 2}'), None)) == {
        "1": 1,
        "2": 1,
    }
    assert table(read_population(parquet(tmp_path, {"x": [1, 2, 2]}), None)) == {"1": 1, "2": 2}


def test_empty_cells_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [{"k": 0, "v": "a"}, {"k": 1, "v": None}, {"k": 2}, {"k": 3, "v": " "}, {"k": 4, "v": "b"}]
    files = [
        written(tmp_path, "a.csv", 'k,v\n0,a\n1,\n\n2,""\n3, \n4,b\n'),
        written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))),
        parquet(tmp_path, {"k": list(range(5)), "v": ["a", None, "", " ", "b"]}),
    ]
    for path in files:
        population = read_population(path, "v")
        assert table(population) == {"a": 1, "b": 1}
        assert population.describe()["dropped"] == 3


def test_quotes_may_hold_separators_and_ends_of_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'a,b\n"x, y",1\n"x\ny",2\n"say ""x""",3\n')
    assert read_population(path, "a").labels == ('say "x"', "x\ny", "x, y")


def test_values_of_json_and_parquet_become_text(tmp_path: Path) -> None:
    lines = '{"v": 3}\n{"v": 3.0}\n{"v": "3"}\n{"v": 0.5}\n{"v": true}\n'
    assert table(read_population(written(tmp_path, "a.jsonl", lines), "v")) == {"0.5": 1, "3": 3, "true": 1}
    floats = parquet(tmp_path, {"v": [10.0, 9.0, None, float("nan"), 9.0]})
    population = read_population(floats, "v")
    assert population.labels == ("9", "10")
    assert population.dropped == 2


def test_parquet_types_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    coded = pa.array(["b", "a", None, "b"]).dictionary_encode()
    assert table(read_population(parquet(tmp_path, {"v": coded}), None)) == {"a": 1, "b": 2}
    days = pa.array([1, 0, 1], type=pa.date32())
    assert table(read_population(parquet(tmp_path, {"v": days}), None)) == {"1970-01-01": 1, "1970-01-02": 2}
    raw = pa.array([b"x", b"y"], type=pa.binary())
    assert table(read_population(parquet(tmp_path, {"v": raw}), None)) == {"x": 1, "y": 1}
    flags = pa.array([True, False, True])
    assert table(read_population(parquet(tmp_path, {"v": flags}), None)) == {"false": 1, "true": 2}


def test_two_hundred_thousand_rows_are_counted_exactly(tmp_path: Path) -> None:
    symbols = np.random.default_rng(1).integers(0, 500, 200_000)
    path = written(tmp_path, "a.csv", "i,v\n" + "".join(f"{i},{v}\n" for i, v in enumerate(symbols)))
    population = read_population(path, "v")
    assert population.rows == 200_000
    assert np.array_equal(population.counts, np.bincount(symbols))
    assert read_population(path, "i").n == 200_000


# ---- what is refused


def test_a_missing_column_is_answered_with_the_columns_there_are(tmp_path: Path) -> None:
    for path in (
        written(tmp_path, "a.csv", "origin,Dest\nA,B\n"),
        written(tmp_path, "a.jsonl", '{"origin": 1}\n{"Dest": 2}\n'),
        parquet(tmp_path, {"origin": [1, 2], "Dest": [3, 4]}),
    ):
        assert "'dest' (did you mean 'Dest'?); known: origin, Dest" in refused(path, "dest")
        assert refused(path, "zzz").endswith("'zzz'; known: origin, Dest")
        assert refused(path).endswith("has 2 columns, name one of them: origin, Dest")


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.csv", "", None, "a.csv is empty; a table starts with a header line"),
        ("a.csv", "x\n", None, "column 'x' of a.csv has no values"),
        ("a.csv", "x,y\n,1\n,2\n", "x", "column 'x' of a.csv has no values, only 2 empty cells"),
        (
            "a.csv",
            "x,y\n4,1\n4,2\n",
            "x",
            "column 'x' of a.csv holds one category only, '4'; at least 2 are needed",
        ),
        ("a.csv", "x,y\n1,2\n3\n", "x", "a.csv, line 3: the header names 2 columns, this row has 1"),
        ("a.csv", "x,y\n1,2\n3,4,5\n", "x", "a.csv, line 3: the header names 2 columns, this row has 3"),
        ("a.csv", 'x,y\n1,2\n"3,4\n5,6\n', "x", "a.csv, line 4: not a table (unexpected end of data)"),
        ("a.csv", "x,x\n1,2\n", "x", "a.csv has 2 columns named 'x'"),
        ("a.csv", b"x,y\n1,2\n\xe9,4\n", "x", "a.csv, line 3: byte 0xe9 is not UTF-8 text"),
        ("a.csv.gz", b"x,y\n1,2\n3,\xff\n", "x", "a.csv.gz, line 3: byte 0xff is not UTF-8 text"),
        ("a.tsv", "x\ty\n1\t2\n3\n", "x", "a.tsv, line 3: the header names 2 columns, this row has 1"),
        ("a.jsonl", "", None, "a.jsonl has no rows"),
        ("a.jsonl", "\n\n", "x", "a.jsonl has no rows"),
        ("a.jsonl", '{"x": 1}\n{"x": \n', "x", "a.jsonl, line 2: not JSON (Expecting value)"),
        ("a.jsonl", '{"x": 1}\n\n{"x": NaN}\n', "x", "a.jsonl, line 3: not JSON (NaN is not a JSON number)"),
        ("a.jsonl", '{"x": 1}\n[1, 2]\n', "x", "a.jsonl, line 2: an object is needed, got '[1, 2]'"),
        (
            "a.jsonl",
            '{"x": 1}\n{"x": [2]}\n',
            "x",
            "a.jsonl, line 2: column 'x' holds a list or an object, not one value",
        ),
        (
            "a.jsonl",
            '{"x": null}\n{"x": ""}\n',
            "x",
            "column 'x' of a.jsonl has no values, only 2 empty cells",
        ),
        ("a.jsonl", b'{"x": 1}\n{"x": "\xff"}\n', "x", "a.jsonl, line 2: byte 0xff is not UTF-8 text"),
        ("a.txt", "", None, "a.txt has no values"),
        ("a.txt", "\n \n", None, "a.txt has no values"),
        ("a.txt", "b\nb\n", None, "a.txt holds one category only, 'b'; at least 2 are needed"),
        ("a.txt", b"a\nb\n\x80\n", None, "a.txt, line 3: byte 0x80 is not UTF-8 text"),
    ],
)
def test_bad_content_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: str | bytes, column: str | None, message: str
) -> None:
    assert refused(written(tmp_path, name, content), column) == message


def test_deep_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"x": 1}\n' + "[" * 200_000 + "\n")
    assert "a.jsonl, line 2: not JSON (" in refused(path, "x")


def test_a_late_bad_byte_is_found_in_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", b"good\n" * 50_000 + b"bad \xc3\n" + b"good\n" * 50_000)
    assert refused(path) == "a.txt, line 50001: byte 0xc3 is not UTF-8 text"


def test_plain_text_has_no_columns(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "a.txt", "1\n2\n"), "x")
    assert message.startswith("a.txt is read as plain text, one value a line, and has no column 'x'; ")


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    for name in ("none.csv", "none.jsonl", "none.parquet", "none.txt", "none.csv.gz"):
        assert refused(tmp_path / name) == f"{name} cannot be read: No such file or directory"
    (tmp_path / "folder.csv").mkdir()
    assert refused(tmp_path / "folder.csv") == "folder.csv cannot be read: Is a directory"


def test_broken_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"x\n" + b"1\n2\n" * 10_000)
    cut, plain, damaged = (tmp_path / name for name in ("cut.csv.gz", "plain.csv.gz", "damaged.csv.gz"))
    cut.write_bytes(whole[:-20])
    plain.write_bytes(b"x\n1\n2\n")
    damaged.write_bytes(whole[:20] + bytes(255 - byte for byte in whole[20:40]) + whole[40:])
    assert refused(cut).startswith("cut.csv.gz is a broken gzip file: ")
    assert refused(plain).startswith("plain.csv.gz cannot be read: Not a gzipped file")
    assert "damaged.csv.gz" in refused(damaged)


def test_corrupt_parquet_is_refused(tmp_path: Path) -> None:
    good = parquet(tmp_path, {"x": list(range(1000))}).read_bytes()
    for name, data in {
        "empty": b"",
        "text": b"x\n1\n2\n",
        "cut": good[: len(good) // 2],
        "footer": good[:-60] + b"\xff" * 52 + good[-8:],
        "pages": good[:4] + b"\xff" * 200 + good[204:],
    }.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(data)
        refused(path)


def test_parquet_columns_without_one_value_a_row_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"x": [[1, 2], [3]]})
    assert "column 'x' of rows.parquet holds list<" in refused(path)
    pa = pytest.importorskip("pyarrow")
    path = parquet(tmp_path, {"x": pa.array([b"\xff", b"a"], type=pa.binary())})
    assert refused(path) == "column 'x' of rows.parquet holds text that is not UTF-8"
    path = parquet(tmp_path, {"x": pa.array([], type=pa.int64())})
    assert refused(path) == "column 'x' of rows.parquet has no values"


def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a.parquet", b"PAR1")
    true_import = builtins.__import__

    def no_pyarrow(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    assert refused(path, "x") == 'a.parquet needs pyarrow to be read: pip install "distest[parquet]"'
