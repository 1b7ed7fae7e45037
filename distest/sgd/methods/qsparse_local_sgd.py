"""Qsparse-local-SGD: local steps, and few quantised coordinates of where they lead, with error feedback."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.chain import Chain
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.top_k import TopK
from distest.sgd.feedback import Kind
from distest.sgd.methods.local_sgd import LocalSgd


@dataclass(frozen=True)
class QsparseLocalSgd(LocalSgd):
    """Local SGD whose workers say the largest coordinates of e + the sum of their gradients, quantised, and remember in
    e what that has left out. e does not hold the rate, as in `mean`; with a constant one this is the same.

    inner, compressor, exchange, feedback, layers, small, beta: as in `local_sgd`.

    Source: Basu, Data, Karakus, Diggavi, "Qsparse-local-SGD" (2019), Algorithm 1.
    """

    compressor: Compressor = field(
        default_factory=lambda: Chain(TopK(density=0.1), Qsgd(bits=4, norm="max", bucket=512))
    )
    feedback: Kind = True
    source: ClassVar[str] = "Basu, Data, Karakus, Diggavi 2019, Algorithm 1"
