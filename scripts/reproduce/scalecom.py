"""What ScaleCom says of its traffic, its contraction, its accuracy and of many learners, on real data.

Chen et al., "ScaleCom: Scalable sparsified gradient compression for communication-efficient distributed training"
(2020) trains convolutional nets, a transformer and an LSTM on 4 to 64 learners. Here a net with one hidden layer and a
residual net learn the shipped pictures of clothes and an LSTM Shakespeare's letters. The leader takes the largest of
each chunk, every tensor is treated alike, and there is no warm-up without compression. Rates fall to 0, as those of the
paper fall, and are chosen for each method by the same sweep, in runs that are not looked at again; as good as dense is
what is worse by at most two deviations of one run. 64 learners go over their rows 64 times or more, so that each
coordinate moves 24 times, that of the LSTM 48 times: in half of its steps (24 times) it ends .062 nats behind dense.
The paper's move hundreds of times.

Compression by the paper's rule is d / k, chunks of d / k coordinates; all bits are those that workers have written,
measured: the leader's places and 32 bits a value of everybody. --quick trains too little for the verdicts on accuracy
to mean much.

    python scripts/reproduce/scalecom.py [--quick]      30 minutes on one busy core, half of one with --quick; seed 1
"""

import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from runs import MODELS, RATES, Curve, Table, again, behind, built, curve, held, spread, tuned
from verdicts import Verdicts, asker, started

from distest.cli import tables
from distest.coins import from_seed
from distest.kernels.largest import largest
from distest.sgd.link import Link
from distest.sgd.methods.scalecom import Scalecom
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.wire.channel import Channel
from distest.wire.transport import Solo

SEED = 1
BATCH = 8  # rows of each of few workers
STEPS = {"mlp": 1000, "letter_lstm": 2200, "residual": 1000}  # four workers
COMPRESSIONS = (40, 100)
DRAWN = 8  # workers whose vectors are contracted
WORKERS, FLAT, COUNTED = (1, 4, 16, 64), 100, 16  # traffic: workers, compression, steps
LEARNERS, TIMES, MANY = 64, 10, 50  # many learners, in batches 10 times those of four, compression there
LARGE = {"mlp": 1200, "letter_lstm": 2400, "residual": 1200}  # steps there: a coordinate moves 24 or 48 times
REPEATS = 5
FACTORS = (1, 2, 4)  # rates of the sweep, in those of plain SGD
CROWDS = {"mlp": 5, "letter_lstm": 3, "residual": 5}  # repeats of many learners; one of the LSTM takes a minute
SCALE, SLOW = 8, 4  # the scaled rate is 8 times a fourth of that of four workers
BETAS = (1.0, 0.3, 0.1)
UNITS = "held out: errors in 100 pictures, or nats a letter, and the deviation of a repeat; bits a coordinate"


def scalecom(compression: float, beta: float = 1.0) -> Table:
    """ScaleCom that sends one coordinate of `compression`."""
    return {"name": "scalecom", "density": 1 / compression, "beta": beta}


# ---- contraction


def contracted(p: list[Vector]) -> dict[str, float]:
    """Of the mean of the workers' p: what is lost when a hundredth is kept, by the leader, worker 0; and the bound."""
    k = round(0.01 * p[0].size)
    mean = np.mean(p, axis=0, dtype=np.float64)
    whole = float(np.square(mean).sum())

    def lost(places: Any) -> float:
        return 1 - float(np.square(mean[places]).sum()) / whole

    best, chosen = largest(mean.astype(np.float32), k), largest(p[0], k)
    stretches = np.flatnonzero(_chunk_top(p[0], 100))
    common = np.isin(chosen, best).mean()
    top = lost(best)
    return {
        "gamma true top-k": top,
        "gamma CLT-k": lost(chosen),
        "gamma chunks": lost(stretches),
        "overlap": float(common),
        "bound": float(1 - common + common * top),
        "union / k": np.unique(np.concatenate([largest(each, k) for each in p])).size / k,
    }


def _chunk_top(x: Vector, chunk: int) -> Any:
    """A mask of the largest of each stretch."""
    mask = np.zeros(x.size, bool)
    for first in range(0, x.size, chunk):
        mask[first + int(np.abs(x[first : first + chunk]).argmax())] = True
    return mask


