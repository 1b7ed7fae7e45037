"""What the scripts of this folder share: training runs as curves, gradients along SGD. See `verdicts.py` as well."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.statistics import paired
from distest import catalog, training
from distest.coins import from_seed
from distest.errors import DistestError, diverged
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.train_spec import TrainSpec
from distest.wire.transport import Solo

Table = dict[str, Any]

# one dense net, one LSTM, one residual net, small enough for hundreds of workers on one core; step sizes of plain SGD
MODELS: dict[str, Table] = {
    "mlp": {"name": "mlp"},
    "letter_lstm": {"name": "letter_lstm", "embedding": 24, "hidden": 48, "window": 12, "letters": 40_000},
    "residual": {"name": "residual", "width": 64, "depth": 2},
}
RATES = {"mlp": 0.2, "letter_lstm": 2.0, "residual": 0.1}


# ---- training


@dataclass(frozen=True)
class Curve:
    """A run at its evaluations. bits: of the messages of all workers, measured. per: bits of one coordinate of one.

    moved: coordinates that each step's mean was not 0 at. accuracy, nats: on held-out rows at the end, where there are
    any. down: of the bits, those of a server.
    """

    loss: list[float]
    bits: list[int]
    per: float
    moved: list[int] = field(default_factory=list)
    accuracy: float | None = None
    nats: float | None = None
    down: int = 0

    @property
    def held_out(self) -> float:
        """Errors in the hundred, or nats a letter, on held-out rows: the less the better."""
        if self.nats is not None:
            return self.nats
        return math.nan if self.accuracy is None else 100 * (1 - self.accuracy)


@dataclass(frozen=True)
class _Watched(Rule):
    """A rule that counts the coordinates it is given."""

    moved: list[int] = field(default_factory=list)

    def apply(self, state: State, mean: Vector) -> None:
        self.moved.append(int(np.count_nonzero(mean)))
        super().apply(state, mean)


def curve(method: Table, problem: Table, seed: int, steps: int, looks: int = 40, **more: Any) -> Curve | None:
    """One run, evaluated `looks` times or at every step; None where it diverged. more: as in a train spec."""
    every = max(1, steps // looks)
    spec = TrainSpec(methods=[method], problem=problem, steps=steps, seed=seed, evaluate=every, **more)
    (trial,) = training.plan(spec)
    rule = _Watched(**{one.name: getattr(trial.rule, one.name) for one in dataclasses.fields(trial.rule)})
    try:
        ((record, series, _),) = training.run(spec, [dataclasses.replace(trial, rule=rule)], Solo(), False)
    except DistestError as error:
        if diverged(error):
            return None
        raise
    losses, bits = [point["loss"] for point in series], [point["payload_bits"] for point in series]
    last = series[-1]
    return Curve(
        losses, bits, record["bits_per_coordinate"], rule.moved,
        last.get("accuracy"), last.get("nats"), last["payload_bits_down"],
    )  # fmt: skip


def needed(run: Curve | None, target: float) -> float:
    """Bits until the loss was first at the target, on straight lines between evaluations; inf where it never was.

    `analysis.statistics.bits_to_target` says at which evaluation it was seen, which is right for a report; a ratio of
    two runs that are evaluated forty times would be one of evaluations.
    """
    if run is None or min(run.loss) > target:
        return math.inf
    at = next(i for i, loss in enumerate(run.loss) if loss <= target)
    if at == 0:
        return 0.0
    (before, after), (bits, more) = run.loss[at - 1 : at + 1], run.bits[at - 1 : at + 1]
    return bits + (more - bits) * (before - target) / (before - after)


def within(run: Curve, limit: float) -> float:
    """The last loss that was evaluated before more than `limit` bits were sent."""
    return run.loss[sum(bits <= limit for bits in run.bits) - 1]


def times(mine: list[float], rival: list[float]) -> tuple[bool, str]:
    """Whether the bits `mine` are fewer in every repeat, and a phrase that says how many times the rival's are."""
    if not all(map(math.isfinite, mine)):
        return False, "it never gets there in these steps"
    ratios = sorted(theirs / own for own, theirs in zip(mine, rival, strict=True))
    if math.isinf(ratios[0]):
        return True, "the other never gets there in these steps"
    found = f"{ratios[0]:.3g}" if len(ratios) == 1 else f"{ratios[0]:.3g} to {ratios[-1]:.3g}"
    return ratios[0] > 1, f"the other needs {found} times the bits"


