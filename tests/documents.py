"""Code blocks of the documents: what they are, how they are run, and how what is printed is held to what is shown.

    ```python            run, in one namespace a page
    ```python title="x"  written to the file x
    ```console           each line after "$ " is run, the lines below it are what it prints
    ```toml title="x"    written to the file x
    ```text title="prints"   what the python block above it prints

A line of a console block is one of four, and nothing else is on a page (`Typed.runner`): a command of distest, which
the tests run in their process; one with --ranks, which they run on ranks, and here without them where it leaves
something behind (--out); a script that `.ci/run` runs as it is or with --quick; `pip install .`, with extras of
setup.cfg, which `scripts/check_wheel` runs with the built wheel.

In what is shown `...` stands for anything. Words and whole numbers have to be the same, other numbers may differ by
2 %: of gradients the last places depend on the machine's processor.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from tests.command import Ended

NEAR = 0.02
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
_PIP = re.compile(r"pip install \.(?:\[([a-z,]+)\])?")
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Block:
    """A block of code. title: of the file it is, or "prints"."""

    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Typed:
    """A command of a console block, and what is shown below it."""

    words: list[str]
    shown: str

    @property
    def here(self) -> list[str]:
        """The words of the command of distest that the tests run in this process; none for others."""
        if self.words[0] != "distest" or "--ranks" not in self.words:
            return self.words[1:] if self.words[0] == "distest" else []
        at = self.words.index("--ranks")
        return [*self.words[1:at], *self.words[at + 2 :]] if "--out" in self.words else []

    @property
    def runner(self) -> str:
        """Who runs it: "here", "ranks", ".ci/run" or "wheel"; "" for nobody."""
        if self.words[0] == "distest":
            return "ranks" if "--ranks" in self.words else "here"
        line = " ".join(self.words)
        if found := _PIP.fullmatch(line):
            return "wheel" if {*filter(None, (found[1] or "").split(","))} <= extras() else ""
        return ".ci/run" if {line, f"{line} --quick"} & ci_lines() else ""


def extras() -> set[str]:
    """What setup.cfg has to be installed beside the package."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return {*setup["options.extras_require"]} - {*setup.defaults()}


def ci_lines() -> set[str]:
    """The commands of .ci/run, without the folder of the environment."""
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    return {line.strip().removeprefix(".venv/bin/") for line in lines}


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    found = []
    for language, info, text in _BLOCK.findall(page):
        title = _TITLE.search(info)
        found.append(Block(language, title[1] if title else "", text))
    return found


def typed(block: Block) -> Iterator[Typed]:
    """The commands of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield Typed(shlex.split(line.partition("  #")[0]), shown)


def run(page: str, folder: Path, distest: Callable[[list[str]], Ended], held: Callable[[str, str, str], None]) -> None:
    """Run a page in a folder. held(what, shown, printed): compares. A command that shows nothing has to end well."""
    space: dict[str, Any] = {"__name__": "page"}
    printed = ""
    with chdir(folder):
        for block in blocks(page):
            if block.language == "console":
                for one in typed(block):
                    if one.here:
                        ended = distest(one.here)
                        assert ended.code == 0 or one.shown.strip(), f"{shlex.join(one.words)}: {ended.err}"
                        held(shlex.join(one.words), one.shown, ended.out + ended.err)
            elif block.title == "prints":
                held("python", block.text, printed)
            elif block.title:
                (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.title).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                out = StringIO()
                with redirect_stdout(out):
                    exec(compile(block.text, "page", "exec"), space)
                printed = out.getvalue()


def difference(shown: str, printed: str) -> str:
    """How what is printed differs from what is shown; nothing where it does not, or where nothing is shown."""
    if not shown.strip():
        return ""
    pattern, numbers = "", []
    for word in re.sub(r"─+", "─", shown).split():
        pattern += r"\s*" if pattern else ""
        if set(word) == {"."}:
            pattern += r"[\s\S]*?"
        elif _NUMBER.fullmatch(word):
            pattern += f"({_NUMBER.pattern}|-?\\d+)(?=\\s|$)"
            numbers.append(float(word))
        else:
            pattern += re.escape(word)
    found = re.fullmatch(rf"\s*{pattern}\s*", re.sub(r"─+", "─", printed))
    if found is None:
        return f"shown:\n{shown}\nprinted:\n{printed}"
    far = [
        f"{a} is shown, {b} printed" for a, b in zip(numbers, map(float, found.groups()), strict=True) if apart(a, b)
    ]
    return "; ".join(far)


def apart(a: float, b: float) -> bool:
    """Whether two numbers are not nearly the same."""
    return abs(a - b) > NEAR * max(abs(a), abs(b)) + 1e-9
