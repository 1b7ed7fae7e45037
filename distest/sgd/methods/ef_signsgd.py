"""EF-SignSGD: signs and a scale, with error feedback."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.sign import Sign
from distest.sgd.feedback import Kind
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class EfSignsgd(Mean):
    """Synchronous SGD on signs; each worker remembers what its signs have left out.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Karimireddy, Rebjock, Stich, Jaggi, "Error feedback fixes SignSGD and other gradient compression schemes"
    (2019), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=Sign)
    feedback: Kind = True
    layers: bool = True
    small: int = 0
    source: ClassVar[str] = "Karimireddy, Rebjock, Stich, Jaggi 2019, Algorithm 1"
