"""Launching: one program on P ranks of this machine, with the right flags, a time limit, an honest exit code.

`launch` starts mpirun for `distest <arguments>`, `start` does so for any Python program. What a rank says
about itself is in `distest.rank`, whose names are passed on here.
"""

import contextlib
import importlib.util
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from distest.errors import UsageError, install
from distest.passage import Passage
from distest.rank import STATUS, WATCHED, Status, guarded, in_mpi, leave, named, rank_started, ranks_finished

__all__ = [
    "ONE_THREAD",
    "Mpirun",
    "find_mpirun",
    "guarded",
    "in_mpi",
    "launch",
    "leave",
    "one_thread",
    "rank_started",
    "ranks_finished",
    "start",
]

GRACE_S = 3.0  # between asking a job to end and killing it
LOST_S = 2.0  # how long the others may go on once a rank is known to be lost
TICK_S = 0.05
STOPPED = 124  # exit code of a job that reached its time limit
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # release 5
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # release 4
    "OMPI_MCA_btl": "^ofi",  # its probe costs every start a second
}


def one_thread() -> None:
    """Start this Python program anew where BLAS may take more than one thread: for scripts that measure or compare."""
    if any(os.environ.get(one) != "1" for one in ONE_THREAD):
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        os.execv(sys.executable, [sys.executable, *sys.argv])


@dataclass(frozen=True, slots=True)
class Mpirun:
    """An mpirun of this machine. kind: "Open MPI", "MPICH" or "other". version: how it names itself."""

    path: str
    kind: str
    version: str


def find_mpirun() -> Mpirun | None:
    """The mpirun that belongs to this environment, else the one on PATH; None where none runs."""
    own = Path(sys.prefix, "bin", "mpirun")
    path = str(own) if own.is_file() else shutil.which("mpirun")
    if path is None:
        return None
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = (asked.stdout + asked.stderr).strip()
    if "Open MPI" in said or "OpenRTE" in said:
        return Mpirun(path, "Open MPI", said.partition("\n")[0])
    if "HYDRA" in said:
        number = re.search(r"Version:\s*(\S+)", said)
        return Mpirun(path, "MPICH", f"mpirun (MPICH) {number[1] if number else ''}".strip())
    return Mpirun(path, "other", said.partition("\n")[0])


def launch(arguments: Sequence[str], ranks: int, limit_s: float | None = None, parties: int | None = None) -> int:
    """Run `distest <arguments>` on `ranks` ranks; the exit code. See `start`."""
    return start(["-m", "distest", *arguments], ranks, limit_s, parties)


def start(program: Sequence[str], ranks: int, limit_s: float | None = None, parties: int | None = None) -> int:
    """Run `python -m mpi4py <program>` on `ranks` ranks of this machine and wait; the exit code.

    0 only where every rank said that it finished (`rank.guarded`); the rank's own code where one ended with
    an error of the user's; 124 at the time limit, 128 + n after signal n, otherwise not 0. What the ranks
    print is passed on as it comes; what mpirun prints about their end is replaced by one sentence that names
    the rank and its servers (`parties` of them in all; a rank may tell that later). Raises UsageError where
    MPI is not installed.
    """
    if ranks < 1:
        raise UsageError(f"a run has at least 1 rank, got {ranks}")
    if in_mpi():
        raise UsageError("this process is a rank of an MPI job already: leave out --ranks, or mpirun")
    mpirun = find_mpirun() if importlib.util.find_spec("mpi4py") else None
    if mpirun is None:
        raise UsageError(f"several ranks need MPI, which is missing: {install('mpi')} (or leave out --ranks)")
    with tempfile.TemporaryDirectory(prefix="distest-", ignore_cleanup_errors=True) as scratch:
        status = Status(Path(scratch))
        if parties is not None:
            status.tell("parties", str(parties))
        return _Job(mpirun, program, ranks, limit_s, status).run()


class _InterruptError(Exception):
    """A signal to this process; its only argument is the number."""


