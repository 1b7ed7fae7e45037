"""distest report: the page of one or more runs, from their records, series and kept boards."""

import re
import shlex
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distest.cli.examples import examples

if TYPE_CHECKING:
    from analysis.report.material import Audits, Explained, Material, Target, Transcript
    from distest.runs import Runs

Row = dict[str, Any]
_KINDS = {".html": "html", ".htm": "html", ".md": "md", ".csv": "csv", ".parquet": "parquet"}
_KEYS = ("l1", "l2_squared", "loss", "gap", "accuracy")
TRANSCRIPTS = 6  # that are drawn, one a method
BYTES_MOST = 1 << 26  # of a board that is drawn


@click.command(
    "report",
    epilog=examples(
        "report run trained -o report.html --target l1=0.1",
        "report swept -o table.md --figures paper",
    ),
)
@click.argument("paths", metavar="RUNS...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file that is written.  [default: report.html]")
@click.option("--target", help="The error that the verdict asks for, such as l1=0.1, loss=0.4 or accuracy=0.9.")
@click.option("--title", help="The title of the page.")
@click.option("--audit/--no-audit", "audited", default=False, help="Replay every kept board and say what was found.")
@click.option(
    "--format", "form", type=click.Choice(("html", "md", "csv", "parquet")), help="What is written.  [default: html]"
)
@click.option("--figures", type=click.Path(path_type=Path), help="A folder for figures of a paper, as SVG and PDF.")
def command(
    paths: tuple[Path, ...],
    out: Path | None,
    target: str | None,
    title: str | None,
    audited: bool,
    form: str | None,
    figures: Path | None,
) -> int:
    """Write a page about runs: which method needs the fewest bits, how far that is from what is provable, and more.

    RUNS are folders of `distest learn`, `train` or `compare`, or their files of records. The page is one file that
    asks no network. It runs nothing: every number comes from a record. The ending of the file says its format where
    --format does not: .md has the tables of the page, .csv and .parquet every record as a row. What is an alarm on the
    page, such as a failed audit, is one for the exit code as well.
    """
    from distest.runs import ConflictWarning, Runs

    kind = form or _KINDS.get(out.suffix if out else "", "html")
    path = out or Path(f"report.{kind}")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ConflictWarning)
        runs = Runs.read(paths)
    alarms = [str(one.message) for one in told]
    aim = _target(target)
    if kind == "csv":
        runs.to_csv(_beside(path))
    elif kind == "parquet":
        runs.to_parquet(_beside(path))
    else:
        material, text = _text(runs, paths, aim, title, audited, kind)
        alarms += material.audits.wrong if material.audits else ()
        _write(path, text)
    click.echo(f"report: {path}")
    if figures is not None:
        drawn = runs.figures(figures)
        click.echo(f"figures: {', '.join(map(str, drawn)) or 'none, the runs have nothing to draw'}")
    for sentence in alarms:
        click.echo(f"distest: {sentence}", err=True)
    return 1 if alarms else 0


def _text(
    runs: "Runs", paths: Sequence[Path], target: "Target | None", title: str | None, audited: bool, kind: str
) -> "tuple[Material, str]":
    """What was gathered, and the page that it makes, or its tables as Markdown."""
    from distest.errors import require

    made_by = shlex.join(["distest", *sys.argv[1:]])
    if kind == "md":
        require("a report", "scipy")
        from analysis.report.markdown import markdown

        material = gather(runs, paths, target, audited)
        return material, markdown(material, title, made_by)
    require("a page", "jinja2", "plotly", "scipy")
    from analysis.report.page import page

    material = gather(runs, paths, target, audited)
    return material, page(material, title, made_by)


def gather(runs: "Runs", paths: Sequence[Path], target: "Target | None", audited: bool) -> "Material":
    """What a page is made of."""
    from analysis import sources
    from analysis.report.material import Material

    beside = [(path if path.is_dir() else path.parent) / "spec.toml" for path in paths]
    rows = list(runs)
    asked = {str(path): path.read_text("utf-8") for path in beside if path.is_file()}
    return Material(
        folders=[str(path) for path in paths],
        records=rows,
        series=runs.points(),
        asked=asked,
        conflicts=[str(conflict) for conflict in runs.conflicts()],
        transcripts=list(_transcripts(runs, rows)),
        methods=explained(rows),
        bibtex=sources.bibtex(rows),
        audits=_audit(runs, rows) if audited else None,
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


def _boards(runs: "Runs", rows: Iterable[Row]) -> Iterator[tuple[Path, Row, int]]:
    """Folder, record and number of every run that kept its board. rows: all records, which are decoded once."""
    following = iter(rows)
    for part in runs.parts:
        for number, record in enumerate(islice(following, len(part.records)), 1):
            if part.path is not None and "board" in record:
                yield part.path.parent, record, number


def _transcripts(runs: "Runs", rows: Iterable[Row]) -> "Iterator[Transcript]":
    """The first kept board of each method, as its blocks."""
    from analysis.report.material import Said, Transcript
    from distest import records
    from distest.wire.board import Board
    from distest.wire.turn import blocks_said

    drawn: set[str] = set()
    for folder, record, _ in _boards(runs, rows):
        path = folder / "boards" / Path(str(record["board"])).name
        if record["label"] in drawn or not path.exists() or path.stat().st_size > BYTES_MOST:
            continue
        board = Board.load(path)
        said = [
            Said(post.turn.round, post.turn.readers, block, chunk.n_bits)
            for post in board.posts
            for block, chunk in zip(blocks_said(post.turn, board.parties), post.chunks, strict=True)
        ]
        drawn.add(record["label"])
        yield Transcript(records.run_name(record), record["label"], board.parties, said)
        if len(drawn) == TRANSCRIPTS:
            return


def _audit(runs: "Runs", rows: Iterable[Row]) -> "Audits":
    """Replay what kept its board."""
    from analysis.report.material import Audits
    from distest import audit
    from distest.cli import running
    from distest.cli.progress import progress

    running.import_from_here()
    kept = list(_boards(runs, rows))
    wrong = []
    with progress("transcripts", len(kept), True) as step:
        for folder, record, number in kept:
            verdict = audit.audit(folder, record, number)
            if verdict.wrong is not None:
                wrong.append(f"{folder}, {verdict.which}: {verdict.wrong}")
            if step is not None:
                step(1)
    return Audits(len(kept) - len(wrong), wrong)


def explained(rows: Iterable[Row]) -> "list[Explained]":
    """Every protocol, method and part in the records, in the words of its class, each once."""
    found: dict[tuple[str, str], Explained] = {}
    for row in {row["spec_hash"]: row for row in rows}.values():
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


def _beside(path: Path) -> Path:
    """The path, in a folder that is there. Raises UsageError where it cannot be made."""
    from distest.errors import UsageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
    return path


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    from distest.errors import UsageError

    partial = _beside(path).with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
    finally:
        if partial.exists():
            partial.unlink()
