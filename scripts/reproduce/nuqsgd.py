"""What NUQSGD says of its variance and its bits, on gradients of real data.

Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD: Provably Communication-efficient Data-parallel SGD via
Nonuniform Quantization" (2021) trains residual nets on CIFAR-10 and ImageNet; here a net with one hidden layer and a
residual net learn the shipped pictures of clothes and an LSTM Shakespeare's letters. 4 bits, buckets of 8192 and 512
coordinates, 4 workers. The variance of a gradient is exact, |g|^2 times what `variance` says, with no draws of the
quantiser; gradients are those of plain SGD. In training every method has the best of its step sizes from a grid.
Verdicts are computed from the tables above them.

    python scripts/reproduce/nuqsgd.py [--quick]     8 minutes on one busy core, 15 seconds with --quick; the seed is 1

--quick trains too little for QSGD's variance to hurt.
"""

import math
import sys
from typing import Any

import numpy as np
from runs import MODELS, RATES, Curve, Table, along, built, curve, needed, spread, times, within
from verdicts import Verdicts, asker, started

from distest.cli import tables
from distest.errors import DivergedError
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.problem import Vector

SEED = 1
WORKERS = 4
BITS = 4
BUCKETS = (8192, 512)
BATCH, SMALL = 32, 4  # rows of a worker
LOOKS = 8  # gradients whose variances are averaged
STEPS = {"mlp": 1200, "letter_lstm": 700, "residual": 800}  # of training
FACTORS = (1, 2, 4, 8)  # step sizes, in those of plain SGD
Quantiser = Qsgd | Nuqsgd


def quantisers(bucket: int) -> dict[str, Quantiser]:
    """The three of the paper's figures."""
    return {
        "qsgd l2": Qsgd(bits=BITS, bucket=bucket),
        "qsgd max": Qsgd(bits=BITS, norm="max", bucket=bucket),
        "nuqsgd": Nuqsgd(bits=BITS, bucket=bucket),
    }


METHODS: dict[str, Table] = {
    "supersgd": {"name": "supersgd"},
    "qsgd l2": {"name": "qsgd", "compressor": {"name": "qsgd", "bits": BITS}},
    "qsgd max": {"name": "qsgd", "compressor": {"name": "qsgd", "bits": BITS, "norm": "max"}},
    "nuqsgd": {"name": "nuqsgd", "compressor": {"name": "nuqsgd", "bits": BITS}},
    "nuqsgd elias": {"name": "nuqsgd", "compressor": {"name": "nuqsgd", "bits": BITS, "code": "elias"}},
    "ef_signsgd": {"name": "ef_signsgd"},
    "ef_signsgd 64": {"name": "ef_signsgd", "layers": False, "compressor": {"name": "sign", "scales": 2, "bucket": 64}},
}


# ---- variance


def peak(g: Vector, bucket: int) -> float:
    """Coordinates of a bucket times its largest square, over all buckets, in parts of |g|^2."""
    cuts = np.array_split(np.square(g, dtype=np.float64), range(bucket, g.size, bucket))
    return float(sum(cut.size * cut.max() for cut in cuts) / np.square(g, dtype=np.float64).sum())


def variances(name: str, batch: int, steps: list[int], out: Verdicts) -> None:
    """Exact variances along a run of plain SGD: a table and verdicts."""
    problem = built(MODELS[name])
    rows: list[dict[str, Any]] = []
    found: dict[tuple[int, str], list[float]] = {}
    peaks: dict[int, list[float]] = {bucket: [] for bucket in BUCKETS}
    for step, draw in along(problem, SEED, steps, workers=WORKERS, batch=batch, rate=RATES[name]):
        looks = [draw(k % WORKERS, 10**6 + LOOKS * step + k) for k in range(LOOKS)]
        row: dict[str, Any] = {"step": step}
        for bucket in BUCKETS:
            for method, quantiser in quantisers(bucket).items():
                value = float(np.mean([quantiser.variance(g) for g in looks]))
                found.setdefault((bucket, method), []).append(value)
                row[f"{method} {bucket}"] = value
            peaks[bucket].append(float(np.mean([peak(g, bucket) for g in looks])))
            row[f"peak {bucket}"] = peaks[bucket][-1]
        rows.append(row)
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
            f"{where}, bucket {bucket}: NUQSGD has no more variance than QSGD with the maximum norm (a factor 2)",
            bool((ratio < 2).all()),
            f"NUQSGD has {ratio.min():.3g} to {ratio.max():.3g} times that of the maximum norm",
            f"with peaks of {min(peaks[bucket]):.3g} to {max(peaks[bucket]):.3g} that norm costs at most peak / 4s^2 = "
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


