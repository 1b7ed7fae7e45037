"""One process against MPI ranks: seconds of a whole learn, warm, medians. `python scripts/bench/ranks.py [m] [ranks]`.

Prints a row a setting with the ratio to one process of the same round; rounds are interleaved, since machines drift.
"""

import json
import statistics
import subprocess
import sys

REPEATS = 4  # the first of each run loads kernels and is left out
ROUNDS = 3


def seconds(m: int, *more: str) -> tuple[float, str]:
    """Median seconds of the warm repeats, and the digest of the last transcript."""
    command = [sys.executable, "-m", "distest", "learn", "--protocol", "grouping", "--bits", "3", "--n", "256"]
    command += ["--m", str(m), "--distribution", "uniform", "--repeats", str(REPEATS), "--json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return statistics.median(r["seconds"] for r in records[1:]), records[-1]["digest"]


def main() -> None:
    """Measure and print."""
    m = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**8
    ranks = sys.argv[2] if len(sys.argv) > 2 else "2"
    settings = {
        "one process": (),
        f"{ranks} ranks, central": ("--ranks", ranks),
        f"{ranks} ranks, spread": ("--ranks", ranks, "--hearing", "spread"),
    }
    times: dict[str, list[float]] = {name: [] for name in settings}
    digests = set()
    for _ in range(ROUNDS):
        for name, more in settings.items():
            taken, digest = seconds(m, *more)
            times[name].append(taken)
            digests.add(digest)
    if len(digests) != 1:
        raise SystemExit(f"the transcripts differ: {digests}")
    alone = times["one process"]
    print(f"grouping, n = 256, b = 3, m = {m:,}; {ROUNDS} interleaved rounds, one transcript {digests.pop()[:16]}")
    for name, taken in times.items():
        ratio = statistics.median(a / t for a, t in zip(alone, taken, strict=True))
        middle = statistics.median(taken)
        print(f"{name:22s} {middle:7.3f} s  {m / middle / 1e6:6.1f} M servers/s  {ratio:5.2f} x one process")


if __name__ == "__main__":
    main()
