"""Oblivious partitions: cells that suit every monotone law at once, so that nobody has to tell which they are.

Falling laws on 0..n-1 are the mixtures of uniform laws on prefixes {0..N-1}, and the distance to the flattened
law (flat in every cell, same cell masses) is convex. So its worst case over all falling laws is a prefix, where only
the cell that holds the prefix's end can lose. With N = c + k in a cell of w symbols from c on, 0 < k < w:

    l1 loss 2k(w-k)/(w(c+k)),    squared l2 loss k(w-k)/(w(c+k)^2).

All of this is integer arithmetic, so servers and referee find the same cells on every machine.
"""

import math
from fractions import Fraction
from functools import lru_cache

from distest.learning.fitting.cells import Cells, cells_of

_PLACES = 64  # binary places of the powers of Birgé's widths


def exact(number: float) -> Fraction:
    """The fraction a decimal number says: 1/10 for 0.1, not the binary number next to it."""
    return Fraction(repr(float(number)))


@lru_cache(maxsize=16)
def greedy(n: int, tau: Fraction) -> Cells:
    """The fewest cells whose worst l1 flattening error over falling laws is at most tau, 0 < tau < 1.

    Every cell is as wide as tau allows. The loss of a cell rises with its width and, for a fixed last symbol, falls
    as its start moves right, so no partition gets along with fewer; widths never shrink, so each is looked for
    from the last one on.

    Source: after Birgé, "Estimating a density under order restrictions" (1987); the greedy cells are ours.
    """
    num, den = tau.numerator, tau.denominator
    single = min(n, -(-den // num) - 1)  # two symbols from c on lose 1/(c + 1)
    edges = list(range(single + 1))
    start, width = single, 1
    while start < n:
        room = n - start
        step = 1
        width = min(width, room)
        while width < room and _loses_at_most(num, den, start, min(width + step, room)):
            width = min(width + step, room)
            step *= 2
        low, high = width, min(width + step, room + 1)  # low is allowed, high is not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _loses_at_most(num, den, start, middle) else (low, middle)
        width = low
        start += width
        edges.append(start)
    return cells_of(edges)


@lru_cache(maxsize=16)
def birge(n: int, growth: Fraction) -> Cells:
    """Cells of floor((1 + growth)^i) symbols, i = 0, 1, ..., the last cut off at n.

    Powers are rounded down to 64 binary places. The worst error is somewhat above `growth`: see `worst_l1`.

    Source: Birgé, "Estimating a density under order restrictions" (1987); in this form Daskalakis, Diakonikolas,
    Servedio, "Learning k-modal distributions via testing" (2012).
    """
    num, den = growth.numerator + growth.denominator, growth.denominator
    edges, power = [0], 1 << _PLACES
    while edges[-1] < n:
        edges.append(min(n, edges[-1] + (power >> _PLACES)))
        power = power * num // den
    return cells_of(edges)


@lru_cache(maxsize=16)
def l2_cells(n: int, eps: Fraction) -> Cells:
    """Cells of max(1, floor(4 eps^2 (x+1)^2)) symbols from x on: l2 flattening error at most eps for falling laws.

    The cell that holds a prefix's end loses at most w/(4 (x+1)^2) <= eps^2. About 1/eps cells, whatever n.

    Source: ours; it uses that falling laws have p_x <= 1/(x+1).
    """
    num, den = 4 * eps.numerator**2, eps.denominator**2
    edges, start = [0], 0
    while start < n:
        start = min(n, start + max(1, num * (start + 1) ** 2 // den))
        edges.append(start)
    return cells_of(edges)


def worst_l1(cells: Cells) -> Fraction:
    """The largest l1 flattening error of a falling law, exactly; it is that of a uniform prefix."""
    worst = Fraction(0)
    for start, width in zip(cells.edges.tolist(), cells.widths.tolist(), strict=False):
        for k in _near_the_worst(start, width):
            worst = max(worst, Fraction(2 * k * (width - k), width * (start + k)))
    return worst


def worst_l2_squared(cells: Cells) -> Fraction:
    """The largest squared l2 flattening error of a falling law, exactly; it is that of a uniform prefix.

    As a function of k the loss rises up to wc/(w + 2c) and falls from there on.
    """
    worst = Fraction(0)
    for start, width in zip(cells.edges.tolist(), cells.widths.tolist(), strict=False):
        peak = width * start // (width + 2 * start)
        for k in (peak, peak + 1):
            if 0 < k < width:
                worst = max(worst, Fraction(k * (width - k), width * (start + k) ** 2))
    return worst


def _loses_at_most(num: int, den: int, start: int, width: int) -> bool:
    return all(2 * k * (width - k) * den <= num * width * (start + k) for k in _near_the_worst(start, width))


def _near_the_worst(start: int, width: int) -> list[int]:
    """Where k(w-k)/(c+k) is largest, one of two integers: it rises up to sqrt(c^2 + cw) - c and falls from there."""
    peak = math.isqrt(start * (start + width)) - start
    return [k for k in (peak, peak + 1) if 0 < k < width]
