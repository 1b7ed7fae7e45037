"""QRDA Adagrad: regularised dual averaging by coordinates, on gradients of few bits."""

from dataclasses import dataclass
from typing import ClassVar

from distest.sgd.adagrad import Adagrad, Doubles, Step, shrunk


@dataclass(frozen=True)
class QrdaAdagrad(Adagrad):
    """x becomes the least of rate m.x + rate l1 |x|_1 + |x|_H^2 / (2 t), m the mean of all t q so far: 0 where |m_i| is
    at most l1, which are about twice as many coordinates as with `qcmd_adagrad`. The first x has no say.

    Options as in `sgd/adagrad.py`. With ridge = "step" H / t becomes H / t + rate l2.

    Source: Xu, Wangni, Zhang, Ye, Wu, Zhao, "Quantized adaptive subgradient algorithms and their applications" (2022);
    Duchi, Hazan, Singer, "Adaptive subgradient methods" (2011), regularised dual averaging.
    """

    source: ClassVar[str] = "Xu, Wangni, Zhang, Ye, Wu, Zhao 2022, QRDA Adagrad"

    def _stepped(self, step: Step) -> Doubles:
        return -step.rate * shrunk(step.mean, step.l1) / (step.h / step.number + step.rate * step.l2)
