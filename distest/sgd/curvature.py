"""Curvature: the largest eigenvalue of X'X, by which the gradients of a linear model change fastest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-13
_MOST = 100_000


def largest_eigenvalue(X: NDArray[np.floating[Any]]) -> float:
    """The largest eigenvalue of X'X, of X (rows, columns), float64 arithmetic; by power iteration from a fixed start.

    It stops once a step gains less than 1e-13 of it. What is found is never above the truth and in practice within
    1e-9 of it; a start that is orthogonal to the answer is avoided by uneven entries, not excluded.
    """
    X = X.astype(np.float64, copy=False)
    small = X.T @ X if X.shape[1] <= X.shape[0] else X @ X.T
    v = 1 + np.arange(len(small)) % 7 / 7 + np.arange(len(small)) / (2 * len(small))
    found = 0.0
    for _ in range(_MOST):
        size = float(np.sqrt(v @ v))
        if size == 0:
            return 0.0
        v = v / size
        after = small @ v
        bound = float(v @ after)
        if bound - found <= TOLERANCE * bound:
            break
        found, v = bound, after
    return bound
