"""Losses of a block of rows: their sum, and the slope of each row's loss in its scores.

Scores are float32, or float64 where an oracle asks for it; slopes have the same type and sums are taken in float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def half_square(errors: Floats) -> tuple[float, Floats]:
    """Half the squared errors (rows,); the slope is the error."""
    return 0.5 * float(np.square(errors).sum(dtype=np.float64)), errors


def logistic(margins: Floats) -> tuple[float, Floats]:
    """ln(1 + exp(-margin)) of (rows,), without overflow."""
    small = np.exp(-np.abs(margins))
    losses = np.log1p(small) + np.maximum(-margins, 0)
    slopes = -np.where(margins > 0, small, 1) / (1 + small)
    return float(losses.sum(dtype=np.float64)), slopes


def hinge(margins: Floats) -> tuple[float, Floats]:
    """max(0, 1 - margin) of (rows,); the slope at the corner is 0."""
    gaps = np.maximum(1 - margins, 0)
    return float(gaps.sum(dtype=np.float64)), -(gaps > 0).astype(margins.dtype)


def cross_entropy(scores: Floats, classes: NDArray[np.integer[Any]]) -> tuple[float, Floats]:
    """-ln softmax(scores)[class] of (rows, K), in nats; `scores` is overwritten and becomes the slopes."""
    own = np.arange(len(scores)), classes
    scores -= scores.max(axis=1, keepdims=True)
    chosen = scores[own].sum(dtype=np.float64)
    np.exp(scores, out=scores)
    totals = scores.sum(axis=1, keepdims=True)
    loss = float(np.log(totals).sum(dtype=np.float64) - chosen)
    scores /= totals
    scores[own] -= 1
    return loss, scores
