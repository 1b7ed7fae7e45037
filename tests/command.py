"""The command in a test's own process: the whole of `__main__.main` but for the end of the process."""

import importlib
import sys
from dataclasses import dataclass
from typing import NoReturn

import pytest

from distest import rank


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class _LeftError(Exception):
    """Stands for the end of the process; its argument is the exit code."""


def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """`python -m distest ...` in this process."""

    def leave(code: int) -> NoReturn:
        raise _LeftError(code)

    monkeypatch.setattr(rank, "leave", leave)
    main = importlib.import_module("distest.__main__").main
    capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["distest", *arguments])
    code = -1
    try:
        main()
    except _LeftError as left:
        code = int(left.args[0])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    said = capfd.readouterr()
    return Ended(code, said.out, said.err)
