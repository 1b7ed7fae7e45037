"""scripts/specs/thresholds.toml and the experiments: complete, in step with the specs, changed only with a note."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import theory
from distest import catalog, spec

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "scripts" / "specs"
TABLE = spec.read_toml(SPECS / "thresholds.toml")
KNOWN = theory.read(TABLE)


def cases(name: str, quick: bool) -> list[spec.LearnSpec]:
    """The specs of an experiment."""
    table = spec.normalise(spec.read_toml(SPECS / f"e{int(name[1:]):02}.toml"))
    for setting in KNOWN.experiments[name].quick if quick else []:
        spec.assign(table, setting)
    return [spec.check(case) for case in spec.expand(table)]


def test_every_experiment_has_a_spec_and_every_spec_its_checks() -> None:
    assert list(KNOWN.experiments) == [f"E{number}" for number in range(1, 19)]
    assert sorted(path.stem for path in SPECS.glob("e*.toml")) == [f"e{number:02}" for number in range(1, 19)]
    for experiment in KNOWN.experiments.values():
        assert experiment.checks
        assert experiment.plant.scale


def test_a_changed_threshold_comes_with_a_note() -> None:
    digest = theory.digest(TABLE)
    last = KNOWN.changes[-1]
    assert last.digest == digest, f"say why in a new [[changes]] of thresholds.toml, with digest = {digest!r}"
    assert last.why
    assert [change.day for change in KNOWN.changes] == sorted(change.day for change in KNOWN.changes)


def test_every_protocol_is_held_against_the_lower_bounds() -> None:
    named = {protocol["name"] for case in cases("E17", False) for protocol in case.protocols}
    assert named == set(catalog.names("protocol"))


@pytest.mark.parametrize("name", list(KNOWN.experiments))
@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
def test_a_spec_says_what_is_expected_and_has_repeats_for_an_interval(name: str, quick: bool) -> None:
    assert "\n# Expected: " in (SPECS / f"e{int(name[1:]):02}.toml").read_text("utf-8")
    assert all(case.repeats >= 2 for case in cases(name, quick))


@pytest.mark.parametrize("name", list(KNOWN.experiments))
def test_a_quick_run_has_wider_limits_and_no_more_runs(name: str) -> None:
    assert sum(case.repeats for case in cases(name, True)) <= sum(case.repeats for case in cases(name, False))
    for check in KNOWN.experiments[name].checks:
        assert check.quick.get("tolerance", check.tolerance) >= check.tolerance
        for key, wider in (("low", -1), ("high", 1)):
            if key in check.quick:
                assert (check.quick[key] - getattr(check, key)) * wider >= 0


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What scripts/check_theory runs."""
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "scripts" / "theory.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=path)


def test_an_experiment_passes_and_fails_with_its_error_planted() -> None:
    """One here; .ci/run does it for all."""
    good, bad = script("--quick", "--only", "E2"), script("--quick", "--plant", "E2")
    assert (good.returncode, bad.returncode) == (0, 1), good.stdout + good.stderr + bad.stderr
    assert "FAIL" in bad.stdout
    assert "FAIL" not in good.stdout


def test_the_document_is_of_a_full_run() -> None:
    assert "--write is for a full run" in script("--quick", "--write", "x.md").stderr


def test_an_unknown_experiment_is_refused() -> None:
    ended = script("--only", "E99")
    assert ended.returncode == 1
    assert "no experiment 'E99'; known: E1, E2" in ended.stderr


def load() -> Any:
    """scripts/theory.py as a module."""
    found = importlib.util.spec_from_file_location("check_theory", ROOT / "scripts" / "theory.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["check_theory"] = module
    found.loader.exec_module(module)
    return module


def test_flattening_by_brute_force_is_the_exact_one() -> None:
    from fractions import Fraction

    from distest.learning.fitting import oblivious

    cells = oblivious.greedy(5000, Fraction(1, 10))
    assert load().flattening(cells.edges) == pytest.approx(float(oblivious.worst_l1(cells)), rel=1e-12)


def test_the_document_shows_every_check_and_planted_error() -> None:
    module = load()
    finding = theory.Finding(
        what="slope",
        group="uniform",
        groups=5,
        value=-1.01,
        interval=(-1.03, -0.99),
        expected=-1,
        low=-1.05,
        high=-0.95,
        passed=True,
    )
    results = [module.Result(name, [finding], ["slope"], 3.0) for name in KNOWN.experiments]
    text = module.document(KNOWN, results, module.rows(results))
    assert text.count("| slope | uniform (worst of 5) | -1 ± 0.05 | -1.01 | -1.03 to -0.99 | pass |") == len(
        KNOWN.experiments
    )
    for experiment in KNOWN.experiments.values():
        assert experiment.title in text
        assert experiment.plant.what.replace("|", "\\|") in text
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {9, 4}
