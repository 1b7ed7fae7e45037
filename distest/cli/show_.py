"""distest show: who said what in a kept transcript."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distest.cli.examples import examples

if TYPE_CHECKING:
    from distest.showing import Field, Message, Said

_TURNS = 12  # shown where none is asked for
_DIGITS = 32


@click.command(
    "show",
    epilog=examples(
        "show run --messages 2",
        "show run --transcript 1 --party 17 --json",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--transcript", type=int, help="Which one, by the number of its record; not needed where there is one.")
@click.option("--turn", type=int, help="This turn alone, from 0 on.")
@click.option("--party", help="What this server or worker says, by number, or 'referee'.")
@click.option("--messages", type=int, default=4, show_default=True, help="So many of a turn; 0 for all, of all turns.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message.")
def command(
    folder: Path, transcript: int | None, turn: int | None, party: str | None, messages: int, as_json: bool
) -> int:
    """Print a kept transcript of 'distest learn --out' or 'distest train --out --boards', field by field.

    Bits are counted from the first one of each turn. What fields are called, and what they say, comes from the
    protocol, or from the compressor that reads them. At the end it is said how many bits are values and how many are
    side information, in what is shown and in the books of the run.
    """
    from distest import showing
    from distest.cli import running
    from distest.errors import ModelError, WireError

    if messages < 0:
        raise click.UsageError(f"--messages is 0 or more, got {messages}")
    running.import_from_here()
    kept = showing.transcripts(folder)
    if transcript is None and len(kept) > 1:
        _list(kept, as_json)
        return 0
    numbers = [number for number, _ in kept]
    number = numbers[0] if transcript is None else transcript
    if number not in numbers:
        shown = f"{numbers[0]} to {numbers[-1]}" if numbers == [*range(numbers[0], numbers[-1] + 1)] else f"{numbers}"
        raise click.UsageError(f"there is no transcript {number} in {folder}; the numbers are {shown}")
    record = dict(kept)[number]
    turns = _TURNS if messages and turn is None else 0
    wanted = showing.Wanted(turn, _party(party), messages, turns)
    told = n_bits = side = 0

    def tell(said: Said) -> None:
        nonlocal told, n_bits, side
        if not told and not as_json:
            _title(number, record)
        told += 1
        n_bits += sum(message.stop - message.start for message in said.shown)
        side += sum(field.side for message in said.shown for field in message.fields)
        if as_json:
            _as_json(said, record["kind"])
        else:
            _as_text(said, record["kind"], party is None)

    try:
        board = showing.show(folder, record, wanted, tell)
    except WireError as error:
        raise ModelError(str(error)) from None  # a damaged board is a failed audit, not bad input
    left = sum(wanted.speaks(post.turn) for post in board.posts) - told
    if left and not as_json:
        click.echo(f"({left:,} more turns: --turn T shows one of 0 to {len(board.posts) - 1}, --messages 0 all)")
    if not as_json:
        click.echo(f"shown: {_kinds(n_bits, side)}")
        if record.get("side_bits") is not None:  # older records do not tell
            click.echo(f"booked in all: {_kinds(record['payload_bits'], record['side_bits'])}")
    return 0


def _kinds(n_bits: int, side: int) -> str:
    return f"{_count(n_bits - side, 'bit')} of values, {side:,} of side information"


def _party(name: str | None) -> int | None:
    from distest.showing import REFEREE

    if name is None or name == "referee":
        return None if name is None else REFEREE
    if not name.isdecimal():
        raise click.UsageError(f"--party is the number of a server or worker, or 'referee', got {name!r}")
    return int(name)


def _list(kept: list[tuple[int, dict[str, Any]]], as_json: bool) -> None:
    """What there is to choose from."""
    from distest.cli import tables

    rows = [
        {
            "transcript": number,
            "what": record.get("label"),
            "seed": record["seed"],
            "repeat": record["repeat"],
            "turns": record["rounds"],
            "messages": record["messages"],
            "bits": record["payload_bits"],
        }
        for number, record in kept
    ]
    if as_json:
        tables.json_lines(rows)
    else:
        tables.show("", rows, "--transcript shows one of these")


def _title(number: int, record: dict[str, Any]) -> None:
    keys = ("n", "m", "s") if record["kind"] == "learn" else ("d", "workers", "steps")
    sizes = ", ".join(f"{key} = {record[key]:,}" for key in keys)
    where = f"{sizes}, seed {record['seed']}, repeat {record['repeat']}"
    click.echo(f"transcript {number}: {record['label']}; {where}")


def _as_text(said: Said, kind: str, everybody: bool) -> None:
    rows = [row for message in said.shown for row in _rows(message, kind)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"round {said.turn.round}: {_count(said.messages, 'message')}, {_count(said.n_bits, 'bit')}"]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    if everybody and said.messages > len(said.shown):
        lines.append(f"  ... {_count(said.messages - len(said.shown), 'more message')}")
    sys.stdout.write("\n".join(lines) + "\n")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _rows(message: Message, kind: str) -> list[tuple[str, str, str, str]]:
    """A line a field: who to whom, which bits, the name, what they say."""
    who = f"{_named(message.party, kind)} -> {message.to}"
    return [
        (who if field is message.fields[0] else "", _where(field), field.name, _says(field)) for field in message.fields
    ]


def _named(party: int, kind: str) -> str:
    if party < 0:
        return "server" if kind == "train" else "referee"
    return f"worker {party}" if kind == "train" else f"server {party}"


def _where(field: Field) -> str:
    return f"bits {field.start}-{field.stop - 1}" if field.stop - field.start > 1 else f"bit {field.start}"


def _says(field: Field) -> str:
    digits = field.bits[:_DIGITS] + "..." * (field.stop - field.start > _DIGITS)
    values = ", ".join(f"{x:.6g}" if isinstance(x, float) else str(x) for x in field.values)
    if field.count > len(field.values):
        values += f", ... {field.count:,} in all"
    return f"= {digits}" + (f" ({values})" if values else "") + (f"  {field.says}" if field.says else "")


def _as_json(said: Said, kind: str) -> None:
    for message in said.shown:
        fields = [
            {
                "name": field.name,
                "start": field.start,
                "stop": field.stop,
                "bits": field.bits,
                "values": list(field.values),
                "count": field.count,
                "says": field.says,
                "side_bits": field.side,
            }
            for field in message.fields
        ]
        told = {
            "round": said.turn.round,
            "direction": said.turn.direction,
            "from": _named(message.party, kind),
            "to": message.to,
            "start": message.start,
            "stop": message.stop,
            "fields": fields,
        }
        sys.stdout.write(json.dumps(told) + "\n")
