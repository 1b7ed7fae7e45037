"""Figures from records: the files are there, both axes are logarithmic, the provable bound is dashed."""

import importlib.util
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.bounds.total_bits_l2 import total_bits_l2
from distest import experiment, spec
from distest.wire.transport import Solo

if importlib.util.find_spec("matplotlib") is None and "CI" not in os.environ:
    pytest.skip("matplotlib is not installed: pip install 'distest[report]'", allow_module_level=True)

from analysis import figures

Record = dict[str, Any]


def run(*protocols: str, **more: Any) -> list[Record]:
    table = {"protocols": list(protocols), "n": 16, "m": 400, "distribution": "zipf", "repeats": 3, **more}
    asked = spec.check(spec.normalise(table))
    return [record for record, _ in experiment.run(asked, experiment.plan(asked), Solo(), False)]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return run("full_sample", "grouping:bits=1", "grouping:bits=3", "adaptive_entropy")


def test_each_problem_is_a_png_and_an_svg(records: list[Record], tmp_path: Path) -> None:
    more = run("full_sample", n=20)
    paths = figures.error_against_bits([*records, *more], tmp_path / "deep" / "figures")
    assert len(paths) == 4
    assert {path.suffix for path in paths} == {".png", ".svg"}
    assert sorted(paths) == sorted((tmp_path / "deep" / "figures").iterdir())
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        else:
            assert ET.parse(path).getroot().tag.endswith("svg")
        assert path.stat().st_size > 5000
    names = " ".join(path.name for path in paths)
    assert "zipf-n16" in names
    assert "zipf-n20" in names


def test_drawing_again_replaces_the_files(records: list[Record], tmp_path: Path) -> None:
    first = figures.error_against_bits(records, tmp_path)
    assert figures.error_against_bits(records, tmp_path) == first
    assert sorted(tmp_path.iterdir()) == sorted(first)


def test_axes_are_logarithmic_and_labelled(records: list[Record]) -> None:
    figure = figures._figure(records)
    assert len(figure.axes) == 2
    for axes, error in zip(figure.axes, ("squared l2 error", "l1 error"), strict=True):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert axes.get_xlabel() == "payload bits in all"
        assert axes.get_ylabel() == error
    title = figure.get_suptitle()
    for part in ("zipf", "n = 16", "m = 400"):
        assert part in title


def test_each_protocol_is_a_line_through_its_means_and_the_bound_is_dashed(records: list[Record]) -> None:
    figure = figures._figure(records)
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert len(labels) == len(set(labels)) == 4  # full_sample, grouping, adaptive_entropy and the bound
    assert any("provable lower bound" in label for label in labels)
    assert sum("grouping" in label for label in labels) == 1
    for axes, key in zip(figure.axes, ("l2_squared", "l1"), strict=True):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 1
        solid = {len(line.get_xdata()): line for line in axes.lines if line.get_linestyle() == "-"}  # type: ignore[arg-type]
        x, y = (np.asarray(values, np.float64) for values in (solid[2].get_xdata(), solid[2].get_ydata()))
        for place, bits in enumerate((1, 3)):
            mine = [r for r in records if r["spec"]["protocol"].get("bits") == bits]
            assert x[place] == pytest.approx(np.mean([r["payload_bits"] for r in mine]))
            assert y[place] == pytest.approx(np.mean([r[key] for r in mine]))


def test_the_dashed_line_is_the_bound_and_lies_below_every_point(records: list[Record]) -> None:
    """A protocol may beat the bound for the worst p at another p; at Zipf's law none of these does."""
    axes = figures._figure(records).axes[0]
    (line,) = (line for line in axes.lines if line.get_linestyle() == "--")
    x, y = np.asarray(line.get_xdata(), np.float64), np.asarray(line.get_ydata(), np.float64)
    assert y == pytest.approx([total_bits_l2(16, int(b), float(b)).value for b in x])
    assert (np.diff(y) <= 0).all()
    for record in records:
        bits = record["payload_bits"]
        assert total_bits_l2(16, bits, float(bits)).value < record["l2_squared"]
        assert x[0] <= bits <= x[-1]


def test_runs_under_a_prior_have_no_common_law_and_no_picture(tmp_path: Path) -> None:
    found = run("grouping:bits=2", distribution="cos2_haar", n=64, m=2000)
    assert figures.error_against_bits(found, tmp_path) == []


def test_several_samples_have_no_bound_and_no_error_has_no_mark(tmp_path: Path) -> None:
    several = figures._figure(run("full_sample", s=3))
    assert not [line for axes in several.axes for line in axes.lines if line.get_linestyle() == "--"]
    exact = run("full_sample", distribution="geometric:ratio=1e-300")
    assert exact[0]["l2_squared"] == 0
    assert len(figures.error_against_bits(exact, tmp_path)) == 2


def test_no_records_give_no_picture(tmp_path: Path) -> None:
    assert figures.error_against_bits([], tmp_path) == []
