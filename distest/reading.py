"""Lines of a file as records, fast: a million of them are there in a few seconds.

A file is checked line by line when it is read, and decoded where it is looked at: a table over a million runs needs six
columns of fifty. While it is checked, a number is kept for the run of each record: runs that were recorded twice are
always looked for, and hardly ever found. Where all of it is wanted, a decoder is made once for the keys that most lines
have, and reads so many at a time as stay in the core's cache. Tables inside a record (its spec, its versions) are the
same text in many lines: such a text is decoded once, and the records share the table. So tables inside a record are
read, never written to.
"""

from __future__ import annotations

import gc
import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, overload

SCHEMA = 1
Record = dict[str, Any]
RUN = ("spec_hash", "seed", "repeat")
"""What says which run a record is of."""
CONVERT: dict[int, Callable[[Record], Record]] = {}
"""What makes a record of the next schema from one of this; there is none before 1."""

_CHUNK = 1 << 17  # bytes decoded at a time
_SHAPES = 32  # sets of keys that get a decoder of their own
_SHARED = 1 << 16  # texts of tables that are remembered


class RecordError(Exception):
    """A records file that cannot be read or written; one sentence for the user."""


class Lines(Sequence[Record]):
    """The records of a file, in the order of its lines; decoded each time they are looked at.

    A last line that was cut off in writing is left out, and so is one in the middle after which writing went on.
    Raises RecordError for a file that cannot be read, a line that is no record, and a schema that is not known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._texts: list[bytes] = []  # whole lines, each a record of this schema
        self._ends = array("Q")  # how many records there are up to the end of each text
        self._numbers: dict[int, list[int]] = {}  # of the lines of a text, where some were left out
        self._starts = array("Q")  # number of the first line of each text
        self.runs = array("q")  # of each record what `numbers_of_runs` says of its run
        self._reader = _Reader()
        with _no_collection():
            try:
                self._read()
            except (OSError, UnicodeDecodeError) as error:
                raise RecordError(f"{path} is not a readable records file ({_reason(error)})") from None

    def _read(self) -> None:
        check = _Decoder([("schema", Literal[1]), *((name, Any, None) for name in RUN)])
        line, count = 1, 0
        for text in _chunks(self.path):
            if not text.isascii():
                text.decode("utf-8")
            lines = text.count(b"\n")
            self._starts.append(line)
            found = check.rows(text) if lines else None
            if found is not None and len(found) == lines:
                kept = text
            else:
                good = list(self._one_by_one(text, line, last=not lines))
                kept = b"".join(whole + b"\n" for _, whole in good)
                found = [(SCHEMA, *map(json.loads(whole).get, RUN)) for _, whole in good]
                self._numbers[len(self._texts)] = [number for number, _ in good]
            self.runs.extend(_hashes(found))
            count += len(found)
            self._texts.append(kept)
            self._ends.append(count)
            line += lines

    def _one_by_one(self, text: bytes, first: int, last: bool) -> Iterator[tuple[int, bytes]]:
        """The lines of a text that hold a record, with their numbers; those of an older schema are converted."""
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), first):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                ended = isinstance(error, json.JSONDecodeError) and error.pos >= len(line.decode().rstrip())
                if last or ended or not line.rstrip().endswith(b"}"):
                    continue  # cut off in writing
                raise RecordError(f"{self.path}, line {number} is no JSON object") from None
            if not isinstance(record, dict) or "schema" not in record:
                raise RecordError(f"{self.path}, line {number} is no record: it has no 'schema'")
            if record["schema"] == SCHEMA:
                yield number, line
            else:
                yield number, json.dumps(_converted(record, f"{self.path}, line {number}")).encode()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Record]:
        for text in self._texts:
            with _no_collection():
                found = self._reader.records(text)
            yield from found

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        text, inside = self._find(place)
        return self._reader.records(self._texts[text].split(b"\n")[inside])[0]

    def line(self, place: int) -> int:
        """The number of the line of a record in its file."""
        text, inside = self._find(place)
        return self._numbers[text][inside] if text in self._numbers else self._starts[text] + inside

    def _find(self, place: int) -> tuple[int, int]:
        if not -len(self) <= place < len(self):
            raise IndexError(f"{self.path} has {len(self)} records, there is none at {place}")
        place %= len(self)
        text = bisect_right(self._ends, place)
        return text, place - (self._ends[text - 1] if text else 0)

    def rows(self, names: Sequence[str], places: Sequence[int] | None = None) -> Iterator[tuple[Any, ...]]:
        """Some columns of all records, a tuple a record; None where a record has no such key. Only they are decoded.

        places: ascending, where not all records are asked for.
        """
        decoder = _Decoder([(name, Any, None) for name in names])
        start = 0
        for text, end in zip(self._texts, self._ends, strict=True):
            inside = within(places, start, end)
            start = end
            if inside is not None and not inside:
                continue
            with _no_collection():
                found = decoder.rows(text)
            if found is None:  # what only the decoder of Python's own library takes, such as an infinity
                found = [tuple(map(record.get, names)) for record in self._reader.records(text)]
            yield from found if inside is None else (found[place] for place in inside)


def numbers_of_runs(runs: Iterable[tuple[Any, ...]]) -> Sequence[int]:
    """A number for each run, given by its values of `RUN`: equal for equal runs, and hardly ever for others."""
    return _hashes([(SCHEMA, *run) for run in runs])


def within(places: Sequence[int] | None, start: int, end: int) -> Sequence[int] | None:
    """Those of ascending places that lie from start to end, counted from start; None, for all, stays None."""
    if places is None:
        return None
    return [place - start for place in places[bisect_left(places, start) : bisect_left(places, end)]]


def _hashes(rows: Sequence[tuple[Any, ...]]) -> Sequence[int]:
    try:
        return array("q", map(hash, rows))
    except TypeError:  # a list or a table where a number should be
        return [_hash(row) for row in rows]


def _hash(row: tuple[Any, ...]) -> int:
    try:
        return hash(row)
    except TypeError:
        return hash(repr(row))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing that is read is garbage, and looking for some takes longer than reading."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _chunks(path: Path) -> Iterator[bytes]:
    """The file in pieces that end with a line, but for a last line without an end."""
    begun: list[bytes] = []
    with open(path, "rb") as file:
        while block := file.read(_CHUNK):
            end = block.rfind(b"\n") + 1
            if end:
                yield b"".join([*begun, block[:end]])
                begun = []
            begun.append(block[end:])
    if rest := b"".join(begun):
        yield rest


def _converted(record: Record, place: str) -> Record:
    """The record in the schema of this version. Raises RecordError where nobody knows how."""
    while (schema := record["schema"]) != SCHEMA:
        if type(schema) is not int or schema not in CONVERT:
            old = type(schema) is int and schema < SCHEMA
            todo = "run it once more" if old else "install the version of distest that wrote it"
            raise RecordError(f"{place} has schema {schema!r}; this version of distest reads {SCHEMA}: {todo}")
        record = CONVERT[schema](record)
    return record


class _Decoder:
    """A decoder of lines for some keys. exact: a line with others is refused; else they are passed over."""

    def __init__(self, fields: Sequence[tuple[str, Any] | tuple[str, Any, None]], exact: bool = False) -> None:
        import msgspec  # not for those who only write

        struct = msgspec.defstruct("Line", fields, kw_only=True, forbid_unknown_fields=exact, gc=False)
        self._decoder = msgspec.json.Decoder(struct)
        self._refused = (msgspec.MsgspecError, RecursionError)
        self._asdict, self._astuple = msgspec.structs.asdict, msgspec.structs.astuple

    def rows(self, text: bytes) -> list[tuple[Any, ...]] | None:
        """A tuple a line, None where a line does not fit."""
        found = self._decoded(text)
        return None if found is None else list(map(self._astuple, found))

    def records(self, text: bytes) -> list[Record] | None:
        """A dict a line, None where a line does not fit."""
        found = self._decoded(text)
        return None if found is None else list(map(self._asdict, found))

    def _decoded(self, text: bytes) -> list[Any] | None:
        try:
            return self._decoder.decode_lines(text)
        except self._refused:
            return None


class _Reader:
    """Decodes whole records; remembers which keys lines have, and the tables in them."""

    def __init__(self) -> None:
        self.shapes: list[_Shape] = []  # the last one that fitted comes first
        self.tables: dict[bytes, Any] = {}

    def records(self, text: bytes) -> list[Record]:
        """The records of whole lines, each of which is one."""
        if self.shapes:
            found = self.shapes[0].records(text, self.tables)
            if found is not None:
                return found
        return [self._record(line) for line in text.split(b"\n") if line]

    def _record(self, line: bytes) -> Record:
        for place, shape in enumerate(self.shapes):
            found = shape.records(line, self.tables)
            if found is not None:
                self.shapes.insert(0, self.shapes.pop(place))
                return found[0]
        record: Record = json.loads(line)
        if len(self.shapes) < _SHAPES and all(map(str.isidentifier, record)):
            self.shapes.insert(0, _Shape(record))
        return record


class _Shape:
    """Lines that have just these keys; those that hold tables are decoded once a text."""

    def __init__(self, record: Record) -> None:
        import msgspec

        self.tables = [key for key, value in record.items() if isinstance(value, dict)]
        kinds = {**dict.fromkeys(record, Any), **dict.fromkeys(self.tables, msgspec.Raw)}
        self.decoder = _Decoder(list(kinds.items()), exact=True)

    def records(self, text: bytes, tables: dict[bytes, Any]) -> list[Record] | None:
        """The records of lines, None unless every one has these keys."""
        found = self.decoder.records(text)
        for record in found or ():
            for key in self.tables:
                raw = bytes(record[key])
                table = tables.get(raw)
                if table is None:
                    table = json.loads(raw)
                    if len(tables) < _SHARED:
                        tables[raw] = table
                record[key] = table
        return found


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "not UTF-8 text"
