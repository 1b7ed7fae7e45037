"""Planned: a plan for learning, run, and what was predicted beside what came out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from distest import catalog, experiment, records
from distest.learning.run import Notice
from distest.planning import Plan, foresee, law
from distest.spec import LearnSpec
from distest.wire.transport import Solo

ERROR_WITHIN = 0.25
BITS_WITHIN = 0.02  # for codes whose lengths vary; others are exact


@dataclass(frozen=True, slots=True)
class Check:
    """Means over `runs` runs beside predictions.

    predicted: the mean error that was predicted; where each run has a law of its own, the mean over these laws.
    error, spread: mean and its standard error; bits: mean bits. bits_predicted: None where no bits are; at_most:
    whether that is a cap.
    """

    runs: int
    predicted: float
    error: float
    spread: float
    bits_predicted: float | None
    bits: float
    at_most: bool

    @property
    def error_ratio(self) -> float:
        """Measured over predicted."""
        return self.error / self.predicted

    @property
    def bits_ratio(self) -> float | None:
        """Measured over predicted, None where no bits are."""
        return None if self.bits_predicted is None else self.bits / self.bits_predicted

    def wrong(self, bound: bool) -> str | None:
        """What is not as it was predicted, None where all is. bound: whether the prediction was one, not a value."""
        low = 0.0 if bound else 1 - ERROR_WITHIN
        if not low <= self.error_ratio <= 1 + ERROR_WITHIN:
            return f"the mean error is {self.error_ratio:.3g} times the predicted one"
        ratio = self.bits_ratio
        if ratio is not None and (ratio > 1 + BITS_WITHIN or (ratio < 1 - BITS_WITHIN and not self.at_most)):
            return f"the mean bits are {ratio:.4g} times the predicted ones"
        return None


def check(
    plan: Plan,
    distribution: dict[str, Any],
    repeats: int,
    seed: int,
    keep: Callable[[records.Record], None] | None = None,
    heard: Notice | None = None,
) -> Check:
    """Run a plan `repeats` times on a law, each with coins and samples of its own; keep(record) is given each run."""
    task = plan.protocol.task
    spec = LearnSpec(
        protocols=[plan.spec], n=task.n, m=task.m, s=task.s, loss=task.loss, distribution=distribution, repeats=repeats,
        seed=seed,
    )  # fmt: skip
    key = "l1" if task.loss == "l1" else "l2_squared"
    laws = range(repeats if catalog.find("distribution", distribution["name"]).random else 1)
    foreseen = [foresee(plan.protocol, law(distribution, task.n, seed, repeat)) for repeat in laws]
    errors, bits = [], []
    for record, _ in experiment.run(spec, experiment.plan(spec), Solo(), False, heard):
        errors.append(record[key])
        bits.append(record["payload_bits"])
        if keep is not None:
            keep(record)
    spread = float(np.std(errors, ddof=1)) / math.sqrt(repeats) if repeats > 1 else math.nan
    costs = [cost for one in foreseen if (cost := one.bits) is not None]
    return Check(
        repeats, float(np.mean([one.error for one in foreseen])), float(np.mean(errors)), spread,
        float(np.mean(costs)) if costs else None, float(np.mean(bits)), plan.law.at_most,
    )  # fmt: skip
