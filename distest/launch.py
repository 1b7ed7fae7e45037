"""Launching: one program on P ranks of this machine, with the right flags, a time limit and an honest exit code.

`launch` starts mpirun for `distest <arguments>`; `start` does it for any Python program. The ranks tell how they are
through small files in a folder that DISTEST_STATUS names, because the exit code of mpirun is no proof: a rank of MPICH
that leaves early ends the job with 0. `guarded` is the rank's side, and it works under a bare mpirun too. Nothing here
imports MPI: starting and reporting must work where it is broken.
"""

import contextlib
import importlib.util
import json
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
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from distest.errors import DistestError, UsageError, WireError
from distest.wire.turn import hosted

STATUS = "DISTEST_STATUS"
WATCHED = "DISTEST_WATCHED"  # set where the launcher's own stderr is a terminal: ranks only see a pipe
GRACE_S = 3.0  # between asking a job to end and killing it
LOST_S = 5.0  # how long the others may go on once a rank is known to be lost
TICK_S = 0.05
STOPPED = 124  # exit code of a job that reached its time limit
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # release 5
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # release 4
    "OMPI_MCA_btl": "^ofi",  # its probe costs every start a second
}


def in_mpi() -> bool:
    """Whether an MPI launcher started this process; looks at the environment alone."""
    return any(name in os.environ for name in (*_SIZES, *_RANKS))


def watched() -> bool:
    """Whether somebody watches the terminal that a launcher passes this rank's stderr on to."""
    return WATCHED in os.environ


@dataclass(frozen=True, slots=True)
class Mpirun:
    """An mpirun of this machine. kind: "Open MPI", "MPICH" or "other". version: its first line about itself."""

    path: str
    kind: str
    version: str


def find_mpirun() -> Mpirun | None:
    """The mpirun that belongs to this environment, else the one on PATH; None where there is none."""
    own = Path(sys.prefix, "bin", "mpirun")
    path = str(own) if own.is_file() else shutil.which("mpirun")
    if path is None:
        return None
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = asked.stdout + asked.stderr
    if "Open MPI" in said or "OpenRTE" in said:
        return Mpirun(path, "Open MPI", said.strip().splitlines()[0])
    if "HYDRA" in said:
        number = re.search(r"Version:\s*(\S+)", said)
        return Mpirun(path, "MPICH", f"mpirun (MPICH) {number[1] if number else ''}".strip())
    return Mpirun(path, "other", said.strip().partition("\n")[0])


def launch(
    arguments: Sequence[str], ranks: int, limit_s: float | None = None, parties: int | None = None
) -> int:
    """Run `distest <arguments>` on `ranks` ranks; the exit code. See `start`."""
    return start(["-m", "distest", *arguments], ranks, limit_s, parties)


def start(
    program: Sequence[str], ranks: int, limit_s: float | None = None, parties: int | None = None
) -> int:
    """Run `python -m mpi4py <program>` on `ranks` ranks of this machine and wait; the exit code.

    0 only where every rank said that it finished; the rank's own code where one ended with an error of the user's;
    124 at the time limit, 128 + n after signal n, else not 0. What the ranks print is passed on; what the launcher
    prints about their end is replaced by one sentence that names the rank and its servers (`parties` of them in all;
    a rank may tell later, by `rank_started`). Raises UsageError where MPI is not installed.
    """
    if ranks < 1:
        raise UsageError(f"a run has at least 1 rank, got {ranks}")
    if in_mpi():
        raise UsageError("this process is a rank of an MPI job already: leave out --ranks, or mpirun")
    mpirun = find_mpirun() if importlib.util.find_spec("mpi4py") else None
    if mpirun is None:
        raise UsageError(
            'several ranks need MPI, which is not installed here: pip install "distest[mpi]" (or leave out --ranks)'
        )
    with tempfile.TemporaryDirectory(prefix="distest-", ignore_cleanup_errors=True) as scratch:
        status = _Status(Path(scratch), ranks)
        if parties is not None:
            status.tell("parties", str(parties))
        return _Job(mpirun, program, status, limit_s).run()


# --- the side of a rank -------------------------------------------------------------------------------------------

