"""CADA: lazy stochastic gradients for AMSGrad."""

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from distest.coins import Coins
from distest.sgd.lasg import Lasg
from distest.sgd.link import Link
from distest.sgd.method import Knobs
from distest.sgd.methods.lasg_wk1 import LasgWk1
from distest.sgd.methods.lasg_wk2 import LasgWk2
from distest.sgd.oracle import Oracle
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Cada(Lasg):
    """Workers are silent by a rule of LASG, and the server makes a step of AMSGrad along the mean of what it remembers.
    With trigger = false it is `mean` under AMSGrad, bit for bit.

    rule: "wk1" (CADA1), news is how a gradient's distance from that at a common old x has changed; "wk2" (CADA2), how
    the gradient differs from that of the same batch where the worker last spoke. xi: AMSGrad moves each coordinate by
    about the rate however small its gradient is, so that moves over rates are large beside gradients, and xi is small:
    the authors multiply T by 5e-5 or put a constant in its place. clock: 50; as in `lasg_wk2`, like the other options.
    rate: of AMSGrad, about 1e-3; beta1 is the momentum, 0.9 without one.

    Source: Chen, Guo, Sun, Yin, "CADA: Communication-adaptive distributed Adam" (2021), Algorithm 1.
    """

    xi: float = 1e-6
    rule: Literal["wk1", "wk2"] = "wk2"
    knobs: ClassVar[Knobs] = {"xi": (3e-7, 1e-6, 3e-6)}
    name: ClassVar[str] = "cada"
    source: ClassVar[str] = "Chen, Guo, Sun, Yin 2021, Algorithm 1"

    def check_rule(self, rule: Rule) -> None:
        rule.instead(self.name, "amsgrad")

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        rule = rule.instead(self.name, "amsgrad")
        lazy = LasgWk1 if self.rule == "wk1" else LasgWk2
        lazy(**{one.name: getattr(self, one.name) for one in fields(lazy)}).round(state, rule, oracle, link, coins)
