"""scripts/reproduce/all: a failure does not stop the rest, is seen, and is not taken from before; the page is whole."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

GOOD = [
    {"paper": "X", "claim": "a < b |c|", "number": "2", "holds": "yes", "reason": ""},
    {"paper": "X", "claim": "d", "number": "4", "holds": "not on this problem", "reason": "the sweep ends at 4"},
]
WRITES = "import json, sys; json.dump({{'verdicts': {0!r}}}, open(sys.argv[sys.argv.index('--json') + 1], 'w'))\n"


@pytest.fixture
def every(reproduce: Callable[[str], Any]) -> Any:
    return reproduce("every")


def job(every: Any, folder: Path, name: str, program: str) -> Any:
    """A job that runs a program."""
    (folder / f"{name}.py").write_text(program, encoding="utf-8")
    return every.Job(
        name, (f"What {name} says.", "Somebody, 2020."), f"python {name}.py", (str(folder / f"{name}.py"),)
    )


def test_a_job_gives_its_verdicts(every: Any, tmp_path: Path) -> None:
    shown = every.carried_out(job(every, tmp_path, "good", WRITES.format(GOOD)), tmp_path, 60.0)
    assert (shown.verdicts, shown.error, shown.well) == (GOOD, "", True)
    assert shown.summary == "1 of 2 hold, 1 not on this problem"


def test_a_claim_that_fails_without_a_reason_is_no_success(every: Any, tmp_path: Path) -> None:
    bad = [*GOOD, {**GOOD[0], "claim": "e", "holds": "no"}]
    shown = every.carried_out(job(every, tmp_path, "bad", WRITES.format(bad) + "sys.exit(1)"), tmp_path, 60.0)
    assert (len(shown.verdicts), shown.error, shown.well) == (3, "", False)
    assert shown.complaints() == ["bad: e -> 2"]


@pytest.mark.parametrize(
    ("program", "limit_s", "said"),
    [
        ("raise SystemExit('no data here')", 60.0, "it ended with code 1: no data here"),
        ("import time; print('far', flush=True); time.sleep(60)", 0.7, "it was stopped after 1 s: far"),
        ("print('done')", 60.0, "it gave no verdict: done"),
    ],
)
def test_a_job_that_ends_badly_says_how(every: Any, tmp_path: Path, program: str, limit_s: float, said: str) -> None:
    shown = every.carried_out(job(every, tmp_path, "bad", program), tmp_path, limit_s)
    assert (shown.error, shown.well) == (said, False)


def test_what_a_commit_has_found_is_taken_again_but_no_failure(every: Any, tmp_path: Path) -> None:
    folder = tmp_path / "0123" / "quick"
    folder.mkdir(parents=True)
    options = Namespace(quick=True, fresh=False)
    first = every.result(job(every, tmp_path, "x", "raise SystemExit(3)"), folder, options)
    then = every.result(job(every, tmp_path, "x", WRITES.format(GOOD)), folder, options)
    assert (first.well, then.well) == (False, True)
    again = every.result(job(every, tmp_path, "x", "raise SystemExit(3)"), folder, options)
    assert again == then
    assert not every.result(job(every, tmp_path, "x", "exit(3)"), folder, Namespace(quick=True, fresh=True)).well
    changed = tmp_path / "changed" / "quick"
    changed.mkdir(parents=True)
    assert every.result(job(every, tmp_path, "x", WRITES.format(GOOD)), changed, options).well
    assert not every.result(job(every, tmp_path, "x", "exit(3)"), changed, options).well


def test_every_paper_and_every_experiment_is_a_job(every: Any) -> None:
    names = [found.name for found in every.papers(True)]
    assert {"lag", "laq", "nuqsgd", "gspar", "sketched_sgd", "scalecom", "flagship", "asylpg", "qadagrad"} <= set(names)
    assert "verdicts" not in names
    assert all(found.about[0].endswith(".") and found.about[1] for found in every.papers(False))
    assert sorted(int(found.name[1:]) for found in every.experiments(True)) == list(range(1, 19))
    assert all("--quick" in found.words for found in every.papers(True) + every.experiments(True))


class Text(HTMLParser):
    """The text of a page, and the tags that are open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.rows = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_claims_numbers_reasons_and_errors(every: Any, reproduce: Callable[[str], Any]) -> None:
    page = reproduce("page")
    results = [
        page.Shown("good", "T.", "S.", "python good.py", 3.0, GOOD),
        page.Shown("gone", "U.", "V.", "python gone.py", 1.0, [], "it ended with code 1: <b>"),
    ]
    markdown, parsed = page.as_markdown(results, True, "0123"), Text()
    html = page.as_html(results, True, "0123")
    parsed.feed(html)
    for said in ("a < b |c|", "4; the sweep ends at 4", "it ended with code 1: <b>", "python gone.py", "commit 0123"):
        assert said in parsed.text
    assert r"| a &lt; b \|c\| | 2 | holds |" in markdown
    assert "did not end well: it ended with code 1" in markdown
    assert parsed.rows == 1 + 2 + len(GOOD)
    assert "http" not in html


def test_an_unknown_name_and_writing_a_part_are_refused(every: Any) -> None:
    script = [sys.executable, every.__file__]
    strange = subprocess.run([*script, "--only", "lag", "lga"], capture_output=True, text=True, check=False)
    assert strange.returncode == 1
    assert "nothing is called lga; known: " in strange.stderr
    part = subprocess.run([*script, "--only", "lag", "--write", "x"], capture_output=True, text=True, check=False)
    assert part.returncode == 2


def test_experiments_write_verdicts_as_papers_do(tmp_path: Path, every: Any) -> None:
    script, found = every.ROOT / "scripts" / "theory.py", tmp_path / "found.json"
    words = [sys.executable, str(script), "--only", "E2", "--quick", "--json", str(found)]
    subprocess.run(words, capture_output=True, check=True, cwd=every.ROOT)
    verdicts = json.loads(found.read_text("utf-8"))["verdicts"]
    assert {"claim", "number", "holds", "reason"} <= set(verdicts[0])
    assert all(one["holds"] == "yes" for one in verdicts)
    assert verdicts[-1]["claim"] == "an error planted in the records is caught"
