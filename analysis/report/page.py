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

from analysis.report import answers, drawing, tables, words
from analysis.report.alarms import alarms, versions
from analysis.report.answers import Judged
from analysis.report.cells import Table
from analysis.report.exponents import exponents
from analysis.report.material import Material
from analysis.report.network import timed
from analysis.report.problems import Problem, problems
from analysis.report.provable import ratios
from analysis.report.verdict import verdicts

Json = dict[str, Any]

PROBLEMS_MOST = 8  # with figures and tables of their own
QUESTIONS = (
    "Which method needs the fewest bits?",
    "How far is that from what is provable?",
    "Does the theory's exponent hold?",
    "Would it pay on my network?",
)


def judge(material: Material) -> list[Judged]:
    """Everything that is said about each problem of the records."""
    found = []
    for problem in problems(material.records, material.series):
        target = problem.target(material.target)
        rows = [] if problem.prior else verdicts(problem, target)
        found.append(Judged(problem, target, rows, timed(rows, target), ratios(problem)))
    return found


def page(material: Material, title: str | None, made_by: str) -> str:
    """The HTML of a report. title: what it is about where None. made_by: the command that makes it again."""
    judged = judge(material)
    slopes = exponents([one.problem for one in judged])
    shown = judged[:PROBLEMS_MOST]
    figures: Json = {}
    sections = [_section(number, one) for number, one in enumerate(shown, 1)]
    for number, section in enumerate(sections, 1):
        drawn = {f"error-{number}": section.figure, f"time-{number}": section.time}
        figures |= {name: figure for name, figure in drawn.items() if figure is not None}
    heats = []
    for number, transcript in enumerate(material.transcripts, 1):
        figures[f"heat-{number}"] = {"heat": drawing.heat_figure(transcript)}
        heats.append({"id": f"heat-{number}", "transcript": transcript})
    context = {
        "title": title or _titled(judged),
        "made_by": made_by,
        "material": material,
        "runs": len(material.records),
        "answers": _answers(judged, slopes),
        "alarms": alarms(material.records, material.audits),
        "sections": sections,
        "omitted": judged[PROBLEMS_MOST:],
        "exponents": tables.exponents_table(slopes).told() if slopes else None,
        "heats": heats,
        "ran": tables.runs_table([(_called(one.problem, judged), one.problem) for one in judged]),
        "versions": versions(material.records),
        "methods": material.methods,
        "symbols": drawing.SYMBOLS,
        "words": words,
        "style": Markup(_text("page.css")),  # our own file
        "script": Markup(_text("page.js")),  # our own file
        "plotly": Markup(get_plotlyjs() if figures else ""),  # plotly's own file
        "figures": Markup(_json(figures)),  # `<` is escaped in it
    }
    return _environment().get_template("page.html").render(context)


@dataclass(frozen=True)
class Section:
    """What a problem shows. verdict, split, network, ratios, points: tables; figure, time: what is drawn."""

    id: str
    problem: Problem
    ratios: Table | None = None
    verdict: Table | None = None
    figure: Json | None = None
    points: Table | None = None
    split: Table | None = None
    network: Table | None = None
    time: Json | None = None


def _section(number: int, one: Judged) -> Section:
    """What is shown of a problem: under a prior ratios alone, for every protocol has a law of its own."""
    problem = one.problem
    ratios = tables.ratios_table(one.ratios) if one.ratios else None
    if problem.prior:
        return Section(f"problem-{number}", problem, ratios)
    return Section(
        f"problem-{number}",
        problem,
        verdict=tables.verdict_table(one) if one.rows else None,
        figure=drawing.error_figure(problem, one.target),
        points=tables.points_table(problem),
        split=tables.split_table(one) if one.rows else None,
        network=tables.network_table(one.timed) if one.timed else None,
        time=drawing.time_figure(problem),
    )


def _answers(judged: Sequence[Judged], slopes: Sequence[Any]) -> list[dict[str, Any]]:
    """The four questions, each with one sentence, or one a problem."""
    plain = [one for one in judged if not one.problem.prior]
    name = {id(one.problem): _called(one.problem, judged) for one in judged}
    told = [
        [(name[id(one.problem)], answers.fewest(one)) for one in plain],
        [(name[id(one.problem)], answers.distance(one)) for one in judged],
        [("", answers.holds(slopes))],
        [(name[id(one.problem)], answers.pays(one)) for one in plain],
    ]
    found = []
    for question, said in zip(QUESTIONS, told, strict=True):
        lines = said[:PROBLEMS_MOST]
        merged: dict[str, list[str]] = {}
        for who, sentence in lines:
            merged.setdefault(sentence, []).append(who)
        lines = [(words.listing(who), sentence) for sentence, who in merged.items()]
        found.append({"question": question, "lines": lines, "more": len(said) - PROBLEMS_MOST})
    return [one for one in found if one["lines"]]


def _titled(judged: Sequence[Judged]) -> str:
    """What a report is about: its problems, or how many there are, and how many methods."""
    names = list(dict.fromkeys(one.problem.name for one in judged))
    methods = len({method for one in judged for method in one.problem.methods})
    about = words.listing(names) if len(names) <= 3 else words.plural(len(names), "problem")
    return f"{about}: {words.plural(methods, 'method')}"


def _called(problem: Problem, judged: Sequence[Judged]) -> str:
    """The name of a problem among the others: with its sizes only where names alone do not tell."""
    if len(judged) == 1:
        return ""
    alike = sum(other.problem.name == problem.name for other in judged)
    return problem.name if alike == 1 else f"{problem.name} ({problem.sizes})"


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
