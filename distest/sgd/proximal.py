"""Proximal steps: for an objective with l1 |x|_1, whose other part is smooth."""

import numpy as np

from distest.sgd.problem import Vector


def shrunk(x: Vector, threshold: float) -> Vector:
    """The least of |z - x|^2 / 2 + threshold |z|_1 over z: every coordinate nearer to 0 by the threshold, or 0.

    float32 (d,); x itself for a threshold of 0.
    """
    if not threshold:
        return x
    return np.copysign(np.maximum(np.abs(x) - np.float32(threshold), np.float32(0)), x)
