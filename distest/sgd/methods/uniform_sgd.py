"""Uniform sparsification (UniSp): coordinates at random, all with the same chance."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.random_k import RandomK
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class UniformSgd(Mean):
    """Synchronous SGD on k coordinates of each gradient, drawn by the worker and scaled by d / k, unbiased.

    The baseline of `gspar_sgd`, at the same density; exactly k coordinates are kept, not k on average, and their
    indices travel. With `draw=public` of the compressor they need not, which the paper does not use.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Wangni, Wang, Liu, Zhang, "Gradient sparsification for communication-efficient distributed optimization"
    (2018), the baseline "UniSp".
    """

    compressor: Compressor = field(default_factory=lambda: RandomK(density=0.02, draw="private"))
    source: ClassVar[str] = "Wangni, Wang, Liu, Zhang 2018, baseline UniSp"
