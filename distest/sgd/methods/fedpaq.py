"""FedPAQ: local steps, and quantised messages about where they lead."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.methods.local_sgd import LocalSgd


@dataclass(frozen=True)
class Fedpaq(LocalSgd):
    """Local SGD whose workers quantise what they say. (All workers take part in every turn.)

    inner, compressor, exchange, feedback, layers, small, beta: as in `local_sgd`.

    Source: Reisizadeh, Mokhtari, Hassani, Jadbabaie, Pedarsani, "FedPAQ: A communication-efficient federated learning
    method with periodic averaging and quantization" (2020), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=lambda: Qsgd(bits=4))
    source: ClassVar[str] = "Reisizadeh, Mokhtari, Hassani, Jadbabaie, Pedarsani 2020, Algorithm 1"
