"""The tables of a page: verdict, time on a network, ratios, exponents, points and runs; `split` has another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.report import words
from analysis.report.answers import Judged, below
from analysis.report.cells import NOTHING, Cell, Column, Table, between, command, counted, in_bits, text
from analysis.report.exponents import Exponent
from analysis.report.network import ALPHA, SPEEDS, Timed
from analysis.report.points import Point, mean_of
from analysis.report.problems import NAMES, Problem
from analysis.report.provable import Ratio, needed
from analysis.report.verdict import Verdict

RUNS_MOST = 200  # rows of what was run


def verdict_table(judged: Judged) -> Table:
    """Bits at the target, the cheapest first."""
    problem, target = judged.problem, judged.target
    learn = problem.kind == "learn"
    aim = f"{NAMES[target.key]} {words.aim(target.value)}"
    best = min((row.bits.value for row in judged.rows), default=math.inf)
    columns = [
        Column("method", "without its budget, which is part of the setting"),
        Column("setting", "the one of those that were run which needs the fewest bits"),
        Column("bits at target", f"payload bits of all parties, in all directions, to reach {aim}", "number"),
        Column("× fewest", "bits at target over those of the first row", "number"),
        Column("bits a server" if learn else "bits a coordinate", "payload bits over what is named", "number"),
        Column(NAMES[target.key] + ("" if learn else " at the end"), "mean over runs, 95 % (Student)", "number"),
        Column("runs that reach it", "of all runs of this setting", "number"),
    ]
    if learn and any(needed(row.point, target.key, row.value.value) is not None for row in judged.rows):
        columns.append(Column("provably needed", "bits the worst p needs at the error of this row", "number"))
    columns.append(Column("command", "what repeats the row", "command"))
    rows = [_verdict_row(judged, row, best, len(columns)) for row in judged.rows]
    return Table(f"Bits to reach {aim}", columns, rows, tuple(_verdict_notes(judged)))


def _verdict_row(judged: Judged, row: Verdict, best: float, width: int) -> list[Cell]:
    first = row.point.first
    learn = judged.problem.kind == "learn"
    whole = row.point.bits
    runs = len(row.point.records)
    if row.censored:
        reached = Cell("not reached", None, f"not with {words.exact(whole)} bits, all that were sent", "number")
        ratio = Cell("–", None, "", "number")
    else:
        ends = "" if row.bits.low is None else f", 95 %: {words.exact(row.bits.low)} to {_end(row.bits.high)}"
        reached = in_bits(row.bits.value, ends)
        times = row.bits.value / best if best else None  # some are there before a bit is sent
        ratio = Cell(words.times(times), times, "", "number")
    per = whole / first["m"] if learn else mean_of(row.point.records, "bits_per_coordinate")
    cells = [text(row.method), text(row.setting or NOTHING), reached, ratio, counted(per), between(row.value)]
    cells.append(Cell(f"{row.reached} of {runs}", row.reached / runs, "", "number"))
    if width > 8:
        least = needed(row.point, judged.target.key, row.value.value)
        cells.append(in_bits(round(least) if least is not None else None))
    return [*cells, command(row.point)]


def _end(high: float | None) -> str:
    return "no end that so few runs could tell" if high is None or math.isinf(high) else words.exact(high)


def _verdict_notes(judged: Judged) -> list[str]:
    notes = [f"Target: {judged.target.said}." if judged.target.said else ""]
    if judged.problem.kind == "learn":
        notes.append(
            "Bits at target are those of the cheapest setting whose mean error is as good; nothing is interpolated."
        )
        notes.append("Provably needed: for the worst p, and p here is not the worst, so no ratio is formed.")
    else:
        notes.append(
            "Bits at target: the median over runs (Kaplan and Meier, where some never arrive) of the bits at the first "
            "evaluation that is as good; between evaluations nobody looked."
        )
    if any(row.censored for row in judged.rows):
        notes.append("Not reached: the run ended first, so all that is known is that more bits are needed, if any do.")
    if any(len(row.point.records) == 1 for row in judged.rows):
        notes.append("A single run says nothing about its error: no interval is shown.")
    return [note for note in notes if note]


_NO_COMPUTING = (
    "Servers send at once and the referee's link carries all. Computing is left out: a record has one time for all "
    "servers and the referee."
)
_COMPUTING = (
    "On the board a ring of workers passes messages on, W − 1 hops a turn. Computing is the measured time of a run "
    "over the workers that one rank played in turn, the median over runs: a first run also compiles."
)


def network_table(rows: Sequence[Timed]) -> Table:
    """Modelled time to the target at each speed."""
    learn = rows[0].verdict.point.first["kind"] == "learn"
    columns = [
        Column("method"),
        Column("setting"),
        Column("hops", f"turns one after another, {words.seconds(ALPHA)} each", "number"),
        Column("busiest link", "bits that it carries one way", "number"),
        *([] if learn else [Column("computing", "measured", "number")]),
        *(Column(words.speed(speed), "seconds to the target, modelled", "number") for speed in SPEEDS),
        Column("pays below", "speed of links below which it beats the method that sends most", "number"),
    ]
    fastest = {speed: min(one.cost.seconds(speed, ALPHA) for one in rows) for speed in SPEEDS}
    found = []
    for one in rows:
        times = [one.cost.seconds(speed, ALPHA) for speed in SPEEDS]
        cells = [text(one.verdict.method), text(one.verdict.setting or NOTHING), counted(round(one.cost.hops))]
        cells += [in_bits(one.cost.link_bits), *([] if learn else [_time(one.cost.compute)])]
        cells += [_time(t, t == fastest[speed]) for t, speed in zip(times, SPEEDS, strict=True)]
        pays = one.pays_below
        cells.append(Cell(below(one), None if pays is None else min(pays, 1e30), "", "number"))
        found.append(cells)
    hop = f"Modelled: {words.seconds(ALPHA)} a hop, plus the bits of the busiest link over its speed"
    notes = [f"{hop}. {_NO_COMPUTING}" if learn else f"{hop}, plus measured computing. {_COMPUTING}"]
    return Table("Time to the target on a network", columns, found, tuple(notes))


def _time(value: float, best: bool = False) -> Cell:
    return Cell(words.seconds(value) + (" ★" if best else ""), value, f"{value:.6g} s", "number")


def ratios_table(rows: Sequence[Ratio]) -> Table:
    """Measured over provable, under the prior of the bound."""
    columns = [
        Column("protocol"),
        Column("payload bits", "mean over the prior", "number"),
        Column("bits, measured / provable", "payload bits over those any protocol needs at its error", "number"),
        Column("squared l2 error", "mean over the prior", "number"),
        Column("error, measured / provable", "its error over what is provable at its bits", "number"),
        Column("provably needed", "bits at its error", "number"),
        Column("prior"),
        Column("runs", "", "number"),
        Column("command", "what repeats the row", "command"),
    ]
    found = [
        [
            text(row.point.label),
            in_bits(row.point.bits),
            between(row.bits),
            counted(row.value),
            between(row.error),
            in_bits(row.needed),
            text(row.prior),
            counted(len(row.point.records)),
            command(row.point),
        ]
        for row in rows
    ]
    note = "Error, bits and bound are averages over the prior of the bound (docs/bounds.md, 6.8); nothing is below 1."
    return Table("Measured over provable", columns, found, (note,))


_SAYING = {"holds": "holds", "fails": "contradicts", "open": "too noisy to tell", None: "no formula"}


def exponents_table(rows: Sequence[Exponent]) -> Table:
    """Slopes beside those of the formulas."""
    ends = [
        v for row in rows for v in (row.slope.value, row.slope.low, row.slope.high, row.slope.expected) if v is not None
    ]
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low) or 0.1
    low, high = low - room, high + room
    columns = [
        Column("method"),
        Column("all else", "what stays the same along the axis"),
        Column("axis", "the error falls as this to the power of the slope"),
        Column("from – to"),
        Column("slope", "least squares in logarithms, 95 %", "number"),
        Column("theory", "the slope of the protocol's own formula at the same places", "number"),
        Column("", f"from {low:.2f} to {high:.2f}: interval, estimate and (as a line) theory", "forest"),
        Column("verdict", f"holds: the whole interval within {rows[0].slope.tolerance} of theory"),
    ]
    found = []
    for row in rows:
        slope = row.slope
        marks = [slope.low, slope.value, slope.high, slope.expected]
        parts = [None if mark is None else 100 * (mark - low) / (high - low) for mark in marks]
        found.append(
            [
                text(row.method),
                text(row.rest or NOTHING),
                text(row.axis),
                text(f"{words.number(row.low_x)} – {words.number(row.high_x)}", f"{row.places} places"),
                Cell(_slope(slope.value, slope.low, slope.high), slope.value, f"{slope.value!r}", "number"),
                Cell("–" if slope.expected is None else _signed(slope.expected), slope.expected, "", "number"),
                Cell("", slope.value, "", "forest", parts),
                text(_SAYING[slope.verdict]),
            ]
        )
    keys = sorted({NAMES[row.key] for row in rows})
    return Table(f"Exponents of the {words.listing(keys)}", columns, found)


def _slope(value: float, low: float | None, high: float | None) -> str:
    return _signed(value) if low is None or high is None else f"{_signed(value)} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def points_table(problem: Problem) -> Table | None:
    """Every point of a problem, for those who would rather read than hover; None where there are too many."""
    if len(problem.points) > RUNS_MOST:
        return None
    columns = [Column("method"), Column("setting"), Column("payload bits", "", "number")]
    columns += [Column(NAMES[key], "mean over runs, 95 %", "number") for key in problem.views]
    columns += [Column("runs", "", "number"), Column("command", "", "command")]
    rows = [
        [
            text(point.method),
            text(problem.setting(point) or NOTHING),
            in_bits(point.bits),
            *(between(point.value(key)) for key in problem.views),
            counted(len(point.records)),
            command(point),
        ]
        for point in problem.points
    ]
    return Table("All points", columns, rows)


def runs_table(problems: Sequence[tuple[str, Problem]]) -> Table:
    """What was run, a row a spec: seeds, ranks, and the hashes by which a run is found again.

    problems: each with what it is called among the others; nothing where it is the only one.
    """
    columns = [
        Column("method"),
        Column("problem"),
        Column("setting"),
        Column("runs", "", "number"),
        Column("seeds"),
        Column("ranks"),
        Column("seconds", "a run, measured, mean", "number"),
        Column("spec hash", "first 16 digits of its SHA-256"),
        Column("transcript", "SHA-256 of what was said in the first run"),
        Column("command", "", "command"),
    ]
    pairs = [(name, problem, point) for name, problem in problems for point in problem.points]
    rows = [_run_row(*pair) for pair in pairs[:RUNS_MOST]]
    left = len(pairs) - len(rows)
    notes = (f"{words.plural(left, 'more spec')} left out here; exports have them all.",) if left > 0 else ()
    return Table("Runs", columns, rows, notes)


def _run_row(name: str, problem: Problem, point: Point) -> list[Cell]:
    first = point.first
    ranks = sorted({record["ranks"] for record in point.records})
    seeds = sorted({record["seed"] for record in point.records if record.get("seed") is not None})
    return [
        text(point.method),
        text(name or NOTHING),
        text(problem.setting(point) or NOTHING),
        counted(len(point.records)),
        text(", ".join(map(str, seeds[:4])) + (", …" if len(seeds) > 4 else "")),
        text(", ".join(map(str, ranks))),
        counted(mean_of(point.records, "seconds")),
        text(first["spec_hash"]),
        text(NOTHING if first["digest"] is None else f"{first['digest'][:12]}…", first["digest"] or ""),
        command(point),
    ]
