"""QSGD: equally spaced levels, every message to everybody."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.qsgd import Qsgd as QsgdLevels
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class Qsgd(Mean):
    """Synchronous SGD on gradients quantised to equally spaced levels, unbiased.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-efficient SGD via gradient quantization and
    encoding" (2017), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=lambda: QsgdLevels(bits=4))
    source: ClassVar[str] = "Alistarh, Grubic, Li, Tomioka, Vojnovic 2017, Algorithm 1"
