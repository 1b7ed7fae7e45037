"""How long does a report on many records take, and its page to open? Bars: 15 s for 10^5 records, 3 s in Chromium.

Records as `learn` writes them, in a folder under /tmp: specs of a grid over n, m and b, some repeats each. Seconds of
the clock and of the core; the page is opened three times and the middle is told, until it is loaded and until its
first figure, which is gone to at once, is drawn. Run: python scripts/bench/report.py [records] [repeats]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from distest import records

SIZES = (16, 32, 64, 128, 256)
BUDGETS = (1, 2, 3, 4)
LAWS = ("uniform", "zipf", "geometric")
START = (
    "import sys, time; start = time.process_time(); sys.argv[0] = 'distest'; from distest.__main__ import _command; "
    "_command(); print(f'core {time.process_time() - start:.2f}')"
)


def main() -> None:
    """Write records, report on them, open the page."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open(folder / records.FILE, "w", encoding="ascii") as file:
            file.writelines(records.canonical(record) + "\n" for record in _made(count, repeats))
        size = (folder / records.FILE).stat().st_size / count
        print(f"{count:,} records of {size:.0f} bytes, {count // repeats:,} specs")
        start = time.perf_counter()
        words = [sys.executable, "-c", START, "report", str(folder), "-o", str(folder / "report.html")]
        ran = subprocess.run(words, check=True, capture_output=True, text=True)
        core = ran.stdout.rpartition("core ")[2].strip()
        print(f"report  {time.perf_counter() - start:6.2f} s  {core} s of the core  (bar 15 s)")
        print(f"page    {(folder / 'report.html').stat().st_size / 1e6:6.2f} MB")
        loaded, drawn, cpu = _opened(folder / "report.html")
        print(f"opened  {loaded:6.2f} s, a figure after {drawn:.2f} s, {cpu:.2f} s of the core  (bar 3 s)")


def _made(count: int, repeats: int) -> Iterator[records.Record]:
    """Records of a grid: real ones, with other specs, seeds, bits and errors."""
    from distest import experiment
    from distest.spec import check, normalise
    from distest.wire.transport import Solo

    table = {"n": 64, "m": 1000, "distribution": "zipf", "protocols": ["grouping:bits=3", "balanced_hash:bits=3"]}
    asked = check(normalise(table))
    some = [record for record, _ in experiment.run(asked, experiment.plan(asked), Solo(), keep_board=False)]
    made = 0
    for place in range(count // repeats):
        first = some[place % 2]
        n, law = SIZES[place // 2 % 5], LAWS[place // 10 % 3]
        bits, m = BUDGETS[place // 30 % 4], 1000 + 100 * (place // 120)
        protocol = {**first["spec"]["protocol"], "bits": bits}
        spec = {**first["spec"], "n": n, "m": m, "protocol": protocol, "distribution": {"name": law}}
        error = 2.0 * n / (m * 2**bits)
        changed = {"spec": spec, "spec_hash": records.spec_hash(spec), "n": n, "m": m, "bits_per_server": bits}
        changed |= {"label": f"{first['protocol']} b={bits}", "payload_bits": m * bits, "payload_bits_up": m * bits}
        changed |= {"risk_l2_squared": error, "risk_l1": error**0.5, "risk_exact": True, "messages": m}
        for repeat in range(repeats):
            off = 1 + 0.2 * (((made * 2654435761) % 1000) / 1000 - 0.5)
            made += 1
            results = {"l2_squared": error * off, "l1": (error * off) ** 0.5, "digest": f"{made:064x}"}
            yield {**first, **changed, **results, "repeat": repeat}


def _opened(path: Path) -> tuple[float, float, float]:
    """Seconds until a page is loaded and until its first figure is drawn, and those of the core that this took."""
    from playwright.sync_api import sync_playwright

    loaded, drawn, cores = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(3):
            page = browser.new_page()
            watch = page.context.new_cdp_session(page)
            watch.send("Performance.enable")
            start = time.perf_counter()
            page.goto(path.as_uri())
            loaded.append(time.perf_counter() - start)
            page.evaluate("document.querySelector('[data-figure]').scrollIntoView({behavior: 'instant'})")
            page.wait_for_selector("[data-figure] .plot .main-svg", state="attached", timeout=120_000)
            drawn.append(time.perf_counter() - start)
            told = {one["name"]: one["value"] for one in watch.send("Performance.getMetrics")["metrics"]}
            cores.append(told["ProcessTime"])
            page.close()
        browser.close()
    return statistics.median(loaded), statistics.median(drawn), statistics.median(cores)


if __name__ == "__main__":
    main()
