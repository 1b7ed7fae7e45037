"""A user's own file as a Population: one column of a table, or the lines of a text.

Keeps the rule that every bad file ends in one sentence that says where it is bad. Values are compared as text
with surrounding white space removed; empty ones are dropped and counted. Categories become symbols 0..n-1 in
the order of their numbers if all of them are integers and in the order of their characters otherwise, so the
mapping depends on the set of values alone and not on the order of the rows.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from distest.errors import UsageError, install, unknown
from distest.learning.population import Population

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")  # Python converts at most 4300 digits


@dataclass(frozen=True, slots=True)
class _Column:
    """What a reader found: how often each value occurs, empty ones included, and a name for the place."""

    values: Counter[str]
    name: str | None


def read_population(path: str | Path, column: str | None = None) -> Population:
    """Read a column of a .csv, .tsv, .parquet or .jsonl file, or the lines of any other file.

    column: which one; may be None where there is only one, and must be None for plain text. .csv and .tsv
    have a header line; .jsonl has one object a line, and a missing or null member is an empty cell. Blank
    lines are ignored. All but .parquet are UTF-8 and may be compressed (.gz).

    UsageError (a ValueError), in one sentence: a file that cannot be read or is broken, with the line; a
    column that is missing or not named; no values; fewer than two categories.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    read = _READERS.get(kind, _read_text)
    try:
        found = read(path, column)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or _short(error)}") from None
    except (EOFError, zlib.error) as error:
        raise UsageError(f"{path} is a broken gzip file: {error}") from None
    return _population(path, found)


def _population(path: Path, found: _Column) -> Population:
    """Strip the values, drop the empty ones, put the categories in order."""
    counts: Counter[str] = Counter()
    for value, count in found.values.items():
        counts[value.strip()] += count
    dropped = counts.pop("", 0)
    place = f"{path}" if found.name is None else f"column {found.name!r} of {path}"
    if not counts:
        raise UsageError(f"{place} has no values" + (f", only {dropped} empty cells" if dropped else ""))
    if len(counts) == 1:
        raise UsageError(f"{place} holds one category only, {_short(next(iter(counts)))!r}; at least 2 are needed")
    labels = _in_order(counts)
    source = "lines of a file" if found.name is None else f"column {found.name!r} of a file"
    return Population(
        np.array([counts[label] for label in labels], dtype=np.int64),
        tuple(labels),
        name=path.name,
        source=source,
        dropped=dropped,
    )


def _in_order(values: Iterable[str]) -> list[str]:
    """By number if all are integers ("07" after "7"), else by code point."""
    values = sorted(values)
    if all(map(_INTEGER.fullmatch, values)):
        values.sort(key=int)
    return values


# ---- readers: (path, column) -> _Column


def _read_text(path: Path, column: str | None) -> _Column:
    if column is not None:
        raise UsageError(
            f"{path} is read as plain text, one value a line, and has no column {column!r}; "
            "files with columns end in .csv, .tsv, .parquet or .jsonl"
        )
    with closing(_lines(path)) as lines:
        return _Column(Counter(line for line in lines if not line.isspace()), None)


def _read_csv(path: Path, column: str | None) -> _Column:
    return _read_separated(path, column, ",")


def _read_tsv(path: Path, column: str | None) -> _Column:
    return _read_separated(path, column, "\t")


def _read_separated(path: Path, column: str | None, separator: str) -> _Column:
    with closing(_lines(path)) as lines:
        return _count_cells(path, csv.reader(lines, delimiter=separator, strict=True), column)


def _count_cells(path: Path, rows: Any, column: str | None) -> _Column:
    """The chosen column of a table; `rows` is a csv reader, which knows its line."""
    try:
        header = [cell.strip() for cell in next((row for row in rows if row), [])]
        if not header:
            raise UsageError(f"{path} is empty; a table starts with a header line")
        name = _chosen(path, column, header)
        return _Column(Counter(_cells(path, rows, header.index(name), len(header))), name)
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: not a table ({error})") from None


