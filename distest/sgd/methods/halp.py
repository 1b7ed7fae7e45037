"""HALP: AsyLPG with compressed models and gradients in full precision, a baseline."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.twos_complement import TwosComplement
from distest.sgd.methods.asy_lpg import AsyLpg


@dataclass(frozen=True)
class Halp(AsyLpg):
    """Asynchronous proximal SVRG in which only what goes down is compressed, around the snapshot.

    HALP itself computes with numbers of few bits on one machine; of it this has the bit centring of the model.
    The options are those of `asy_lpg`.

    Source: De Sa et al., "High-Accuracy Low-Precision Training" (2018), as Yu, Wu, Huang (2019) compare with it.
    """

    compressor: Compressor = field(default_factory=Identity)
    down: Compressor = field(default_factory=lambda: TwosComplement(8))
    source: ClassVar[str] = "De Sa et al. 2018"
