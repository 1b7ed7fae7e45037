"""Estimator: the last step, which needs no bits and so may be chosen after the fact."""

from abc import ABC, abstractmethod
from typing import Any

from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk


class Estimator(ABC):
    """A function of a protocol's estimate; implementations are frozen dataclasses of plain values.

    A record names it, so an audit applies the same to what it has decoded.
    """

    @abstractmethod
    def apply(self, estimate: Pmf, protocol: Protocol[Any]) -> Pmf:
        """The estimate that is measured, float64 (n,)."""

    def check(self, protocol: Protocol[Any]) -> None:
        """Raise UsageError where this makes no sense for the protocol, before anything has run."""
        return

    def risk(self, pmf: Pmf, protocol: Protocol[Any]) -> Risk | None:
        """The expected error with this protocol at this p by formula, None where there is none."""
        return None
