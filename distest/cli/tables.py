"""Rows of plain values as tables for people or JSON lines for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from analysis.exports import shown
from distest import rank

WIDE = 240  # characters, where nobody's terminal sets the width


def json_lines(rows: Sequence[dict[str, Any]]) -> None:
    """One object a line on stdout."""
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")


def show(title: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
    """A table on stdout: as wide as the terminal, or as it needs to be where nobody watches one.

    A row without one of the keys leaves that place empty.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    for key in keys:
        number = all(isinstance(row.get(key), int | float | None) for row in rows)
        table.add_column(escape(key), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(shown(row.get(key))) for key in keys))  # E[y | x] is no style
    # a rank's stdout is a pseudo-terminal of the launcher's: it says nothing about who reads
    watched = sys.stdout.isatty() and not rank.in_mpi()
    console = Console(width=None if watched else WIDE, force_terminal=watched, highlight=False)
    if title:
        console.print(title, markup=False)
    console.print(table)
    if note:
        console.print(f"({note})", soft_wrap=True, markup=False)
