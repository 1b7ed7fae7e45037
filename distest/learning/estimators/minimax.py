"""Minimax: shrink towards the uniform distribution by as much as the worst case asks for."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from distest.errors import UsageError
from distest.learning.estimators.base import Estimator
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk


@dataclass(frozen=True, slots=True)
class Minimax(Estimator):
    """(ph + a/n)/(1 + a) with a^2 = R (n/(n-1)), R the protocol's squared l2 risk at the uniform distribution.

    Where the risk of the unbiased ph is (1 - |p|^2)/N' for every p, as it is for all samples sent (N' = N), grouping,
    recursive Hadamard and the design cycle, a is 1/sqrt(N') and the new risk is the same for every p, (1 - 1/n) a^2 /
    (1 + a)^2, the least worst case that shrinking can reach; for all N samples it is the minimax estimate. Elsewhere
    it is the same step with the risk at uniform p in place of the constant. For protocols with such a formula only.

    Source: Steinhaus, "The problem of estimation" (1957), for all samples; docs/bounds.md, Proposition R.9.
    """

    def check(self, protocol: Protocol[Any]) -> None:
        self._pull(protocol)

    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        pull = self._pull(protocol)
        return np.asarray((estimate + pull / estimate.size) / (1 + pull), np.float64)

    def risk(self, pmf: Pmf, protocol: Protocol[Any]) -> Risk | None:
        """Variance and squared bias; exact where the protocol's estimate is unbiased and its risk exact."""
        pull, here = self._pull(protocol), protocol.risk(pmf)
        if here is None or here.l2_squared is None:
            return None
        away = float(((pmf - 1 / pmf.size) ** 2).sum())
        return Risk((here.l2_squared + pull**2 * away) / (1 + pull) ** 2, None, here.exact, "no formula for l1")

    def _pull(self, protocol: Protocol[Any]) -> float:
        n = protocol.task.n
        risk = protocol.risk(np.full(n, 1 / n))
        if risk is None or risk.l2_squared is None:
            name = type(protocol).__module__.rsplit(".", 1)[1]
            raise UsageError(
                f"estimator 'minimax' needs the squared l2 risk of the protocol by formula, and {name} has none; use "
                "'simplex'"
            )
        return math.sqrt(risk.l2_squared * n / (n - 1))
