"""With which chance to keep each coordinate: min(|x_i| / u, 1), where one number u says it all.

Kept coordinates are sent as x_i where the chance is 1 and as sign(x_i) u elsewhere, so the mean is x and the error is
sum over |x_i| < u of (u |x_i| - x_i^2). This is the least expected number of coordinates for a given error, and the
least error for a given number. Proofs: docs/bounds.md, G1 and G2.

Source: Wangni, Wang, Liu, Zhang, "Gradient Sparsification for Communication-Efficient Distributed Optimization" (2018),
Algorithms 2 and 3.
"""

import math

from distest.kernels.chances import tails
from distest.sgd.problem import Vector


def by_variance(x: Vector, eps: float) -> float:
    """The u whose error is eps |x|^2, for eps > 0; 0 for the zero vector.

    The set A of coordinates that are always kept grows from nothing: u = (eps |x|^2 + sum of the squares outside A) /
    (sum of the magnitudes outside A) falls as A takes in what reaches u, until nothing does.
    """
    below, total, square = tails(x, math.inf)
    whole = square
    unit = 0.0
    while total > 0:
        unit = (eps * whole + square) / total
        left, total, square = tails(x, unit)
        if left == below:
            break
        below = left
    return unit


def by_density(x: Vector, density: float, passes: int) -> float:
    """The u that keeps about density * d coordinates, never more on average; 0 for the zero vector.

    From u = |x|_1 / (density d), each pass spreads anew what the coordinates with chance 1 leave of the budget.
    """
    budget = density * x.size
    below, total, _ = tails(x, math.inf)
    unit = total / budget
    for _ in range(passes):
        below, total, _ = tails(x, unit)
        left = budget - (x.size - below)
        if not (left > 0 and 0 < total / left < unit):
            break
        unit = total / left
    return unit
