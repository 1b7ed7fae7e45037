"""A progress line on stderr: on the referee's rank, and only where somebody watches."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distest import rank


@contextmanager
def progress(what: str, total: int, here: bool) -> Iterator[Callable[[int], None] | None]:
    """Yields a function that is told how much more was done, or None where nobody watches."""
    if not here or total == 0:
        yield None
    elif sys.stderr.isatty():
        with _bar(what, total) as step:
            yield step
    elif rank.watched():
        yield _lines(what, total)  # a pipe of mpirun: whole lines, since a bar would never be redrawn
    else:
        yield None


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def _lines(what: str, total: int) -> Callable[[int], None]:
    start = last = time.monotonic()
    done = 0

    def step(more: int) -> None:
        nonlocal done, last
        done += more
        now = time.monotonic()
        if now - last >= 1 or (done == total and last > start):
            last = now
            left = (now - start) * (total - done) / max(done, 1)
            sys.stderr.write(f"{what}: {done:,} of {total:,} ({done / total:.0%}), {left:.0f} s left\n")
            sys.stderr.flush()

    return step