def _cells(path: Path, rows: Any, j: int, width: int) -> Iterator[str]:
    """Cell j of each row."""
    for row in rows:
        if len(row) == width:
            yield row[j]
        elif len(row) > 1 or "".join(row).strip():
            found = f"the header names {width} columns, this row has {len(row)}"
            raise UsageError(f"{path}, line {rows.line_num}: {found}")


def _read_jsonl(path: Path, column: str | None) -> _Column:
    with closing(_lines(path)) as lines:
        return _count_members(path, lines, column)


def _count_members(path: Path, lines: Iterator[str], column: str | None) -> _Column:
    """The chosen member of one object a line."""
    values: Counter[str] = Counter()
    columns: dict[str, None] = {}  # a set in order of appearance
    wanted = column
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            row = decoder.decode(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise UsageError(f"{path}, line {number}: not JSON ({reason})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: an object is needed, got {_short(line)!r}")
        if not columns.keys() >= row.keys():
            columns.update(dict.fromkeys(row))
        if wanted is None or (column is None and len(columns) > 1):
            wanted = _chosen(path, column, list(columns)) if columns else None
        value = row.get(wanted) if wanted is not None else None
        text = value if type(value) is str else _json_scalar(value)
        if text is None:
            raise UsageError(f"{path}, line {number}: column {wanted!r} holds a list or an object, not one value")
        values[text] += 1
    if not columns:
        raise UsageError(f"{path} has no rows")
    name = _chosen(path, column, list(columns))
    return _Column(values, name)


def _json_scalar(value: object) -> str | None:
    """A JSON value as text, "" for null and None for a list or an object; 3.0 is 3."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value) if isinstance(value, str | int) else None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _read_parquet(path: Path, column: str | None) -> _Column:
    try:
        import pyarrow as pa  # heavy and optional, so only where a parquet file is read
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(f"{path} needs pyarrow to be read: {install('parquet')}") from None
    with path.open("rb") as raw:
        try:
            file = pq.ParquetFile(raw)
            name = _chosen(path, column, file.schema_arrow.names)
            kind = file.schema_arrow.field(name).type
            if pa.types.is_nested(kind):
                raise UsageError(f"column {name!r} of {path} holds {kind}, not one value a row")
            counts: Counter[str] = Counter()
            for batch in file.iter_batches(columns=[name]):
                values, numbers = batch.column(0).value_counts().flatten()
                for value, number in zip(values.to_pylist(), numbers.to_pylist(), strict=True):
                    counts[_parquet_text(value)] += number
        except UnicodeDecodeError:
            raise UsageError(f"column {name!r} of {path} holds text that is not UTF-8") from None
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{path} is not a readable parquet file: {_short(error)}") from None
    return _Column(counts, name)


def _parquet_text(value: Any) -> str:
    """A cell as text; "" for null and NaN; whole floats as integers (a column with nulls holds floats)."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and value != value:
        return ""
    text = _json_scalar(value)
    return str(value) if text is None else text


_READERS: dict[str, Callable[[Path, str | None], _Column]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


# ---- lines, columns, words


def _lines(path: Path) -> Generator[str, None, None]:
    """The lines of a UTF-8 file, a byte order mark at the front dropped, ends of lines kept."""
    with _opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        try:
            yield from text
            return
        except UnicodeDecodeError:
            pass
    # The decoder works in blocks and cannot tell the line, so the file is read again as bytes.
    with _opened(path) as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                bad = line[error.start]
                raise UsageError(f"{path}, line {number}: byte 0x{bad:02x} is not UTF-8 text") from None
    raise UsageError(f"{path} is not UTF-8 text")


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _chosen(path: Path, column: str | None, columns: list[str]) -> str:
    """The column asked for, or the only one there is."""
    if column is None:
        if len(columns) != 1:
            raise UsageError(f"{path} has {len(columns)} columns, name one of them: {', '.join(columns)}")
        return columns[0]
    if column not in columns:
        raise UsageError(unknown(f"column of {path}", column, columns))
    if columns.count(column) > 1:
        raise UsageError(f"{path} has {columns.count(column)} columns named {column!r}")
    return column


def _short(text: object) -> str:
    """Foreign text for a sentence: one line, at most 80 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= 80 else line[:77] + "..."