_parties: int | None = None


def guarded(function: Callable[[], int | None]) -> int:
    """Run a rank's whole program; the exit code of this process. Outside MPI it is `function` itself.

    On a rank no error is left to stall the others: it is reported once, with the rank and its servers, and ends the
    job. Errors of the user's (UsageError, WireError) are one sentence and code 2, other DistestErrors one sentence
    and code 1; anything else is a traceback, a sentence and code 1.
    """
    if not in_mpi():
        return function() or 0
    rank, _ = _place()
    status = _own_status()
    if status:
        status.tell("pids", f"{rank} {os.getpid()}")
    try:
        code = function() or 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if code:
            _end_job(code, [], "" if isinstance(leaving.code, int) else str(leaving.code))
    except KeyboardInterrupt:
        _end_job(128 + signal.SIGINT, [], "")
    except (UsageError, WireError) as error:
        _end_job(2, [], str(error))
    except DistestError as error:
        said = str(error)
        _end_job(1, [], said if "on rank" in said else f"{_here()} failed: {said}")
    except BaseException as error:
        _end_job(1, traceback.format_exception(error), f"{_here()} failed: {type(error).__name__}: {error}")
    ranks_finished(code)
    return 0 if status else code  # a launcher that reads the status knows the code; mpirun would kill the others


def rank_started(parties: int) -> None:
    """Say how many parties the run spreads over its ranks, so that an error can name those of a rank."""
    global _parties
    _parties = parties
    status = _own_status()
    if status and _place()[0] == 0:
        status.tell("parties", str(parties))


def ranks_finished(code: int = 0) -> None:
    """Say that this rank's work is done, with its exit code; `guarded` does."""
    status = _own_status()
    if status:
        status.tell("finished", f"{_place()[0]} {code}")


def leave(code: int) -> NoReturn:
    """End this process at once: output flushed, MPI finalised, no teardown of the compiler (a quarter second)."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None and not wire.MPI.Is_finalized():
        wire.MPI.Finalize()
    os._exit(code)


def _place() -> tuple[int, int]:
    """Rank and number of ranks, from the launcher's environment or from MPI if that is up."""
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None and not wire.MPI.Is_finalized():
        return wire.MPI.COMM_WORLD.rank, wire.MPI.COMM_WORLD.size
    rank, size = (next((os.environ[v] for v in names if v in os.environ), "") for names in (_RANKS, _SIZES))
    return int(rank or 0), int(size or 1)


def _own_status() -> "_Status | None":
    folder = os.environ.get(STATUS)
    return _Status(Path(folder), _place()[1]) if folder and in_mpi() else None


def _here() -> str:
    rank, size = _place()
    return _named(rank, size, _parties)


