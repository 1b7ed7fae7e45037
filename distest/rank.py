"""What a rank says about itself, so that no error on one rank stalls or confuses the others.

Under distest's own launcher the ranks write to small files in a folder that DISTEST_STATUS names, because the
exit code of mpirun is no proof: a rank of MPICH that leaves early ends the job with 0. Under a bare mpirun
they write to stderr. Nothing here imports MPI: reporting must work where it is broken.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from distest.errors import DistestError, UsageError, WireError, diverged
from distest.wire.turn import hosted

STATUS = "DISTEST_STATUS"
WAIT_S = 5.0
DIVERGED = 3  # exit code of training that has left the finite numbers
HIGH = 200  # above the files a rank opens before it starts to work
WATCHED = "DISTEST_WATCHED"  # set where the launcher's own stderr is a terminal: ranks only see a pipe
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
_parties: int | None = None


def in_mpi() -> bool:
    """Whether an MPI launcher started this process; looks at the environment alone."""
    return any(name in os.environ for name in (*_SIZES, *_RANKS))


def watched() -> bool:
    """Whether somebody watches the terminal that the launcher passes this rank's stderr on to."""
    return WATCHED in os.environ


def guarded(function: Callable[[], int | None]) -> int:
    """Run a rank's whole program; the exit code of this process. Outside MPI it is just `function`.

    On a rank no error is left to stall the others: it is reported once, with the rank and its servers, and
    ends the job. An error of the user's (UsageError, WireError) is one sentence and code 2, training that diverged one
    and code 3, any other DistestError one and code 1; the rest is a traceback, a sentence and code 1.
    """
    if not in_mpi():
        return function() or 0
    status = own_status()
    if status:
        status.hold(_place()[0])
    try:
        code = function() or 0
    except SystemExit as leaving:
        said = leaving.code if isinstance(leaving.code, str) else ""
        code = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
        if code:
            _end_job(code, said)
    except KeyboardInterrupt:
        _end_job(128 + signal.SIGINT, "")
    except (UsageError, WireError) as error:
        _end_job(2, str(error))
    except DistestError as error:
        said = str(error)
        _end_job(DIVERGED if diverged(error) else 1, said if "on rank" in said else f"{_here()} failed: {said}")
    except BaseException as error:
        trace = "".join(traceback.format_exception(error))
        _end_job(1, f"{_here()} failed: {type(error).__name__}: {error}", trace)
    ranks_finished(code)
    return 0 if status else code  # the launcher reads the code there; mpirun would kill ranks that are not done yet


def rank_started(parties: int) -> None:
    """Say over how many parties the ranks are spread, so that an error can name those of its rank."""
    global _parties
    _parties = parties
    status = own_status()
    if status and _place()[0] == 0:
        status.tell("parties", str(parties))


def ranks_finished(code: int = 0) -> None:
    """Say that this rank's work is done, and its exit code; `guarded` does."""
    status = own_status()
    if status:
        status.tell("finished", f"{_place()[0]} {code}")


def leave(code: int) -> NoReturn:
    """End this process now: output flushed, MPI finalised, the compiler's slow teardown skipped."""
    _flush()
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None and not wire.MPI.Is_finalized():
        wire.MPI.Finalize()
    os._exit(code)


def named(rank: int, size: int, parties: int | None) -> str:
    """A rank and its servers, as a person would say it."""
    if parties is None:
        return f"rank {rank}"
    servers = hosted(parties, rank, size)
    if not servers:
        return f"rank {rank} (no servers)"
    if len(servers) == 1:
        return f"rank {rank} (server {servers[0]})"
    return f"rank {rank} (servers {servers[0]}-{servers[-1]})"


@dataclass(frozen=True, slots=True)
class Status:
    """The folder through which ranks tell how they are: a file a matter, a line a rank."""

    folder: Path

    def tell(self, matter: str, line: str) -> None:
        """Add a line to a matter; a folder that is gone is no reason to fail."""
        with contextlib.suppress(OSError), open(self.folder / matter, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def lifeline(self, rank: int) -> int:
        """The launcher's end of a rank's lifeline: a handle that reports when the rank lets go."""
        path = self.folder / f"alive.{rank}"
        os.mkfifo(path)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def hold(self, rank: int) -> None:
        """Hold the lifeline until this process ends, however it ends.

        Its number is high, because Linux ends the files of a dead process from the highest down: so the launcher
        notices before MPI does and begins to kill the other ranks.
        """
        self.tell("pids", f"{rank} {os.getpid()}")
        with contextlib.suppress(OSError):
            handle = os.open(self.folder / f"alive.{rank}", os.O_WRONLY | os.O_NONBLOCK)
            fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, HIGH)
            os.close(handle)

    def lines(self, matter: str) -> list[str]:
        """What was told; a line that is still being written waits for the next time."""
        try:
            return (self.folder / matter).read_text(encoding="utf-8").split("\n")[:-1]
        except OSError:
            return []

    def numbers(self, matter: str) -> dict[int, int]:
        """Lines of a rank and a number."""
        return {int(rank): int(value) for rank, value in map(str.split, self.lines(matter))}

    def parties(self) -> int | None:
        """Over how many parties the ranks are spread, as far as it is known."""
        told = self.lines("parties")
        return int(told[-1]) if told else None

    def fail(self, rank: int, code: int, sentence: str, trace: str) -> bool:
        """Report an error; only the first is heard (True), the others are the same or follow from it."""
        text = json.dumps({"code": code, "sentence": sentence, "trace": trace})
        mine = self.folder / f"failed.{rank}"
        try:
            mine.write_text(text, encoding="utf-8")
            os.link(mine, self.folder / "failed")
        except FileExistsError:
            return False
        except OSError:
            return True
        return True

    def failure(self) -> Mapping[str, Any] | None:
        """code, sentence and trace of the first error."""
        try:
            read: Mapping[str, Any] = json.loads((self.folder / "failed").read_text(encoding="utf-8"))
        except OSError:
            return None
        return read


def own_status() -> Status | None:
    """The folder of the launcher that started this rank; None under a bare mpirun and outside MPI."""
    folder = os.environ.get(STATUS)
    return Status(Path(folder)) if folder and in_mpi() else None


def _place() -> tuple[int, int]:
    """Rank and number of ranks: from MPI if that is up, else from the environment."""
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None and not wire.MPI.Is_finalized():
        return wire.MPI.COMM_WORLD.rank, wire.MPI.COMM_WORLD.size
    rank, size = (next((os.environ[v] for v in names if v in os.environ), "") for names in (_RANKS, _SIZES))
    return int(rank or 0), int(size or 1)


def _here() -> str:
    return named(*_place(), _parties)


def _end_job(code: int, sentence: str, trace: str = "") -> NoReturn:
    """Report once for all ranks, then end every rank."""
    rank, _ = _place()
    status = own_status()
    if status:
        if not status.fail(rank, code, sentence, trace):
            time.sleep(WAIT_S)  # for the rank that was first to end the job: one abort is enough
    else:
        time.sleep(min(4, rank))  # where all ranks fail alike, the lowest speaks and ends the others
        if sentence:
            sys.stderr.write(f"{trace}distest: {sentence}\n")
            _flush()
            time.sleep(0.3)  # mpirun drops what it has not passed on when the job aborts
    _flush()
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None and not wire.MPI.Is_finalized():
        wire.Mpi().abort(code)
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
