"""Whom to watch: sets of symbols whose inclusion probabilities follow a first estimate.

Neyman allocation for n counts that are estimated apart: watching x in proportion to p_x^(1/2) is best for the
squared l2 error, p_x^(1/3) for l1. Everything here is integer arithmetic on counts, so every reader of a
board finds the same sets, on every machine.
"""

import numpy as np

from distest.kernels.systematic import Ints, Sets
from distest.learning.task import Loss

_PERIOD_BITS = 31  # the weights are scaled so that they sum to about 2^31


def sets(counts: Ints, watchers: Ints, size: int, loss: Loss) -> Sets:
    """Sets of `size` symbols, x in them in proportion to ((counts + 1)/watchers)^(1/2), or ^(1/3) for loss "l1".

    counts out of watchers, both int64 (n,), 0 <= counts <= watchers, 1 <= watchers < 2^32; 1 <= size <= n. A
    symbol that would be watched more than once by a server is watched by all, and its share goes to the
    others.
    """
    weight = _root(_share(counts + 1, watchers), 3 if loss == "l1" else 2)
    weight = np.maximum(1, weight >> max(0, int(weight.sum()).bit_length() - _PERIOD_BITS))
    capped = np.zeros(weight.size, bool)
    while True:  # each pass caps fewer symbols than there are places left, so a place remains
        places = size - int(capped.sum())
        period = int(weight[~capped].sum())
        above = ~capped & (weight * places > period)
        if not above.any():
            break
        capped |= above
    return Sets(period, np.concatenate(([0], np.cumsum(np.where(capped, period, weight * places)))))


def _share(parts: Ints, whole: Ints) -> Ints:
    """floor(2^60 parts / whole) for 1 <= parts <= 2 whole, whole < 2^32, by long division in 63 bits."""
    high, rest = np.divmod(parts << np.int64(30), whole)
    return (high << np.int64(30)) + (rest << np.int64(30)) // whole


def _root(values: Ints, degree: int) -> Ints:
    """floor(values^(1/degree)) for degree 2 or 3 and values below 2^62: a float's guess, then made exact."""
    guess = np.sqrt(values) if degree == 2 else np.cbrt(values)
    root = guess.astype(np.int64)
    root -= root**degree > values
    root += (root + 1) ** degree <= values
    return root
