"""Records as tables that others open: columns, Arrow, Parquet, CSV, Markdown.

A record is a tree, a table is flat: a key inside a table becomes a column with a dotted name (`spec.protocol.bits`,
`versions.numpy`), a list becomes its JSON text. A column holds one type: whole numbers and fractions together are
fractions, anything else that is mixed is JSON text. What a record does not have is null. So pandas, polars, DuckDB and
R read records.parquet without a word from us.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


def flat(record: Row) -> Row:
    """A record as one level of plain values: dotted names, lists as JSON text; an empty table has no column."""
    found: Row = {}
    for key, value in record.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}": each for inner, each in flat(value).items()}
        else:
            found[key] = _text(value) if isinstance(value, list | tuple) else value
    return found


def columns(records: Iterable[Row]) -> dict[str, list[Any]]:
    """All records by column, in the order in which columns first appear; each column of one type, or text."""
    found: dict[str, list[Any]] = {}
    count = 0
    for record in records:
        for name, value in flat(record).items():
            column = found.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
    return {name: _one_type([*column, *[None] * (count - len(column))]) for name, column in found.items()}


def _one_type(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and not _fits(values):
        return [None if value is None else str(value) for value in values]
    if len(kinds) <= 1 and kinds <= {bool, int, float, str}:
        return values
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else _text(value) for value in values]


def _fits(values: list[Any]) -> bool:
    """Whether integers have a type of 64 bits, with a sign or without."""
    numbers = [value for value in values if value is not None]
    least, most = min(numbers), max(numbers)
    return bool(least >= -1 << 63 and most < 1 << (64 if least >= 0 else 63))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def arrow(records: Iterable[Row]) -> pa.Table:
    """The columns as an Arrow table; one in which nothing has a value is a column of fractions.

    Raises ImportError without pyarrow.
    """
    import pyarrow as pa

    found = {}
    for name, values in columns(records).items():
        wide = any(type(value) is int and value >= 1 << 63 for value in values)
        array = pa.array(values, pa.uint64() if wide else None)
        found[name] = array.cast(pa.float64()) if pa.types.is_null(array.type) else array
    return pa.table(found)


def parquet(records: Iterable[Row], path: Path) -> None:
    """Write the columns as a Parquet file, whole or not at all. Raises ImportError without pyarrow."""
    from pyarrow import parquet as files

    table = arrow(records)
    partial = path.with_name(f".{path.name}.partial")
    files.write_table(table, partial)
    partial.replace(path)


def csv_text(records: Iterable[Row]) -> str:
    """The columns as CSV with a line of names: all digits of every number, nothing where a record has no value."""
    found = columns(records)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(found)
    for row in zip(*found.values(), strict=True):
        writer.writerow("" if value is None else str(value).lower() if value is True or value is False else value
                        for value in row)  # fmt: skip
    return out.getvalue()


def markdown(rows: Sequence[Row]) -> str:
    """Rows of a table, such as those of `compare.summary`, as Markdown: numbers to the right, four digits.

    A column in which no row has a value is left out.
    """
    if not rows:
        return ""
    keys = list(dict.fromkeys(key for row in rows for key, value in row.items() if value is not None))
    number = [all(isinstance(row.get(key), int | float | None) for row in rows) for key in keys]
    lines = [keys, ["---:" if right else "---" for right in number]]
    lines += [[shown(row.get(key)) for key in keys] for row in rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def shown(value: Any) -> str:
    """A value as people read it: four digits for a float, thousands apart for an integer."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)
