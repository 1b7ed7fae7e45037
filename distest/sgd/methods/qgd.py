"""QGD: gradient descent on quantised innovations, by everyone in every round."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.laq_grid import LaqGrid
from distest.sgd.lazy import Lazy


@dataclass(frozen=True)
class Qgd(Lazy):
    """LAQ whose workers are never silent: what quantising innovations alone saves. Options as in `Lazy`.

    Source: Sun, Chen, Giannakis, Yang, "Communication-efficient distributed learning via lazily aggregated quantized
    gradients" (2019), its baseline QGD.
    """

    compressor: Compressor = field(default_factory=LaqGrid)
    trigger: bool = False
    name: ClassVar[str] = "qgd"
    source: ClassVar[str] = "Sun, Chen, Giannakis, Yang 2019, baseline"
