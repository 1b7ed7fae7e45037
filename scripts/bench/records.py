"""How fast are records read? A million lines as `learn` and `train` write them, in a file under /tmp.

Read: `Lines`, which checks every line. Two results: the look for runs with two results. Six columns: what a table
needs. All of it: every record a dict, beside the json of Python's library. Seconds of the clock and of the core, and
the most memory so far, in the order in which things are done. Run: python scripts/bench/records.py [records]
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from distest import records
from distest.reading import Lines
from distest.spec import check, normalise

T = TypeVar("T")
COLUMNS = ("spec_hash", "seed", "repeat", "payload_bits", "l1", "l2_squared")


def main() -> None:
    """Write the file, read it, print a line for each way."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / records.FILE
        _write(path, count)
        print(f"{count:,} records, {path.stat().st_size / count:.0f} bytes each")
        lines = _timed("read", lambda: Lines(path))
        _timed("two results", lambda: records.conflicts(lines))
        _timed("six columns", lambda: sum(1 for _ in lines.rows(COLUMNS)))
        _timed("all of it", lambda: sum(1 for _ in lines))
        share = max(1, count // 10)
        with open(path, "rb") as file:
            some = [file.readline() for _ in range(share)]
        _timed(f"json, of {share:,}", lambda: [json.loads(line) for line in some])


def _write(path: Path, count: int) -> None:
    """Repeats of two protocols: what a run writes, with another repeat, digest and error in every line."""
    from distest import experiment
    from distest.wire.transport import Solo

    table = {"n": 64, "m": 1000, "distribution": "zipf", "protocols": ["grouping:bits=3", "full_sample"]}
    spec = check(normalise(table))
    made = [record for record, _ in experiment.run(spec, experiment.plan(spec), Solo(), keep_board=False)]
    with open(path, "w", encoding="ascii") as file:
        for place in range(count):
            record = made[2 * place // count]
            changed = {"repeat": place, "l1": place / count, "digest": f"{place:064x}"}
            file.write(records.canonical({**record, **changed}) + "\n")


def _timed(name: str, job: Callable[[], T]) -> T:
    start, core = time.perf_counter(), time.process_time()
    found = job()
    took, cpu = time.perf_counter() - start, time.process_time() - core
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:20} {took:6.2f} s  {cpu:6.2f} s of the core  {memory:7,.0f} MB")
    return found


if __name__ == "__main__":
    main()
