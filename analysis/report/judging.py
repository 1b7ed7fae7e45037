"""What a report says of its records as a whole: problems judged, questions answered, alarms; for page and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.report import words
from analysis.report.answers import Judged, distance, fewest, holds, pays
from analysis.report.exponents import Exponent
from analysis.report.material import Material
from analysis.report.network import timed
from analysis.report.problems import Problem, problems
from analysis.report.provable import ratios
from analysis.report.verdict import verdicts

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


def questions(judged: Sequence[Judged], slopes: Sequence[Exponent]) -> list[dict[str, Any]]:
    """The four questions, each with one sentence, or one a problem."""
    plain = [one for one in judged if not one.problem.prior]
    name = {id(one.problem): called(one.problem, judged) for one in judged}
    told = [
        [(name[id(one.problem)], fewest(one)) for one in plain],
        [(name[id(one.problem)], distance(one)) for one in judged],
        [("", holds(slopes))],
        [(name[id(one.problem)], pays(one)) for one in plain],
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


def titled(judged: Sequence[Judged]) -> str:
    """What a report is about: its problems, or how many there are, and how many methods."""
    names = list(dict.fromkeys(one.problem.name for one in judged))
    methods = len({method for one in judged for method in one.problem.methods})
    about = words.listing(names) if len(names) <= 3 else words.plural(len(names), "problem")
    return f"{about}: {words.plural(methods, 'method')}"


def called(problem: Problem, judged: Sequence[Judged]) -> str:
    """The name of a problem among the others, with those of its sizes that tell it from its namesakes; "" alone."""
    if len(judged) == 1:
        return ""
    alike = [one.problem.sizes.split(", ") for one in judged if one.problem.name == problem.name]
    own = [part for part in problem.sizes.split(", ") if not all(part in other for other in alike)]
    return ", ".join([problem.name, *own])


def alarms(material: Material) -> list[str]:
    """What contradicts itself: runs with two results, transcripts that do not say what their records do."""
    wrong = material.audits.wrong if material.audits else ()
    return [*material.conflicts, *(f"The audit of {sentence}" for sentence in wrong)]
