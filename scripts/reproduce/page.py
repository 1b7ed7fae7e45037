"""The page of scripts/reproduce/all: what is claimed, its source, our number, the verdict, the command, the seconds."""

import dataclasses
import datetime as dt
import html
from dataclasses import dataclass
from typing import Any

INTRO = (
    "Written by `scripts/reproduce/all{flags} --write docs/reproduction.md` on {day}, from {commit}; do not edit. "
    "Each script holds claims of a paper against runs made here, on data that come with the package or out of "
    "packages, and computes its verdicts. *Not on this problem* is a claim that is not seen here for a reason that is "
    "named; it is no failure. Seconds are of one job, two at a time. The experiments E1 to E18 are told in full under "
    "[theory](theory.md)."
)
QUICK = "**A quick run**: fewer steps and repeats; claims on fully trained models are left out."
WORDS = {"yes": "holds", "no": "DOES NOT HOLD", "not on this problem": "not on this problem"}


@dataclass(frozen=True)
class Shown:
    """What became of a job. verdicts: as `verdicts.Verdict` has them. error: a sentence where it did not end well."""

    name: str
    title: str
    source: str
    command: str
    seconds: float
    verdicts: list[dict[str, Any]]
    error: str = ""

    @property
    def well(self) -> bool:
        """Whether it ended, and nothing failed without a known reason."""
        return not self.error and all(one["holds"] != "no" for one in self.verdicts)

    @property
    def summary(self) -> str:
        """How many claims hold."""
        if self.error:
            return f"FAILED, {self.error}"
        counts = {holds: sum(one["holds"] == holds for one in self.verdicts) for holds in WORDS}
        said = [f"{counts['yes']} of {len(self.verdicts)} hold"]
        said += [
            f"{counts[holds]} {word}" for holds, word in (("not on this problem",) * 2, ("no", "FAIL")) if counts[holds]
        ]
        return ", ".join(said)

    def complaints(self) -> list[str]:
        """A line for each thing that is not well."""
        failed = [f"{self.name}: {one['claim']} -> {one['number']}" for one in self.verdicts if one["holds"] == "no"]
        return failed + ([f"{self.name}: {self.error}"] if self.error else [])

    def table(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return dataclasses.asdict(self)


def as_markdown(results: list[Shown], quick: bool, commit: str) -> str:
    """The page for docs/."""
    lines = ["# What papers claim, and what is seen here", "", intro(quick, commit), ""]
    lines += [QUICK, ""] if quick else []
    lines += ["| | verdicts | seconds | command |", "|---|---|---|---|"]
    for one in results:
        what = f"[{one.name}](#{one.name.lower()}): {plain(one.title)}"
        lines += [f"| {what} | {plain(one.summary)} | {one.seconds:.0f} | `{one.command}` |"]
    for one in results:
        lines += ["", f"## {one.name}", "", f"**{plain(one.title)}** {plain(one.source)}", ""]
        lines += [f"`{one.command}`, {one.seconds:.0f} s.", ""]
        if one.error:
            lines += [f"It did not end well: {plain(one.error)}.", ""]
        if one.verdicts:
            lines += ["| claim | here | verdict |", "|---|---|---|"]
            lines += [f"| {plain(v['claim'])} | {plain(found(v))} | {WORDS[v['holds']]} |" for v in one.verdicts]
    return "\n".join(lines) + "\n"


def as_html(results: list[Shown], quick: bool, commit: str) -> str:
    """The same as one file that needs no other."""
    rows = []
    for one in results:
        rows.append(
            f'<tr class="job"><th colspan="3" id="{one.name}">{html.escape(one.name)}: {html.escape(one.title)}'
            f"<p>{html.escape(one.source)}</p><p><code>{html.escape(one.command)}</code> {one.seconds:.0f} s: "
            f"{html.escape(one.summary)}</p></th></tr>"
        )
        rows += [
            f"<tr><td>{html.escape(v['claim'])}</td><td>{html.escape(found(v))}</td>"
            f'<td class="{v["holds"].replace(" ", "-")}">{WORDS[v["holds"]]}</td></tr>'
            for v in one.verdicts
        ]
    said = html.escape(
        intro(quick, commit).replace("[theory](theory.md)", "docs/theory.md") + (f" {QUICK}" if quick else "")
    )
    return HTML.replace("INTRO", said.replace("*", "").replace("`", "")).replace("ROWS", "\n".join(rows))


def intro(quick: bool, commit: str) -> str:
    """What the page is."""
    where = "a checkout with changes" if commit == "changed" else f"commit `{commit}`"
    return INTRO.format(flags=" --quick" if quick else "", day=dt.date.today(), commit=where)


def found(verdict: dict[str, Any]) -> str:
    """Our number, and why a claim is not seen."""
    return verdict["number"] + (f"; {verdict['reason']}" if verdict.get("reason") else "")


def plain(text: str) -> str:
    """Text whose signs Markdown would take for its own."""
    for sign in "\\|*_[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;")


HTML = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What papers claim, and what is seen here</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #8884; }
th p { font-weight: normal; margin: .2rem 0; font-size: .9rem; }
.job th { padding-top: 1.6rem; }
.yes { color: #0a7d38; } .no { color: #c4001a; font-weight: bold; }
@media (prefers-color-scheme: dark) { .yes { color: #5fd38d; } .no { color: #ff7b86; } }
</style>
<h1>What papers claim, and what is seen here</h1>
<p>INTRO</p>
<table><thead><tr><th>claim</th><th>here</th><th>verdict</th></tr></thead><tbody>
ROWS
</tbody></table></html>
"""
