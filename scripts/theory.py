"""What scripts/check_theory does once distest is installed: run the experiments, judge their records, show one table.

Every experiment is a spec that `distest learn` runs as it stands; what has to come out is in thresholds.toml. To the
records are added facts about the truth and the protocol that follow from the spec alone (`facts`).
"""

import argparse
import concurrent.futures
import datetime as dt
import functools
import json
import math
import os
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis import theory
from distest import catalog, coins, spec
from distest.cli import tables
from distest.learning.distributions.perturbed import Perturbed
from distest.learning.fitting.cells import Cells
from distest.learning.task import Task

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "scripts" / "specs"
THRESHOLDS = SPECS / "thresholds.toml"
Record = dict[str, Any]

INTRO = """\
# Theory against measurement

Written by `scripts/check_theory --write docs/theory.md` on {day}; do not edit.
The experiments are `scripts/specs/e01.toml` to `e18.toml`, each a sweep that `distest learn` runs; what they
have to show is in `scripts/specs/thresholds.toml`. An interval holds the number with
{confidence:.0%} confidence (Student, repeats paired by their coins); no spread means that all repeats
agree, or that no rival of the best is left. A check passes when the whole interval lies where theory puts the
number; of several groups the one closest to failing is shown. Errors and bits are those of runs, bits as they were
decoded; cells and their flattening errors (E11) are asked of the protocol and computed by brute force.
"""


@dataclass(frozen=True)
class Result:
    """What became of one experiment; caught: the checks that its planted error fails."""

    name: str
    findings: list[theory.Finding]
    caught: list[str]
    seconds: float
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error and bool(self.caught) and all(finding.passed for finding in self.findings)


def main() -> int:
    """Exit code 0 if every check passes and every planted error is caught, else 1."""
    options = parse()
    known = theory.read(spec.read_toml(THRESHOLDS))
    only = options.only or ([options.plant] if options.plant else list(known.experiments))
    for name in only:
        if name not in known.experiments:
            sys.exit(f"no experiment {name!r}; known: {', '.join(known.experiments)}")
    jobs = sorted(only, key=lambda name: -servers(name, known.experiments[name], options.quick))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {name: pool.submit(examine, name, known, options) for name in jobs}
        results = [running[name].result() for name in only]
    shown = rows(results)
    tables.show("", shown)
    failed = [result for result in results if not result.passed]
    for result in failed:
        sys.stdout.write(why(result))
    total = sum(result.seconds for result in results)
    sys.stdout.write(f"{len(results) - len(failed)} of {len(results)} experiments pass, {total:.0f} s of runs\n")
    if options.json:
        options.json.write_text(json.dumps(verdicts(results, shown), indent=1, ensure_ascii=False), encoding="utf-8")
    if options.write and not failed:
        options.write.write_text(document(known, results, shown), encoding="utf-8")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    """The options, all optional."""
    parser = argparse.ArgumentParser(prog="scripts/check_theory", description="Hold experiments against theory.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and wider intervals, the same slopes")
    parser.add_argument("--only", action="append", metavar="E3", help="this experiment; may be repeated")
    parser.add_argument("--plant", metavar="E3", help="plant this experiment's error: it has to fail")
    parser.add_argument("--write", type=Path, metavar="docs/theory.md", help="write the table, if everything passes")
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write verdicts there, as the scripts of papers do")
    options = parser.parse_args()
    if options.write and (options.quick or options.only or options.plant):
        parser.error("--write is for a full run: without --quick, --only and --plant")
    return options


def spec_path(name: str) -> Path:
    """E3 is scripts/specs/e03.toml."""
    return SPECS / f"e{int(name.removeprefix('E')):02}.toml"


def servers(name: str, experiment: theory.Experiment, quick: bool) -> int:
    """How many servers speak in all: the longest experiments start first."""
    table = spec.normalise(spec.read_toml(spec_path(name)))
    for setting in experiment.quick if quick else []:
        spec.assign(table, setting)
    cases = [spec.check(case) for case in spec.expand(table)]
    return sum((case.m or 0) * case.repeats * len(case.protocols) for case in cases)


