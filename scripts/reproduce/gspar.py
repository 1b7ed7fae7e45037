"""What GSpar says of density, variance and bits, on the data that its authors generate.

Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient Distributed Optimization" (2018):
logistic regression, 1,024 rows of 2,048 columns, batches of 8 for each of 4 workers, columns made small to make
gradients sparse (C1: the magnitudes below it are multiplied by C2; see `gspar_logistic` on the other way to read the
paper). Variances are exact, by the chances of each coordinate, of gradients along plain SGD. Step sizes fall like 1/t
and are tuned for every method by itself. The regulariser is sent with the gradient, the paper adds it afterwards.
Verdicts are computed from the tables above them.

    python scripts/reproduce/gspar.py [--quick]      2.5 minutes on one core, 15 seconds with --quick; the seed is 1
"""

import itertools
import sys
from typing import Any

import numpy as np
from runs import Curve, along, built, curve, needed, times, within
from verdicts import Verdicts, asker, started

from distest.cli import tables
from distest.sgd.compressors.gspar import Gspar
from distest.sgd.problem import Vector

SEED = 1
WORKERS, BATCH = 4, 8
C1, C2 = (0.6, 0.9), (1 / 4, 1 / 16, 1 / 64)
DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2)
ERRORS = (0.25, 0.5, 1.0, 2.0, 4.0)
TRAINED = ((0.6, 1 / 4), (0.9, 1 / 64))  # C1, C2
KEPT = 0.1  # density in training
RATES = (0.02, 0.06, 0.2, 0.6)
METHODS: dict[str, dict[str, Any]] = {
    "supersgd": {"name": "supersgd"},
    "gspar_sgd": {"name": "gspar_sgd", "compressor": {"name": "gspar", "density": KEPT}},
    "uniform": {"name": "mean", "compressor": {"name": "random_k", "density": KEPT, "draw": "private"}},
    "uniform, public coins": {"name": "mean", "compressor": {"name": "random_k", "density": KEPT}},
    "qsgd 4 bits": {"name": "qsgd", "compressor": {"name": "qsgd", "bits": 4}},
}


def table(c1: float, c2: float) -> dict[str, Any]:
    """The problem of a data set."""
    return {"name": "gspar_logistic", "threshold": c1, "factor": c2}


