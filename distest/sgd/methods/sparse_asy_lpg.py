"""Sparse-AsyLPG: AsyLPG whose workers send few coordinates."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.proportional import Proportional
from distest.sgd.methods.asy_lpg import AsyLpg


@dataclass(frozen=True)
class SparseAsyLpg(AsyLpg):
    """AsyLPG with coordinates kept in proportion to their magnitudes on the way up.

    Those kept are all of one size, so that signs are sent in place of the paper's values of b bits.
    The options are those of `asy_lpg`.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019),
    Sparse-AsyLPG.
    """

    compressor: Compressor = field(default_factory=Proportional)
    source: ClassVar[str] = "Yu, Wu, Huang 2019, Sparse-AsyLPG"