def contraction(stops: tuple[int, ...], out: Verdicts) -> None:
    """Drawn vectors of workers that are alike to some degree, then memories and gradients of real runs."""
    rows: list[dict[str, Any]] = []
    draw = np.random.default_rng(SEED)
    d = 65_536
    for law in ("gauss", "t3"):
        for alike in (0.0, 0.5, 0.95):
            common, *own = (
                draw.standard_normal(d) if law == "gauss" else draw.standard_t(3, d) for _ in range(DRAWN + 1)
            )
            p = [(alike**0.5 * common + (1 - alike) ** 0.5 * each).astype(np.float32) for each in own]
            rows.append({"vectors": f"{law}, correlation {alike}", **contracted(p)})
    drawn = len(rows)
    for model in MODELS:
        for step, p in remembered(model, stops):
            rows.append({"vectors": f"{model}, memory and gradient, step {step}", **contracted(p)})
    tables.show(f"\nshare of |mean|^2 that is left out, {DRAWN} workers, k / d = 0.01", rows)
    over = max(row["gamma CLT-k"] - row["bound"] for row in rows)
    out.hold(
        "the leader's top-k contracts the mean by the bound d_h / k + (1 - d_h / k) gamma_0",
        over <= 1e-6,
        f"over {len(rows)} sets of vectors it is below the bound by {-over:.3g} at least",
    )
    gaps = [row["gamma chunks"] - row["gamma CLT-k"] for row in rows[:drawn]]
    out.hold(
        "drawn vectors: the largest of each chunk in place of the largest of all cost little contraction (0.05)",
        max(gaps) <= 0.05,
        f"gamma is {min(gaps):+.3g} to {max(gaps):+.3g} larger",
    )
    gaps = [row["gamma chunks"] - row["gamma CLT-k"] for row in rows[drawn:]]
    most = max(row["gamma chunks"] for row in rows[drawn:])
    out.hold(
        "memories and gradients of real runs: the largest of each chunk contract the mean better than random places",
        most < 0.99,
        f"gamma is {most:.3g} at most, 0.99 for random places; that of the leader's top-k is {min(gaps):.3g} to "
        f"{max(gaps):.3g} less, as much of a real gradient is in few chunks: the pixels that are lit, the letters that "
        "were read. The paper says nothing of gamma here, but of accuracy, which is judged below with chunks",
    )
    real = [row["overlap"] for row in rows[drawn:]]
    out.hold(
        "memories of workers become alike: the leader's largest are the mean's more often than by chance",
        min(real) > 0.05,
        f"{min(real):.3g} to {max(real):.3g} of them are, 0.01 by chance",
    )


def remembered(model: str, stops: tuple[int, ...]) -> Iterator[tuple[int, list[Vector]]]:
    """p = memory + gradient of all workers, at some steps of a run."""
    problem, (coins, data) = built(MODELS[model]), from_seed(SEED)
    oracle = Oracle(problem, deal(problem, DRAWN, "iid", coins.public), BATCH, data, "scalecom")
    link = Link(Channel(DRAWN, Solo(), "blackboard"))
    state = State(problem.start(coins.public.fold("start")), tensors=problem.tensors)
    method, rule = Scalecom(density=0.01), Rule(RATES[model])
    for step in range(max(stops) + 1):
        if step in stops:
            memory = state.own.get("memory", {})
            yield step, [oracle.gradient(w, state.x, step) + memory.get(w, np.float32(0)) for w in range(DRAWN)]
        method.round(state, rule, oracle, link, coins)


# ---- traffic


