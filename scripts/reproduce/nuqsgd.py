"""What NUQSGD says of its variance and its bits, on gradients of real data.

Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD: Provably Communication-efficient Data-parallel SGD via
Nonuniform Quantization" (2021) trains nets on CIFAR-10 and ImageNet; here softmax regression and a net with one hidden
layer learn the shipped pictures of clothes. 4 bits, buckets of 8192 and 512 coordinates, 4 workers. The variance of a
gradient is exact, |g|^2 times what `variance` says, with no draws of the quantiser; gradients are those of plain SGD.
Verdicts are computed from the tables above them.

    python scripts/reproduce/nuqsgd.py [--quick]      2 minutes on one core, 20 seconds with --quick; the seed is 1
"""

import argparse
import math
import sys
from typing import Any

import numpy as np
from runs import Curve, Verdicts, curve, needed, times, within

from distest import catalog
from distest.cli import tables
from distest.coins import from_seed
from distest.errors import DivergedError
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.problem import Problem, Vector
from distest.sgd.shards import deal

SEED = 1
WORKERS = 4
BITS = 4
BUCKETS = (8192, 512)
PROBLEMS = ("softmax", "mlp")
RATE = 0.1
BATCH, SMALL = 32, 4  # rows of a worker
LOOKS = 8  # gradients whose variances are averaged
Quantiser = Qsgd | Nuqsgd


def quantisers(bucket: int) -> dict[str, Quantiser]:
    """The three of the paper's figures."""
    return {
        "qsgd l2": Qsgd(bits=BITS, bucket=bucket),
        "qsgd max": Qsgd(bits=BITS, norm="max", bucket=bucket),
        "nuqsgd": Nuqsgd(bits=BITS, bucket=bucket),
    }


METHODS: dict[str, dict[str, Any]] = {
    "supersgd": {"name": "supersgd"},
    "qsgd l2": {"name": "qsgd", "compressor": {"name": "qsgd", "bits": BITS}},
    "qsgd max": {"name": "qsgd", "compressor": {"name": "qsgd", "bits": BITS, "norm": "max"}},
    "nuqsgd": {"name": "nuqsgd", "compressor": {"name": "nuqsgd", "bits": BITS}},
    "nuqsgd elias": {"name": "nuqsgd", "compressor": {"name": "nuqsgd", "bits": BITS, "code": "elias"}},
    "ef_signsgd": {"name": "ef_signsgd"},
}


# ---- variance


def peak(g: Vector, bucket: int) -> float:
    """Coordinates of a bucket times its largest square, over all buckets, in parts of |g|^2."""
    cuts = np.array_split(np.square(g, dtype=np.float64), range(bucket, g.size, bucket))
    return float(sum(cut.size * cut.max() for cut in cuts) / np.square(g, dtype=np.float64).sum())


def variances(name: str, batch: int, steps: list[int], out: Verdicts) -> None:
    """Exact variances along a run of plain SGD: a table and verdicts."""
    problem: Problem = catalog.build("problem", {"name": name})
    coins, data = from_seed(SEED)
    shards = deal(problem, WORKERS, "iid", coins.public)
    x = problem.start(coins.public.fold("start"))
    rows: list[dict[str, Any]] = []
    found: dict[tuple[int, str], list[float]] = {}
    peaks: dict[int, list[float]] = {bucket: [] for bucket in BUCKETS}

    def gradient(worker: int, step: int) -> Vector:
        return problem.gradient(x, shards.batch(worker, step, batch, data))

    for step in range(steps[-1] + 1):
        if step in steps:
            looks = [gradient(k % WORKERS, 10**6 + LOOKS * step + k) for k in range(LOOKS)]
            row: dict[str, Any] = {"step": step}
            for bucket in BUCKETS:
                for method, quantiser in quantisers(bucket).items():
                    value = float(np.mean([quantiser.variance(g) for g in looks]))
                    found.setdefault((bucket, method), []).append(value)
                    row[f"{method} {bucket}"] = value
                peaks[bucket].append(float(np.mean([peak(g, bucket) for g in looks])))
                row[f"peak {bucket}"] = peaks[bucket][-1]
            rows.append(row)
        x = x - np.float32(RATE) * np.mean([gradient(w, step) for w in range(WORKERS)], axis=0, dtype=np.float32)
    where = f"{name}, batch {batch} per worker"
    note = (
        "peak: the square of the largest coordinate of a bucket in mean squares, buckets weighed by their part of |g|^2"
    )
    tables.show(f"\nvNMSE, E|Q(g) - g|^2 / |g|^2, {where}, d = {problem.d:,}", rows, note)
    for bucket in BUCKETS:
        qsgd, most_norm, nuqsgd = (np.array(found[bucket, method]) for method in quantisers(bucket))
        ratio = qsgd / nuqsgd
        out.hold(
            f"{where}, bucket {bucket}: at the same bits NUQSGD has less variance than QSGD at every step",
            bool((ratio > 1).all()),
            f"QSGD has {ratio.min():.3g} to {ratio.max():.3g} times that of NUQSGD",
        )
        ratio, lost = nuqsgd / most_norm, np.array(peaks[bucket]) / (4 * (2 ** (BITS - 1) - 1) ** 2)
        out.hold(
            f"{where}, bucket {bucket}: NUQSGD has the variance of QSGD with the maximum norm (within a factor 2)",
            bool(((ratio < 2) & (ratio > 0.5)).all()),
            f"NUQSGD has {ratio.min():.3g} to {ratio.max():.3g} times that of the maximum norm; with peaks "
            f"of {min(peaks[bucket]):.3g} to {max(peaks[bucket]):.3g} that norm costs at most peak / 4s^2 = "
            f"{lost.min():.3g} to {lost.max():.3g}, and NUQSGD took {nuqsgd.min():.3g} to {nuqsgd.max():.3g}",
        )
        bound, most = quantisers(bucket)["nuqsgd"].distortion(problem.d), float(nuqsgd.max())
        out.hold(
            f"{where}, bucket {bucket}: the variance of NUQSGD is below its bound",
            most <= bound,
            f"at most {most:.3g}, bound {bound:.3g}",
        )


