"""GSpar-SGD: coordinates at random, the large ones more often."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.gspar import Gspar
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class GsparSgd(Mean):
    """Synchronous SGD on gradients sparsified at random with the least variance for their number, unbiased.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Wangni, Wang, Liu, Zhang, "Gradient sparsification for communication-efficient distributed optimization"
    (2018), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=Gspar)
    source: ClassVar[str] = "Wangni, Wang, Liu, Zhang 2018, Algorithm 1"