def gradients(c1: float, c2: float, steps: int) -> list[Vector]:
    """Gradients of batches at five places of a run of plain SGD."""
    stops, found = range(0, steps, -(-steps // 5)), []
    for step, draw in along(built(table(c1, c2)), SEED, stops, workers=WORKERS, batch=BATCH, rate=RATES[1]):
        found += [draw(worker, step) for worker in range(WORKERS)]
    return found


def chances(compressor: Gspar, g: Vector) -> tuple[float, float]:
    """Expected share of the coordinates that is kept, and E |Q(g)|^2 / |g|^2, of this g."""
    size = np.abs(g[g != 0].astype(np.float64))
    p = np.minimum(size / compressor.unit(g), 1)
    return float(p.sum() / g.size), float((size**2 / p).sum() / (size**2).sum())


def variances(steps: int, out: Verdicts) -> None:
    """Second moments at a density and densities at a second moment: two tables and verdicts."""
    by_density, by_error, products, product_of, worst = [], [], [], {}, 0.0
    for c1 in C1:
        for c2 in C2:
            looks = gradients(c1, c2, steps)
            name = {"C1": c1, "C2": f"1/{round(1 / c2)}"}
            row: dict[str, Any] = dict(name)
            for density in DENSITIES:
                pairs = [chances(Gspar(density=density), g) for g in looks]
                product = float(np.mean([spa * var for spa, var in pairs]))
                products += [spa * var for spa, var in pairs]
                product_of[c1, c2, density] = product
                row[f"var {density}"] = float(np.mean([var for _, var in pairs]))
                row[f"x spa {density}"] = product
            by_density.append(row)
            shares = {eps: [chances(Gspar(eps=eps), g) for g in looks] for eps in ERRORS}
            off = max(abs(var / (1 + eps) - 1) for eps, pairs in shares.items() for spa, var in pairs)
            kept = {f"spa at var {1 + eps}": float(np.mean([spa for spa, _ in shares[eps]])) for eps in ERRORS}
            by_error.append({**name, **kept, "var off by": off})
            worst = max(worst, off)
    tables.show(
        "\nvar = E|Q(g)|^2 / |g|^2 at a density, and var x spa, by the greedy rule",
        by_density,
        "uniform sparsification has var x spa = 1 at every density",
    )
    tables.show("\nspa, the density, that a given var needs, by the closed form", by_error)
    out.hold(
        "var x spa < 1: SGD on sparsified gradients gains in all",
        max(products) < 1,
        f"{min(products):.3g} to {max(products):.3g} over {len(products)} gradients, densities and data sets",
    )
    pairs = [
        (product_of[c1, b, r], product_of[c1, a, r]) for c1 in C1 for a, b in itertools.pairwise(C2) for r in DENSITIES
    ]
    out.hold(
        "the more uneven the columns (smaller C2), the more is gained",
        all(sparse < dense for sparse, dense in pairs),
        f"var x spa becomes {min(s / d for s, d in pairs):.3g} to {max(s / d for s, d in pairs):.3g} times as large "
        "from one C2 to the next",
    )
    out.hold("the closed form meets the asked variance", worst < 1e-5, f"it is off by at most {worst:.2g} of it")


def training(c1: float, c2: float, steps: int, repeats: int, out: Verdicts) -> None:
    """Sub-optimality against bits: tables and verdicts."""
    name = table(c1, c2)
    optimum = built(name).optimum()
    assert optimum is not None  # the problem is convex
    runs: dict[str, list[dict[float, Curve | None]]] = {
        method: [
            {
                rate: curve(
                    spec, name, SEED + repeat, steps,
                    workers=WORKERS, batch=BATCH, rate=rate, schedule="inverse", decay=steps / 4,
                )
                for rate in RATES
            }
            for repeat in range(repeats)
        ]
        for method, spec in METHODS.items()
    }  # fmt: skip
    targets = []
    for repeat in range(repeats):
        targets.append(min(run.loss[len(run.loss) // 8] for run in runs["supersgd"][repeat].values() if run))
    rows, cost = [], {}
    for method, some in runs.items():
        bits = [{rate: needed(run, t) for rate, run in at.items()} for at, t in zip(some, targets, strict=True)]
        cost[method] = [min(each.values()) for each in bits]
        last = [min(run.loss[-1] for run in at.values() if run) for at in some]
        rows.append(
            {
                "method": method,
                "bits/coordinate": float(np.mean([run.per for at in some for run in at.values() if run])),
                "Mbit to the target": float(np.mean(cost[method])) / 1e6,
                "at rate": min(bits[0], key=lambda rate: bits[0][rate]),
                "least loss above the optimum": float(np.mean(last)) - optimum,
            }
        )
    where = f"C1 = {c1}, C2 = 1/{round(1 / c2)}"
    tables.show(
        f"\ntraining, {where}: {WORKERS} workers, batch {BATCH}, density {KEPT}, {steps} steps, {repeats} repeats",
        rows,
        f"optimum {optimum:.5g}; the target is the best that supersgd has after an eighth of its steps, "
        f"{np.mean(targets) - optimum:.4g} above",
    )
    most = max(run.bits[-1] for run in runs["gspar_sgd"][0].values() if run)
    curves = []
    for part in (1 / 8, 1 / 4, 1 / 2, 1):
        row: dict[str, Any] = {"payload Mbit": part * most / 1e6}
        for method, some in runs.items():
            row[method] = min(within(run, part * most) for run in some[0].values() if run) - optimum
        curves.append(row)
    tables.show(f"\nloss above the optimum against payload, {where}, best rate at each, repeat 0", curves)
    for rival in METHODS:
        if rival != "gspar_sgd":
            claim = f"{where}: GSpar reaches a sub-optimality with fewer bits than {rival}"
            out.hold(claim, *times(cost["gspar_sgd"], cost[rival]))


def main() -> int:
    """Print everything; exit code 0."""
    asked = started(asker("gspar", "GSpar's density, variance and bits."))
    quick = asked.quick
    steps, repeats = (120, 1) if quick else (600, 2)
    out = Verdicts("GSpar", asked)
    print(f"GSpar, {WORKERS} workers, batches of {BATCH}, seed {SEED}")
    variances(100, out)
    for c1, c2 in TRAINED:
        training(c1, c2, steps, repeats, out)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
