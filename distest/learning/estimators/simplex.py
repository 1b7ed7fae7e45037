"""Simplex: the nearest distribution."""

from dataclasses import dataclass
from typing import Any

from distest.learning.estimators.base import Estimator
from distest.learning.fitting import simplex
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Simplex(Estimator):
    """The distribution that is nearest to the estimate in l2; never farther from p in l2 than the estimate was."""

    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        return simplex.project(estimate)
