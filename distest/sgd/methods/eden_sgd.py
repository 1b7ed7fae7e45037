"""EDEN-SGD: rotated gradients at a bit a coordinate, in one round."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.eden import Eden
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class EdenSgd(Mean):
    """Synchronous SGD on the mean of EDEN's codes, which at 1 bit are those of DRIVE; nearly unbiased, nothing kept.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Vargaftik et al., "DRIVE: One-bit distributed mean estimation" (2021); "EDEN: Communication-efficient and
    robust distributed mean estimation for federated learning" (2022).
    """

    compressor: Compressor = field(default_factory=Eden)
    source: ClassVar[str] = "Vargaftik et al. 2021 (DRIVE), 2022 (EDEN)"
