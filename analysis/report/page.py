"""The page itself: templates filled with what was worked out, plotly once, and nothing that asks a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.report import drawing, tables, words
from analysis.report.answers import Judged
from analysis.report.cells import Table
from analysis.report.exponents import exponents
from analysis.report.judging import PROBLEMS_MOST, alarms, called, judge, questions, titled
from analysis.report.material import Material
from analysis.report.problems import Problem
from analysis.report.split import split_table

Json = dict[str, Any]


def page(material: Material, title: str | None, made_by: str) -> str:
    """The HTML of a report. title: what it is about where None. made_by: the command that makes it again."""
    judged = judge(material)
    slopes = exponents([one.problem for one in judged])
    shown = judged[:PROBLEMS_MOST]
    figures: Json = {}
    sections = [_section(number, one, called(one.problem, judged)) for number, one in enumerate(shown, 1)]
    for number, section in enumerate(sections, 1):
        drawn = {f"error-{number}": section.figure, f"time-{number}": section.time}
        figures |= {name: figure for name, figure in drawn.items() if figure is not None}
    heats = []
    for number, transcript in enumerate(material.transcripts, 1):
        figures[f"heat-{number}"] = {"heat": drawing.heat_figure(transcript)}
        heats.append({"id": f"heat-{number}", "transcript": transcript})
    context = {
        "title": title or titled(judged),
        "made_by": made_by,
        "material": material,
        "runs": len(material.records),
        "answers": questions(judged, slopes),
        "alarms": alarms(material),
        "sections": sections,
        "omitted": judged[PROBLEMS_MOST:],
        "exponents": tables.exponents_table(slopes).told() if slopes else None,
        "heats": heats,
        "ran": tables.runs_table([(called(one.problem, judged), one.problem) for one in judged]),
        "versions": _versions([point.first for one in judged for point in one.problem.points]),
        "machines": _machines(material.records),
        "methods": material.methods,
        "symbols": drawing.SYMBOLS,
        "words": words,
        "style": Markup(_text("page.css")),  # our own file
        "script": Markup(_text("page.js")),  # our own file
        "plotly": Markup(get_plotlyjs() if figures else ""),  # plotly's own file
        "figures": Markup(_json({"figures": figures, "commands": _shared(figures)})),  # `<` is escaped in it
    }
    return _environment().get_template("page.html").render(context)


@dataclass(frozen=True)
class Section:
    """What a problem shows. name: what it is called among others, "" alone. ratios, verdict, points, split, network:
    tables; figure, time: what is drawn."""

    id: str
    name: str
    problem: Problem
    ratios: Table | None = None
    verdict: Table | None = None
    figure: Json | None = None
    points: Table | None = None
    split: Table | None = None
    network: Table | None = None
    time: Json | None = None


def _section(number: int, one: Judged, name: str) -> Section:
    """What is shown of a problem: under a prior ratios alone, for every protocol has a law of its own."""
    problem = one.problem
    ratios = tables.ratios_table(one.ratios) if one.ratios else None
    if problem.prior:
        return Section(f"problem-{number}", name, problem, ratios)
    return Section(
        f"problem-{number}",
        name,
        problem,
        verdict=tables.verdict_table(one) if one.rows else None,
        figure=drawing.error_figure(problem, one.target),
        points=tables.points_table(problem),
        split=split_table(one) if one.rows else None,
        network=tables.network_table(one.timed) if one.timed else None,
        time=drawing.time_figure(problem),
    )


def _versions(records: Sequence[Json]) -> list[str]:
    """The versions of Python, numpy, ... behind the records, each combination once."""
    return sorted(
        {", ".join(f"{name} {said}" for name, said in sorted(r.get("versions", {}).items())) for r in records}
    )


def _machines(records: Sequence[Json]) -> list[str]:
    """The machines that the records name, each once; records of older versions name none."""
    found = {(m["processor"], m["cores"], m["system"]) for r in records if (m := r.get("machine"))}
    said = [f"{name}, {words.plural(cores, 'core')}, {system}" for name, cores, system in sorted(found)]
    unknown = sum("machine" not in record for record in records)
    if unknown:
        said.append(f"{words.plural(unknown, 'run')} by a version that did not record the machine")
    return said


def _shared(figures: Json) -> list[str]:
    """The commands of all points, each once; a trace keeps their places: the same point is drawn in several views."""
    places: dict[str, int] = {}
    for figure in figures.values():
        for trace in (trace for view in figure.get("views", ()) for trace in view["traces"]):
            if "commands" in trace:
                trace["commands"] = [places.setdefault(command, len(places)) for command in trace["commands"]]
    return list(places)


def _json(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _text(name: str) -> str:
    return resources.files("analysis.report").joinpath("templates", name).read_text("utf-8")


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("analysis.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["typed"] = _typed
    return found


def _typed(sentence: str) -> Markup:
    """A sentence whose words in backquotes are code."""
    parts = sentence.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else p for n, p in enumerate(parts))
