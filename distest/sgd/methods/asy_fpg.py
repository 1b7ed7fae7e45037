"""AsyFPG: AsyLPG in full precision, its baseline."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd import downlink
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.methods.asy_lpg import AsyLpg


@dataclass(frozen=True)
class AsyFpg(AsyLpg):
    """Asynchronous proximal SVRG, all vectors in single precision.

    The options are those of `asy_lpg`.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019), the
    baseline; Reddi, Hefny, Sra, Poczos, Smola, "On variance reduction in stochastic gradient descent and its
    asynchronous variants" (2015).
    """

    compressor: Compressor = field(default_factory=Identity)
    down: Compressor = field(default_factory=Identity)
    mode: downlink.Mode = "direct"
    source: ClassVar[str] = "Reddi, Hefny, Sra, Poczos, Smola 2015"
