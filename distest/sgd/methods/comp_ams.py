"""COMP-AMS: compressed gradients with error feedback, and AMSGrad on their mean."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.coins import Coins
from distest.sgd import theory
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.top_k import TopK
from distest.sgd.feedback import Kind
from distest.sgd.link import Link
from distest.sgd.methods.mean import Mean
from distest.sgd.oracle import Gradients
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.sgd.theory import Smoothness


@dataclass(frozen=True)
class CompAms(Mean):
    """Each worker sends C(g + e) and remembers in e what that has left out; x makes a step of AMSGrad along the mean.
    Moments are made of what was read, so they are the same everywhere and never travel.

    compressor, exchange, feedback, layers, small, beta: as in `mean`; the paper has top_k, and sign by blocks. rate:
    that of AMSGrad, about 1e-3; beta1 is the momentum, 0.9 without one.

    Source: Li, Karimi, Li, "On distributed adaptive optimization with gradient compression" (2022), Algorithm 2.
    """

    compressor: Compressor = field(default_factory=TopK)
    feedback: Kind = True
    source: ClassVar[str] = "Li, Karimi, Li 2022, COMP-AMS"

    def check_rule(self, rule: Rule) -> None:
        rule.instead("comp_ams", "amsgrad")

    def theory(self, problem: Problem, smooth: Smoothness) -> float:
        raise theory.none("AMSGrad", "steps that adapt have no L in their theorem")

    def round(self, state: State, rule: Rule, oracle: Gradients | None, link: Link, coins: Coins) -> None:
        super().round(state, rule.instead("comp_ams", "amsgrad"), oracle, link, coins)
