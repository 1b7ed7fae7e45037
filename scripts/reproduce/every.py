"""What scripts/reproduce/all does once distest is installed: run everything, gather verdicts, write one page.

Each script of this folder that ends in verdicts is a job, and so is each experiment of scripts/check_theory. A job is
a process with a time limit; one that fails does not stop the others. Its verdicts are kept under out/reproduce, by
commit, so that an interrupted run goes on where it was; where files of the code are changed, nothing is taken from
before. The page is written as Markdown and as HTML, with whatever has been found by then.
"""

import argparse
import ast
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from page import Shown, as_html, as_markdown

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KEPT = ROOT / "out" / "reproduce"
CODE = ("distest", "protocols", "analysis", "scripts")
LIMIT_S = {False: 4000.0, True: 420.0}  # of one job, full and quick; the longest takes less than half of it
# the longest first, so that the last two end together; what is not named here comes before
LONGEST = ("scalecom", "sketched_sgd", "nuqsgd", "qadagrad", "laq", "lag", "decentralised", "slaq", "gspar", "asylpg")
LAST = ("flagship",)
PROCESSES: set[subprocess.Popen[bytes]] = set()  # of jobs that run now


@dataclass(frozen=True)
class Job:
    """Something to run. name: of --only. about: title and source. command: as a reader types it."""

    name: str
    about: tuple[str, str]
    command: str
    words: tuple[str, ...] = field(compare=False)


def papers(quick: bool) -> list[Job]:
    """The scripts of this folder that give verdicts."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        text = path.read_text("utf-8")
        if path != Path(__file__).resolve() and "Verdicts(" in text and "\nif __name__" in text:
            words = (str(path.relative_to(ROOT)), *(["--quick"] if quick else []))
            found[path.stem] = Job(path.stem, described(text), " ".join(("python", *words)), words)
    order = [name for name in found if name not in (*LONGEST, *LAST)]
    return [found[name] for name in (*order, *LONGEST, *LAST) if name in found]


def described(text: str) -> tuple[str, str]:
    """The first line of a script's docstring, and the paragraph below it, which names the source."""
    said = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
    return said[0], " ".join(said[1].split()) if len(said) > 1 else ""


def experiments(quick: bool) -> list[Job]:
    """The experiments of scripts/check_theory, the longest first."""
    sys.path.append(str(HERE.parent))
    import theory  # a neighbour of this folder, which imports distest

    known = theory.theory.read(theory.spec.read_toml(theory.THRESHOLDS)).experiments
    names = sorted(known, key=lambda name: -theory.servers(name, known[name], quick))
    flags = ["--quick"] if quick else []
    return [
        Job(
            name,
            (known[name].title, f"scripts/specs/{theory.spec_path(name).name}, thresholds in thresholds.toml"),
            " ".join(["scripts/check_theory", "--only", name, *flags]),
            ("scripts/theory.py", "--only", name, *flags),
        )
        for name in names
    ]


def main() -> int:
    """Exit code 0 where every job ends and no claim fails without a known reason, else 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: nothing goes on behind our back
    options = parse()
    jobs = papers(options.quick) + experiments(options.quick)
    chosen = [job for job in jobs if not options.only or job.name in options.only]
    if strange := set(options.only) - {job.name for job in jobs}:
        sys.exit(f"nothing is called {', '.join(sorted(strange))}; known: {', '.join(job.name for job in jobs)}")
    folder = KEPT / commit() / ("quick" if options.quick else "full")
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    results: dict[str, Shown] = {}
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        running = {pool.submit(result, job, folder, options): job for job in chosen}
        for done in concurrent.futures.as_completed(running):
            job, shown = running[done], done.result()
            results[job.name] = shown
            say(f"{len(results):2} of {len(chosen)}  {job.name}: {shown.summary}, {shown.seconds:.0f} s")
    finally:  # an interrupted run leaves no process, and shows what it has
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(PROCESSES):
            stop(process)
        ordered = [results[job.name] for job in jobs if job.name in results]
        write(ordered, options, folder)
    bad = [shown.name for shown in ordered if not shown.well]
    seconds = time.monotonic() - start
    say(f"{len(ordered) - len(bad)} of {len(ordered)} are well after {seconds:.0f} s: {KEPT}/reproduction.html")
    for shown in ordered:
        for line in shown.complaints():
            say(line)
    return 1 if bad else 0


def parse() -> argparse.Namespace:
    """The options, all optional."""
    parser = argparse.ArgumentParser(prog="scripts/reproduce/all", description="Run every reproduction; one page.")
    parser.add_argument("--quick", action="store_true", help="fewer steps and repeats, wider intervals")
    parser.add_argument("--only", action="extend", nargs="+", default=[], metavar="NAME", help="these alone: lag E3")
    parser.add_argument("--write", type=Path, metavar="docs/reproduction.md", help="write the page there as well")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--fresh", action="store_true", help="run what this commit has found before, too")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write is for all of it: without --only")
    return options


def commit() -> str:
    """The commit of this checkout; "changed" where the code is not that of a commit, so that nothing is reused."""
    try:
        if _git("status", "--porcelain", "--", *CODE):
            return "changed"
        return _git("rev-parse", "HEAD")[:12]
    except (OSError, subprocess.CalledProcessError):
        return "changed"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def result(job: Job, folder: Path, options: argparse.Namespace) -> Shown:
    """What a job has found, before or now."""
    kept = folder / f"{job.name}.json"
    if folder.parent.name != "changed" and not options.fresh and kept.exists():
        return Shown(**json.loads(kept.read_text("utf-8")))
    shown = carried_out(job, folder, LIMIT_S[options.quick])
    if not shown.error:
        kept.write_text(json.dumps(shown.table(), indent=1, ensure_ascii=False), encoding="utf-8")
    return shown


def carried_out(job: Job, folder: Path, limit_s: float) -> Shown:
    """Run a job; what it prints is kept beside its verdicts."""
    found, printed = folder / f"{job.name}.verdicts.json", folder / f"{job.name}.txt"
    found.unlink(missing_ok=True)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    start = time.monotonic()
    with open(printed, "wb") as out:
        running = subprocess.Popen(
            [sys.executable, *job.words, "--json", str(found)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        PROCESSES.add(running)
        try:
            running.wait(limit_s)
            error = "" if running.returncode == 0 else f"it ended with code {running.returncode}"
        except subprocess.TimeoutExpired:
            error = f"it was stopped after {limit_s:.0f} s"
            stop(running)
        PROCESSES.discard(running)
    verdicts: list[dict[str, Any]] = []
    if found.exists():
        verdicts = json.loads(found.read_text("utf-8"))["verdicts"]
        error = "" if verdicts else error  # check_theory ends with 1 where a check fails: the verdicts say which
    if not verdicts:
        last = printed.read_text("utf-8", "replace").strip().splitlines()[-1:]
        error = f"{error or 'it gave no verdict'}: {' '.join(last)[:300]}"
    return Shown(job.name, *job.about, job.command, time.monotonic() - start, verdicts, error)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a job and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write(results: list[Shown], options: argparse.Namespace, folder: Path) -> None:
    """The page, under out/reproduce as Markdown and HTML, and where it is asked for."""
    if not results:
        return
    text = as_markdown(results, options.quick, folder.parent.name)
    (KEPT / "reproduction.md").write_text(text, encoding="utf-8")
    (KEPT / "reproduction.html").write_text(as_html(results, options.quick, folder.parent.name), encoding="utf-8")
    if options.write:
        options.write.write_text(text, encoding="utf-8")


def say(line: str) -> None:
    """A line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
