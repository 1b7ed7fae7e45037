"""However a rank ends, the job ends soon, the rank and its servers are named once, and nothing is left running."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from distest import launch, rank
from distest.errors import UsageError

SOON_S = 10.0
NAMED = "rank 2 (servers 192-319)"  # 400 servers in blocks of 64 on 4 ranks


def dies(mpi: ModuleType, how: str, limit_s: float = 60.0, parties: int = 0) -> tuple[int, str]:
    """The exit code and what is said on stderr when rank 2 of 4 does something; what holds for all is checked."""
    ran = mpi.run("dying.py", how, "2", ranks=4, limit_s=limit_s, parties=parties)
    assert ran.left == ()
    assert ran.seconds < SOON_S
    assert ran.code != 0
    assert "MPI_ABORT" not in ran.err + ran.out
    assert "BAD TERMINATION" not in ran.err + ran.out
    return ran.code, ran.err


@pytest.mark.mpi
def test_a_rank_that_raises_is_named_with_its_servers(mpi: ModuleType) -> None:
    code, said = dies(mpi, "raises")
    assert code == 1
    assert said.splitlines()[-1] == f"distest: {NAMED} failed: ZeroDivisionError: division by zero"
    assert said.count("Traceback") == 1


@pytest.mark.mpi
def test_a_rank_that_raises_before_mpi_is_up_ends_the_others(mpi: ModuleType) -> None:
    code, said = dies(mpi, "before MPI")
    assert code == 1
    assert said.splitlines()[-1] == "distest: rank 2 failed: OSError: something is wrong before MPI is up"


@pytest.mark.mpi
def test_an_error_that_names_its_rank_is_one_sentence(mpi: ModuleType) -> None:
    code, said = dies(mpi, "breaks the model")
    assert (code, said) == (1, "distest: round 3, servers 200-299 on rank 2: a server wrote nothing\n")


@pytest.mark.mpi
def test_a_rank_that_is_killed_is_named_with_its_servers(mpi: ModuleType) -> None:
    _, said = dies(mpi, "is killed")
    # MPICH does not always tell the signal of the first rank from those by which it ends the others
    either = (f"distest: {NAMED} was killed by signal 9\n", f"distest: {NAMED} was killed, or left, before its ")
    assert said.startswith(either[:1] if mpi.is_open_mpi() else either)
    assert said.count("\n") == 1


@pytest.mark.mpi
def test_a_rank_that_leaves_early_with_code_0_is_no_success(mpi: ModuleType) -> None:
    _, said = dies(mpi, "leaves")
    assert said == f"distest: {NAMED} was killed, or left, before its work was done\n"


@pytest.mark.mpi
def test_a_job_that_hangs_ends_at_its_limit(mpi: ModuleType) -> None:
    code, said = dies(mpi, "hangs", limit_s=3.0, parties=400)
    assert code == launch.STOPPED
    assert said.startswith("distest: the run was ended at its time limit of 3 s; not finished: rank 0 (servers 0-63)")
    assert NAMED in said


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("how", "sentence"),
    [("all are told off", "m is too small for this"), ("is told off", "this file has no such column")],
)
def test_an_error_of_the_users_is_said_once_and_has_code_2(mpi: ModuleType, how: str, sentence: str) -> None:
    assert dies(mpi, how) == (2, f"distest: {sentence}\n")


@pytest.mark.mpi
def test_the_code_of_a_rank_that_finished_is_the_code_of_the_job(mpi: ModuleType) -> None:
    assert dies(mpi, "finds a fault") == (1, "")


@pytest.mark.mpi
def test_what_the_ranks_print_is_passed_on(mpi: ModuleType) -> None:
    ran = mpi.run("dying.py", "behaves", "2", ranks=4)
    assert (ran.code, ran.out, ran.err, ran.left) == (0, "hello from rank 0\n", "", ())


@pytest.mark.mpi
def test_an_interrupt_ends_all_ranks(mpi: ModuleType) -> None:
    script = (
        "import os, signal, threading\n"
        "threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n" + mpi.START
    )
    program = str(mpi.PROGRAMS / "dying.py")
    ran = mpi.finish([sys.executable, "-c", script, "3", "30", "0", program, "hangs", "1"], 30.0)
    assert ran.code == 128 + signal.SIGINT
    assert ran.err == "distest: interrupted, all ranks were ended\n"
    assert ran.left == ()
    assert ran.seconds < SOON_S


@pytest.mark.mpi
def test_under_a_bare_mpirun_an_error_ends_the_job_too(mpi: ModuleType) -> None:
    mpirun = launch.find_mpirun()
    assert mpirun is not None
    settings = launch._environment(mpirun, Path("/nonexistent"))
    del settings[rank.STATUS], settings["TMPDIR"]
    for how, code, sentence in (
        ("raises", 1, f"{NAMED} failed: ZeroDivisionError: division by zero"),
        ("all are told off", 2, "m is too small for this"),
    ):
        command = [mpirun.path, "-n", "4", sys.executable, str(mpi.PROGRAMS / "dying.py"), how, "2"]
        ran = mpi.finish(command, 20.0, settings)
        assert (ran.code, ran.left) == (code, ())
        assert ran.err.count(f"distest: {sentence}\n") == 1
        assert ran.seconds < SOON_S


def test_several_ranks_without_mpi_are_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_mpi(monkeypatch)
    monkeypatch.setattr(launch, "find_mpirun", lambda: None)
    with pytest.raises(UsageError, match=r'pip install "distest\[mpi\]"'):
        launch.launch(["list"], 2)


def test_a_rank_does_not_launch_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_mpi(monkeypatch)
    assert not rank.in_mpi()
    monkeypatch.setenv("PMI_RANK", "1")
    assert rank.in_mpi()
    with pytest.raises(UsageError, match="rank of an MPI job already"):
        launch.launch(["list"], 2)


def test_a_launcher_needs_at_least_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_mpi(monkeypatch)
    with pytest.raises(UsageError, match="at least 1 rank, got 0"):
        launch.start(["-c", "pass"], 0)


def test_outside_mpi_a_guarded_program_is_just_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_mpi(monkeypatch)
    assert rank.guarded(lambda: 3) == 3
    assert rank.guarded(lambda: None) == 0

    def refuse() -> int:
        raise UsageError("no")

    with pytest.raises(UsageError):
        rank.guarded(refuse)


def test_ranks_are_named_with_their_servers() -> None:
    assert rank.named(1, 4, None) == "rank 1"
    assert rank.named(2, 4, 400) == NAMED
    assert rank.named(0, 4, 3) == "rank 0 (no servers)"
    assert rank.named(3, 4, 3) == "rank 3 (server 2)"


def test_naming_an_environment_imports_no_mpi() -> None:
    code = "import sys, distest.launch, distest.rank; sys.exit('mpi4py' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def forget_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no launcher had started this process."""
    for name in list(os.environ):
        if name.startswith(("OMPI_", "PMI_", "PMIX_")):
            monkeypatch.delenv(name)