# ---- training


def rule(method: str, bucket: int, d: int) -> float | None:
    """Bits of a coordinate by the paper's rule, b + 32/B; the last bucket takes what is left of the vector."""
    if "nuqsgd" not in method and "qsgd " not in method:
        return None
    return BITS + 32 / min(bucket, d)


def curves(name: str, steps: int, repeats: int, out: Verdicts) -> None:
    """Loss against bits: tables and verdicts."""
    d = catalog.build("problem", {"name": name}).d
    setting: dict[str, Any] = {"workers": WORKERS, "batch": BATCH, "rate": RATE}
    runs = {
        method: [curve(spec, {"name": name}, SEED + repeat, steps, **setting) for repeat in range(repeats)]
        for method, spec in METHODS.items()
    }
    plain = [run for run in runs["supersgd"] if run is not None]
    if len(plain) < repeats:
        raise DivergedError(f"supersgd diverged on {name} at rate {RATE}")
    targets = [run.loss[len(run.loss) // 2] for run in plain]
    cost = {method: [needed(run, t) for run, t in zip(runs[method], targets, strict=True)] for method in METHODS}
    final = {method: [run.loss[-1] if run else math.inf for run in runs[method]] for method in METHODS}
    rows = []
    for method, some in runs.items():
        whole = [run for run in some if run is not None]
        gaps = [a - b for a, b in zip(final[method], final["supersgd"], strict=True)]
        rows.append(
            {
                "method": method,
                "bits/coordinate, b + 32/B": rule(method, 8192, d),
                "measured": float(np.mean([run.per for run in whole])) if whole else None,
                "loss at the end": float(np.mean(final[method])),
                "less supersgd's": float(np.mean(gaps)),
                "Mbit to half-way loss": float(np.mean(cost[method])) / 1e6,
            }
        )
    tables.show(
        f"\ntraining {name}: {WORKERS} workers, batch {BATCH}, rate {RATE}, {steps} steps, {repeats} repeats; "
        "bits of all workers",
        rows,
        f"half-way loss: what supersgd has after {steps // 2} steps, {np.mean(targets):.4g} on average",
    )
    budget(name, runs)
    judge(name, cost, final, out)


def budget(name: str, runs: dict[str, list[Curve | None]]) -> None:
    """Loss of the first repeat at payloads that double, up to the whole of nuqsgd."""
    first = runs["nuqsgd"][0]
    if first is None:
        return
    rows = []
    for part in (1 / 8, 1 / 4, 1 / 2, 1):
        limit = part * first.bits[-1]
        row: dict[str, Any] = {"payload Mbit": limit / 1e6}
        rows.append(row | {method: within(some[0], limit) if some[0] else None for method, some in runs.items()})
    tables.show(f"\nloss of {name} against payload, repeat 0", rows)


def judge(name: str, cost: dict[str, list[float]], final: dict[str, list[float]], out: Verdicts) -> None:
    """Verdicts on training; each has to hold in every repeat."""
    for rival in ("supersgd", "qsgd l2", "ef_signsgd"):
        out.hold(f"{name}: NUQSGD reaches a loss with fewer bits than {rival}", *times(cost["nuqsgd"], cost[rival]))
    gap = {
        method: [abs(a - b) for a, b in zip(final[method], final["supersgd"], strict=True)]
        for method in ("qsgd l2", "qsgd max", "nuqsgd")
    }
    out.hold(
        f"{name}: after the same steps NUQSGD is nearer to SuperSGD than QSGD is",
        all(a < b for a, b in zip(gap["nuqsgd"], gap["qsgd l2"], strict=True)),
        f"its loss is off by at most {max(gap['nuqsgd']):.3g}, that of QSGD by {min(gap['qsgd l2']):.3g} at least",
    )
    spread = max(final["supersgd"]) - min(final["supersgd"])
    apart = [abs(a - b) for a, b in zip(final["nuqsgd"], final["qsgd max"], strict=True)]
    out.hold(
        f"{name}: NUQSGD ends at the loss of QSGD with the maximum norm (within a hundredth)",
        all(a <= 0.01 * b for a, b in zip(apart, final["qsgd max"], strict=True)),
        f"they are at most {max(apart):.3g} apart, at a loss of {np.mean(final['qsgd max']):.3g}; repeats of SuperSGD "
        f"{spread:.3g}",
    )


def main() -> int:
    """Print everything; exit code 0."""
    parser = argparse.ArgumentParser(prog="nuqsgd", description="NUQSGD's variance and bits on real gradients.")
    parser.add_argument("--quick", action="store_true", help="fewer steps, one repeat")
    quick = parser.parse_args().quick
    steps, repeats = (120, 1) if quick else (400, 3)
    out = Verdicts()
    print(f"NUQSGD, {BITS} bits, {WORKERS} workers, seed {SEED}; a bucket larger than d is the whole vector")
    for name in PROBLEMS:
        for batch in (BATCH, SMALL):
            variances(name, batch, [0, *(steps * part // 16 for part in (1, 2, 4, 8, 16))], out)
        curves(name, steps, repeats, out)
    out.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
