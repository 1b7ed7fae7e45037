"""Figures from records: the only file that imports matplotlib."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # files only: never ask for a screen

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bounds.total_bits_l1 import total_bits_l1
from analysis.bounds.total_bits_l2 import total_bits_l2
from analysis.compare import groups, mean, standard_error
from analysis.statistics import RISING
from distest.records import run_name

Row = dict[str, Any]
Series = Mapping[str, Sequence[Row]]

# Okabe and Ito's colours and two of Tol's, told apart by most eyes; the marker says the same again
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#7F7F7F",
    "#882255",
    "#999933",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "h", "<", ">")  # one more than colours: pairs come back late
_PRIORS = ("cos2_haar", "pairs")
_PROBLEM = ("n", "s", "distribution", "data", "data_sha256", "sampling", "estimator")
_ERRORS = (("l2_squared", "squared l2 error"), ("l1", "l1 error"))


FORMATS = ("png", "svg")
PAPER = ("svg", "pdf")
_DATED = {"svg": "Date", "pdf": "CreationDate"}  # what a format says of the day; left out, a figure is the same twice


def error_against_bits(records: Sequence[Row], folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """One picture a problem: error against payload bits, a line a protocol, the provable bound dashed; log-log.

    Writes each format into the folder and returns the paths. Runs under a prior are left out: each has a law of
    its own, their ratios belong in the table.
    """
    problems: dict[str, list[Row]] = {}
    for record in records:
        spec = record["spec"]
        if record["kind"] == "learn" and spec.get("distribution", {}).get("name") not in _PRIORS:
            problem = {key: spec.get(key) for key in _PROBLEM}
            problems.setdefault(json.dumps(problem, sort_keys=True), []).append(record)
    paths = []
    for key, found in problems.items():
        stem = f"error-{_name(found[0])}-n{found[0]['n']}-{_short(key)}"
        paths += _save(_figure(found), folder, stem, formats)
    return paths


def loss_against_bits(
    records: Sequence[Row], series: Series, folder: Path, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """One picture a training problem: loss, and accuracy where there is one, against payload bits, a line a method.

    series: the points of each run, by its name. Writes each format into the folder and returns the paths.
    """
    problems: dict[str, list[Row]] = {}
    for record in records:
        if record["kind"] == "train" and series.get(run_name(record)):
            problems.setdefault(json.dumps([record["spec"]["problem"], record["workers"]], sort_keys=True), []).append(
                record
            )
    paths = []
    for key, found in problems.items():
        keys = [y for y in ("loss", "accuracy") if all(y in series[run_name(record)][-1] for record in found)]
        figure = Figure(figsize=(6 * len(keys), 5.2), layout="constrained")
        for position, y in enumerate(keys, 1):
            draw_series(figure.add_subplot(1, len(keys), position), found, series, y)
        _legend(figure)
        name = str(found[0]["spec"]["problem"]["name"])
        figure.suptitle(f"{name}: d = {found[0]['d']:,}, {found[0]['workers']} workers")
        paths += _save(figure, folder, f"loss-{name.replace(':', '-')}-{_short(key)}", formats)
    return paths


def draw_errors(axes: Axes, records: Sequence[Row], key: str) -> None:
    """Error against payload bits of one problem, a line a protocol; with one sample a server the bound, dashed."""
    lines = _lines(records)
    for (name, points), colour, marker in zip(lines.items(), cycle(_COLOURS), cycle(_MARKERS), strict=False):
        _draw_line(axes, points, key, name, colour, marker)
    if records[0]["s"] == 1 and key in dict(_ERRORS):
        _draw_bound(axes, records[0]["n"], key)
    _finish(axes, dict(_ERRORS).get(key, key))


def draw_series(axes: Axes, records: Sequence[Row], series: Series, key: str) -> None:
    """A column of series against payload bits, a line a method: means over repeats, two standard errors shaded.

    The first evaluation costs no bits and has no place on a log axis.
    """
    for group, colour, marker in zip(groups(records), cycle(_COLOURS), cycle(_MARKERS), strict=False):
        steps: dict[int, list[Row]] = {}
        for record in group:
            for point in series.get(run_name(record), ()):
                if point["payload_bits"] > 0 and point.get(key) is not None:
                    steps.setdefault(point["step"], []).append(point)
        x = [mean([point["payload_bits"] for point in points]) for points in steps.values()]
        y = np.array([mean([point[key] for point in points]) for points in steps.values()])
        spread = np.array([2 * (standard_error([point[key] for point in points]) or 0.0) for points in steps.values()])
        axes.plot(x, y, label=group[0]["label"], color=colour, marker=marker, markersize=4, linewidth=1.4)
        if spread.any():
            axes.fill_between(x, y - np.minimum(spread, 0.9 * y), y + spread, color=colour, alpha=0.2, linewidth=0)
    _finish(axes, key)
    if key in RISING:
        axes.set_yscale("linear")


def _finish(axes: Axes, title: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel="payload bits in all", ylabel=title)
    axes.grid(visible=True, which="major", color="0.88")
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:6]


def _save(figure: Figure, folder: Path, stem: str, formats: Sequence[str]) -> list[Path]:
    """Write a figure in each format, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix in formats:
        path = folder / f"{stem}.{suffix}"
        partial = folder / f".{stem}.partial.{suffix}"
        metadata = {_DATED[suffix]: None} if suffix in _DATED else None
        with rc_context({"svg.hashsalt": stem}):  # else names inside an SVG are drawn anew
            figure.savefig(partial, dpi=150, bbox_inches="tight", metadata=metadata)
        partial.replace(path)
        paths.append(path)
    return paths


