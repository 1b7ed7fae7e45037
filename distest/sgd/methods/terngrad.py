"""TernGrad: minus, zero or plus the greatest magnitude of a tensor."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.terngrad import Terngrad as TernaryLevels
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class Terngrad(Mean):
    """Synchronous SGD on gradients of three values, each tensor clipped and scaled by itself.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Wen, Xu, Yan, Wu, Wang, Chen, Li, "TernGrad: Ternary gradients to reduce communication in distributed deep
    learning" (2017), Algorithm 1, with its layer-wise ternarizing and gradient clipping.
    """

    compressor: Compressor = field(default_factory=lambda: TernaryLevels(bucket=1 << 24))
    layers: bool = True
    small: int = 0
    source: ClassVar[str] = "Wen, Xu, Yan, Wu, Wang, Chen, Li 2017, Algorithm 1"
