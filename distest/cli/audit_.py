"""distest audit: replay every kept board of a run."""

from pathlib import Path

import click

from distest.cli.examples import examples


@click.command(
    "audit",
    epilog=examples(
        "audit run",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """Replay kept transcripts from bits, public coins and spec alone, and compare with the records.

    Exit code 0 when everything agrees, 1 when anything differs (the record is named), 2 when there is nothing to
    audit.
    """
    from distest import audit, records
    from distest.cli import running
    from distest.cli.progress import progress
    from distest.errors import UsageError

    running.import_from_here()
    found = records.load(folder)
    kept = [(number, record) for number, record in enumerate(found, 1) if "board" in record]
    if not kept:
        raise UsageError(f"{folder} keeps no transcripts: run 'distest learn --out', or 'distest train --out --boards'")
    wrong = 0
    rebuilt = 0
    with progress("transcripts", len(kept), True) as step:
        for number, record in kept:
            verdict = audit.audit(folder, record, number)
            rebuilt += verdict.errors_checked
            if verdict.wrong is not None:
                wrong += 1
                click.echo(f"audit: {verdict.which}: {verdict.wrong}", err=True)
            if step is not None:
                step(1)
    errors = f"; l1 and l2 recomputed for {rebuilt}" if rebuilt < len(kept) else ""
    if wrong:
        click.echo(f"audit: {wrong} of {len(kept)} transcripts differ from their records")
        return 1
    click.echo(f"audit: {len(kept)} transcript{'s' * (len(kept) != 1)} verified{errors}")
    return 0
