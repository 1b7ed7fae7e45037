"""Completion: the printed script, in bash itself, offers commands, options and names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distest import catalog
from distest.cli.main import COMMANDS

ROOT = Path(catalog.__file__).parents[1]


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    """An environment in which `distest` is this checkout's."""
    program = tmp_path / "distest"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m distest "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def run(arguments: list[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    return done.stdout.split()


LINES = {
    "le": ["learn"],
    "tr": ["train"],
    "learn --pro": ["--protocol"],
    "learn --protocol gr": ["grouping"],
    "learn --protocol ev": ["every"],
    "train --method lasg": ["lasg_wk1", "lasg_wk2"],
    "train --compressor t": [name for name in catalog.names("compressor") if name.startswith("t")],
    "learn --data dep": ["departures"],
    "nothing ": [*COMMANDS],
}


def test_bash_completes_from_the_script_that_is_printed(here: dict[str, str]) -> None:
    """All lines in one shell: after the script, each is asked as bash asks when the key is pressed."""
    asked = 'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _distest_completion distest; '
    asked += 'echo "${COMPREPLY[*]}" | tr "\\n" " "; echo "|"; }\n'
    asks = [f"ask distest {line}".removesuffix(" ") + ' ""' * line.endswith(" ") for line in LINES]
    found = run(["bash", "--norc", "-c", f'eval "$(distest completion bash)"\n{asked}' + "\n".join(asks)], here)
    assert [part.split() for part in " ".join(found).split("|")][:-1] == [*LINES.values()]


@pytest.mark.parametrize(("shell", "word"), [("zsh", "1"), ("fish", "le")])
def test_other_shells_get_their_script_and_are_answered(shell: str, word: str, here: dict[str, str]) -> None:
    script = " ".join(run(["distest", "completion", shell], here))
    asked = f"_DISTEST_COMPLETE={shell}_complete"
    assert asked in script
    answer = run(["distest"], {**here, **dict([asked.split("=")]), "COMP_WORDS": "distest le", "COMP_CWORD": word})
    assert "learn" in answer[:2] or answer[0].startswith("plain,learn")
    assert COMMANDS["learn"].split()[-1] in answer[-1]
