"""What Sketched-SGD says of its accuracy and of its traffic with many workers, on real data.

Ivkin, Rothchild, Ullah, Braverman, Stoica, Arora, "Communication-efficient distributed SGD with sketching" (2019)
trains a transformer, an LSTM and a residual net with 5 to 90 million parameters, on 4 workers and on up to 256 that are
simulated. Here a net with one hidden layer and a residual net learn the shipped pictures of clothes and an LSTM
Shakespeare's letters, with 13 to 30 thousand parameters, all workers in one process. No momentum. At 40x P is 3. Rates
fall to 0, as those of the paper fall, and are chosen for each method by the same sweep, in runs that are not looked at
again; as good as another is what is worse by at most two deviations of one run.

Compression by the paper's rule is 2d / (|S| + P k + k) values for Sketched-SGD, |S| the counters of a sketch, and
2d / (k + union) for local top-k, union being the coordinates that all workers' messages have together: the update that
goes down. Indices do not count there. All bits are those that a worker has written, measured: counters as wide as they
have to be, 32 bits a value, and what says how wide and in what unit; Sketched-SGD has no indices to send.

    python scripts/reproduce/sketched_sgd.py [--quick]    20 minutes on one busy core, half of one with --quick; seed 1

--quick trains too little for the verdicts on accuracy to mean much.
"""

import sys
from typing import Any

import numpy as np
from runs import MODELS, RATES, Curve, Table, again, behind, built, curve, held, spread, tuned
from verdicts import Verdicts, asker, started

from distest.cli import tables

SEED = 1
SHARE = 0.01  # k / d
ROWS = 5
TINY = 4  # columns of a sketch that tells nearly nothing
STEPS = {"mlp": 1000, "letter_lstm": 2400, "residual": 1000}  # four workers
BATCH = {"mlp": 16, "letter_lstm": 8, "residual": 16}
REPEATS = 5
FACTORS = (1, 2, 4)  # rates of the sweep, in those of plain SGD
CROWDED = 2  # the rate with many workers, in the same
MANY = {"mlp": 240, "letter_lstm": 120, "residual": 160}  # steps with many workers
TOTAL = 256  # rows of all workers' batches there
WORKERS = (1, 4, 16, 64, 256)
LITTLE = (4, 10, 20)  # coordinates of a message of local top-k with many workers
COUNTED = 12  # steps in which traffic is counted, the first half of which is left out of unions
LOCAL: Table = {"name": "local_top_k", "compressor": {"name": "top_k", "density": SHARE}}
SERVED: Table = {  # the server says the union: places and values of what is not 0
    **LOCAL,
    "exchange": {"name": "parameter_server", "down": {"name": "threshold", "threshold": 0.0, "unit": "absolute"}},
}


def sketched(d: int, compression: float, candidates: int, share: float = SHARE) -> Table:
    """Sketched-SGD at a compression by the paper's rule: what k and P k leave goes to the counters."""
    k = max(1, round(share * d))
    columns = int(2 * d / compression - candidates * k - k) // ROWS
    return {"name": "sketched_sgd", "density": share, "candidates": candidates, "rows": ROWS, "columns": columns}


def values(d: int, method: Table) -> int:
    """|S| + P k + k."""
    k = max(1, round(method["density"] * d))
    return int(ROWS * method["columns"] + method["candidates"] * k + k)


