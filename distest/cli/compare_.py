"""distest compare: run a sweep of several kinds, at equal bits or to a target, and show who needs how many."""

import sys
from pathlib import Path
from typing import Any

import click

from distest.cli import running, tables
from distest.cli.examples import examples
from distest.rank import DIVERGED

MANY = 100_000  # trials that are not begun without a yes


@click.command(
    "compare",
    epilog=examples(
        "compare sweep.toml --dry-run",
        "compare sweep.toml --out swept --jobs 2 --resume",
    ),
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder of the sweep.  [default: out/NAME of the spec]"
)
@click.option("--resume", is_flag=True, help="Go on with what the folder has.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes that make trials at the same time.")
@click.option("--ranks", type=int, help="Start this many MPI ranks: each trial runs on all of them.")
@click.option("--limit", type=float, help="With --ranks: end the job after so many seconds.")
@click.option("--boards/--no-boards", default=False, help="Keep transcripts for an audit.")
@click.option("--dry-run", is_flag=True, help="Say what would be run and how long it would take; run nothing else.")
@click.option("--yes", is_flag=True, help=f"Do not ask before a sweep of {MANY:,} trials or more.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line instead of a table.")
def command(
    spec: Path,
    out: Path | None,
    resume: bool,
    jobs: int,
    ranks: int | None,
    limit: float | None,
    boards: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Run every trial of a sweep and keep its records; killed at any moment, --resume goes on.

    SPEC is a TOML file with [[learn]] and [[train]] tables, or a spec of `distest learn` or `distest train`. A table
    may have a budget, such as { bits = 3, per = "server" }, or a target, such as { l1 = 0.1 }.
    """
    running.import_from_here()
    from distest import launch
    from distest.sweep import asked, forecast
    from distest.sweep import run as sweeps

    if jobs < 1:
        raise click.UsageError(f"--jobs is at least 1, got {jobs}")
    if jobs > 1 and (ranks is not None or launch.in_mpi()):
        raise click.UsageError("--jobs makes trials side by side, ranks make one together: give one of both")
    sweep = asked.read(spec)
    sweeps.check(sweep)
    if dry_run:
        return _forecast(forecast.forecast(sweep))
    trials, _ = forecast.count(sweep)
    if not launch.in_mpi():
        _ask(trials, yes)
    out = Path("out", spec.stem) if out is None else out
    if ranks is not None and not launch.in_mpi():
        return launch.launch([*running.without_ranks(sys.argv[1:]), *([] if yes else ["--yes"])], ranks, limit)
    return _run(sweep, out, trials, jobs=jobs, resume=resume, boards=boards, as_json=as_json)


def _ask(trials: int, yes: bool) -> None:
    """Have a sweep confirmed that may be a slip. Raises UsageError where nobody can be asked, or the answer is no."""
    if trials < MANY or yes:
        return
    said = f"this sweep has {trials:,} trials"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{said}: give --yes if that is meant; --dry-run says what they are and what they take")
    if not click.confirm(f"{said}; run them all?", err=True):
        raise click.UsageError(f"{said}, and nothing was run")


def _forecast(found: Any) -> int:
    from analysis.report import words

    about = "" if found.exact else "about "
    more = f"; the first {len(found.varied)} are shown" if found.trials > len(found.varied) else ""
    for axis in found.axes:
        click.echo(axis)
    tables.show(f"{about}{found.trials:,} trial{'s' * (found.trials != 1)}{more}", found.varied)
    click.echo(f"about {words.seconds(found.seconds)} on one core: {found.how}")
    return 0


def _run(sweep: Any, out: Path, trials: int, *, as_json: bool, **how: Any) -> int:
    from distest import api, records
    from distest.cli.progress import progress
    from distest.sweep import run as sweeps

    transport = api.transport_at_hand()
    referee = transport.hosts_referee
    there = (out / records.FILE).read_bytes().count(b"\n") if (out / records.FILE).exists() else 0
    with progress("trials", max(1, trials - there), referee) as done:
        outcome = sweeps.run(sweep, out, transport, done=done, **how)
    if not referee:
        return 0
    made = records.load(out) if (out / records.FILE).exists() else []
    if as_json:
        for record in made:
            running.print_json(record)
    else:
        _show(sweep, out, made)
    alarms = [str(conflict) for conflict in records.conflicts(made)]
    for sentence in (*alarms, *outcome.diverged, *outcome.missed):
        click.echo(f"distest: {sentence}", err=True)
    if alarms:
        return 1
    if outcome.diverged:
        return DIVERGED
    return 2 if outcome.missed and not outcome.met else 0


def _show(sweep: Any, out: Path, made: list[dict[str, Any]]) -> None:
    from analysis import sweeps
    from distest import records
    from distest.sweep import folder

    lost = out / folder.DIVERGED
    diverged = records.load(lost) if lost.exists() else []
    for kind in ("learn", "train"):
        rows = sweeps.verdicts(*([row for row in rows if row["kind"] == kind] for rows in (made, diverged)))
        if rows:
            tables.show(f"{sweep.title}: {kind}", rows, sweeps.note(kind, rows))
    click.echo(f"{len(made):,} record{'s' * (len(made) != 1)} in {out}")
