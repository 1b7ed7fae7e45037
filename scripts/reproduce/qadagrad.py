"""What thresholds do to Adagrad with few bits: objective, sparsity of the model, signal to noise, and bits.

Xu, Wangni, Zhang, Ye, Wu, Zhao, "Quantized adaptive subgradient algorithms and their applications" (2022) say that
threshold quantisation raises the signal-to-noise ratio of gradients and keeps the model sparse. Its tables could not be
had; here two methods and six codes learn the shipped a9a, l2 = 0, no constant feature, four fifths of the rows as
`default_rng(5)` shuffles them, with 4 workers of batch 50. The rate is the best of three by the objective, which has
l1 |x|_1 in it; figures are means over three seeds at this rate. Zeros stand beside those of a program written before
this package in the same setting ("before"), whose seed was not kept and which was run once for each number. How much
one run says is shown by 30 lines of numpy, `by_hand`: ten runs of every cell, each at the rate that is best for it.
Verdicts are computed from the tables.

    python scripts/reproduce/qadagrad.py [--quick]     10 minutes on one core, a minute with --quick; seeds 1, 2, 3
"""

import math
import sys
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from verdicts import Verdicts, asker, started

from distest import catalog, data
from distest.bits import BitReader
from distest.cli import tables
from distest.coins import Coins, from_seed
from distest.sgd.adagrad import Adagrad
from distest.sgd.compressor import Compressor
from distest.sgd.link import Link
from distest.sgd.oracle import Oracle
from distest.sgd.problems.logistic import Logistic
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.sgd.tables import Table
from distest.wire.channel import Channel
from distest.wire.transport import Solo

SEEDS = (1, 2, 3)
HANDS = 10  # runs by hand
WORKERS, BATCH = 4, 50
RATES = (0.02, 0.1, 0.5)
CODES: dict[str, dict[str, Any]] = {
    "float": {"name": "identity"},
    "tern": {"name": "terngrad", "clip": 0.0, "bucket": 1 << 24},
    "ternclip": {"name": "terngrad", "clip": 2.5, "bucket": 1 << 24},
    "thr-mean": {"name": "ternary", "rule": "mean"},
    "thr-max .3": {"name": "ternary", "rule": "max"},
    "topk 10%": {"name": "ternary", "rule": "top_k", "density": 0.1},
}
CASES = [(method, l1) for method in ("qcmd_adagrad", "qrda_adagrad") for l1 in (1e-4, 1e-3)]
BEFORE = {  # zeros in percent, 1500 steps
    "float": (6.5, 30.1, 36.6, 63.4),
    "tern": (8.9, 35.0, 31.7, 67.5),
    "ternclip": (7.3, 31.7, 31.7, 64.2),
    "thr-mean": (8.1, 26.8, 26.8, 56.1),
    "thr-max .3": (22.0, 43.9, 39.8, 73.2),
    "topk 10%": (39.8, 55.3, 56.1, 79.7),
}