def held(runs: list[Curve | None]) -> list[float]:
    """What runs have on held-out rows, inf where one has diverged."""
    return [run.held_out if run else math.inf for run in runs]


@dataclass(frozen=True)
class Tuned:
    """A method at the rate that was best for it. sweep: rate -> the figure that chose. runs: with other seeds."""

    rate: float
    sweep: dict[float, float]
    runs: list[Curve | None]

    @property
    def held(self) -> list[float]:
        """Held-out figures of the runs."""
        return held(self.runs)


def tuned(
    method: Table, problem: Table, rates: Collection[float], seed: int, repeats: int, steps: int, **more: Any
) -> Tuned:
    """Every method is given the same sweep: the rate is chosen by held-out rows in runs with the seed before `seed`,
    which are not looked at again; then there are runs with `seed` and those behind it."""
    sweep = {rate: held([curve(method, problem, seed - 1, steps, 2, rate=rate, **more)])[0] for rate in rates}
    best = min(sweep, key=lambda rate: sweep[rate])
    return Tuned(best, sweep, again(method, problem, seed, repeats, steps, rate=best, **more))


def again(method: Table, problem: Table, seed: int, repeats: int, steps: int, **more: Any) -> list[Curve | None]:
    """The same with seeds that follow each other."""
    return [curve(method, problem, seed + repeat, steps, 2, **more) for repeat in range(repeats)]


def behind(mine: list[float], rival: list[float]) -> tuple[bool, str]:
    """Whether figures `mine`, the less the better, are within noise of the rival's, and the numbers. Runs have the same
    seeds in the same order. Within noise: the mean is above by at most two standard deviations of one run, which come
    from the repeats of both."""
    gap, low, high = paired(mine, rival)
    squares = sum(float(np.square(np.array(each) - np.mean(each)).sum()) for each in (mine, rival))
    noise = 2 * math.sqrt(squares / max(1, len(mine) + len(rival) - 2))
    interval = "" if low is None or high is None else f", by {low:+.3g} to {high:+.3g} with 95 % confidence"
    return gap <= noise, f"held out it is {gap:+.3g} worse{interval}; two deviations of one run are {noise:.3g}"


def spread(found: list[float]) -> str:
    """A mean and, of several, the standard deviation of one."""
    mean = float(np.mean(found))
    return f"{mean:.4g}" if len(found) < 2 else f"{mean:.4g} +- {float(np.std(found, ddof=1)):.2g}"


# ---- gradients


Draw = Callable[[int, int], Vector]


def along(
    problem: Problem, seed: int, stops: Collection[int], *, workers: int, batch: int, rate: float
) -> Iterator[tuple[int, Draw]]:
    """Plain SGD on the mean of the workers' gradients; yields, at each stop, the step and a function of (worker, draw)
    that gives gradients there: draw = step is the batch that SGD takes."""
    coins, data = from_seed(seed)
    shards = deal(problem, workers, "iid", coins.public)
    x = problem.start(coins.public.fold("start"))

    def gradient(worker: int, draw: int) -> Vector:
        return problem.gradient(x, shards.batch(worker, draw, batch, data))

    for step in range(max(stops) + 1):
        if step in stops:
            yield step, gradient
        x = x - np.float32(rate) * np.mean([gradient(w, step) for w in range(workers)], axis=0, dtype=np.float32)


def built(table: Table) -> Problem:
    """The problem of a table."""
    problem: Problem = catalog.build("problem", table)
    return problem


def tensor(problem: Problem, g: Vector, name: str) -> Vector:
    """The part of a gradient that a named tensor has."""
    at = 0
    for each in problem.tensors:
        if each.name == name:
            return g[at : at + each.size]
        at += each.size
    raise KeyError(name)
