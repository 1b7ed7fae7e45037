"""SuperSGD: gradients as they are, in single precision."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class Supersgd(Mean):
    """Synchronous SGD without compression: what every other method is held against.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.
    """

    compressor: Compressor = field(default_factory=Identity)
    source: ClassVar[str] = "the baseline of QSGD and NUQSGD"
