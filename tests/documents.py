"""Code blocks of the documents: what they are, how they are run, and how what is printed is held to what is shown.

    ```python            run, in one namespace a page
    ```python title="x"  written to the file x
    ```console           each line after "$ " is run, the lines below it are what it prints
    ```text title="prints"   what the python block above it prints

In what is shown `...` stands for anything. Words and whole numbers have to be the same, other numbers may differ by
2 %: of gradients the last places depend on the machine's processor.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

NEAR = 0.02
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
# commands of other programs, for a fresh machine, or longer than a test may take; files that they name are there
NOT_RUN = ("pip ", "mpirun ", "scripts/", "python scripts/", "mkdocs ")


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
    def runs(self) -> bool:
        """Whether the tests run it in this process."""
        return self.words[0] == "distest" and "--ranks" not in self.words


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


def run(page: str, folder: Path, distest: Callable[[list[str]], str], held: Callable[[str, str, str], None]) -> None:
    """Run a page in a folder. distest(words): what a command prints. held(what, shown, printed): compares."""
    space: dict[str, Any] = {"__name__": "page"}
    printed = ""
    with chdir(folder):
        for block in blocks(page):
            if block.language == "console":
                for one in typed(block):
                    if one.runs:
                        held(shlex.join(one.words), one.shown, distest(one.words[1:]))
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
