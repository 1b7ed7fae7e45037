"""Recorded: the order of an earlier run once more."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.sgd.clock import Clock, Order, Trace
from distest.wire.mailbox import Mailbox


@dataclass(frozen=True)
class Recorded(Clock):
    """Answers are handled in the order of a trace, so that a live run is repeated bit for bit, in one process or many.

    The rest of the spec has to be that of the run, its seed too.

    trace: the file, JSON: a list of [worker, version told] for every answer handled. UsageError where it cannot be
    read, or ends before the run does.
    """

    trace: str

    def order(self, workers: int, coins: PublicCoins, handled: int) -> Order:
        return _Again(self.trace, handled)


class _Again(Order):
    def __init__(self, path: str, handled: int):
        self._path, self._at = path, handled

    def sent(self, worker: int, n_bits: int) -> None:
        return

    def next(self, mailbox: Mailbox, due: int | None) -> int:
        trace = _read(self._path)
        if self._at >= len(trace):
            raise UsageError(f"{self._path} ends after {self._at} answers, the run goes on: it is of another spec")
        worker = trace[self._at][0]
        self._at += 1
        if due not in (None, worker):
            raise UsageError(
                f"{self._path}: answer {self._at - 1} is of worker {worker}, and worker {due} is due by then"
            )
        return worker


@lru_cache(maxsize=4)
def _read(path: str) -> Trace:
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise UsageError(f"{path} is no trace: it is not JSON") from None
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) == 2 and all(isinstance(v, int) and v >= 0 for v in row) for row in rows
    ):
        raise UsageError(f"{path} is no trace: a list of [worker, version] is expected")
    return tuple((worker, version) for worker, version in rows)
