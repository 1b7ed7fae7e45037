"""Local top-k: the largest coordinates of each worker, with error feedback."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.top_k import TopK
from distest.sgd.feedback import Kind
from distest.sgd.methods.mean import Mean


@dataclass(frozen=True)
class LocalTopK(Mean):
    """Synchronous SGD on the largest coordinates of each worker, who remembers the others. Indices differ, so the mean
    has up to W times as many coordinates as a message.

    compressor, exchange, feedback, layers, small, beta: as in `mean`.

    Source: Aji, Heafield, "Sparse communication for distributed gradient descent" (2017); Stich, Cordonnier, Jaggi,
    "Sparsified SGD with memory" (2018), Algorithm 1.
    """

    compressor: Compressor = field(default_factory=TopK)
    feedback: Kind = True
    source: ClassVar[str] = "Aji, Heafield 2017; Stich, Cordonnier, Jaggi 2018"