def traffic(model: str, out: Verdicts) -> None:
    """What a worker sends and how far updates build up, by the number of workers."""
    table, d = MODELS[model], built(MODELS[model]).d
    k = -(-d // FLAT)
    local: Table = {"name": "local_top_k", "compressor": {"name": "top_k", "k": k}}
    rows, mine, theirs, unions = [], {}, {}, {}
    for workers in WORKERS:
        setting: dict[str, Any] = {"workers": workers, "batch": BATCH, "rate": RATES[model]}
        ours = curve(scalecom(FLAT), table, SEED, COUNTED, 1, **setting)
        other = curve(local, table, SEED, COUNTED, 1, **setting)
        assert ours is not None
        assert other is not None
        mine[workers], theirs[workers] = ours.per * d, other.per * d
        unions[workers] = float(np.mean(other.moved[COUNTED // 2 :]))
        rows.append(
            {
                "W": workers,
                "ScaleCom: bits a worker": mine[workers],
                "32 d over it": 32 * d / mine[workers],
                "moved, of k": max(ours.moved) / k,
                "local top-k: bits a worker": theirs[workers],
                "union, of k": unions[workers] / k,
                "if independent": d / k * (1 - (1 - k / d) ** workers),
            }
        )
    tables.show(f"\n{model}: traffic of a step, d = {d:,}, d / k = {FLAT}, k = {k}", rows)
    most = WORKERS[-1]
    out.hold(
        f"{model}: what a worker of ScaleCom sends does not grow with W, up to {most}",
        all(later <= sooner for sooner, later in pairwise(mine.values())),
        f"{mine[1]:,.0f} bits a step alone, which pays for the places, {mine[most]:,.0f} of {most}",
    )
    out.hold(
        f"{model}: local top-k's update builds up",
        unions[most] > 4 * unions[1],
        f"the union of {most} workers has {unions[most] / k:.3g} k coordinates, ScaleCom's k",
    )


# ---- accuracy


def _ends(runs: list[Curve | None]) -> dict[str, Any]:
    """Bits, loss and held-out figure at the end of runs, for a table; empty where one has diverged."""
    whole = [run for run in runs if run is not None]
    if len(whole) < len(runs):
        return {"bits": None, "32 over them": None, "loss": None, "held out": "diverged"}
    loss = float(np.mean([run.loss[-1] for run in whole]))
    return {"bits": whole[0].per, "32 over them": 32 / whole[0].per, "loss": loss, "held out": spread(held(runs))}


def accuracy(model: str, steps: int, repeats: int, out: Verdicts) -> None:
    """Four workers, compressions up to 100, each at its best rate."""
    setting: dict[str, Any] = {"workers": 4, "batch": BATCH, "schedule": "linear"}
    grid = [factor * RATES[model] for factor in (FACTORS[1:2] if out.quick else FACTORS)]
    methods: dict[int, Table] = {1: {"name": "supersgd"}} | {rate: scalecom(rate) for rate in COMPRESSIONS}
    rows, found = [], {}
    for compression, method in methods.items():
        found[compression] = this = tuned(method, MODELS[model], grid, SEED, repeats, steps, **setting)
        row = {"method": "dense" if compression == 1 else f"ScaleCom {compression}x"}
        rows.append(row | {f"sweep, rate {rate:g}": this.sweep[rate] for rate in grid} | _ends(this.runs))
    title = f"\n{model}: 4 workers, batch {BATCH}, rates fall to 0 in {steps} steps, {repeats} repeats at the best"
    tables.show(title, rows, UNITS)
    for compression in COMPRESSIONS:
        claim = f"{model}: at {compression}x ScaleCom is as good as dense, within noise, each at its best rate"
        out.hold(claim, *behind(found[compression].held, found[1].held), trained=True)


def learners(model: str, steps: int, repeats: int, out: Verdicts) -> dict[float, float]:
    """64 learners and 10 times the batch, at a scaled rate that falls to 0.

    Gives held-out figures by beta. beta is chosen by these, of a seed that is not looked at again. Dense has the same
    rows in each step, dealt to four workers, which is the same and costs less.
    """
    total, rate = TIMES * 4 * BATCH, SCALE * RATES[model] / SLOW
    many: dict[str, Any] = {"workers": LEARNERS, "batch": total // LEARNERS, "schedule": "linear", "rate": rate}
    few: dict[str, Any] = {"workers": 4, "batch": total // 4, "schedule": "linear", "rate": rate}
    sweep = {beta: again(scalecom(MANY, beta), MODELS[model], SEED - 1, 1, steps, **many) for beta in BETAS}
    best = min(BETAS, key=lambda beta: held(sweep[beta])[0])
    dense = again({"name": "supersgd"}, MODELS[model], SEED, repeats, steps, **few)
    ours = again(scalecom(MANY, best), MODELS[model], SEED, repeats, steps, **many)
    rows = [{"method": f"ScaleCom, beta {beta}", **_ends(runs)} for beta, runs in sweep.items()]
    rows.append({"method": f"dense, {repeats} repeats", **_ends(dense)})
    rows.append({"method": f"ScaleCom, beta {best}, {repeats} repeats", **_ends(ours)})
    title = (
        f"\n{model}: {LEARNERS} learners, {total} rows a step, {MANY}x, rates fall from {rate:g} to 0 in {steps} steps"
    )
    tables.show(title, rows, UNITS)
    holds, numbers = behind(held(ours), held(dense))
    out.hold(
        f"{model}: {LEARNERS} learners, {TIMES} times the batch and rate {rate:g}, are as good as dense, within noise",
        holds,
        f"{numbers}; beta {best}, {steps} steps, each coordinate moves {steps / MANY:.2g} times on average",
        trained=True,
    )
    return {beta: held(runs)[0] for beta, runs in sweep.items()}


def filtered(swept: dict[str, dict[float, float]], out: Verdicts) -> None:
    """One verdict on the low-pass filter, over all models: held-out figures by beta at the scaled rate."""
    better = [model for model, by in swept.items() if min(by[beta] for beta in BETAS if beta < 1) < by[1.0]]
    out.hold(
        "at the scaled rate the low-pass filter (beta < 1) is better than plain error feedback (beta 1) on every model",
        len(better) == len(swept),
        "; ".join(
            f"{model}: " + ", ".join(f"{by[beta]:.4g} with beta {beta}" for beta in BETAS)
            for model, by in swept.items()
        ),
        "plain error feedback does not suffer from this rate, and of what has come together only a share beta moves x "
        f"when a coordinate is sent, so that it is late by 1 / beta of the {LARGE['mlp'] / MANY:.0f} times or more "
        "that it is sent here; the paper's runs send each some hundreds of times",
        trained=True,
    )


def main() -> int:
    """Print everything; exit code 0."""
    asked = started(asker("scalecom", "ScaleCom's traffic, contraction and accuracy on real data."))
    quick = asked.quick
    out = Verdicts("ScaleCom", asked)
    print(f"ScaleCom, seed {SEED}")
    contraction((0, 20) if quick else (0, 20, 100), out)
    swept = {}
    for model in MODELS:
        traffic(model, out)
        accuracy(model, STEPS[model] // (20 if quick else 1), 1 if quick else REPEATS, out)
        swept[model] = learners(model, LARGE[model] // (60 if quick else 1), 1 if quick else CROWDS[model], out)
    filtered(swept, out)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