@dataclass
class _Job:
    """One mpirun and what becomes of it. lost: the first rank seen to end without having finished."""

    mpirun: Mpirun
    program: Sequence[str]
    ranks: int
    limit_s: float | None
    status: Status
    lost: int | None = None

    def run(self) -> int:
        """Start it, wait, and judge; the exit code."""
        command = [self.mpirun.path, "-n", str(self.ranks), sys.executable, "-m", "mpi4py", *self.program]
        sys.stdout.flush()
        sys.stderr.flush()
        ended: int | None = 1
        lifelines = _Lifelines(self.status, self.ranks)
        with _signals():
            process = subprocess.Popen(
                command,
                env=_environment(self.mpirun, self.status.folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            speech = [Passage(process.stdout, 1), Passage(process.stderr, 2)]
            try:
                ended = self._watch(process, lifelines)
            except _InterruptError as interrupted:
                ended = 128 + int(interrupted.args[0])
            finally:
                if ended is not None or self._missing():
                    _end(process, self.status)
                for passage in speech:
                    passage.join(GRACE_S)
                lifelines.close()
        banner = " ".join(" ".join(passage.held_back() for passage in speech).split())
        if not speech[1].at_line_start:
            sys.stderr.write("\n")
        return self._verdict(process.returncode, banner, ended)

    def _watch(self, process: "subprocess.Popen[bytes]", lifelines: "_Lifelines") -> int | None:
        """Wait for the end. A code where the job has to be ended from here, None where it ended by itself."""
        stop_at = None if self.limit_s is None else time.monotonic() + self.limit_s
        lost_at = None
        while process.poll() is None:
            self._look(lifelines)
            now = time.monotonic()
            if lost_at is None and (self.lost is not None or self.status.failure()):
                lost_at = now + LOST_S
            if lost_at is not None and now > lost_at:
                return 1
            if stop_at is not None and now > stop_at:
                return STOPPED
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TICK_S)
        self._look(lifelines)
        return None

    def _look(self, lifelines: "_Lifelines") -> None:
        """Notice the first rank that goes without having finished."""
        for rank in lifelines.let_go():
            if self.lost is None and rank not in self.status.numbers("finished"):
                self.lost = rank

    def _missing(self) -> list[int]:
        finished = self.status.numbers("finished")
        return [rank for rank in range(self.ranks) if rank not in finished]

    def _named(self, rank: int) -> str:
        return named(rank, self.ranks, self.status.parties())

    def _verdict(self, returned: int, banner: str, ended: int | None) -> int:
        """The exit code, and one sentence on stderr where the work was not done."""
        failure, missing = self.status.failure(), self._missing()
        if failure:
            sentence = failure["sentence"]
            sys.stderr.write(failure["trace"] + (f"distest: {sentence}\n" if sentence else ""))
            return int(failure["code"])
        if not missing:
            return max(self.status.numbers("finished").values())
        if ended is not None and ended > 128:
            _say("interrupted, all ranks were ended")
            return ended
        if ended == STOPPED:
            who = ", ".join(map(self._named, missing[:4]))
            more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
            _say(f"the run was ended at its time limit of {self.limit_s:g} s; not finished: {who}{more}")
            return STOPPED
        rank, number = self._culprit(banner)
        if rank is None:
            _say(f"mpirun ended with code {returned} before {self._named(missing[0])} had finished")
        elif number:
            _say(f"{self._named(rank)} was killed by signal {number}")
        else:
            _say(f"{self._named(rank)} was killed, or left, before its work was done")
        return returned if returned > 0 else 1

    def _culprit(self, banner: str) -> tuple[int | None, int]:
        """The rank that went first, and the signal that killed it (0: none that is known).

        Open MPI names the rank. MPICH names a process, and perhaps one that it killed itself in cleaning up.
        """
        told, pid = re.search(r"process rank (\d+) with PID", banner), re.search(r"PID (\d+)", banner)
        ranks = {pid: rank for rank, pid in self.status.numbers("pids").items()}
        blamed = int(told[1]) if told else ranks.get(int(pid[1])) if pid else None
        rank = blamed if self.lost is None else self.lost
        number = re.search(r"on signal (\d+)|\(signal (\d+)\)", banner)
        return rank, int(number[1] or number[2]) if number and rank is not None and rank == blamed else 0


class _Lifelines:
    """A named pipe a rank, which the rank holds open as long as it lives; tells who let go, first first."""

    def __init__(self, status: Status, ranks: int):
        self._ranks = {status.lifeline(rank): rank for rank in range(ranks)}
        # epoll queues events as they happen, so that the order is right however late one asks
        self._queue: Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        for handle in self._ranks:
            self._queue.register(handle, select.POLLIN)

    def let_go(self) -> list[int]:
        """The ranks that ended since the last call."""
        out = []
        for handle, _ in self._queue.poll(0):
            out.append(self._ranks.pop(handle))
            self._queue.unregister(handle)
            os.close(handle)
        return out

    def close(self) -> None:
        """Let go of the others."""
        for handle in self._ranks:
            os.close(handle)


def _say(sentence: str) -> None:
    print(f"distest: {sentence}", file=sys.stderr, flush=True)


def _environment(mpirun: Mpirun, folder: Path) -> dict[str, str]:
    """What mpirun and the ranks see; the user's own settings for Open MPI win over ours."""
    out = dict(_OPEN_MPI) if mpirun.kind == "Open MPI" else {}
    out.update(os.environ)
    out.update(dict.fromkeys(ONE_THREAD, "1"))
    out.update({STATUS: str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"})
    if sys.stderr.isatty():
        out[WATCHED] = "1"
    return out


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """The first signal that asks this process to end raises _InterruptError; later ones are ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, frame: object) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise _InterruptError(number)

    before = [signal.signal(each, interrupt) for each in numbers]
    try:
        yield
    finally:
        for each, handler in zip(numbers, before, strict=True):
            signal.signal(each, handler)


def _end(process: "subprocess.Popen[bytes]", status: Status) -> None:
    """Ask mpirun to end its job, then kill whatever of it is left."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    for pid in _left(process, status):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _left(process: "subprocess.Popen[bytes]", status: Status) -> list[int]:
    """Processes of this job that still run: those that carry its folder in their environment.

    Neither process groups nor sessions hold a job together, both MPIs give each rank its own.
    """
    if not Path("/proc/self/environ").exists():
        running = process.poll() is None
        return [*status.numbers("pids").values(), process.pid] if running else []
    mark = f"{STATUS}={status.folder}".encode()
    left = []
    for entry in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                left.append(int(entry.name))
    return left
