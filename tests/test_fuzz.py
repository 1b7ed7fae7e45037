"""scripts/fuzz finds nothing in a few hundred cases, and finds decoders that were made to fail."""

import importlib.machinery
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest.codecs.base import Codec
from distest.errors import WireError

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "fuzz"


@pytest.fixture
def fuzz() -> Iterator[Any]:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("fuzz", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fuzz", loader))  # type: ignore[arg-type]
    sys.modules["fuzz"] = module
    loader.exec_module(module)
    yield module
    del sys.modules["fuzz"]


def test_a_few_hundred_cases_do_not_fail() -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--cases", "600", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.startswith("600 cases on ")
    assert ended.stdout.count("\n") == 1


def test_it_knows_every_codec(fuzz: Any) -> None:
    found = set()
    for file in (ROOT / "distest" / "codecs").glob("*.py"):
        module = importlib.import_module(f"distest.codecs.{file.stem}")
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Codec)]
        found |= {kind for kind in kinds if kind.__module__ == module.__name__ and not kind.__abstractmethods__}
    assert found == {type(codec) for codec in fuzz.CODECS}


def none(data: Any, n_bits: int) -> None:
    raise KeyError("none")


def refuse(data: Any, n_bits: int) -> None:
    raise WireError("no")


def test_what_is_refused_is_fine_and_what_breaks_is_not(fuzz: Any) -> None:
    data = np.arange(40, dtype=np.uint8)
    assert not fuzz.survives(fuzz.Target("t", data, 320, refuse), "bits", data, 320)
    assert fuzz.survives(fuzz.Target("t", data, 320, lambda data, n_bits: None), "bits", data, 320)
    with pytest.raises(AssertionError, match="cut from 320 to 300 bits, and read"):
        fuzz.survives(fuzz.Target("t", data, 320, lambda data, n_bits: None), "cut", data, 300)
    with pytest.raises(KeyError):
        fuzz.survives(fuzz.Target("t", data, 320, none), "bits", data, 320)


@pytest.mark.parametrize(
    ("decode", "words"),
    [
        (none, "KeyError: 'none'"),
        (lambda data, n_bits: time.sleep(60), "hung"),
        (lambda data, n_bits: sys.exit(3), "the process died with exit code 3"),
        (lambda data, n_bits: np.zeros(1 << 32).sum(), "MemoryError"),
    ],
)
def test_a_decoder_that_fails_is_named_with_its_case(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path, decode: Callable[..., None], words: str
) -> None:
    planted = [fuzz.Target("planted", np.zeros(9, np.uint8), 72, decode)]
    for group in ("compressors", "codecs", "protocols"):
        monkeypatch.setattr(fuzz, group, lambda: planted)
    monkeypatch.setattr(fuzz, "boards", lambda folder: planted)
    monkeypatch.setattr(fuzz, "checkpoints", lambda folder: [])
    monkeypatch.setattr(fuzz, "PATIENCE", 0.5)
    assert fuzz.watch(range(3, 9), 4, tmp_path) == 1
    said = capsys.readouterr().out
    assert "case 3 of seed 4 failed" in said
    assert words in said
    assert "--seed 4 --case 3" in said
