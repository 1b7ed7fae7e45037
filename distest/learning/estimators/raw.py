"""Raw: the protocol's own estimate."""

from dataclasses import dataclass
from typing import Any

from distest.learning.estimators.base import Estimator
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk


@dataclass(frozen=True, slots=True)
class Raw(Estimator):
    """The protocol's own estimate; an unbiased one need not be non-negative nor sum to 1."""

    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        return estimate

    def risk(self, pmf: Pmf, protocol: Protocol[Any]) -> Risk | None:
        return protocol.risk(pmf)
