"""What the scripts of this folder share: training runs as curves, bits until a loss is reached, verdicts."""

import math
from dataclasses import dataclass, field
from typing import Any

from distest import training
from distest.errors import DivergedError
from distest.train_spec import TrainSpec
from distest.wire.transport import Solo


@dataclass
class Verdicts:
    """Whether what a paper says is seen; computed, one line for each claim."""

    lines: list[str] = field(default_factory=list)

    def hold(self, claim: str, holds: bool, numbers: str) -> None:
        """numbers: what was found, the reason where the claim does not hold."""
        verdict = "shape holds:" if holds else "not on this problem, because"
        self.lines.append(f"- {claim}\n    -> {verdict} {numbers}")

    def show(self) -> None:
        """Print them."""
        print("\nWhat the paper claims, and what is seen here:", *self.lines, sep="\n")


@dataclass(frozen=True)
class Curve:
    """A run at its evaluations. bits: of the messages of all workers, measured. per: bits of one coordinate of one."""

    loss: list[float]
    bits: list[int]
    per: float


def curve(method: dict[str, Any], problem: dict[str, Any], seed: int, steps: int, **more: Any) -> Curve | None:
    """One run, evaluated 40 times or at every step; None where it diverged. more: as in a train spec."""
    every = max(1, steps // 40)
    spec = TrainSpec(methods=[method], problem=problem, steps=steps, seed=seed, evaluate=every, **more)
    try:
        ((record, series, _),) = training.run(spec, training.plan(spec), Solo(), False)
    except DivergedError:
        return None
    losses, bits = [point["loss"] for point in series], [point["payload_bits"] for point in series]
    return Curve(losses, bits, record["bits_per_coordinate"])


def needed(run: Curve | None, target: float) -> float:
    """Bits until the loss was first at the target, on straight lines between evaluations; inf where it never was."""
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
    return ratios[0] > 1, f"the other needs {ratios[0]:.3g} to {ratios[-1]:.3g} times the bits"
