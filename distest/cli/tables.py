"""Rows of plain values as tables for people or JSON lines for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def json_lines(rows: Sequence[dict[str, Any]]) -> None:
    """One object a line on stdout."""
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def show(title: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
    """A table on stdout, as wide as it needs to be where nobody watches, as wide as the terminal otherwise."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, caption=note, caption_justify="left")
    for key in rows[0]:
        number = all(isinstance(row[key], int | float) or row[key] is None for row in rows)
        table.add_column(key, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(value) for value in row.values()))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(table)


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
