"""A report as Markdown: the answers and the tables of the page, without its figures."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.report import tables, words
from analysis.report.answers import Judged
from analysis.report.cells import Table
from analysis.report.exponents import exponents
from analysis.report.judging import alarms, called, judge, questions, titled
from analysis.report.material import Material
from analysis.report.split import split_table

_DRAWN = ("command", "bar", "forest")  # kinds of columns that text cannot show


def markdown(material: Material, title: str | None, made_by: str) -> str:
    """The text of a report. title: what it is about where None. made_by: the command that makes it again."""
    judged = judge(material)
    slopes = exponents([one.problem for one in judged])
    parts = [f"# {title or titled(judged)}", f"{words.plural(len(material.records), 'run')}; made by `{made_by}`."]
    said = alarms(material)
    if said:
        parts += ["## Alarms", "\n".join(f"- {alarm}" for alarm in said)]
    for asked in questions(judged, slopes):
        lines = [f"{who}: {sentence}" if who else sentence for who, sentence in asked["lines"]]
        parts += [f"**{asked['question']}** " + " ".join(lines)]
    for one in judged:
        parts += [f"## {called(one.problem, judged) or one.problem.name}", f"{one.problem.sizes}."]
        parts += [_table(table) for table in _tables(one)]
    if slopes:
        parts += ["## Exponents", _table(tables.exponents_table(slopes))]
    if material.methods:
        told = [f"- **{m.name}** ({m.kind}): {m.what} {m.source}".rstrip() for m in material.methods]
        parts += ["## Methods", "\n".join(told)]
    return "\n\n".join(parts) + "\n"


def _tables(one: Judged) -> Iterator[Table]:
    """What is told of a problem."""
    if one.ratios:
        yield tables.ratios_table(one.ratios)
    if one.rows:
        yield tables.verdict_table(one)
        yield split_table(one)
    if one.timed:
        yield tables.network_table(one.timed)


def _table(table: Table) -> str:
    """A table with its caption, numbers to the right, and its notes."""
    told = table.told()
    kept = [place for place, column in enumerate(told.columns) if column.kind not in _DRAWN]
    heads = [told.columns[place].name for place in kept]
    rule = ["---:" if told.columns[place].kind == "number" else "---" for place in kept]
    rows = [[row[place].text.replace("|", "\\|") for place in kept] for row in told.rows]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]
    return "\n\n".join([f"*{told.caption}*", "\n".join(lines), *told.notes])
