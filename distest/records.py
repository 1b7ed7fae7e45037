"""Records: one JSON object a line, with everything needed to repeat, audit and compare a run.

Imports nothing else of distest, so that a report needs neither numba nor MPI.
"""

import errno
import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from distest.reading import RUN, SCHEMA, Lines, Record, RecordError, numbers_of_runs, within

__all__ = ["FILE", "SCHEMA", "Lines", "Record", "RecordError", "within"]
FILE = "records.jsonl"
SERIES = "series.jsonl"


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
    """All records of a file or of a run's folder; tables inside them may be shared, and are not written to.

    Raises RecordError for a missing file, a line that is no record, or a schema that this version does not know. A last
    line that was cut off in writing is left out.
    """
    return list(Lines(file_of(path)))


def by_run(points: Iterable[Record]) -> dict[str, list[Record]]:
    """Points of series by the name of their run, in the order of steps; of those said twice the last."""
    found: dict[str, dict[int, Record]] = {}
    for point in points:
        found.setdefault(point["run"], {})[point["step"]] = point
    return {run: [steps[step] for step in sorted(steps)] for run, steps in found.items()}


def file_of(path: Path) -> Path:
    """The file of records of a run's folder; of a file, itself."""
    return path / FILE if path.is_dir() else path


_RESULTS = ("payload_bits", "digest", "estimate_sha256", "model_sha256")


class Conflict(NamedTuple):
    """Two records of one run (same spec, seed and repeat) that say different things. places: of both."""

    run: str
    column: str
    places: tuple[str, str]
    values: tuple[Any, Any]
    versions: str

    def __str__(self) -> str:
        said = " and ".join(f"{value} in {place}" for value, place in zip(self.values, self.places, strict=True))
        return f"ALARM: one run, two results: {self.run} has {self.column} {said}; {self.versions}"


def conflicts(records: Sequence[Record], places: Callable[[int], str] | None = None) -> list[Conflict]:
    """Runs that were recorded twice with different bits, transcripts or results, one entry for each such record.

    places: what a record is called, by its position; else "record 3". Records that agree are no conflict. Left out are
    runs whose results depend on more than spec, seed and repeat: without a ledger (fast=true), and with a live clock.
    """
    named = places or (lambda place: f"record {place + 1}")
    first: dict[tuple[Any, ...], tuple[int, tuple[Any, ...]]] = {}
    found = []
    twice = _twice(records)
    for place, row in zip(twice, rows(records, (*RUN, *_RESULTS), twice), strict=True):
        run, results = row[:3], row[3:]
        there, said = first.setdefault(run, (place, results))
        column = next((i for i, which in enumerate(_RESULTS) if _differ(which, said[i], results[i])), None)
        if column is None or run[0] is None:
            continue
        one, other = records[there], records[place]
        if not _repeatable(other):
            continue
        found.append(
            Conflict(
                run=f"{one.get('label')} (spec {run[0]}, seed {run[1]}, repeat {run[2]})",
                column=_RESULTS[column],
                places=(named(there), named(place)),
                values=(said[column], results[column]),
                versions=_changed(one.get("versions", {}), other.get("versions", {})),
            )
        )
    return found


def _differ(column: str, one: Any, other: Any) -> bool:
    """Whether two runs say different things; a digest may be left out."""
    left_out = column == "digest" and (one is None or other is None)
    return bool(one != other) and not left_out


def _twice(records: Sequence[Record]) -> list[int]:
    """Places of the records whose run has more than one, the first included."""
    runs = runs_of(records)
    if len(set(runs)) == len(runs):
        return []
    times = Counter(runs)
    return [place for place, run in enumerate(runs) if times[run] > 1]


def runs_of(records: Sequence[Record]) -> Sequence[int]:
    """Of each record a number for its run, equal for equal runs; known already where the records were read."""
    known: Sequence[int] | None = getattr(records, "runs", None)  # of `Lines`, and of what is made of them
    return numbers_of_runs(rows(records, RUN)) if known is None else known


def rows(
    records: Sequence[Record], names: Sequence[str], places: Sequence[int] | None = None
) -> Iterator[tuple[Any, ...]]:
    """Some columns of records, a tuple a record; None where a record has no such key.

    places: ascending, where not all records are asked for.
    """
    fast = getattr(records, "rows", None)  # of `Lines`, and of what is made of them
    if fast:
        found: Iterator[tuple[Any, ...]] = fast(names, places)
        return found
    some = records if places is None else (records[place] for place in places)
    return (tuple(map(record.get, names)) for record in some)


def _repeatable(record: Record) -> bool:
    """Whether spec, seed and repeat say all that the results depend on."""
    clock = record["spec"].get("method", {}).get("clock") or {}
    return record.get("ledger") != "none" and clock.get("name") != "live"


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What two records say of the versions that made them."""
    changed = [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]
    told = ", ".join(f"{key} {one.get(key, 'absent')} and {other.get(key, 'absent')}" for key in changed)
    return f"their versions differ: {told}" if told else "their versions are the same"


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


@cache
def machine() -> dict[str, str | int]:
    """What seconds depend on: the processor by its own name, how many cores there are, and the system."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return {"processor": _processor(Path("/proc/cpuinfo")), "cores": os.cpu_count() or 1, "system": system}


def _processor(told: Path) -> str:
    """As Linux tells it; elsewhere the family alone."""
    try:
        lines = told.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), platform.machine())


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