def examine(name: str, known: theory.Thresholds, options: argparse.Namespace) -> Result:
    """Run one experiment and judge it, as it is and with its error planted."""
    experiment = known.experiments[name]
    start = time.perf_counter()
    try:
        records = learn(name, experiment.quick if options.quick else [])
        seconds = time.perf_counter() - start
        wrong = theory.planted(experiment.plant, records)
        judged = [theory.run(experiment, some, known.confidence, options.quick) for some in (records, wrong)]
    except Exception:
        return Result(name, [], [], time.perf_counter() - start, traceback.format_exc(limit=-2))
    caught = [finding.what for finding in judged[1] if not finding.passed]
    return Result(name, judged[1 if options.plant == name else 0], caught, seconds)


def learn(name: str, settings: list[str]) -> list[Record]:
    """The records of `distest learn`, with facts. Raises RuntimeError with its last words where it fails."""
    flags = [flag for setting in settings for flag in ("--set", setting)]
    command = [sys.executable, "-m", "distest", "learn", str(spec_path(name)), *flags, "--json"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as running:
        assert running.stdout is not None
        lines = list(running.stdout)
    if running.returncode:
        raise RuntimeError(f"{' '.join(command)}: {''.join(lines[-5:])}")
    return [with_facts(json.loads(line)) for line in lines]


def with_facts(record: Record) -> Record:
    """The record with `truth` and `built` completed by what its spec, seed and repeat say.

    truth.spread: 1 - |p|^2. half: (sum sqrt p)^2. entropy: H(p) in bits. above: H(p) + 1. These where p is the same
    in every repeat; where p is a perturbed member of a class, opt_l1 and opt_l2: its distance to the class, and
    limit_l2: sqrt(2) opt_l2 + (1 + sqrt(2))/sqrt(N), what merging with d = 1 may err by.
    built.cells: how many the protocol has. built.flattening: the worst l1 error of flat cells on a monotone law.
    """
    described = record["spec"]
    law = catalog.build("distribution", described["distribution"])
    if isinstance(law, Perturbed):
        here = coins.from_seed(record["seed"], described["generator"])[1].fold("repeat", record["repeat"])
        found = {f"opt_{loss}": law.opt(record["n"], here, loss)[0] for loss in ("l1", "l2")}
        total = record["m"] * record["s"]
        found["limit_l2"] = math.sqrt(2) * found["opt_l2"] + (1 + math.sqrt(2)) / math.sqrt(total)
    else:
        found = of_law(json.dumps(described["distribution"]), record["n"])
    built = of_cells(json.dumps(described["protocol"]), record["n"], record["m"], record["s"])
    return {**record, "truth": {**record["truth"], **found}, "built": built}


@functools.cache
def of_law(described: str, n: int) -> dict[str, float]:
    """Numbers of a law that is the same in every repeat; none of one that is not."""
    law = catalog.build("distribution", json.loads(described))
    if type(law).random:
        return {}
    p = law.pmf(n, coins.from_seed(0)[1])
    entropy = float(-(p[p > 0] * np.log2(p[p > 0])).sum())
    half = float(np.sqrt(p).sum() ** 2)
    return {"spread": 1 - float((p * p).sum()), "half": half, "entropy": entropy, "above": entropy + 1}


@functools.cache
def of_cells(described: str, n: int, m: int, s: int) -> dict[str, float]:
    """Numbers of a protocol's fixed cells, if it has some."""
    grid = getattr(catalog.build("protocol", json.loads(described), task=Task(n, m, s)), "grid", None)
    return {"cells": len(grid), "flattening": flattening(grid.edges)} if isinstance(grid, Cells) else {}


def flattening(edges: Any) -> float:
    """The largest l1 error of the uniform law on N symbols, averaged inside cells, over all N = 1..n.

    Only the cell that holds the end of the prefix loses: with k of its w symbols in and k/N of the mass there,
    2 k (1/N - k/(N w)) in all.
    """
    prefix = np.arange(1, edges[-1] + 1)
    cell = np.searchsorted(edges, prefix, side="left") - 1
    inside, width = prefix - edges[cell], np.diff(edges)[cell]
    return float((2 * inside * (width - inside) / (width * prefix)).max())


# ---- what is shown


def number(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"


def expected(finding: theory.Finding) -> str:
    """What a check asks of an interval."""
    if finding.expected is not None:
        reach = finding.high - finding.expected
        return number(finding.expected) + (f" ± {reach:.2g}" if reach > 0 else "")
    if math.isinf(finding.low):
        return f"at most {number(finding.high)}"
    if math.isinf(finding.high):
        return f"at least {number(finding.low)}"
    return f"{number(finding.low)} to {number(finding.high)}"


def rows(results: list[Result]) -> list[Record]:
    """One row a check."""
    found = []
    for result in results:
        for finding in result.findings:
            low, high = finding.interval
            found.append(
                {
                    "": result.name,
                    "what": finding.what,
                    "at": f"{finding.group} (worst of {finding.groups})" if finding.groups > 1 else finding.group,
                    "expected": expected(finding),
                    "measured": number(finding.value),
                    "interval": f"{low:.4g} to {high:.4g}" if high - low > 1e-9 * abs(finding.value) else "no spread",
                    "verdict": "pass" if finding.passed else "FAIL",
                    "seconds": f"{result.seconds:.0f}",
                }
            )
    return found


def verdicts(results: list[Result], shown: list[Record]) -> Record:
    """The checks, and whether planted errors are caught, as scripts/reproduce has verdicts."""
    found = [
        {
            "paper": row[""],
            "claim": " ".join(filter(None, (row["what"], row["at"] and f"at {row['at']}"))) + f": {row['expected']}",
            "number": f"{row['measured']} ({row['interval']})",
            "holds": "yes" if row["verdict"] == "pass" else "no",
            "reason": "",
        }
        for row in shown
    ]
    for result in results:
        caught = "; ".join(result.caught)
        claim = "an error planted in the records is caught"
        found.append(
            {"paper": result.name, "claim": claim, "number": caught, "holds": "yes" if caught else "no", "reason": ""}
        )
    return {"script": "theory", "verdicts": [] if any(result.error for result in results) else found}


def why(result: Result) -> str:
    """A line about an experiment that does not pass."""
    if result.error:
        return f"{result.name}: {result.error}\n"
    if not result.caught:
        return f"{result.name}: its planted error was not caught\n"
    return f"{result.name}: {', '.join(finding.what for finding in result.findings if not finding.passed)}\n"


def document(known: theory.Thresholds, results: list[Result], shown: list[Record]) -> str:
    """docs/theory.md."""
    lines = [*INTRO.format(day=dt.date.today(), confidence=known.confidence).splitlines(), ""]
    for result in results:
        lines += [f"- **{result.name}** {known.experiments[result.name].title}"]
    keys = list(shown[0])
    lines += ["", *cells(keys), "|" + "---|" * len(keys)]
    lines += [line for row in shown for line in cells([row[key] for key in keys])]
    lines += ["", "## Planted errors", ""]
    lines += ["Every run also changes its records as a bug would, and has to fail then.", ""]
    lines += ["| | planted error | caught by |", "|---|---|---|"]
    for result in results:
        lines += cells([result.name, known.experiments[result.name].plant.what, "; ".join(result.caught)])
    return "\n".join(lines) + "\n"


def cells(values: list[Any]) -> list[str]:
    """A row of a Markdown table."""
    return ["| " + " | ".join(str(value).replace("|", "\\|") for value in values) + " |"]


if __name__ == "__main__":
    sys.exit(main())
