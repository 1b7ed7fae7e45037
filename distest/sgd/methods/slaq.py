"""SLAQ: LAQ on minibatches."""

from dataclasses import dataclass, field
from typing import ClassVar

from distest.sgd.compressor import Compressor
from distest.sgd.compressors.laq_grid import LaqGrid
from distest.sgd.methods.laq import Laq


@dataclass(frozen=True)
class Slaq(Laq):
    """LAQ as it is, for stochastic gradients, with 3 bits a coordinate. The noise of the batches is news too, so
    workers are silent only where the slack silences them; `lasg_wk2` compares gradients of the same batch instead and
    is to be preferred. Options as in `laq`; the authors' program has slack = 0.5, tolerance = 0.2, depth = 9, which the
    paper does not.

    Source: Sun, Chen, Giannakis, Yang, "Communication-efficient distributed learning via lazily aggregated quantized
    gradients" (2019), its stochastic version.
    """

    compressor: Compressor = field(default_factory=lambda: LaqGrid(bits=3))
    stochastic: ClassVar[bool] = True
    name: ClassVar[str] = "slaq"
    source: ClassVar[str] = "Sun, Chen, Giannakis, Yang 2019, stochastic version"
