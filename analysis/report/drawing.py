"""What plotly draws, as plain values: traces with a tone in place of a colour, so that light and dark share them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from analysis.report import words
from analysis.report.material import Target, Transcript
from analysis.report.network import ALPHA, SPEEDS, cost
from analysis.report.points import Along, Point, along
from analysis.report.problems import NAMES, Problem
from analysis.report.provable import curves, prediction
from analysis.statistics import Interval

SYMBOLS = (
    *("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "hexagon"),
    *("triangle-left", "triangle-right"),
)  # as in analysis.figures: one more than tones, so that pairs come back late
TONES = 10
LINES_MOST = 40  # in one figure: more cannot be told apart
POINTS_MOST = 150  # of one line
SPLIT_MOST = 60  # rows and columns of a heat map
Json = dict[str, Any]


def error_figure(problem: Problem, target: Target) -> Json:
    """Error or loss against bits: a view for each value, lines of points, bounds dashed, predictions dotted."""
    keys = sorted(problem.views, key=lambda key: target.key != "loss" and key != target.key)  # that of the target first
    views: list[Json] = [_view(problem, key, target) for key in keys]
    return {"views": views, "legend": _legend(views[0]["traces"]), "omitted": _omitted(problem)}


def time_figure(problem: Problem) -> Json | None:
    """Error or loss against time on a network, a view for each speed of its links; None where nothing was booked."""
    lines = [(name, pts) for name, pts in _lines(problem) if all(cost(point) is not None for point in pts)]
    if not lines:
        return None
    key = problem.views[0]
    views: list[Json] = []
    for speed in SPEEDS:
        traces = [_timed(problem, name, points, key, speed, place) for place, (name, points) in enumerate(lines)]
        axes = {"x": {"title": "seconds, modelled", "log": True}, "y": {"title": NAMES[key], "log": True}}
        views.append({"name": words.speed(speed), "traces": traces, "shapes": [], **axes})
    return {"views": views, "legend": _legend(views[0]["traces"]), "omitted": _omitted(problem)}


def _view(problem: Problem, key: str, target: Target) -> Json:
    traces: list[Json] = []
    for place, (name, points) in enumerate(_lines(problem)):
        traces.append(
            _trained(problem, name, points, key, place)
            if problem.kind == "train"
            else _learned(problem, name, points, key, place)
        )
        promised = _promised(name, points, key, place)
        if promised is not None:
            traces.append(promised)
    traces += [
        {
            "name": curve.name,
            "x": list(curve.bits),
            "y": list(curve.values),
            "mode": "lines",
            "dash": "dash",
            "tone": -1,
            "hovertemplate": f"{escape(curve.name)}<br>%{{y:.4g}} at %{{x:.4s}}bit<extra></extra>",
        }
        for curve in curves(problem, key)
    ]
    log = key != "accuracy"
    return {
        "name": NAMES[key],
        "traces": traces,
        "shapes": _line_at(problem, key, target),
        "x": {"title": "payload bits" + (" of all workers" if problem.kind == "train" else " in all"), "log": True},
        "y": {"title": NAMES[key], "log": log},
    }


def _lines(problem: Problem) -> list[tuple[str, list[Point]]]:
    """Points by the line they belong to; of training every point is a line of its own.

    Budgets of one protocol are one line where nothing else varies; else one setting of it is, along the number of
    servers.
    """
    found: dict[str, list[Point]] = {}
    for point in problem.points:
        found.setdefault(_line(problem, point), []).append(point)
    ordered = [(name, sorted(pts, key=lambda p: p.bits)) for name, pts in found.items()]
    return [(name, _thinned(pts)) for name, pts in ordered[:LINES_MOST]]


def _line(problem: Problem, point: Point) -> str:
    if problem.kind == "train":
        return ", ".join(filter(None, [point.method, problem.setting(point)]))
    others = [part for part in problem.setting(point).split(", ") if not part.startswith(("m = ", "b="))]
    name = point.label if "m" in problem.varied else point.method
    return ", ".join(filter(None, [name, *others]))


def _thinned(points: list[Point]) -> list[Point]:
    """At most so many points, evenly, with both ends."""
    if len(points) <= POINTS_MOST:
        return points
    step = (len(points) - 1) / (POINTS_MOST - 1)
    return [points[round(place * step)] for place in range(POINTS_MOST)]


def _omitted(problem: Problem) -> str:
    """What a figure leaves out, as a sentence; nothing where all is drawn."""
    lines = len({_line(problem, point) for point in problem.points})
    drawn = sum(len(points) for _, points in _lines(problem))
    if drawn == len(problem.points):
        return ""
    return (
        f"{words.plural(drawn, 'point')} of {words.grouped(len(problem.points))} are drawn, on "
        f"{min(lines, LINES_MOST)} of {words.plural(lines, 'line')}; exports have them all."
    )


def _learned(problem: Problem, name: str, points: Sequence[Point], key: str, place: int) -> Json:
    values = [point.value(key) for point in points]
    hover = [
        _said(point.label, problem.setting(point), point, value, key)
        for point, value in zip(points, values, strict=True)
    ]
    return _trace(name, [p.bits for p in points], values, hover, [p.command for p in points], place)


def _trained(problem: Problem, name: str, points: Sequence[Point], key: str, place: int) -> Json:
    point = points[0]
    course = [stop for stop in along(point, key) if stop.bits > 0]
    hover = [
        _said(point.label, f"after {words.plural(stop.step, 'step')}", point, stop.value, key, stop.bits)
        for stop in course
    ]
    values = [stop.value for stop in course]
    return _trace(name, [stop.bits for stop in course], values, hover, [point.command] * len(course), place)


def _timed(problem: Problem, name: str, points: Sequence[Point], key: str, speed: float, place: int) -> Json:
    """A line of points, or the course of a run, with modelled seconds in place of bits."""
    xs: list[float] = []
    values: list[Interval] = []
    hover: list[str] = []
    commands: list[str] = []
    for point in points:
        whole = cost(point)
        assert whole is not None  # lines without one are left out
        stops = [stop for stop in along(point, key) if stop.step] if problem.kind == "train" else [None]
        for stop in stops:
            value = point.value(key) if stop is None else stop.value
            x = whole.seconds(speed, ALPHA) if stop is None else _seconds(point, stop, speed)
            after = "" if stop is None else f"after {words.plural(stop.step, 'step')}"
            xs.append(x)
            values.append(value)
            commands.append(point.command)
            hover.append(
                f"<b>{escape(point.label)}</b> {after}<br>{words.seconds(x)} at {words.speed(speed)} (modelled)<br>"
                f"{NAMES[key]} {_with_interval(value)}"
            )
    return _trace(name, xs, values, hover, commands, place)


def _seconds(point: Point, stop: Along, speed: float) -> float:
    """Modelled time of a run of training up to a stop: the share of its turns, bits and computing behind it."""
    whole = cost(point)
    assert whole is not None  # lines without one are left out
    first = point.first
    parts: float = ALPHA * whole.hops * stop.step / first["steps"]
    parts += whole.link_bits / speed * (stop.bits / point.bits if point.bits else 0.0)
    return parts + stop.seconds * float(first["ranks"]) / float(first["workers"])


def _trace(
    name: str, xs: Sequence[float], values: Sequence[Interval], hover: list[str], commands: list[str], place: int
) -> Json:
    trace: Json = {
        "name": name,
        "x": list(xs),
        "y": [value.value for value in values],
        "mode": "lines+markers",
        "tone": place % TONES,
        "symbol": SYMBOLS[place % len(SYMBOLS)],
        "text": hover,
        "commands": commands,
        "hovertemplate": "%{text}<extra></extra>",
    }
    if any(value.high is not None for value in values):
        trace["up"] = [_reach(value.high, value.value) for value in values]
        trace["down"] = [_reach(value.value, _floor(value)) for value in values]
    return trace


def _floor(value: Interval) -> float | None:
    """The lower end, kept above zero, which a logarithmic axis does not have."""
    return None if value.low is None else max(value.low, 0.02 * value.value)


def _reach(high: float | None, low: float | None) -> float:
    return max(0.0, high - low) if high is not None and low is not None else 0.0


def _promised(name: str, points: Sequence[Point], key: str, place: int) -> Json | None:
    """The protocol's own exact formula, dotted, where it has one at every point."""
    if points[0].first["kind"] != "learn":
        return None
    values = [prediction(point, key) for point in points]
    if None in values:
        return None
    return {
        "name": f"{name}, predicted",
        "of": name,
        "x": [point.bits for point in points],
        "y": values,
        "mode": "lines" if len(points) > 1 else "markers",
        "dash": "dot",
        "tone": place % TONES,
        "symbol": "line-ew-open",
        "hovertemplate": f"{escape(name)}, predicted by its formula<br>%{{y:.4g}} at %{{x:.4s}}bit<extra></extra>",
    }