def _end_job(code: int, trace: list[str], sentence: str) -> NoReturn:
    """Report once for all ranks, then end every rank."""
    status = _own_status()
    if status:
        status.fail(_place()[0], code, "".join(trace), sentence)
    else:
        time.sleep(min(3.0, 0.5 * _place()[0]))  # an error of all ranks is reported by the lowest: it ends the others
        print("".join(trace) + f"distest: {sentence}" if sentence else "", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    wire = sys.modules.get("distest.wire.mpi")
    if wire is not None:
        wire.Mpi().abort(code)
    os._exit(code)


def _named(rank: int, size: int, parties: int | None) -> str:
    """A rank and its servers, as a person would say it."""
    if parties is None:
        return f"rank {rank}"
    servers = hosted(parties, rank, size)
    if not servers:
        return f"rank {rank} (no servers)"
    one = len(servers) == 1
    return f"rank {rank} ({f'server {servers[0]}' if one else f'servers {servers[0]}-{servers[-1]}'})"


@dataclass(frozen=True, slots=True)
class _Status:
    """The folder through which ranks tell how they are: a file a matter, a line a rank, written in one piece."""

    folder: Path
    ranks: int

    def tell(self, matter: str, line: str) -> None:
        with contextlib.suppress(OSError), open(self.folder / matter, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def fail(self, rank: int, code: int, trace: str, sentence: str) -> None:
        """The first rank that fails is heard, the others only follow."""
        text = json.dumps({"rank": rank, "code": code, "trace": trace, "sentence": sentence})
        with contextlib.suppress(OSError):
            whole = self.folder / f"failed.{rank}"
            whole.write_text(text, encoding="utf-8")
            os.link(whole, self.folder / "failed")

    def failure(self) -> Mapping[str, Any] | None:
        try:
            read: Mapping[str, Any] = json.loads((self.folder / "failed").read_text(encoding="utf-8"))
        except OSError:
            return None
        return read

    def lines(self, matter: str) -> list[str]:
        """What ranks told; a line that is still being written is left for the next time."""
        try:
            return (self.folder / matter).read_text(encoding="utf-8").split("\n")[:-1]
        except OSError:
            return []

    def numbers(self, matter: str) -> dict[int, int]:
        return {int(rank): int(value) for rank, value in (line.split() for line in self.lines(matter))}

    def named(self, rank: int) -> str:
        told = self.lines("parties")
        return _named(rank, self.ranks, int(told[-1]) if told else None)


# --- the side of the launcher -------------------------------------------------------------------------------------


class _Interrupted(Exception):
    """A signal to this process, to be passed on."""


@dataclass
class _Job:
    """One mpirun and what became of it. lost: the first rank seen to end without having finished."""

    mpirun: Mpirun
    program: Sequence[str]
    status: _Status
    limit_s: float | None
    lost: int | None = None
    _open: dict[int, int] = field(default_factory=dict)  # pidfd -> rank
    _seen: set[int] = field(default_factory=set)

    def run(self) -> int:
        command = [self.mpirun.path, "-n", str(self.status.ranks), sys.executable, "-m", "mpi4py", *self.program]
        sys.stdout.flush()
        sys.stderr.flush()
        process = subprocess.Popen(
            command,
            env=_environment(self.mpirun, self.status.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        speech = [_Passage(process.stdout, 1), _Passage(process.stderr, 2)]
        ended = None
        try:
            with _signals():
                ended = self._watch(process)
        except _Interrupted as interrupted:
            ended = 128 + int(str(interrupted))
        finally:
            if ended is not None or process.poll() is None or process.returncode:
                _end(process, self.status)
            for passage in speech:
                passage.join(GRACE_S)
            for handle in self._open:
                os.close(handle)
        return self._verdict(process, "".join(passage.held_back for passage in speech), ended)

    def _watch(self, process: "subprocess.Popen[bytes]") -> int | None:
        """Wait for the end. An exit code where the job has to be ended from here, None where it ended by itself."""
        stop_at = None if self.limit_s is None else time.monotonic() + self.limit_s
        lost_at = None
        while process.poll() is None:
            self._look()
            now = time.monotonic()
            if lost_at is None and (self.lost is not None or self.status.failure()):
                lost_at = now + LOST_S
            if lost_at is not None and now > lost_at:
                return 1
            if stop_at is not None and now > stop_at:
                return STOPPED
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TICK_S)
        self._look()
        return None

    def _look(self) -> None:
        """Notice ranks that have come, and the first that went without having finished."""
        for rank, pid in self.status.numbers("pids").items():
            if rank not in self._seen and hasattr(os, "pidfd_open"):
                self._seen.add(rank)
                try:
                    self._open[os.pidfd_open(pid)] = rank
                except OSError:
                    self._gone(rank)
        gone = select.select(list(self._open), [], [], 0)[0] if self._open else []
        for handle in gone:
            self._gone(self._open.pop(handle))
            os.close(handle)

    def _gone(self, rank: int) -> None:
        if self.lost is None and rank not in self.status.numbers("finished"):
            self.lost = rank

    def _verdict(self, process: "subprocess.Popen[bytes]", banner: str, ended: int | None) -> int:
        """The exit code, and the one sentence on stderr where it is not 0."""
        finished, failure = self.status.numbers("finished"), self.status.failure()
        missing = [rank for rank in range(self.status.ranks) if rank not in finished]
        if failure:
            sentence = failure["sentence"]
            sys.stderr.write(failure["trace"] + (f"distest: {sentence}\n" if sentence else ""))
            return int(failure["code"])
        if ended is not None and ended > 128:
            return ended
        if ended == STOPPED:
            who = ", ".join(self.status.named(rank) for rank in missing[:4])
            more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
            _say(f"the run was ended at its time limit of {self.limit_s:g} s; not finished: {who}{more}")
            return STOPPED
        if not missing:
            return max(finished.values())
        rank, by = self._culprit(banner)
        if rank is None:
            _say(f"mpirun ended with code {process.returncode} before {self.status.named(missing[0])} had finished")
        else:
            how = f"was killed by signal {by}" if by else "ended before its work was done"
            _say(f"{self.status.named(rank)} {how}")
        return process.returncode or 1

    def _culprit(self, banner: str) -> tuple[int | None, int]:
        """The rank that went first and the signal that killed it (0: none that is known)."""
        told = re.search(r"process rank (\d+) with PID", banner)
        pid = re.search(r"PID (\d+)", banner)
        by_pid = {pid: rank for rank, pid in self.status.numbers("pids").items()}
        blamed = int(told[1]) if told else by_pid.get(int(pid[1])) if pid else None
        rank = blamed if told or self.lost is None else self.lost
        number = re.search(r"signal (\d+)", banner)
        return rank, int(number[1]) if number and rank == blamed else 0


def _say(sentence: str) -> None:
    print(f"distest: {sentence}", file=sys.stderr, flush=True)


def _environment(mpirun: Mpirun, folder: Path) -> dict[str, str]:
    """What mpirun and the ranks see; settings of the user's own for Open MPI are left alone."""
    out = dict(_OPEN_MPI) if mpirun.kind == "Open MPI" else {}
    out.update(os.environ)
    out.update(dict.fromkeys(_ONE_THREAD, "1"))
    out.update({STATUS: str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"})
    if sys.stderr.isatty():
        out[WATCHED] = "1"
    return out


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Signals that ask this process to end become _Interrupted, once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, frame: object) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # the end of the job is not interrupted again
        raise _Interrupted(str(int(number)))

    before = [signal.signal(each, interrupt) for each in numbers]
    try:
        yield
    finally:
        for each, handler in zip(numbers, before, strict=True):
            signal.signal(each, handler)


def _end(process: "subprocess.Popen[bytes]", status: _Status) -> None:
    """Ask mpirun to end its job, then kill whatever of it is left."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    for pid in _left(process, status):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _left(process: "subprocess.Popen[bytes]", status: _Status) -> list[int]:
    """Processes of this job that still run: those that carry its status folder in their environment."""
    mark = f"{STATUS}={status.folder}".encode()
    if not Path("/proc/self/environ").exists():
        running = process.poll() is None
        return [*status.numbers("pids").values(), process.pid] if running else []
    left = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                left.append(int(entry.name))
    return left


_RULES = (b"-" * 74, b"=" * 83)  # lines by which Open MPI and MPICH frame what they say about a job's end
_ABOUT = re.compile(
    rb"(?:prterun|mpirun|mpiexec)\S* (?:noticed|detected|has exited)|MPI_ABORT was invoked|BAD TERMINATION"
)
_LINES = re.compile(
    rb"Abort\(\d+\) on node|application called MPI_Abort|YOUR APPLICATION TERMINATED|This typically refers to a prob"
    rb"|Please see the FAQ page for deb|\[(?:mpiexec|proxy:\S*)@|\[\S+:\d+\] PMIX ERROR|Press Ctrl-C again"
)


class _Passage(threading.Thread):
    """Passes bytes on as they come, but keeps back what the launcher says about the end of a job."""

    def __init__(self, source: Any, target: int):
        super().__init__(daemon=True)
        self._source, self._target = source, target
        self._block: list[bytes] | None = None
        self._kept: list[bytes] = []
        self.start()

    @property
    def held_back(self) -> str:
        return b"".join(self._kept).decode(errors="replace")

    def run(self) -> None:
        rest = b""
        for piece in iter(partial(self._source.read1, 1 << 16), b""):
            *lines, rest = (rest + piece).splitlines(keepends=True)[:-1], (rest + piece).splitlines(keepends=True)[-1]
            self._write(b"".join(lines))