def _name(record: Row) -> str:
    distribution = record["spec"].get("distribution")
    return str(distribution["name"] if distribution else record["truth"]["name"])


def _lines(records: Sequence[Row]) -> dict[str, list[list[Row]]]:
    """Points by the line they belong to: budgets of one protocol at one m, or one budget at several m."""
    lines: dict[str, list[list[Row]]] = {}
    for group in groups(records):
        lines.setdefault(re.sub(r" b=\d+", "", group[0]["label"]), []).append(group)
    split: dict[str, list[list[Row]]] = {}
    for name, points in lines.items():
        several = len({p[0]["m"] for p in points}) > 1
        for point in points:
            split.setdefault(point[0]["label"] if several else name, []).append(point)
    return split


def _figure(records: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(12, 5.2), layout="constrained")
    first = records[0]
    for position, (key, _) in enumerate(_ERRORS, 1):
        draw_errors(figure.add_subplot(1, 2, position), records, key)
    _legend(figure)
    servers = sorted({r["m"] for r in records})
    shown = f"m = {servers[0]:,}" + (f" to {servers[-1]:,}" if len(servers) > 1 else "")
    figure.suptitle(
        f"{_name(first)}: n = {first['n']:,}, {shown} servers, {first['s']} sample{'s' * (first['s'] > 1)} each"
    )
    return figure


def _draw_line(axes: Axes, points: list[list[Row]], key: str, name: str, colour: str, marker: str) -> None:
    """A point is the mean over the repeats of one spec; bars are two standard errors where they are known."""
    where = sorted((mean([r["payload_bits"] for r in p]), mean([r[key] for r in p]), i) for i, p in enumerate(points))
    x, y = [w[0] for w in where], [w[1] for w in where]
    spread = [2 * (standard_error([r[key] for r in points[w[2]]]) or 0.0) for w in where]
    low = [min(s, 0.9 * v) for s, v in zip(spread, y, strict=True)]
    axes.errorbar(x, y, (low, spread), label=name, color=colour, marker=marker, markersize=6, linewidth=1.4)


def _draw_bound(axes: Axes, n: int, key: str) -> None:
    """The best provable lower bound for the worst p, for any protocol that sends so many bits in all."""
    low, high = axes.dataLim.x0, axes.dataLim.x1
    bits = np.geomspace(max(4.0, low / 1.5), high * 1.5, 24 if key == "l2_squared" else 12)
    bound = total_bits_l2 if key == "l2_squared" else total_bits_l1
    # every server writes at least one bit, so B bits are at most B samples
    values = [bound(n, int(b), float(b)).value for b in bits]
    axes.plot(bits, values, "--", color="0.35", linewidth=1.4, label="provable lower bound, worst p")