def _said(label: str, setting: str, point: Point, value: Interval, key: str, bits: float | None = None) -> str:
    """What hovering over a point says: exact values."""
    n_bits = point.bits if bits is None else bits
    per = f" ({words.number(n_bits / point.first['m'])} a server)" if point.first["kind"] == "learn" else ""
    return (
        f"<b>{escape(label)}</b>{f' · {escape(setting)}' if setting else ''}<br>{words.exact(n_bits)} bits{per}<br>"
        f"{NAMES[key]} {_with_interval(value)}<br>"
        f"{words.plural(len(point.records), 'run')}<br><i>select the point to copy its command</i>"
    )


def _with_interval(value: Interval) -> str:
    shown = f"{value.value:.6g}"
    return shown if value.low is None else f"{shown} [{value.low:.4g}, {value.high:.4g}]"


def _line_at(problem: Problem, key: str, target: Target) -> list[Json]:
    """The target as a thin line, where the view shows its value."""
    value = target.value
    if key != target.key:
        optimum = problem.first.get("optimum")
        if {key, target.key} != {"gap", "loss"} or optimum is None:
            return []
        value += optimum if key == "loss" else -optimum
    return [{"y": value, "said": f"target {words.aim(target.value)}"}] if value > 0 else []


def _legend(traces: Sequence[Json]) -> list[Json]:
    """The lines of a figure by name, with the traces that come and go with each."""
    entries: dict[str, Json] = {}
    for number, trace in enumerate(traces):
        name = str(trace.get("of", trace["name"]))
        looks = {key: trace.get(key) for key in ("tone", "symbol", "dash")}
        entries.setdefault(name, {"name": name, **looks, "traces": []})["traces"].append(number)
    return list(entries.values())


