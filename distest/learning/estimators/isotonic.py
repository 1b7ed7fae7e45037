"""Isotonic: the nearest monotone or unimodal function."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distest.learning.estimators.base import Estimator
from distest.learning.fitting import isotonic
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Isotonic(Estimator):
    """The nearest function of a shape in l2: never farther, in l1 or l2, from a p that has this shape.

    shape: "falling", "rising", or "unimodal": rising on the symbols below `mode`, falling from `mode` on.
    """

    shape: Literal["falling", "rising", "unimodal"] = "falling"
    mode: int = 0

    def check(self, protocol: Protocol[Any]) -> None:
        isotonic.check_mode(self.shape, self.mode, protocol.task.n)

    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        return isotonic.fit(estimate, np.ones(estimate.size, np.int64), self.shape, self.mode)
