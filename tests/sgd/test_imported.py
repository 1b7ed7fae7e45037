"""A user's own problem by its import path: trained, recorded and audited like ours; what is missing is said."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import catalog, records, train_spec, training
from distest.coins import from_seed
from distest.errors import PartyError, UsageError
from distest.sgd.problem import Tensor
from distest.wire.transport import Solo

ROOT = Path(__file__).resolve().parents[2]
BROKEN = """
import numpy as np
import distest.sgd.problems.least_squares as ours

class Least(ours.LeastSquares):
    pass

class Plain:
    rows, tensors = 5, [("a", (2, 3)), ("b", ())]
    def gradient(self, x, rows): return x - 1
    def loss(self, x): return 0.5 * float(np.square(x - 1).sum())
    def start(self): return [2] * 7
    def labels(self): return [0, 1, 0, 1, 0]
    def evaluate(self, x): return {"nearness": 1 / (1 + np.abs(x - 1).max())}
    def optimum(self): return 0

class NoLoss:
    d = rows = 3
    def gradient(self, x, rows): return x

class NoSize(NoLoss):
    d = property(lambda self: self.no_such_thing)
    def loss(self, x): return 0

class NoRows(NoLoss):
    rows = 0
    def loss(self, x): return 0

class Wrong(NoSize):
    d = 3
    def gradient(self, x, rows): return x[:2]

class Needs(Wrong):
    def __init__(self, k: int, power=2.0):
        if k < 0: raise ValueError("k is negative")

class Shapes(Plain):
    tensors = ["weights"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example of CONTRIBUTING.md as mine.py, and broken.py, on the path."""
    blocks = re.findall(
        r"^```python title=\S+\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (example,) = (block for block in blocks if "class Huber" in block)
    (tmp_path / "mine.py").write_text(example)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "failing.py").write_text("1 / 0")
    (tmp_path / "hungry.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("mine", "broken", "failing", "hungry"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def trained(problem: str, **more: Any) -> Any:
    table = {"problem": problem, "method": "qsgd", "workers": 3, "steps": 10, "batch": 8, **more}
    spec = train_spec.check(train_spec.normalise(table))
    return next(training.run(spec, training.plan(spec), Solo(), False))


def typed(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The installed command `distest`, which does not look for modules where it is called, in a folder."""
    start = "import sys; sys.path.remove(''); from distest.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_that_is_printed_trains_is_recorded_and_audited(here: Path) -> None:
    (line,) = re.findall(
        r"^\$ distest (train --problem mine:.*)$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    for arguments in (line.split(), ["audit", "trained"]):
        ended = typed(here, *arguments)
        assert ended.returncode == 0, ended.stderr
    (record,) = records.load(here / "trained")
    assert record["spec"]["problem"] == {"name": "mine:Huber", "columns": 30, "width": 0.5}
    assert record["d"] == 30
    assert record["epochs"] >= 20 > record["epochs"] - 4 * 32 / 500
    series = [json.loads(line) for line in (here / "trained" / "series.jsonl").read_text().splitlines()]
    assert series[-1]["loss"] < 0.6 * series[0]["loss"]
    (here / "mine.py").rename(here / "moved.py")
    ended = typed(here, "audit", "trained")
    assert ended.returncode == 1
    assert "there is no module 'mine' for mine:Huber" in ended.stderr


def test_an_imported_problem_is_what_it_says(here: Path) -> None:
    record, series, _ = trained("broken:Plain", rate=0.5, schedule="constant", method="supersgd", shards="sorted")
    assert record["optimum"] == 0.0
    assert series[0]["loss"] == 3.5
    assert series[-1]["nearness"] > 0.99
    problem = catalog.build("problem", {"name": "broken:Plain"})
    assert problem.tensors == (Tensor("a", (2, 3)), Tensor("b", ()))
    assert catalog.describe(problem) == {"name": "broken:Plain"}
    same, ours = trained("broken:Least:l2=0.01")[0], trained("least_squares:l2=0.01")[0]
    assert same["model_sha256"] == ours["model_sha256"]
    assert same["optimum"] == ours["optimum"]
    assert same["spec"]["problem"] == {"name": "broken:Least", "l2": 0.01}
    assert np.array_equal(problem.start(from_seed(0)[0].public), np.full(7, 2, np.float32))


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("nowhere.at_all:Thing", "there is no module 'nowhere.at_all' for nowhere.at_all:Thing: not installed"),
        ("mine:Hubert", "no class of mine 'Hubert' \\(did you mean 'Huber'\\?\\)"),
        ("mine:Huber:colums=3", "no option of mine:Huber 'colums' \\(did you mean 'columns'"),
        ("mine:Huber:columns=many", "an option of mine:Huber does not fit"),
        ("mine:Huber:columns", "options are written key=value"),
        ("broken:NoLoss", "broken:NoLoss has no method 'loss'; a problem has gradient"),
        ("broken:NoSize", "has neither 'd' nor 'tensors'"),
        ("broken:NoRows", "has rows = 0, it has to be an integer of at least 1"),
        ("broken:Needs", "broken:Needs needs option 'k'"),
        ("broken:Needs:k=-1", "cannot be made with {'k': -1}: ValueError: k is negative"),
        ("broken:Shapes", "pairs of a name and a shape, got 'weights'"),
        ("broken:Plain:a=1", "broken:Plain has no options"),
        ("failing:A", "the module 'failing' of failing:A fails: ZeroDivisionError"),
        ("hungry:A", "the module 'hungry' of hungry:A needs 'no_such_package', which is not installed"),
        ("softmax:Data", "options are written key=value, got 'Data'"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(here: Path, problem: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        trained(problem)
    assert "\n" not in str(caught.value)


def test_a_gradient_of_the_wrong_shape_names_class_and_worker(here: Path) -> None:
    with pytest.raises(
        PartyError, match=r"servers 0-0 on rank 0: broken:Wrong.gradient gives float32 \(2,\), it has to"
    ):
        trained("broken:Wrong")