def union(run: Curve) -> float:
    """Coordinates that an update moves, a step on average, without the first half of the steps."""
    return float(np.mean(run.moved[len(run.moved) // 2 :]))


# ---- accuracy


def accuracy(model: str, steps: int, repeats: int, out: Verdicts) -> None:
    """Four workers: the methods of the paper's figures, and verdicts."""
    table, d = MODELS[model], built(MODELS[model]).d
    methods: dict[str, Table] = {
        "dense": {"name": "supersgd"},
        "sketched 20x": sketched(d, 20, 3),
        "sketched 40x": sketched(d, 40, 3),
        "true top-k": {"name": "true_top_k", "density": SHARE},
        "local top-k": LOCAL,
    }
    setting: dict[str, Any] = {"workers": 4, "batch": BATCH[model], "schedule": "linear"}
    grid = [factor * RATES[model] for factor in (FACTORS[1:2] if out.quick else FACTORS)]
    rows, found = [], {}
    for name, method in methods.items():
        judged = name == "dense" or name.startswith("sketched")
        rates = grid if judged else [found["dense"].rate]
        found[name] = this = tuned(method, table, rates, SEED, repeats if judged else 1, steps, **setting)
        whole = [run for run in this.runs if run is not None]
        row: dict[str, Any] = {"method": name, "compression, paper's rule": _rule(name, d, method, whole)}
        row |= {"all bits a worker writes": whole[0].per, "32 d over it": 32 / whole[0].per} if whole else {}
        row |= {f"sweep, rate {rate:g}": this.sweep.get(rate) if judged else None for rate in grid}
        row |= {"loss": float(np.mean([run.loss[-1] for run in whole])) if whole else None}
        rows.append(row | {"rate": this.rate, "held out": spread(this.held)})
    unit = "nats a letter" if model == "letter_lstm" else "errors in 100 pictures"
    tables.show(
        f"\n{model}, d = {d:,}: 4 workers, batch {BATCH[model]}, rates fall to 0 in {steps} steps, k / d = {SHARE}",
        rows,
        f"held out: {unit}, mean and deviation over {repeats} repeats of those with a sweep; bits a coordinate",
    )
    for name in ("sketched 40x", "sketched 20x"):
        claim = f"{model}: {name} by the paper's rule ends as good as dense, within noise, each at its best rate"
        out.hold(claim, *behind(found[name].held, found["dense"].held), trained=True)


def _rule(name: str, d: int, method: Table, runs: list[Curve]) -> float | None:
    if name.startswith("sketched"):
        return 2 * d / values(d, method)
    if name == "dense" or not runs:
        return 1.0
    k = max(1, round(SHARE * d))
    return 2 * d / ((d if name == "true top-k" else k) + union(runs[0]))


def split(model: str, steps: int, repeats: int, out: Verdicts) -> None:
    """20x, shared out between |S| and P k in different ways."""
    table, d = MODELS[model], built(MODELS[model]).d
    setting: dict[str, Any] = {"workers": 4, "batch": BATCH[model], "rate": RATES[model]}
    rows, ends = [], {}
    for candidates in (1, 2, 4, 6, 8):
        method = sketched(d, 20, candidates)
        if candidates == 8:
            method["columns"] = TINY
        runs = [curve(method, table, SEED + repeat, steps, 4, **setting) for repeat in range(repeats)]
        ends[candidates] = [run.loss[-1] if run else np.inf for run in runs]
        size = ROWS * method["columns"]
        rows.append(
            {
                "P": candidates,
                "|S| / d": size / d,
                "Pk / d": candidates * SHARE,
                "compression": 2 * d / values(d, method),
                "loss": spread(ends[candidates]),
            }
        )
    tables.show(f"\n{model}: 20x by the paper's rule, split in ways, {steps} steps, {repeats} repeats", rows)
    middle = {candidates: float(np.mean(ends[candidates])) for candidates in (2, 4, 6)}
    best, worst = min(middle.values()), max(middle.values())
    out.hold(
        f"{model}: at 20x the split between |S| and P k hardly matters (a twentieth of the loss)",
        worst <= 1.05 * best,
        f"losses of {best:.4g} to {worst:.4g} for P of 2, 4 and 6",
        trained=True,
    )
    few, tiny = (float(np.mean(ends[candidates])) for candidates in (1, 8))
    out.hold(
        f"{model}: a very small |S| or a very small P is poor",
        max(few, tiny) > worst,
        f"P = 1 ends at {few:.4g}, {ROWS} x {TINY} counters at {tiny:.4g}, the others at {best:.4g} to {worst:.4g}",
        "hashes are drawn anew in each step, so that a table that tells nothing names other candidates each time",
        trained=True,
    )


# ---- many workers


def traffic(model: str, most: int, out: Verdicts) -> None:
    """What a worker writes and what goes down to it, by the number of workers."""
    table, d = MODELS[model], built(MODELS[model]).d
    k, method = max(1, round(SHARE * d)), sketched(d, 40, 3)
    rows, written, unions = [], {}, {}
    for workers in (w for w in WORKERS if w <= most):
        setting: dict[str, Any] = {"workers": workers, "batch": max(1, TOTAL // workers // 8), "rate": RATES[model]}
        ours = curve(method, table, SEED, COUNTED, 1, **setting)
        theirs = curve(SERVED, table, SEED, COUNTED, 1, **setting)
        assert ours is not None
        assert theirs is not None
        written[workers], unions[workers] = ours.per * d, union(theirs)
        per_step = COUNTED * workers
        rows.append(
            {
                "W": workers,
                "sketched: bits a worker": written[workers],
                "32 bits a value": 32 * (values(d, method) - k),
                "local: bits up": (theirs.bits[-1] - theirs.down) / per_step,
                "local: bits down": theirs.down / per_step,
                "union": unions[workers],
                "union / k": unions[workers] / k,
                "if independent, / k": d / k * (1 - (1 - k / d) ** workers),
                "local: compression": 2 * d / (k + unions[workers]),
                "sketched: compression": 2 * d / values(d, method),
            }
        )
    tables.show(
        f"\n{model}: traffic of a step, d = {d:,}, k = {k}, sketched at 40x",
        rows,
        "compressions by the paper's rule, in values",
    )
    out.hold(
        f"{model}: what a worker of Sketched-SGD sends is the same whatever W is, up to {most} (within a twentieth)",
        max(written.values()) <= 1.05 * min(written.values()),
        f"{written[1]:,.0f} bits a step alone, {written[most]:,.0f} of {most}; counters are as wide as they have to be",
    )
    out.hold(
        f"{model}: local top-k's update grows with W towards d, and its compression falls to little",
        unions[most] > 8 * unions[1],
        f"the union goes from {unions[1]:,.0f} to {unions[most]:,.0f} of {d:,} coordinates, the compression from "
        f"{2 * d / (k + unions[1]):.3g} to {2 * d / (k + unions[most]):.3g}",
    )


def crowd(model: str, steps: int, most: int, repeats: int, out: Verdicts) -> None:
    """The same number of rows in each step, dealt to 4 workers and to many."""
    table, d = MODELS[model], built(MODELS[model]).d
    method = sketched(d, 40, 3)
    rows: list[dict[str, Any]] = []
    runs: dict[int, list[Curve | None]] = {}
    rate = CROWDED * RATES[model]
    for workers in (4, most):
        setting: dict[str, Any] = {"workers": workers, "batch": TOTAL // workers, "rate": rate, "schedule": "linear"}
        runs[workers] = again(method, table, SEED, repeats, steps, **setting)
        whole = [run for run in runs[workers] if run is not None]
        row: dict[str, Any] = {"W": workers, "bits a coordinate": whole[0].per if whole else None}
        row |= {"loss": float(np.mean([run.loss[-1] for run in whole])) if whole else None}
        rows.append(row | {"held out": spread(held(runs[workers]))})
    title = (
        f"\n{model}: sketched 40x, {TOTAL} rows a step whoever has them, rates fall from {rate:g} to 0 in {steps} steps"
    )
    tables.show(title, rows)
    claim = f"{model}: Sketched-SGD at W = {most} is as good as at W = 4, within noise"
    out.hold(claim, *behind(held(runs[most]), held(runs[4])), trained=True)


def equal(model: str, steps: int, workers: int, out: Verdicts) -> None:
    """Local top-k at the values of Sketched-SGD: the k whose update and message have as many."""
    table, d = MODELS[model], built(MODELS[model]).d
    method = sketched(d, 40, 3)
    budget = values(d, method)
    setting: dict[str, Any] = {"workers": workers, "batch": TOTAL // workers, "rate": RATES[model]}
    ours = curve(method, table, SEED, steps, 8, **setting)
    assert ours is not None
    rows = [
        {
            "method": "sketched",
            "k": max(1, round(SHARE * d)),
            "values, paper's rule": float(budget),
            "bits a coordinate": ours.per,
            "loss": ours.loss[-1],
            "held out": ours.held_out,
        }
    ]
    best = np.inf
    for k in LITTLE:
        local = {**LOCAL, "compressor": {"name": "top_k", "k": k}}
        run = curve(local, table, SEED, steps, 8, **setting)
        if run is None:
            continue
        spent = k + union(run)
        if spent <= budget:
            best = min(best, run.loss[-1])
        rows.append(
            {
                "method": "local top-k",
                "k": k,
                "values, paper's rule": spent,
                "bits a coordinate": run.per,
                "loss": run.loss[-1],
                "held out": run.held_out,
            }
        )
    tables.show(f"\n{model}: W = {workers}, {TOTAL} rows a step, {steps} steps: values up and down", rows)
    out.hold(
        f"{model}: at W = {workers} and the same values by the paper's rule Sketched-SGD has the lower loss",
        ours.loss[-1] < best,
        f"it ends at {ours.loss[-1]:.4g}, local top-k with at most {budget:,} values at {best:.4g}",
        "many workers who say little have a union as large as the k of Sketched-SGD, and say the places exactly",
        trained=True,
    )


def main() -> int:
    """Print everything; exit code 0."""
    asked = started(asker("sketched_sgd", "Sketched-SGD's accuracy and traffic on real data."))
    most, part, repeats = (64, 20, 1) if asked.quick else (256, 1, REPEATS)
    out = Verdicts("Sketched-SGD", asked)
    print(f"Sketched-SGD, seed {SEED}")
    for model in MODELS:
        accuracy(model, STEPS[model] // part, repeats, out)
        split(model, STEPS[model] // (4 * part), repeats, out)
        traffic(model, most, out)
        crowd(model, MANY[model] // part, most, repeats, out)
        equal(model, MANY[model] // (2 * part), 64, out)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
