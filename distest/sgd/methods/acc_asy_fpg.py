"""Accelerated AsyFPG: accelerated AsyLPG in full precision, its baseline."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd import downlink
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.methods.acc_asy_lpg import AccAsyLpg


@dataclass(frozen=True)
class AccAsyFpg(AccAsyLpg):
    """Accelerated asynchronous proximal SVRG, all vectors in single precision.

    The options are those of `asy_lpg`.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019), the
    baseline.
    """

    compressor: Compressor = field(default_factory=Identity)
    down: Compressor = field(default_factory=Identity)
    mode: downlink.Mode = "direct"
    source: ClassVar[str] = "Yu, Wu, Huang 2019, baseline of the accelerated AsyLPG"
