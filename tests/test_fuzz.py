"""scripts/fuzz finds nothing in a few hundred cases, and finds decoders that were made to fail."""

import importlib.machinery
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distest import catalog
from distest.errors import WireError

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "fuzz"
MOST_BITS = 1500  # of the inputs that tests damage; scripts/fuzz takes the long ones as well
sys.path.append(str(SCRIPT.parent))
RUNS = ("protocol", "method", "exchange")
HEALTH = list(HealthCheck)  # building the inputs of all decoders is slow, and no fault
DECODERS = sorted(importlib.import_module("decoders").known())


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        loader = importlib.machinery.SourceFileLoader("fuzz", str(SCRIPT))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fuzz", loader))  # type: ignore[arg-type]
        patch.setitem(sys.modules, "fuzz", module)
        loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def some(fuzz: Any) -> Iterator[dict[str, list[Any]]]:
    """For each decoder its shortest valid inputs, up to a dozen, all that differ in their options among them."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    found: dict[str, list[Any]] = {}
    for target in sorted(itertools.chain.from_iterable(fuzz.targets(folder)), key=lambda target: target.n_bits):
        found.setdefault(target.of, []).append(target)
    chosen = {}
    for of, targets in found.items():
        few = [target for target in targets if target.n_bits <= MOST_BITS] or targets
        chosen[of] = few[:: -(-len(few) // 12)]
    yield chosen
    shutil.rmtree(folder)


def test_a_few_hundred_cases_do_not_fail() -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--cases", "600", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.startswith("600 cases on ")
    assert ended.stdout.count("\n") == 1


def test_every_decoder_has_something_valid_to_damage(fuzz: Any, some: dict[str, list[Any]]) -> None:
    """`targets` refuses to go on without one that the catalog or the folder of codecs knows; and it knows these."""
    known = fuzz.decoders.known()
    assert set(some) == known
    for kind in ("compressor", "method", "exchange", "protocol"):
        assert {of.removeprefix(f"{kind} ") for of in known if of.startswith(f"{kind} ")} == set(catalog.names(kind))
    assert {"codec Rans", "codec EliasOmega", "index set", "integers", "board", "checkpoint"} <= known


def test_a_decoder_that_is_forgotten_is_named(fuzz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for group in ("compressors", "parts"):
        monkeypatch.setattr(fuzz.decoders, group, lambda: iter(()))
    for group in ("protocols", "runs", "boards", "checkpoints"):
        monkeypatch.setattr(fuzz.runs, group, lambda *folder: iter(()))
    with pytest.raises(
        AssertionError, match="nothing to damage for: board, checkpoint, compressor chain, compressor chunk_top"
    ):
        fuzz.targets(tmp_path)


@pytest.mark.parametrize("of", DECODERS)
def test_mutated_bytes_are_decoded_or_refused(fuzz: Any, some: dict[str, list[Any]], of: str) -> None:
    """Ten thousand cases of every decoder of messages and files; fewer of whole runs, which take milliseconds each."""
    targets = some[of]
    draw = np.random.default_rng(sum(of.encode()))
    cases = 200 if of.startswith(RUNS) else 10_000
    decoded = 0
    for case in range(cases):
        target = targets[case % len(targets)]
        kind, data, n_bits = fuzz.damaged(target, draw)
        try:
            decoded += fuzz.survives(target, kind, data, n_bits)
        except Exception as error:
            raise AssertionError(f"case {case}, {target.name}, {kind}: {type(error).__name__}: {error}") from error
    assert 0 <= decoded < cases  # something is refused, be it messages that are cut short


@pytest.mark.parametrize("of", DECODERS)
def test_what_hypothesis_makes_of_them_is_decoded_or_refused(fuzz: Any, some: dict[str, list[Any]], of: str) -> None:
    cases = 20 if of.startswith(RUNS) else 200
    places = st.integers(0, 1 << 16)

    @settings(max_examples=cases, database=None, derandomize=True, suppress_health_check=HEALTH)
    @given(st.sampled_from(some[of]), st.binary(max_size=64), places, st.none() | places)
    def check(target: Any, told: bytes, at: int, cut: int | None) -> None:
        size = (target.n_bits + 7) // 8
        at %= size
        data = target.data.copy()
        if cut is None:
            data[at : min(size, at + len(told))] = np.frombuffer(told, np.uint8)[: size - at]
            fuzz.survives(target, "bytes", data, target.n_bits)
        else:
            fuzz.survives(target, "cut", data, cut % target.n_bits)

    check()


def none(data: Any, n_bits: int) -> None:
    raise KeyError("none")


def refuse(data: Any, n_bits: int) -> None:
    raise WireError("no")


def test_what_is_refused_is_fine_and_what_breaks_is_not(fuzz: Any) -> None:
    data = np.arange(40, dtype=np.uint8)
    assert not fuzz.survives(fuzz.Target("t", "t", data, 320, refuse), "bits", data, 320)
    assert fuzz.survives(fuzz.Target("t", "t", data, 320, lambda data, n_bits: None), "bits", data, 320)
    with pytest.raises(AssertionError, match="cut from 320 to 300 bits, and read"):
        fuzz.survives(fuzz.Target("t", "t", data, 320, lambda data, n_bits: None), "cut", data, 300)
    with pytest.raises(KeyError):
        fuzz.survives(fuzz.Target("t", "t", data, 320, none), "bits", data, 320)


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
    planted = [fuzz.Target("planted", "planted", np.zeros(9, np.uint8), 72, decode)]
    monkeypatch.setattr(fuzz, "targets", lambda folder: [planted])
    monkeypatch.setattr(fuzz, "PATIENCE", 0.5)
    assert fuzz.watch(range(3, 9), 4, tmp_path) == 1
    said = capsys.readouterr().out
    assert "case 3 of seed 4 failed" in said
    assert words in said
    assert "--seed 4 --case 3" in said
