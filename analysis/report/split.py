"""Where the bits went: by direction, and in each direction values apart from side information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.report import words
from analysis.report.answers import Judged
from analysis.report.cells import NOTHING, Cell, Column, Table, counted, in_bits, text
from analysis.report.points import Row, mean_of
from analysis.report.verdict import Verdict

DIRECTIONS = {
    "up": "up",
    "down_broadcast": "down, to all",
    "down_unicast": "down, to each",
    "board": "board",
    "peer": "peers",
}
SIDE = "side information"
_NOT_BOOKED = "not told apart when this was recorded"


def split_table(judged: Judged) -> Table:
    """Payload and side information by direction, as the ledger books them."""
    records = [row.point.records for row in judged.rows]
    used = [key for key in DIRECTIONS if any(mean_of(group, f"payload_bits_{key}") for group in records)]
    told = [key for key in used if any(_side(group, key) for group in records)]
    columns = [Column("method"), Column("setting"), Column("share", "of the payload bits, by direction", "bar")]
    columns += [Column(DIRECTIONS[key], "payload bits, mean over runs", "number") for key in used]
    columns += [Column(f"side: {DIRECTIONS[key]}", f"those of them that are {SIDE}", "number") for key in told]
    columns.append(Column("side, in all", f"share of {SIDE} in all payload bits", "number"))
    columns.append(Column("messages", "mean over runs", "number"))
    columns.append(Column("coin bits", "public randomness, if it must be announced; not in the payload", "number"))
    rows = [_row(row, used, told) for row in judged.rows]
    notes = [
        "A whole run at the setting of the verdict. Side information is what a reader needs besides the values (norms "
        "and scales, places, counts, widths, tables, which code, whether anything is said); decoders say which of the "
        "bits they read that was. It is part of the payload, and hatched in the bar."
    ]
    if any(_side(group, key) is None for group in records for key in used):
        notes.append("–: recorded by a version that did not tell values and side information apart; run it once more.")
    return Table("Bits by direction", columns, rows, tuple(notes))


def _row(row: Verdict, used: Sequence[str], told: Sequence[str]) -> list[Cell]:
    records = row.point.records
    sent = {key: mean_of(records, f"payload_bits_{key}") for key in used}
    side = {key: _side(records, key) for key in used}
    whole = sum(sent.values())
    bar = Cell("", whole, "", "bar", [part for key in used for part in _parts(key, sent[key], side[key], whole)])
    cells = [text(row.method), text(row.setting or NOTHING), bar]
    cells += [in_bits(n_bits) for n_bits in sent.values()]
    cells += [_booked(side[key]) for key in told]
    cells.append(_share(list(side.values()), whole))
    return [*cells, counted(mean_of(records, "messages")), in_bits(row.point.first["coin_bits"])]


def _parts(key: str, sent: float, side: float | None, whole: float) -> list[tuple[Any, ...]]:
    """The parts of a bar: a look, a name, a share, and the bits in words."""
    name, look = DIRECTIONS[key], str(list(DIRECTIONS).index(key))
    if side is None:
        found = [(look, name, sent)]
    else:
        found = [(look, f"{name}, values", sent - side), (f"{look} aside", f"{name}, {SIDE}", side)]
    return [(look, name, n_bits / whole, words.exact(n_bits)) for look, name, n_bits in found if n_bits]


def _side(records: Sequence[Row], key: str) -> float | None:
    """Mean bits of side information in a direction, None where some record does not tell."""
    name = f"side_bits_{key}"
    return None if any(record.get(name) is None for record in records) else mean_of(records, name)


def _booked(side: float | None) -> Cell:
    return in_bits(side) if side is not None else Cell(NOTHING, None, _NOT_BOOKED, "number")


def _share(side: Sequence[float | None], whole: float) -> Cell:
    known = [n_bits for n_bits in side if n_bits is not None]
    if len(known) < len(side) or not whole:
        return Cell(NOTHING, None, _NOT_BOOKED if whole else "", "number")
    share = 100 * sum(known) / whole
    return Cell(f"{words.number(share)} %", share, f"{words.exact(sum(known))} of {words.exact(whole)} bits", "number")
