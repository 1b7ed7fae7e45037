"""QCMD Adagrad: composite mirror descent by coordinates, on gradients of few bits."""

from dataclasses import dataclass
from typing import ClassVar

from distest.sgd.adagrad import Adagrad, Doubles, Step, shrunk


@dataclass(frozen=True)
class QcmdAdagrad(Adagrad):
    """x becomes the least of rate q.x + rate l1 |x|_1 + |x - x_t|_H^2 / 2: a step of Adagrad, x - rate q / H, whose
    coordinates then go nearer to 0 by rate l1 / H, or to 0. With l1 = 0 it is Adagrad on what was read.

    Options as in `sgd/adagrad.py`. With ridge = "step" coordinates are divided by 1 + rate l2 / H as well.

    Source: Xu, Wangni, Zhang, Ye, Wu, Zhao, "Quantized adaptive subgradient algorithms and their applications" (2022);
    Duchi, Hazan, Singer, "Adaptive subgradient methods" (2011), composite mirror descent.
    """

    source: ClassVar[str] = "Xu, Wangni, Zhang, Ye, Wu, Zhao 2022, QCMD Adagrad"

    def _stepped(self, step: Step) -> Doubles:
        moved = step.x - step.rate * step.q / step.h
        return shrunk(moved, step.rate * step.l1 / step.h) / (1 + step.rate * step.l2 / step.h)
