"""QSGDinf: QSGD with the maximum of a bucket in place of its length."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.qsgd import Qsgd as QsgdLevels
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class Qsgdinf(Mean):
    """Synchronous SGD on gradients quantised to equally spaced levels under the maximum norm, unbiased.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-efficient SGD via gradient quantization and
    encoding" (2017), whose experiments use this norm, 4 bits with buckets of 512; named in NUQSGD (2021).
    """

    compressor: Compressor = field(default_factory=lambda: QsgdLevels(bits=4, norm="max", bucket=512))
    source: ClassVar[str] = "Alistarh, Grubic, Li, Tomioka, Vojnovic 2017, experiments"
