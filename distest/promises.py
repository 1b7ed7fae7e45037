"""Promises: what is provable for a problem of learning, and what the protocols that fit it promise for every p."""

import math
from typing import Any

import numpy as np

from analysis.bounds import applicable
from analysis.bounds.applicable import Model
from analysis.bounds.bound import Bound, Loss
from distest import candidates, catalog
from distest.candidates import Problem

MOST = 1 << 20  # symbols up to which promises are worked out, symbol by symbol


def provable(problem: Problem, error: float | None = None) -> list[Bound]:
    """Every lower bound for the problem; with an error, the bits it needs."""
    task = problem.task
    loss: Loss = "l1" if task.loss == "l1" else "l2_squared"
    model: Model = "SMP" if problem.referee else "blackboard"
    family: Any = problem.family
    if family == "monotone" and loss == "l2_squared":
        return []
    of = {"model": model, "family": family, "pieces": problem.pieces, "support": problem.support}
    if error is not None:
        return [applicable.best_lower_bits(task.n, task.m, loss, error, **of)]
    return applicable.for_problem(task.n, task.m, task.s, loss, problem.total_bits, problem.bits, **of)


def promised(problem: Problem) -> list[Bound]:
    """What every protocol that fits promises, smallest first; nothing for domains of more than 2^20 symbols."""
    task, found = problem.task, []
    if task.n > MOST:  # they are worked out symbol by symbol
        return []
    for candidate in candidates.fitting(problem):
        protocol, worst = candidate.protocol, candidate.worst
        value = candidate.promise(task.loss)
        if worst is None or math.isinf(value):
            continue
        cap, expected = protocol.bits_per_server(), protocol.payload_bits(np.full(task.n, 1 / task.n))
        numbers = {"bits per server": cap, "bits at uniform p": expected}
        found.append(
            Bound(
                name=catalog.label(protocol),
                problem=f"{problem.family} p on n symbols, s samples per server, loss {task.loss}",
                model=protocol.model,
                sense="worst case",
                regime=worst.note,
                kind="risk",
                formula="worst_risk() of the protocol",
                constants={key: float(number) for key, number in numbers.items() if number is not None},
                source=type(protocol).source,
                value=value,
                unit="l1" if task.loss == "l1" else "l2_squared",
                ratio_ok="no: a promise for the worst p, to compare with lower bounds of the same class",
            )
        )
    return sorted(found, key=lambda bound: bound.value)
