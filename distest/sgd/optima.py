"""Least losses of convex problems, computed to a proven gap and cached on disk.

Keeps the rule that an optimum is known or it is not: a value is returned only if what is left to gain is proven to be
below GAP, by strong convexity (F - F* <= |g|^2 / (2 l2) for the least subgradient g) or by duality. What has been
computed is kept in ~/.cache/distest/optima, a file a problem, written whole or not at all.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError, install
from distest.sgd.problem import Problem

FOLDER = Path.home() / ".cache" / "distest" / "optima"
GAP = 1e-9
VERSION = 1  # of what a file means; another one makes all files unknown


class NoSolverError(UsageError):
    """The least loss of a problem would take scipy to be found."""


Floats = NDArray[np.float64]
Exact = Callable[[Floats], tuple[float, Floats]]


def cached(problem: Problem, digest: str, compute: Callable[[], float | None]) -> float | None:
    """The optimum on file for this problem and these data, or computed and put there.

    digest: of the training data. A file that is damaged, or a folder that cannot be written, costs time only.
    """
    key = f"{VERSION} {problem!r} {digest}"
    path = FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == key and (stored["optimum"] is None or isinstance(stored["optimum"], float)):
            found: float | None = stored["optimum"]
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    value = compute()
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=FOLDER, suffix=".part", delete=False, encoding="utf-8") as part:
            json.dump({"key": key, "optimum": value}, part)
        os.replace(part.name, path)
    except OSError:
        pass
    return value


def smooth(problem: str, exact: Exact, d: int, l2: float, l1: float = 0.0) -> float | None:
    """The least value of exact(x) + l1 |x|_1, where exact is smooth and l2-strongly convex.

    None where the gap cannot be proven, as with l2 = 0. NoSolverError without scipy. L-BFGS-B from 0 in float64; for
    l1 > 0 on x = u - v with u, v >= 0.
    """
    if l2 == 0:
        return None
    try:
        from scipy.optimize import minimize  # heavy and optional, so only where an optimum is not on file
    except ImportError:
        raise NoSolverError(f"the least loss of {problem} is not known without scipy: {install('train')}") from None

    def halves(uv: Floats) -> tuple[float, Floats]:
        value, gradient = exact(uv[:d] - uv[d:])
        return value + l1 * float(uv.sum()), np.concatenate([gradient, -gradient]) + l1

    options: Any = {"maxiter": 100_000, "maxfun": 1_000_000, "ftol": 0.0, "gtol": (l2 * GAP / d) ** 0.5, "maxcor": 30}
    start = np.zeros(2 * d if l1 else d)
    bounds: Any = [(0, None)] * (2 * d) if l1 else None
    objective: Exact = halves if l1 else exact
    result = minimize(objective, start, (), "L-BFGS-B", jac=True, bounds=bounds, options=options)
    x: Floats = result.x[:d] - result.x[d:] if l1 else result.x
    value, gradient = exact(x)
    least = gradient + np.where(x != 0, l1 * np.sign(x), -np.clip(gradient, -l1, l1))
    return value + l1 * float(np.abs(x).sum()) if float(least @ least) <= 2 * l2 * GAP else None


def newton(exact: Exact, curvature: Callable[[Floats], Floats], d: int, l2: float) -> float | None:
    """The least value of a smooth l2-strongly convex function of few coordinates, by Newton's method from 0.

    None where the gap cannot be proven, as with l2 = 0.
    """
    x = np.zeros(d)
    for _ in range(100):
        value, gradient = exact(x)
        if l2 and float(gradient @ gradient) <= 2 * l2 * GAP**2:
            return value
        x = x - np.linalg.solve(curvature(x), gradient)
    return None


def hinge(Z: Floats, l2: float) -> float | None:
    """The least of mean max(0, 1 - Z x) + l2/2 |x|^2 over rows of Z, between a primal and a dual point GAP apart.

    None where l2 = 0 or rounding keeps the two further apart. Interior points on the dual, which maximises
    mean(a) - |Z'a / rows|^2 / (2 l2) over 0 <= a <= 1; each step solves one d x d system.

    Source: Ferris, Munson, "Interior-Point Methods for Massive Support Vector Machines" (2002).
    """
    if l2 == 0:
        return None
    rows, d = len(Z), Z.shape[1]
    B = Z / (rows * l2) ** 0.5
    a = np.full(rows, 0.5)
    s, t = np.ones(rows), np.ones(rows)  # multipliers of a >= 0 and of a <= 1
    best = float("inf")
    for _ in range(100):
        x = B.T @ a
        primal = float(np.maximum(1 - B @ x, 0).mean()) + 0.5 * float(x @ x) / rows
        best = min(best, primal)
        dual = float(a.mean()) - 0.5 * float(x @ x) / rows
        if best - dual <= GAP:
            return best
        target = 0.1 * float(a @ s + (1 - a) @ t) / (2 * rows)
        pull = 1 - B @ x + target / a - target / (1 - a)
        weights = 1 / (s / a + t / (1 - a))
        inner = np.linalg.solve(np.eye(d) + B.T @ (weights[:, None] * B), B.T @ (weights * pull))
        step = weights * (pull - B @ inner)
        ds, dt = (target - s * step) / a - s, (target + t * step) / (1 - a) - t
        reach = max(float(np.max(-change / room)) for change, room in ((step, a), (-step, 1 - a), (ds, s), (dt, t)))
        size = min(1.0, 0.99 / reach) if reach > 0 else 1.0
        a, s, t = a + size * step, s + size * ds, t + size * dt
    return None
