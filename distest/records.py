"""Records: one JSON object a line, with everything needed to repeat, audit and compare a run.

Imports nothing else of distest, so that a report needs neither numba nor MPI.
"""

import errno
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

SCHEMA = 1
FILE = "records.jsonl"
SERIES = "series.jsonl"
Record = dict[str, Any]


class RecordError(Exception):
    """A records file that cannot be read or written; one sentence for the user."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the text that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def spec_hash(spec: Mapping[str, Any]) -> str:
    """The first 16 hex digits of the SHA-256 of a spec."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()[:16]


def run_name(record: Mapping[str, Any]) -> str:
    """The name of a run in files: by its spec, seed and repeat."""
    return f"{record['spec_hash']}-{record['seed']}-{record['repeat']}"


def append(path: Path, record: Record) -> None:
    """Add one line, whole or not at all. Raises RecordError where the file cannot be written."""
    append_all(path, [record])


def append_all(path: Path, records: Iterable[Record]) -> None:
    """Add lines, all of them or none. Raises as `append` does."""
    lines = "".join(canonical(record) + "\n" for record in records).encode()
    try:
        with open(path, "ab", buffering=0) as file:
            end = file.tell()
            if end and not _ends_whole(path):
                lines = b"\n" + lines  # an earlier run was cut off in the middle of a line: leave it, start a new one
            try:
                if file.write(lines) != len(lines):  # a disk that fills up takes a part and does not complain
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise RecordError(f"{path} cannot be written ({error.strerror})") from None


def keep(folder: Path, record: Record, series: Iterable[Record]) -> None:
    """Add a run to the files of a folder, its series first: who has the record has all. Raises as `append` does."""
    name = run_name(record)
    append_all(folder / SERIES, ({"schema": SCHEMA, "run": name, **point} for point in series))
    append(folder / FILE, record)


def load(path: Path) -> list[Record]:
    """All records of a file or of a run's folder.

    Raises RecordError for a missing file, a line that is no record, or a schema newer than this version. A last
    line that was cut off in writing is left out.
    """
    path = path / FILE if path.is_dir() else path
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is not a readable records file ({_reason(error)})") from None
    records = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            ended = isinstance(error, json.JSONDecodeError) and error.pos >= len(line.rstrip())
            if number == len(lines) or ended or not line.rstrip().endswith("}"):
                continue  # cut off in writing
            raise RecordError(f"{path}, line {number} is no JSON object") from None
        if not isinstance(record, dict) or "schema" not in record:
            raise RecordError(f"{path}, line {number} is no record: it has no 'schema'")
        if record["schema"] != SCHEMA:
            raise RecordError(
                f"{path}, line {number} has schema {record['schema']!r}; this version of distest reads {SCHEMA}"
            )
        records.append(record)
    return records


@cache
def versions() -> dict[str, str]:
    """Versions of what the numbers depend on, and the commit where distest runs from a checkout."""
    found = {"python": platform.python_version()}
    for package in ("distest", "numpy", "numba", "mpi4py"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit(Path(__file__).resolve().parent.parent / ".git")
    if commit:
        found["commit"] = commit
    return found


def _commit(git: Path) -> str | None:
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).exists():
            return (git / name).read_text().strip()
        for line in (git / "packed-refs").read_text().splitlines():
            if line.endswith(" " + name):
                return line.split()[0]
    except OSError:
        return None
    return None


def _ends_whole(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "not UTF-8 text"
