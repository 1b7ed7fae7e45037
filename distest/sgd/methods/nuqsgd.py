"""NUQSGD: levels at powers of two, every message to everybody."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.nuqsgd import Nuqsgd as NuqsgdLevels
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class Nuqsgd(Mean):
    """Synchronous SGD on gradients quantised to exponentially spaced levels, unbiased.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD: Provably communication-efficient
    data-parallel SGD via nonuniform quantization" (2021), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=lambda: NuqsgdLevels(bits=4))
    source: ClassVar[str] = "Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy 2021, Algorithm 1"
