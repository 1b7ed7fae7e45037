"""SparseLoCo: DiLoCo with few bits: the largest of each chunk, in two bits, with a memory that fades."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.chain import Chain
from distest.sgd.compressors.chunk_top import ChunkTop
from distest.sgd.compressors.eden import Eden
from distest.sgd.feedback import Kind
from distest.sgd.methods.diloco import Diloco


@dataclass(frozen=True)
class Sparseloco(Diloco):
    """As `diloco`, without momentum of the outer step: worker w says C(fade e + x - x_w) and remembers in e what that
    has left out; the memory takes the place of the momentum. C takes the largest of each 64 coordinates, where the
    paper takes 64 of each 4096, and its values at two bits by `eden`, where the paper has a table of its own.

    Options as in `diloco`.

    Source: Sarfi, Therien, Lidin, Belilovsky, "Communication efficient LLM pre-training with SparseLoCo" (2025).
    """

    compressor: Compressor = field(default_factory=lambda: Chain(ChunkTop(chunk=64), Eden(bits=2)))
    feedback: Kind = True
    outer_rate: float = 1.0
    outer_momentum: float = 0.0
    fade: float = 0.95
    source: ClassVar[str] = "Sarfi, Therien, Lidin, Belilovsky 2025"
