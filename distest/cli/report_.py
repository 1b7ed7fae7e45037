"""distest report: the page of one or more runs, from their records, series and kept boards."""

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from analysis.report.material import Audits, Explained, Material, Target, Transcript

Row = dict[str, Any]
_KEYS = ("l1", "l2_squared", "loss", "gap", "accuracy")
TRANSCRIPTS = 6  # that are drawn, one a method
BYTES_MOST = 1 << 26  # of a board that is drawn


@click.command("report")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file that is written.  [default: report.html]")
@click.option("--target", help="The error that the verdict asks for, such as l1=0.1, loss=0.4 or accuracy=0.9.")
@click.option("--title", help="The title of the page.")
@click.option("--audit/--no-audit", "audited", default=False, help="Replay every kept board and say what was found.")
def command(runs: tuple[Path, ...], out: Path | None, target: str | None, title: str | None, audited: bool) -> int:
    """Write a page about runs: which method needs the fewest bits, how far that is from what is provable, and more.

    RUNS are folders of `distest learn`, `train` or `compare`, or their files of records. The page is one file that
    asks no network. It runs nothing: every number comes from a record.
    """
    from distest.errors import UsageError

    try:
        from analysis.report.page import page
    except ModuleNotFoundError as error:
        raise UsageError(f'a report needs {error.name}; pip install "distest[report]"') from None
    material = gather(runs, _target(target), audited)
    text = page(material, title, shlex.join(["distest", *sys.argv[1:]]))
    path = out or Path("report.html")
    _write(path, text)
    click.echo(f"report: {path}")
    return 0


def gather(runs: Sequence[Path], target: "Target | None", audited: bool) -> "Material":
    """What a page is made of. Raises UsageError where there is no record, RecordError for what is none."""
    from analysis.report.material import Material
    from distest import records
    from distest.errors import UsageError

    found: list[tuple[Path, Row]] = []
    series: dict[str, list[Row]] = {}
    asked: dict[str, str] = {}
    for run in runs:
        folder = run if run.is_dir() else run.parent
        found += [(folder, record) for record in records.load(run)]
        for point in _lines_of(folder / "series.jsonl"):
            series.setdefault(point["run"], []).append(point)
        if (folder / "spec.toml").is_file():
            asked[str(folder / "spec.toml")] = (folder / "spec.toml").read_text("utf-8")
    if not found:
        raise UsageError(f"no records in {', '.join(map(str, runs))}: run 'distest learn' or 'train' with --out first")
    rows = [record for _, record in found]
    return Material(
        folders=[str(run) for run in runs],
        records=rows,
        series=series,
        asked=asked,
        transcripts=list(_transcripts(found)),
        methods=explained(rows),
        audits=_audit(found) if audited else None,
        target=target,
    )


def _target(text: str | None) -> "Target | None":
    from analysis.report.material import Target
    from distest.errors import UsageError, unknown

    if text is None:
        return None
    key, equals, number = text.partition("=")
    if not equals:
        raise UsageError(f"--target takes a value's name and a number, such as l1=0.1 or loss=0.4, got {text!r}")
    if key not in _KEYS:
        raise UsageError(unknown("value to aim at", key, _KEYS))
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--target {key} is a number above 0, got {number!r}")
    return Target(key, value, "as asked by --target")


def _lines_of(path: Path) -> Iterator[Row]:
    """The points of a file of series; nothing where there is none, nor for a last line that was cut off."""
    import json

    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("}\n"):
                yield json.loads(line)


def _transcripts(found: Iterable[tuple[Path, Row]]) -> "Iterator[Transcript]":
    """The first kept board of each method, as its blocks."""
    from analysis.report.material import Said, Transcript
    from distest import records
    from distest.wire.board import Board
    from distest.wire.turn import blocks_said

    drawn: set[str] = set()
    for folder, record in found:
        if "board" not in record or record["label"] in drawn or len(drawn) == TRANSCRIPTS:
            continue
        path = folder / "boards" / Path(str(record["board"])).name
        if not path.exists() or path.stat().st_size > BYTES_MOST:
            continue
        board = Board.load(path)
        said = [
            Said(post.turn.round, post.turn.readers, block, chunk.n_bits)
            for post in board.posts
            for block, chunk in zip(blocks_said(post.turn, board.parties), post.chunks, strict=True)
        ]
        drawn.add(record["label"])
        yield Transcript(records.run_name(record), record["label"], board.parties, said)


def _audit(found: Sequence[tuple[Path, Row]]) -> "Audits":
    """Replay what kept its board."""
    from analysis.report.material import Audits
    from distest import audit
    from distest.cli import running
    from distest.cli.progress import progress

    running.import_from_here()
    kept = [(number, folder, record) for number, (folder, record) in enumerate(found, 1) if "board" in record]
    wrong = []
    with progress("transcripts", len(kept), True) as step:
        for number, folder, record in kept:
            verdict = audit.audit(folder, record, number)
            if verdict.wrong is not None:
                wrong.append(f"{folder}, {verdict.which}: {verdict.wrong}")
            if step is not None:
                step(1)
    return Audits(len(kept) - len(wrong), wrong)


def explained(rows: Iterable[Row]) -> "list[Explained]":
    """Every protocol, method and part in the records, in the words of its class, each once."""
    found: dict[tuple[str, str], Explained] = {}
    for row in rows:
        kind = "protocol" if row["kind"] == "learn" else "method"
        for part, table in _parts(kind, row["spec"][kind]):
            key = part, str(table["name"])
            if key not in found:
                found[key] = _explain(*key)
    return sorted(found.values(), key=lambda one: (one.kind not in ("protocol", "method"), one.kind, one.name))


def _parts(kind: str, table: Row) -> Iterator[tuple[str, Row]]:
    """A table of a spec and the tables inside it, with their kinds."""
    from distest import catalog

    yield kind, table
    for key, inner in table.items():
        if isinstance(inner, dict) and "name" in inner:
            kinds = ("compressor", "exchange", "clock", "graph")
            inside = key if key in kinds else next((k for k in kinds if inner["name"] in catalog.names(k)), None)
            if inside is not None:
                yield from _parts(inside, inner)


def _explain(kind: str, name: str) -> "Explained":
    from analysis.report.material import Explained
    from distest import catalog

    if name not in catalog.names(kind):
        return Explained(name, kind, "not known to this version of distest", "")
    cls = catalog.find(kind, name)
    text = " ".join((cls.__doc__ or "").split())
    what = (cls.__doc__ or "").strip().partition("\n\n")[0]
    source = getattr(cls, "source", "") or "".join(re.findall(r"Sources?: (.*)", text))
    return Explained(name, kind, " ".join(what.split()), str(source))


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    from distest.errors import UsageError

    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
    finally:
        if partial.exists():
            partial.unlink()
