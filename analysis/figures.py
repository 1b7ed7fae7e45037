"""Figures from records: the only file that imports matplotlib."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # files only: never ask for a screen

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bounds.total_bits_l1 import total_bits_l1
from analysis.bounds.total_bits_l2 import total_bits_l2
from analysis.compare import groups, mean, standard_error

Row = dict[str, Any]

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


def error_against_bits(records: Sequence[Row], folder: Path) -> list[Path]:
    """One picture a problem: error against payload bits, a line a protocol, the provable bound dashed; log-log.

    Writes PNG and SVG into the folder and returns their paths. Runs under a prior are left out: each has a law of
    its own, their ratios belong in the table.
    """
    problems: dict[str, list[Row]] = {}
    for record in records:
        spec = record["spec"]
        if record["kind"] == "learn" and spec.get("distribution", {}).get("name") not in _PRIORS:
            problem = {key: spec.get(key) for key in _PROBLEM}
            problems.setdefault(json.dumps(problem, sort_keys=True), []).append(record)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for key, found in problems.items():
        figure = _figure(found)
        stem = f"error-{_name(found[0])}-n{found[0]['n']}-{hashlib.sha256(key.encode()).hexdigest()[:6]}"
        for suffix in ("png", "svg"):
            path = folder / f"{stem}.{suffix}"
            partial = folder / f".{stem}.partial.{suffix}"
            figure.savefig(partial, dpi=150, bbox_inches="tight", metadata={"Date": None} if suffix == "svg" else None)
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
    lines = _lines(records)
    first = records[0]
    for position, (key, title) in enumerate(_ERRORS, 1):
        axes = figure.add_subplot(1, 2, position)
        for (name, points), colour, marker in zip(lines.items(), cycle(_COLOURS), cycle(_MARKERS), strict=False):
            _draw_line(axes, points, key, name, colour, marker)
        if first["s"] == 1:
            _draw_bound(axes, first["n"], key)
        axes.set(xscale="log", yscale="log", xlabel="payload bits in all", ylabel=title)
        axes.grid(visible=True, which="major", color="0.88")
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)
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
