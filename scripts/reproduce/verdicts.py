"""What every script of this folder begins and ends with: its options, and verdicts on claims, as text and as JSON.

    asked = started(asker("lag", "LAG's table of uploads.", quick="M = 9 alone"))
    out = Verdicts("LAG", asked)
    out.hold("LAG-WK needs 412 uploads", uploads == 412, f"{uploads}")
    return out.end()

With --json FILE the verdicts are written as {"script", "paper", "command", "quick", "seconds", "verdicts": [...]}:
seconds of CPU, and of each verdict the fields of `Verdict`.
"""

import argparse
import dataclasses
import json
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from distest.launch import one_thread

Holds = Literal["yes", "no", "not on this problem"]


def asker(name: str, about: str, quick: str = "fewer steps, fewer repeats") -> argparse.ArgumentParser:
    """The options that all scripts have. quick: what --quick does."""
    parser = argparse.ArgumentParser(prog=name, description=about)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there as well, as JSON")
    return parser


def started(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What is asked for. A script is started anew where BLAS may take more than one thread."""
    asked = parser.parse_args()
    one_thread()
    asked.script = parser.prog
    return asked


@dataclass(frozen=True)
class Verdict:
    """One claim. number: what was found here. reason: why a claim is not seen on this problem, with what shows it."""

    paper: str
    claim: str
    number: str
    holds: Holds
    reason: str = ""


@dataclass
class Verdicts:
    """Whether what a paper says is seen; computed, one for each claim.

    asked: what `started` gives; none of it is needed where nothing is written. Claims on fully trained models
    and on time (`trained`) are left out with --quick, which trains and measures too little for them to mean much.
    """

    paper: str
    asked: argparse.Namespace = field(default_factory=argparse.Namespace)
    found: list[Verdict] = field(default_factory=list)
    left_out: int = 0

    @property
    def quick(self) -> bool:
        """Whether --quick is asked for."""
        return bool(getattr(self.asked, "quick", False))

    def hold(self, claim: str, holds: bool, number: str, reason: str = "", trained: bool = False) -> None:
        """A claim that does not hold is "not on this problem" where there is a reason for that, else "no"."""
        if trained and self.quick:
            self.left_out += 1
            return
        verdict: Holds = "yes" if holds else "not on this problem" if reason else "no"
        self.found.append(Verdict(self.paper, claim, number, verdict, "" if holds else reason))

    def show(self) -> None:
        """Print them, and how many hold."""
        print(f"\nWhat is claimed, and what is seen here ({self.paper}):")
        words = {"yes": "holds", "no": "DOES NOT HOLD", "not on this problem": "not on this problem"}
        for one in self.found:
            print(f"- {one.claim}\n    -> {words[one.holds]}: {one.number}{f'; {one.reason}' if one.reason else ''}")
        counts = {holds: sum(one.holds == holds for one in self.found) for holds in words}
        print(f"{counts['yes']} of {len(self.found)} claims hold, {counts['not on this problem']} not on this problem")
        if self.left_out:
            print(f"--quick leaves out {self.left_out} claims on fully trained models and on time")

    def end(self) -> int:
        """Print them, write them where --json says, and give the exit code: 0."""
        self.show()
        if getattr(self.asked, "json", None) is not None:
            self.asked.json.write_text(json.dumps(self.table(), indent=1, ensure_ascii=False), encoding="utf-8")
        return 0

    def table(self) -> dict[str, Any]:
        """As JSON has it."""
        script, at = self.asked.script, sys.argv.index("--json") if "--json" in sys.argv else len(sys.argv)
        words = [one for one in sys.argv[1:at] + sys.argv[at + 2 :] if not one.startswith("--json=")]
        return {
            "script": script,
            "paper": self.paper,
            "command": shlex.join(["python", f"scripts/reproduce/{script}.py", *words]),
            "quick": self.quick,
            "seconds": round(time.process_time(), 1),
            "verdicts": [dataclasses.asdict(one) for one in self.found],
        }
