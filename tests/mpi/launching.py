"""Running programs on MPI ranks from a test: by distest's own launcher, with a hard limit, counting leftovers."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from distest.__main__ import ONE_THREAD
from distest.launch import find_mpirun

PROGRAMS = Path(__file__).with_name("programs")
ROOT = PROGRAMS.parent.parent.parent
MARK = "DISTEST_TEST_JOB"
START = (
    "import sys; from distest.launch import start; "
    "sys.exit(start(sys.argv[4:], int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) or None))"
)
HARD_S = 20.0  # more than the launcher's own limit: only a launcher that hangs meets it


@dataclass(frozen=True)
class Ran:
    """What became of a program. left: processes of it that were still there a moment after its end."""

    code: int
    out: str
    err: str
    seconds: float
    left: tuple[str, ...]


def run(
    program: str,
    *arguments: str,
    ranks: int,
    limit_s: float = 60.0,
    parties: int = 0,
    settings: dict[str, str] | None = None,
) -> Ran:
    """Run a file of tests/mpi/programs on MPI ranks; ranks=0 runs it in one process without MPI."""
    command = [sys.executable]
    if ranks:
        command += ["-c", START, str(ranks), str(limit_s), str(parties)]
    else:
        settings = {**dict.fromkeys(ONE_THREAD, "1"), **(settings or {})}  # as `distest` does at its start
    command += [str(PROGRAMS / program), *arguments]
    return finish(command, limit_s, settings)


def finish(
    command: list[str],
    limit_s: float,
    settings: dict[str, str] | None = None,
    meanwhile: Callable[[str], None] | None = None,
) -> Ran:
    """Run a command to its end. It fails the test where it outlives its limit.

    meanwhile: called with the name of the job while it runs; the time that is reported begins when it returns.
    """
    job = uuid.uuid4().hex
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, **(settings or {}), MARK: job}
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        if meanwhile is not None:
            meanwhile(job)
            begin = time.monotonic()
        out, err = process.communicate(timeout=limit_s + HARD_S)
    except subprocess.TimeoutExpired:
        process.kill()
        for pid, _ in running(job):
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        out, err = process.communicate()
        pytest.fail(f"{command} still ran after {limit_s + HARD_S:g} s\n{out}\n{err}")
    seconds = time.monotonic() - begin
    deadline = time.monotonic() + 1.0
    while running(job) and time.monotonic() < deadline:  # a killed process takes a moment to go
        time.sleep(0.02)
    return Ran(process.returncode, out, err, seconds, tuple(name for _, name in running(job)))


def running(job: str) -> list[tuple[int, str]]:
    """Processes that carry the mark of a job, with their command lines (Linux; elsewhere none is seen)."""
    mark = f"{MARK}={job}".encode()
    found = []
    for entry in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace")))
    return found


def kill(job: str, rank: int) -> None:
    """kill -9 for the process that is a rank of a job."""
    names = {f"{name}={rank}".encode() for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK")}
    for pid, _ in running(job):
        with contextlib.suppress(OSError):
            if names & set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")):
                os.kill(pid, signal.SIGKILL)
                return
    pytest.fail(f"rank {rank} does not run")


def require() -> None:
    """Skip a test where there is no MPI; in CI it fails instead, so that nothing goes untested unseen."""
    missing = []
    if importlib.util.find_spec("mpi4py") is None:
        missing.append("mpi4py")
    if find_mpirun() is None:
        missing.append("mpirun")
    if missing:
        reason = f"no {' and no '.join(missing)}; pip install 'distest[mpi]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def is_open_mpi() -> bool:
    """Whether the MPI of this environment is Open MPI."""
    mpirun = find_mpirun()
    return mpirun is not None and mpirun.kind == "Open MPI"
