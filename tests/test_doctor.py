"""The doctor tells what is so, and warming reaches every kernel with one signature each."""

import json
import subprocess
import sys

import pytest

from distest import doctor, launch

WARM = """
import json
from distest import doctor, warming
sentence = doctor.warm()
signatures = {name: len(kernel.signatures) for name, kernel in warming._kernels().items()}
print(json.dumps([sentence, warming.uncompiled(), signatures]))
"""


def test_warming_uses_every_kernel_and_compiles_it_once() -> None:
    # in a process of its own: once numba is there, small inputs take the kernels too
    ran = subprocess.run([sys.executable, "-c", WARM], capture_output=True, text=True, timeout=300, check=True)
    sentence, missed, signatures = json.loads(ran.stdout)
    assert missed == []
    assert sentence.startswith(f"{len(signatures)} kernels are compiled")
    assert {name: count for name, count in signatures.items() if count > 1} == {}
    assert sum(signatures.values()) > 10


def test_every_finding_is_a_sentence_and_what_fails_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_mpi", lambda: [])  # has its own test
    found = doctor.examine()
    assert all(finding.remedy for finding in found if not finding.ok)
    said = " ".join(finding.sentence for finding in found)
    for word in ("Python", "numpy", "core", "cache"):
        assert word in said


def test_without_mpi_the_doctor_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_mpirun", lambda: None)
    (finding,) = doctor._mpi()
    assert not finding.ok
    assert "no mpirun" in finding.sentence
    assert 'pip install "distest[mpi]"' in finding.sentence


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_with_mpi_two_ranks_talk() -> None:
    mpirun = launch.find_mpirun()
    assert mpirun is not None
    there, talk = doctor._mpi()
    assert there.ok
    assert mpirun.kind in there.what
    assert talk.ok, talk.sentence
    assert talk.what.startswith("2 ranks talk: 8192 bytes")


def test_a_cache_that_is_never_hit_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps({"hits": 0, "path": "/somewhere", "seconds": 3.0})
    asked: list[object] = []

    def python(arguments: list[str], limit_s: float) -> "subprocess.CompletedProcess[str]":
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, 0, said, "")

    monkeypatch.setattr(doctor, "_python", python)
    finding = doctor._cache()
    assert not finding.ok
    assert len(asked) == 2  # the first may have compiled it, the second should have found it
    assert "/somewhere" in finding.sentence
    assert "NUMBA_CACHE_DIR" in finding.remedy
