"""What several tests share, and the repository's root on the path: a test can say `from tests import laws`."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from distest.__main__ import ONE_THREAD

os.environ.update(
    dict.fromkeys(ONE_THREAD, "1")
)  # before numpy is there, as the command does: two processes, two cores
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
pytest.register_assert_rewrite("tests.laws")
# a machine under load fails no test by its time alone
settings.register_profile("distest", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("distest")


@pytest.fixture(scope="session")
def naive() -> ModuleType:
    """tests/naive.py, loaded by its path."""
    spec = importlib.util.spec_from_file_location("naive", Path(__file__).with_name("naive.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reproduce(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Gives scripts/reproduce/NAME.py as a module."""
    monkeypatch.syspath_prepend(str(Path(ROOT) / "scripts" / "reproduce"))
    return importlib.import_module


@pytest.fixture
def mpi() -> ModuleType:
    """tests/mpi/launching.py: programs on MPI ranks. Skips where there is no MPI; in CI it fails instead."""
    from tests.mpi import launching

    launching.require()
    return launching