def curves(name: str, steps: int, out: Verdicts) -> tuple[bool, str]:
    """Loss against bits, every method at each step size of the grid: tables and verdicts. Gives whether Elias-coded
    NUQSGD reaches the loss with fewer bits than EF-SignSGD, which is judged over all models."""
    grid = [factor * RATES[name] for factor in (FACTORS[:1] if out.quick else FACTORS)]
    setting: dict[str, Any] = {"workers": WORKERS, "batch": BATCH}
    runs = {
        method: {rate: curve(table, MODELS[name], SEED, steps, 16, rate=rate, **setting) for rate in grid}
        for method, table in METHODS.items()
    }
    plain = [run for run in runs["supersgd"].values() if run is not None]
    if not plain:
        raise DivergedError(f"supersgd diverged on {name} at all rates")
    target = min(run.loss[len(run.loss) * 3 // 4] for run in plain)
    cost = {method: {rate: needed(run, target) for rate, run in at.items()} for method, at in runs.items()}
    best = {method: min(grid, key=lambda rate: cost[method][rate]) for method in METHODS}
    rows, d = [], built(MODELS[name]).d
    for method, at in runs.items():
        whole = [run for run in at.values() if run is not None]
        row: dict[str, Any] = {"method": method, "bits by b + 32/B": rule(method, 8192, d)}
        row["measured"] = float(np.mean([run.per for run in whole])) if whole else None
        row |= {f"Mbit at rate {rate:g}": cost[method][rate] / 1e6 for rate in grid}
        row |= {f"loss at {rate:g}": run.loss[-1] if run else math.inf for rate, run in at.items()}
        rows.append(row)
    tables.show(
        f"\ntraining {name}: {WORKERS} workers, batch {BATCH}, {steps} steps; bits until the loss is {target:.4g}",
        rows,
        "that loss is the best that supersgd has after three fourths of its steps; bits a coordinate",
    )
    budget(name, {method: runs[method][best[method]] for method in METHODS})
    for rival in ("supersgd", "qsgd l2"):
        claim = f"{name}: nuqsgd in {BITS} bits reaches a loss with fewer bits than {rival}, each at its best rate"
        out.hold(claim, *times([min(cost["nuqsgd"].values())], [min(cost[rival].values())]), trained=True)
    low = {method: min(run.loss[-1] for run in at.values() if run is not None) for method, at in runs.items()}
    out.hold(
        f"{name}: after the same steps, each at its best rate, NUQSGD has the lower loss than QSGD",
        low["nuqsgd"] < low["qsgd l2"],
        f"losses of {low['nuqsgd']:.4g}, of QSGD {low['qsgd l2']:.4g}, of SuperSGD {low['supersgd']:.4g}",
        trained=True,
    )
    return times([min(cost["nuqsgd elias"].values())], [min(cost["ef_signsgd 64"].values())])


def against_signs(found: dict[str, tuple[bool, str]], out: Verdicts) -> None:
    """One verdict on EF-SignSGD, over all models."""
    out.hold(
        f"nuqsgd in {BITS} bits, in Elias code, reaches a loss with fewer bits than EF-SignSGD as the paper has it, in "
        "buckets of 64 with two scales, each at its best rate, on every model",
        all(fewer for fewer, _ in found.values()),
        "; ".join(f"{model}: {phrase}" for model, (_, phrase) in found.items()),
        "the paper measures seconds on its graphics cards, not bits until a loss; with its memory of errors EF-SignSGD "
        "loses little a step, as the tables of all rates show, and its 2 bits a coordinate are about those of the code",
        trained=True,
    )


def budget(name: str, runs: dict[str, Curve | None]) -> None:
    """Loss at payloads that double, up to the whole of nuqsgd, each method at its best rate."""
    first = runs["nuqsgd"]
    if first is None:
        return
    rows = []
    for part in (1 / 8, 1 / 4, 1 / 2, 1):
        limit = part * first.bits[-1]
        row: dict[str, Any] = {"payload Mbit": limit / 1e6}
        rows.append(row | {method: within(run, limit) if run else None for method, run in runs.items()})
    tables.show(f"\nloss of {name} against payload, each at the rate that was best above", rows)


def small(name: str, steps: int, repeats: int, out: Verdicts) -> None:
    """Batches of few rows, where gradients are noise for the most part: losses at the end, at one rate."""
    setting: dict[str, Any] = {"workers": WORKERS, "batch": SMALL, "rate": RATES[name] / 2}
    rows, final = [], {}
    for method in ("supersgd", "qsgd l2", "qsgd max", "nuqsgd"):
        runs = [curve(METHODS[method], MODELS[name], SEED + r, steps, 2, **setting) for r in range(repeats)]
        final[method] = [run.loss[-1] if run else math.inf for run in runs]
        held = [run.held_out if run else math.inf for run in runs]
        rows.append({"method": method, "loss": spread(final[method]), "held out": spread(held)})
    note = "held out: errors in 100 pictures, or nats a letter"
    title = (
        f"\ntraining {name}: {WORKERS} workers, batch {SMALL}, rate {RATES[name] / 2}, {steps} steps, {repeats} repeats"
    )
    tables.show(title, rows, note)
    gap = {method: float(np.mean(final[method]) - np.mean(final["supersgd"])) for method in final}
    out.hold(
        f"{name}, batch {SMALL}: NUQSGD loses less than QSGD does",
        gap["nuqsgd"] < gap["qsgd l2"],
        f"its loss is SuperSGD's {gap['nuqsgd']:+.3g}, that of QSGD {gap['qsgd l2']:+.3g}, with the maximum norm "
        f"{gap['qsgd max']:+.3g}",
        trained=True,
    )


def main() -> int:
    """Print everything; exit code 0."""
    asked = started(asker("nuqsgd", "NUQSGD's variance and bits on real gradients."))
    quick = asked.quick
    part = 20 if quick else 1
    out = Verdicts("NUQSGD", asked)
    print(f"NUQSGD, {BITS} bits, {WORKERS} workers, seed {SEED}; a bucket larger than d is the whole vector")
    signs = {}
    for name in MODELS:
        last = STEPS[name] // (2 * part)
        for batch in (BATCH, SMALL):
            variances(name, batch, sorted({0, *(last * k // 16 for k in (1, 2, 4, 8, 16))}), out)
        signs[name] = curves(name, STEPS[name] // part, out)
        small(name, STEPS[name] // part, 1 if quick else 2, out)
    against_signs(signs, out)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