@cache
def rows() -> Table:
    """a9a, cut as before, without a constant feature."""
    box = data.load("a9a")
    X, y = box["X"].astype(np.float32), np.where(box["y"] == box["y"].max(), np.float32(1), np.float32(-1))
    order = np.random.default_rng(5).permutation(len(X))
    train, test = np.split(order, [4 * len(X) // 5])
    return Table(X[train], y[train], X[test], y[test])


@dataclass(frozen=True)
class Plain(Logistic):
    """Logistic regression on these rows."""

    def _table(self) -> Table:
        return rows()


@dataclass(frozen=True)
class Ended:
    """A run at its end. snr: in dB, of what workers said against their gradients. bits: of all messages up."""

    rate: float
    loss: float
    accuracy: float
    zeros: float
    snr: float
    bits: float


def heard(code: Compressor, g: Any, worker: int, coins: Coins) -> Any:
    """What a message about g says."""
    message = code.encode(g, worker, coins)
    return code.decode(BitReader(message.data, message.n_bits), g.size, worker, coins.public)


def run(name: str, code: dict[str, Any], l1: float, rate: float, steps: int, seed: int) -> Ended:
    """Train; the model is looked at every fiftieth step with gradients of its own, to see the signal and the noise."""
    problem = Plain(l2=0.0, l1=l1)
    method: Adagrad = catalog.build("method", {"name": name, "compressor": code})
    coins, batches = from_seed(seed)
    oracle = Oracle(problem, deal(problem, WORKERS, "iid", coins.public), BATCH, batches, name)
    channel = Channel(WORKERS, Solo(), "blackboard")
    link, rule = Link(channel), Rule(rate=rate, steps=steps)
    state = State(problem.start(coins.public), tensors=problem.tensors, l1=problem.l1, l2=problem.l2)
    signal = noise = 0.0
    while state.step < steps:
        if state.step % 50 == 0:
            for worker in range(WORKERS):
                g = oracle.smooth(worker, state.x, state.step)
                lost = g - heard(method.compressor, g, worker, coins.fold("look", state.step))
                signal, noise = signal + float(g @ g), noise + float(lost @ lost)
        method.round(state, rule, oracle, link, coins)
    snr = 10 * math.log10(signal / noise) if noise else math.inf
    accuracy = problem.evaluate(state.x)["accuracy"]
    zeros = 100 * method.figures(state, lambda counts: counts)["zeros"]
    return Ended(rate, problem.loss(state.x), accuracy, zeros, snr, channel.ledger.payload_bits)


def by_hand(name: str, label: str, l1: float, rate: float, steps: int, runs: int) -> NDArray[np.float64]:
    """Objective and zeros in percent of several runs at once, (2, runs), with nothing of this package but the rows."""
    X, y = rows().X, rows().y
    draw, d, each = np.random.default_rng(1), X.shape[1], len(X) // WORKERS
    x, squares, sums = (np.zeros((runs, d)) for _ in range(3))
    for step in range(1, steps + 1):
        q = np.zeros((runs, d))
        for worker in range(WORKERS):
            batch = draw.integers(worker * each, (worker + 1) * each, (runs, BATCH))
            A, b = X[batch], y[batch]
            g = -((b / (1 + np.exp(b * (A @ x[:, :, None])[:, :, 0])))[:, None, :] @ A)[:, 0] / BATCH
            if label == "ternclip":
                most = 2.5 * g.std(axis=1, keepdims=True)
                g = np.clip(g, -most, most)
            size = np.abs(g)
            top = size.max(axis=1, keepdims=True)
            if label.startswith("tern"):
                g = top * np.sign(g) * (draw.random(g.shape) * top < size)
            elif label != "float":
                tenth = np.sort(size, axis=1)[:, -round(0.1 * d), None]
                least = {"thr-mean": 0.7 * size.mean(axis=1, keepdims=True), "thr-max .3": 0.3 * top}.get(label, tenth)
                kept = size >= least
                g = np.sign(g) * kept * ((size * kept).sum(axis=1) / kept.sum(axis=1))[:, None]
            q += g / WORKERS
        squares, sums = squares + q * q, sums + q
        h, mean_of = 0.01 + np.sqrt(squares), sums / step
        if name == "qcmd_adagrad":
            x = x - rate * q / h
            x = np.sign(x) * np.maximum(np.abs(x) - l1 * rate / h, 0)
        else:
            x = -np.sign(mean_of) * rate * step / h * np.maximum(np.abs(mean_of) - l1, 0)
    losses = np.logaddexp(0, -y[:, None] * (X @ x.T)).mean(axis=0) + l1 * np.abs(x).sum(axis=1)
    return np.array([losses, 100 * (x == 0).mean(axis=1)])


def mean(some: list[Ended]) -> Ended:
    """Of runs with other seeds."""
    return Ended(*(float(np.mean([getattr(one, part.name) for one in some])) for part in fields(Ended)))


def table(name: str, l1: float, steps: int) -> dict[str, Ended]:
    """Every code at its best rate: printed."""
    found = {}
    for label, code in CODES.items():
        first = min((run(name, code, l1, rate, steps, SEEDS[0]) for rate in RATES), key=lambda ended: ended.loss)
        found[label] = mean([first, *(run(name, code, l1, first.rate, steps, seed) for seed in SEEDS[1:])])
    rows = [
        {
            "code": label,
            "rate": ended.rate,
            "objective": ended.loss,
            "accuracy": ended.accuracy,
            "zeros %": ended.zeros,
            "before %": BEFORE[label][CASES.index((name, l1))],
            "SNR dB": ended.snr,
            "Mbit up": ended.bits / 1e6,
        }
        for label, ended in found.items()
    ]
    tables.show(f"\n{name}, a9a, l1 = {l1:g}, {steps} steps, {len(SEEDS)} seeds", rows)
    return found


def judge(found: dict[tuple[str, float], dict[str, Ended]], out: Verdicts) -> None:
    """Verdicts on all tables."""
    snr = {label: [case[label].snr for case in found.values()] for label in CODES}
    least = min(min(snr[label]) for label in ("thr-mean", "thr-max .3", "topk 10%"))
    out.hold(
        "thresholds have a higher signal-to-noise ratio than random ternary codes",
        least > max(snr["tern"] + snr["ternclip"]),
        f"{least:.3g} dB at least, against {max(snr['tern']):.3g} dB without clipping, {max(snr['ternclip']):.3g} with",
    )
    more = [case["thr-max .3"].zeros - case["float"].zeros for case in found.values()]
    out.hold(
        "thresholds keep the model sparse: thr-max .3 has more zeros than gradients as they are",
        min(more) > 0,
        f"{min(more):.3g} to {max(more):.3g} points more",
    )
    behind = [case["thr-max .3"].loss - case["tern"].loss for case in found.values()]
    out.hold(
        "with less noise thr-max .3 reaches a lower objective than the unbiased ternary code",
        max(behind) < 0,
        f"its objective is {min(behind):.3g} to {max(behind):.3g} above that of tern",
        "what thr-max sends is biased and nothing remembers what was left out; on this convex problem steps average "
        "the noise of the unbiased code away, and no step averages a bias away: SNR and objective stand side by side",
    )
    ratios = [
        found["qrda_adagrad", l1][label].zeros / max(found["qcmd_adagrad", l1][label].zeros, 1e-9)
        for l1 in (1e-4, 1e-3)
        for label in CODES
    ]
    out.hold(
        "QRDA leaves more zeros than QCMD",
        min(ratios) > 1,
        f"{min(ratios):.3g} to {max(ratios):.3g} times as many, {np.median(ratios):.3g} in the middle",
    )
    fewer = [case["float"].bits / case[label].bits for case in found.values() for label in CODES if label != "float"]
    out.hold(
        "ternary codes need less than a tenth of the bits", min(fewer) > 10, f"{min(fewer):.3g} times fewer or more"
    )


def judge_zeros(found: dict[tuple[str, float], dict[str, Ended]], steps: int, out: Verdicts) -> None:
    """Zeros beside those of runs by hand and those from before: a table and verdicts."""
    table, errors, draws = [], [], []
    for (name, l1), label in ((case, label) for case in CASES for label in CODES):
        hand = np.array([by_hand(name, label, l1, rate, steps, HANDS) for rate in RATES])  # (rates, 2, runs)
        ours, before = found[name, l1][label], BEFORE[label][CASES.index((name, l1))]
        same = hand[np.abs(np.array(RATES) - ours.rate).argmin(), 1]
        errors.append(abs(ours.zeros - same.mean()) / (same.std(ddof=1) * math.sqrt(1 / len(SEEDS) + 1 / HANDS)))
        best = hand[:, 0].argmin(axis=0)
        draws.append([*hand[best, 1, np.arange(HANDS)], before])
        row = {"method": name, "l1": l1, "code": label, "zeros %": ours.zeros, "by hand %": same.mean()}
        row |= {"deviation": same.std(ddof=1), "one run, least": min(draws[-1][:-1]), "most": max(draws[-1][:-1])}
        table.append(row | {"before %": before, "rates": len(set(best.tolist()))})
    remark = "by hand and deviation: of runs at our rate; one run: at the best rate for it, one of so many rates"
    tables.show(f"\nzeros by this package, of {HANDS} runs by hand, and before", table, remark)
    out.hold(
        "zeros are those of 30 lines of numpy, means of three seeds and of ten (4 standard errors)",
        max(errors) <= 4,
        f"{max(errors):.3g} standard errors apart at most, {np.median(errors):.3g} in the middle of {len(errors)}",
    )
    one = np.array(draws)
    others = (one[:, :-1].sum(axis=1, keepdims=True) - one[:, :-1]) / (HANDS - 1)
    far = (np.abs(one[:, :-1] - others) > 5).sum(axis=0)
    was = int((np.abs(one[:, -1] - one[:, :-1].mean(axis=1)) > 5).sum())
    off = [row["zeros %"] - row["before %"] for row in table]
    worst = max(range(len(off)), key=lambda place: abs(off[place]))
    name, l1, label = (table[worst][key] for key in ("method", "l1", "code"))
    spread = (
        f"cells of {len(off)} more than 5 points from the mean of ten runs by hand: {was} of what was found before, "
    )
    spread += f"{far.min()} to {far.max()} of each of these runs, from the mean of the others"
    out.hold(
        "zeros are within 5 points of those found before",
        abs(off[worst]) <= 5,
        f"{sum(abs(value) <= 5 for value in off)} of {len(off)} are; the worst is {off[worst]:+.3g} points, {label} of "
        f"{name} at l1 = {l1:g}",
        f"what was found before is one run a cell, and says no more than that: {spread}" if was <= far.max() else "",
        trained=True,
    )


def main() -> int:
    """Print everything; exit code 0."""
    asked = started(asker("qadagrad", "Adagrad with few bits on a9a.", quick="fewer steps; zeros are then others"))
    steps = 150 if asked.quick else 1500
    out = Verdicts("QCMD and QRDA Adagrad", asked)
    found = {case: table(*case, steps) for case in CASES}
    judge(found, out)
    judge_zeros(found, steps, out)
    return out.end()


if __name__ == "__main__":
    sys.exit(main())
