"""What the commands that run something share: their folder, their ranks, their lines of JSON."""

import sys
from pathlib import Path
from typing import Any


def prepare(out: Path) -> None:
    """Make the folder of a run. Raises UsageError where it, its boards or its records cannot be written."""
    from distest import records
    from distest.errors import UsageError

    place = out
    try:
        (out / "boards").mkdir(parents=True, exist_ok=True)
        for place in (out, out / "boards"):
            probe = place / ".probe"
            probe.touch()
            probe.unlink()
        place = out / records.FILE
        if place.exists():  # an empty file of records is not left behind
            place.open("ab").close()
    except OSError as error:
        raise UsageError(f"the output {place} cannot be written ({error.strerror})") from None


def import_from_here() -> None:
    """Let import paths of users' own classes lead to files of the current folder too, after all that is installed."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))


def without_ranks(arguments: list[str]) -> list[str]:
    """The same command for the ranks themselves."""
    kept = []
    skip = False
    for argument in arguments:
        if not skip and argument.partition("=")[0] not in ("--ranks", "--limit"):
            kept.append(argument)
        skip = not skip and argument in ("--ranks", "--limit")
    return kept


def print_json(record: dict[str, Any]) -> None:
    """One record a line on stdout, at once."""
    from distest import records

    sys.stdout.write(records.canonical(record) + "\n")
    sys.stdout.flush()
