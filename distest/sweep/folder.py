"""The folder of a sweep: what was asked, and each trial's record, added whole or not at all.

Lines are handed to the system one trial at a time, so a killed process loses the trial in hand and no more; to the disk
they are forced a few times a second, so a power cut loses less than a second of them. One process writes.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from distest import records
from distest.errors import UsageError
from distest.records import FILE, SERIES, Record
from distest.sweep.asked import Sweep
from distest.sweep.trial import COLUMNS, Place, Series, columns

SPEC, DIVERGED = "spec.toml", "diverged.jsonl"
FORCED_S = 0.2  # between two times that lines are forced to the disk


def place_of(record: Record) -> Place:
    """The place of a record in its sweep."""
    a, b, c, d, e = record["sweep"]["trial"]
    return a, b, c, d, e


class Folder:
    """A folder that one sweep writes to. done: the numbers of the trials that have their record, by place.

    diverged: what was said of those that left the finite numbers before it was opened.
    Raises UsageError where it holds other records, is written to by another process, or cannot be written; without
    `resume` where it holds any.
    """

    def __init__(self, path: Path, sweep: Sweep, resume: bool):
        self.path = path
        self.done: dict[Place, list[float]] = {}
        self.diverged: dict[Place, str] = {}
        self._owners: dict[str, Place] = {}
        self._held = False
        self._ordered = True
        self._last: Place = (-1, 0, 0, 0, 0)
        self._forced = time.monotonic()
        with _told(path):
            (path / "boards").mkdir(parents=True, exist_ok=True)
            self._files = {name: open(path / name, "ab", buffering=0) for name in (FILE, SERIES, DIVERGED)}  # noqa: SIM115
        try:
            self._lock()
            self._check(sweep, resume)
            if not (path / SPEC).exists():
                self._replace(SPEC, [sweep.text.encode()])
            self._take_up()
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *about: object) -> None:
        """Force all to the disk; files that nothing was written to are not left behind."""
        self.force()
        self._let_go()

    def add(self, place: Place, record: Record, series: Series) -> None:
        """The record of a trial, behind its series. Raises UsageError where the disk is full."""
        if series:
            name = records.run_name(record)
            if self._owners.setdefault(name, place) == place:
                self._write(SERIES, [{"schema": records.SCHEMA, "run": name, **point} for point in series])
        self._write(FILE, [record])
        self._note(place, columns(record))

    def add_diverged(self, place: Place, record: Record) -> None:
        """What is kept of a trial that left the finite numbers: it is not tried again."""
        self._write(DIVERGED, [record])
        self._note(place, [float("nan")] * len(COLUMNS))

    def force(self) -> None:
        """Make the disk hold what was written, series first: a record stands for its series."""
        with _told(self.path):
            for name in (SERIES, DIVERGED, FILE):
                os.fsync(self._files[name].fileno())
        self._forced = time.monotonic()

    def sort(self) -> None:
        """Bring the records into the order of the trials, in one step; they are there already unless jobs overtook."""
        if self._ordered:
            return
        self.force()
        lines: list[tuple[Place, int, int]] = []
        with open(self.path / FILE, "rb") as file:
            at = 0
            for line in file:
                lines.append((place_of(json.loads(line)), at, len(line)))
                at += len(line)

            def moved() -> Iterator[bytes]:
                for _, start, size in sorted(lines):
                    file.seek(start)
                    yield file.read(size)

            self._replace(FILE, moved())
        self._ordered = True

    def _note(self, place: Place, numbers: list[float]) -> None:
        self._ordered &= place > self._last
        self._last = max(place, self._last)
        self.done[place] = numbers
        if time.monotonic() - self._forced > FORCED_S:
            self.force()

    def _write(self, name: str, rows: list[dict[str, Any]]) -> None:
        data = "".join(records.canonical(row) + "\n" for row in rows).encode()
        file = self._files[name]
        with _told(self.path / name):
            end = file.tell()
            try:
                if file.write(data) != len(data):  # a disk that fills up takes a part and does not complain
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(end)
                raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._files[FILE], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process is writing to {self.path}; give another --out") from None
        except OSError:
            pass  # a file system without locks
        self._held = True

    def _check(self, sweep: Sweep, resume: bool) -> None:
        """Refuse what is another's."""
        used = any(file.tell() for file in self._files.values())
        spec = self.path / SPEC
        if used and not spec.exists():
            raise UsageError(f"{self.path} holds records of something else than a sweep; give another --out")
        if not spec.exists():
            return
        from distest.sweep.asked import read

        if read(spec).identity != sweep.identity:
            raise UsageError(f"{self.path} belongs to another sweep (see {spec}); give another --out")
        if used and not resume:
            raise UsageError(f"{self.path} has records of this sweep already: --resume goes on, or give another --out")

    def _take_up(self) -> None:
        """Know what is there. What a kill left behind is taken away: half a line, and series without a record."""
        names = set()
        for name in (FILE, DIVERGED):
            self._whole_lines(name)
            for record in self._rows(name):
                if "sweep" not in record:
                    raise UsageError(f"{self.path} holds records that are not of this sweep; give another --out")
                place = place_of(record)
                self._note(place, columns(record))
                if name == DIVERGED:
                    self.diverged[place] = record["error"]
                if "steps" in record:
                    names.add(owner := records.run_name(record))
                    self._owners[owner] = min(place, self._owners.get(owner, place))
        self._whole_lines(SERIES)
        if any(row["run"] not in names for row in self._rows(SERIES)):
            kept = (records.canonical(row) + "\n" for row in self._rows(SERIES) if row["run"] in names)
            self._replace(SERIES, (line.encode() for line in kept))

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        with open(self.path / name, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise UsageError(f"{self.path / name}, line {number} is no JSON object") from None

    def _whole_lines(self, name: str) -> None:
        """Cut off a last line that was not written to its end."""
        file = self._files[name]
        end = file.tell()
        with open(self.path / name, "rb") as there:
            at = end
            while at:
                start = max(0, at - 65536)
                there.seek(start)
                found = there.read(at - start).rfind(b"\n")
                at = start + found + 1 if found >= 0 else start
                if found >= 0:
                    break
        if at != end:
            with _told(self.path / name):
                file.truncate(at)
                file.seek(at)

    def _replace(self, name: str, parts: Iterable[bytes]) -> None:
        """Put a file in the place of another in one step."""
        new = self.path / f".{name}.new"
        with _told(self.path / name):
            with open(new, "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path / name)
            if name in self._files:
                self._files[name].close()
                self._files[name] = open(self.path / name, "ab", buffering=0)  # noqa: SIM115
                if name == FILE:
                    self._lock()

    def _let_go(self) -> None:
        for name, file in self._files.items():
            empty = not file.tell()
            file.close()
            if empty and self._held:
                (self.path / name).unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a file is the user's to mend."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
