"""A crew: trials in parallel processes of one thread each. They compute; who started them writes."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from distest import errors
from distest.errors import DistestError, PartyError, UsageError
from distest.launch import ONE_THREAD
from distest.sweep.trial import Made, Trial

Answer = tuple[Trial, Made | DistestError]


class Crew:
    """So many processes, started with the first trial; a trial is given to whoever is free.

    Leaving the context ends them, whatever they do.
    """

    def __init__(self, size: int, boards: Path | None):
        if size < 1:
            raise UsageError(f"trials are made by at least 1 process, got jobs={size}")
        self.size = size
        self._boards = None if boards is None else str(boards)
        self._asked: SimpleQueue[Trial | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Crew":
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        places = [str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        for _ in range(self.size):
            process = subprocess.Popen(
                [sys.executable, "-m", "distest.sweep.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is for who started them
            )
            self._processes.append(process)
            threading.Thread(target=self._serve, args=(process,), daemon=True).start()
        return self

    def __exit__(self, *about: object) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def ask(self, trial: Trial) -> None:
        """Have a trial made."""
        self._asked.put(trial)

    def answer(self) -> tuple[Trial, Made]:
        """The next trial that is done. Raises what it raised, naming it, and PartyError for a process that died."""
        trial, made = self._answers.get()
        if isinstance(made, DistestError):
            raise made
        return trial, made

    def _serve(self, process: "subprocess.Popen[str]") -> None:
        """Ask one process for one trial after the other."""
        assert process.stdin is not None
        assert process.stdout is not None
        while (trial := self._asked.get()) is not None:
            question = {"kind": trial.kind, "table": trial.table, "repeat": trial.repeat, "boards": self._boards}
            try:
                process.stdin.write(json.dumps(question) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except (OSError, ValueError):
                line = ""
            self._answers.put((trial, _read(trial, line, process)))


def _read(trial: Trial, line: str, process: "subprocess.Popen[str]") -> Made | DistestError:
    """What a process has answered; an error that names the trial where it has not."""
    if not line.endswith("\n"):
        code = process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return PartyError(f"the process of {trial.label} {how}; --resume goes on from there")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        kind = getattr(errors, answer["error"], DistestError)
        error: DistestError = kind(f"{trial.label}: {answer['sentence']}")
        return error
    return Made(answer["record"], answer["series"], answer["diverged"])
