"""The answer in plain words, at the top of a page: four questions, a sentence or two for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report import words
from analysis.report.exponents import Exponent
from analysis.report.material import Target
from analysis.report.network import ALPHA, SPEEDS, Timed
from analysis.report.problems import NAMES, Problem
from analysis.report.provable import Ratio, needed
from analysis.report.verdict import Verdict, nearest

ROUNDING = 1e-9  # of a share: times this near are the same


@dataclass(frozen=True, slots=True)
class Judged:
    """A problem with everything that was worked out about it."""

    problem: Problem
    target: Target
    rows: Sequence[Verdict]
    timed: Sequence[Timed]
    ratios: Sequence[Ratio]


def fewest(judged: Judged) -> str:
    """Which method needs the fewest bits for this error?"""
    best = nearest(judged.rows)
    aim = f"{NAMES[judged.target.key]} {words.aim(judged.target.value)}"
    if not judged.rows:
        return "Nothing was booked, so nothing can be said about bits."
    if best is None:
        close = judged.rows[0]
        return f"No method reaches {aim}; {_named(close)} comes closest, with {words.number(close.value.value)}."
    equal = [row for row in judged.rows if row.bits.value == best.bits.value]
    said = _some([_named(row) for row in equal])
    reach = "reach" if len(equal) > 1 else "reaches"
    sentence = f"{said} {reach} {aim} with {words.bits(best.bits.value)}"
    rest = [row for row in judged.rows if not row.censored and row not in equal]
    if rest:
        most, least = rest[-1].bits.value, best.bits.value
        setting = ", at the cheapest setting that was run," if judged.problem.kind == "learn" else ""
        many = f"{words.times(most / least)} as many" if least else words.bits(most)
        sentence += f"; {rest[-1].method}{setting} needs {many}"
    return sentence + "."


def distance(judged: Judged) -> str:
    """How far is that from what is provable?"""
    if judged.ratios:
        best = judged.ratios[0]
        return (
            f"Averaged over the prior of the bound, {best.point.label} uses {words.times(best.bits.value)} the bits "
            f"that any protocol needs for its error, and its error is {words.times(best.error.value)} what is provable "
            "at its bits."
        )
    if judged.problem.kind == "train":
        return (
            "No lower bound on the bits to a loss is known; `distest bounds --compressor` says how far the code of a "
            "gradient is from what is provable for it."
        )
    best_row = nearest(judged.rows)
    if best_row is None:
        return "No method reaches the target, so there are no bits to hold against a bound."
    least = needed(best_row.point, judged.target.key, judged.target.value)
    if least is None:
        return "No bound in bits speaks about this problem."
    return (
        f"For the worst p, {words.bits(least)} are provably needed for this error; {best_row.method} sent "
        f"{words.bits(best_row.bits.value)} for this p. It is not the worst one, so no ratio is formed."
    )


def holds(rows: Sequence[Exponent]) -> str:
    """Does the theory's exponent hold?"""
    told = [row for row in rows if row.slope.verdict is not None]
    if not rows:
        return "No axis of three or more values (m, n, 2^b, W) was swept, so there is no slope to compare."
    if not told:
        return f"{words.plural(len(rows), 'slope')} measured; the methods state no formula to hold against."
    count = {verdict: sum(row.slope.verdict == verdict for row in told) for verdict in ("holds", "fails", "open")}
    said = [f"{count['holds']} of {words.plural(len(told), 'slope')} agree with the formula to within 0.1"]
    if count["fails"]:
        said.append(f"{count['fails']} contradict{'s' * (count['fails'] == 1)} it")
    if count["open"]:
        said.append(f"{count['open']} {'is' if count['open'] == 1 else 'are'} too noisy to tell")
    return words.listing(said) + "."


def pays(judged: Judged) -> str:
    """Would it pay on my network?"""
    if not judged.timed:
        return "No method reaches the target with bits that were booked, so no time is modelled."
    said = []
    for speed in SPEEDS:
        least = min(one.cost.seconds(speed, ALPHA) for one in judged.timed)
        best = [one.verdict.method for one in judged.timed if one.cost.seconds(speed, ALPHA) <= least * (1 + ROUNDING)]
        said.append((_some(best), words.seconds(least), words.speed(speed)))
    if len({methods for methods, _, _ in said}) == 1:
        times = words.listing([f"{time} at {speed}" for _, time, speed in said])
        return f"On every link {said[0][0]} would be the fastest to the target: {times} (modelled)."
    return "Fastest to the target (modelled): " + words.listing([f"{m} at {v}, {t}" for m, t, v in said]) + "."


def _some(names: Sequence[str]) -> str:
    """At most four names in a sentence, and how many more there are."""
    more = [f"{len(names) - 4} more"] if len(names) > 4 else []
    return words.listing([*names[:4], *more])


def below(one: Timed) -> str:
    """Below which speed of links a method pays, for a table."""
    if one.pays_below is None:
        return "–"
    return "any speed" if math.isinf(one.pays_below) else words.speed(one.pays_below)


def _named(row: Verdict) -> str:
    return f"{row.method} ({row.setting})" if row.setting else row.method
