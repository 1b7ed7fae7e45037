"""QSVRG: AsyLPG with compressed gradients and models in full precision, a baseline."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd import downlink
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.twos_complement import TwosComplement
from distest.sgd.methods.asy_lpg import AsyLpg


@dataclass(frozen=True)
class Qsvrg(AsyLpg):
    """Asynchronous proximal SVRG in which only what goes up is compressed.

    The options are those of `asy_lpg`.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
    Encoding" (2017), QSVRG, here asynchronous and proximal as Yu, Wu, Huang (2019) compare with it.
    """

    compressor: Compressor = field(default_factory=lambda: TwosComplement(8))
    down: Compressor = field(default_factory=Identity)
    mode: downlink.Mode = "direct"
    source: ClassVar[str] = "Alistarh, Grubic, Li, Tomioka, Vojnovic 2017, QSVRG"
