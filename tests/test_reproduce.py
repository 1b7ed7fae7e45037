"""The scripts of scripts/reproduce/ start, and what they share counts right."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "scripts" / "reproduce"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text("utf-8"))


@pytest.fixture
def runs(reproduce: Callable[[str], Any]) -> Any:
    return reproduce("runs")


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_start(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "--quick" in ended.stdout


def test_bits_until_a_loss_lie_on_straight_lines(runs: Any) -> None:
    run = runs.Curve([1.0, 0.5, 0.7, 0.1], [0, 100, 200, 300], 4.0)
    assert runs.needed(run, 1.5) == 0
    assert runs.needed(run, 0.75) == 50
    assert runs.needed(run, 0.4) == pytest.approx(250)
    assert runs.needed(run, 0.05) == math.inf
    assert runs.needed(None, 0.5) == math.inf
    assert [runs.within(run, bits) for bits in (0, 99, 100, 1000)] == [1.0, 1.0, 0.5, 0.1]


def test_fewer_bits_in_every_repeat_or_not_fewer(runs: Any) -> None:
    assert runs.times([1.0, 2.0], [3.0, 4.0]) == (True, "the other needs 2 to 3 times the bits")
    assert runs.times([1.0, 2.0], [3.0, 1.0])[0] is False
    assert runs.times([1.0, math.inf], [3.0, 9.0])[0] is False
    assert runs.times([1.0], [math.inf])[0] is True


def test_a_run_that_diverges_is_none_and_one_that_does_not_is_measured(runs: Any) -> None:
    problem = {"name": "least_squares", "data": "abalone"}
    assert runs.curve({"name": "supersgd"}, problem, 0, 60, rate=1e4) is None
    run = runs.curve({"name": "supersgd"}, problem, 0, 4, rate=0.01)
    assert run.per == 32
    assert len(run.loss) == len(run.bits) == 5


def test_verdicts_say_why_and_are_written(
    reproduce: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts, file = reproduce("verdicts"), tmp_path / "v.json"
    monkeypatch.setattr(sys, "argv", ["x.py", "--quick", "--json", str(file)])
    asked = verdicts.asker("x", "An example.").parse_args()
    asked.script = "x"
    out = verdicts.Verdicts("X", asked)
    out.hold("a", True, "2", reason="none is needed")
    out.hold("b", False, "3")
    out.hold("c", False, "4", reason="the sweep ends at 4")
    out.hold("d", False, "5", trained=True)
    assert out.end() == 0
    written = json.loads(file.read_text())
    assert written["command"] == "python scripts/reproduce/x.py --quick"
    found = [(one["paper"], one["claim"], one["number"], one["holds"], one["reason"]) for one in written["verdicts"]]
    assert found == [
        ("X", "a", "2", "yes", ""),
        ("X", "b", "3", "no", ""),
        ("X", "c", "4", "not on this problem", "the sweep ends at 4"),
    ]
