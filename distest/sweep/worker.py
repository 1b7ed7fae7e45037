"""A process that makes trials for a sweep: a line of JSON in, a line of JSON out. It ends with who started it."""

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from distest.errors import DistestError
from distest.sweep.trial import Maker
from distest.wire.transport import Solo


def main() -> None:
    """Answer until nobody asks."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a user's own class prints is no answer
    asked: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    maker = None
    while True:
        question = json.loads(asked.get())
        if maker is None:
            maker = Maker(Solo(), Path(question["boards"]) if question["boards"] else None)
        answers.write(json.dumps(_answer(maker, question), separators=(",", ":")) + "\n")
        answers.flush()


def _answer(maker: Maker, question: dict[str, Any]) -> dict[str, Any]:
    try:
        made = maker.make(question["kind"], question["table"], question["repeat"])
    except DistestError as error:
        return {"error": type(error).__name__, "sentence": str(error)}
    assert made is not None  # one process hosts the referee
    return {"record": made.record, "series": made.series, "diverged": made.diverged}


def _listen(asked: "SimpleQueue[str]") -> None:
    """Hand over what is asked; leave at once where the other end is gone, in the middle of a trial too."""
    for line in sys.stdin:
        asked.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
