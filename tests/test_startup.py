"""Starting up: what is imported when, in fresh processes. Seconds are measured elsewhere; here it is names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distest import launch

ROOT = Path(launch.__file__).parents[1]
HEAVY = {"numba", "scipy", "mpi4py", "matplotlib", "llvmlite", "pandas", "pyarrow"}
SMALL = ["--n", "16", "--m", "300", "--distribution", "zipf"]


def loaded(program: str, *arguments: str) -> set[str]:
    """Top-level packages a fresh interpreter has loaded once it has run a program."""
    code = f"{program}\nimport sys\nprint('LOADED', *sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


RUN = """
import sys
from distest.cli.main import run
try:
    run(sys.argv[1:])
except BaseException as end:
    assert "Exit" in type(end).__name__, end
"""


@pytest.mark.parametrize(
    "module", ["distest", "distest.cli.main", "distest.__main__", "distest.launch", "distest.rank"]
)
def test_importing_the_package_and_the_command_pulls_in_nothing_heavy(module: str) -> None:
    found = loaded(f"import {module}")
    assert "distest" in found
    assert not found & (HEAVY | {"numpy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_needs_no_numpy(arguments: list[str]) -> None:
    assert not loaded(RUN, *arguments) & (HEAVY | {"numpy", "rich"})


@pytest.mark.parametrize("protocol", ["grouping:bits=2", "linear_hash:bits=2", "full_sample", "adaptive_entropy"])
def test_a_small_run_needs_no_compiler(protocol: str) -> None:
    found = loaded(RUN, "learn", "--protocol", protocol, *SMALL, "--json")
    assert "numpy" in found
    assert not found & HEAVY


def test_a_small_run_with_a_table_needs_no_compiler() -> None:
    assert not loaded(RUN, "learn", "--protocol", "grouping:bits=2", *SMALL) & {"numba", "mpi4py", "matplotlib"}


def test_a_small_audit_needs_no_compiler(tmp_path: Path) -> None:
    run = ["learn", "--protocol", "grouping:bits=2", *SMALL, "--json", "--out", str(tmp_path / "out")]
    loaded(RUN.replace("run(", "import distest.cli.learn_ as l; l._draw = lambda *a: None; run(", 1), *run)
    found = loaded(RUN, "audit", str(tmp_path / "out"))
    assert not found & {"numba", "mpi4py", "matplotlib"}


@pytest.mark.parametrize("arguments", [["list", "protocols"], ["list", "distributions"], ["bounds", "--help"]])
def test_looking_things_up_needs_no_compiler(arguments: list[str]) -> None:
    assert not loaded(RUN, *arguments) & {"numba", "mpi4py", "matplotlib"}


def test_a_large_run_uses_the_compiler() -> None:
    found = loaded(RUN, "learn", "--protocol", "grouping:bits=2", *SMALL, "--m", "4000000", "--json")
    assert "numba" in found
    assert not found & {"mpi4py", "matplotlib"}


def test_records_and_their_comparison_need_no_mpi_no_compiler_and_no_picture() -> None:
    assert not loaded("import distest.records, analysis.compare") & {"numba", "mpi4py", "matplotlib"}