def heat_figure(transcript: Transcript) -> Json:
    """Bits of a transcript by blocks of parties and turns: at most `SPLIT_MOST` rows and columns."""
    rounds = sorted({said.round for said in transcript.said})
    starts = sorted({said.parties.start for said in transcript.said if said.parties})
    server = any(not said.parties for said in transcript.said)
    turns, turn_of = _places(rounds, rounds[-1] + 1 if rounds else 0)
    parties, party_of = _places(starts, transcript.parties)
    names = parties + (["server"] if server else [])
    bits = [[0] * len(turns) for _ in names]
    for said in transcript.said:
        bits[party_of[said.parties.start] if said.parties else -1][turn_of[said.round]] += said.n_bits
    return {"parties": names, "turns": turns, "bits": bits}


def _places(starts: Sequence[int], end: int) -> tuple[list[str], dict[int, int]]:
    """Neighbours put together until there are at most `SPLIT_MOST`: their names, and the place of each start."""
    share = max(1, math.ceil(len(starts) / SPLIT_MOST))
    firsts = starts[::share]
    names = [_span(first, stop) for first, stop in zip(firsts, [*firsts[1:], end], strict=True)]
    return names, {start: number // share for number, start in enumerate(starts)}


def _span(first: int, stop: int) -> str:
    return str(first) if stop - first <= 1 else f"{first}–{stop - 1}"
