"""LAQ: lazily aggregated quantised gradients."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.laq_grid import LaqGrid
from distest.sgd.lazy import Lazy
from distest.sgd.method import Knobs


@dataclass(frozen=True)
class Laq(Lazy):
    """LAG on quantised innovations: a worker speaks where |q - the last q it told|^2 > T + 3 slack (e + e') +
    tolerance, q being its gradient as it would be read, e the squared error of that, and e' the one it made when it
    last spoke.

    slack: 1 is the paper's. With few bits it is larger than any news and silences workers however old their gradients
    are: `checks_dead` of a record is the share of the checks in which that was so; where it is above a half take 1/3,
    0, or more bits. tolerance: 0 in the paper. The weights of moves that are missing yet are spread over those there
    are. Options as in `Lazy`.

    Source: Sun, Chen, Giannakis, Yang, "Communication-efficient distributed learning via lazily aggregated quantized
    gradients" (2019), Algorithm 2.
    """

    compressor: Compressor = field(default_factory=LaqGrid)
    xi: float = 0.08
    slack: float = 1.0
    tolerance: float = 0.0
    spread: ClassVar[bool] = True
    knobs: ClassVar[Knobs] = {"xi": (0.02, 0.08, 0.3), "slack": (0.0, 1 / 3, 1.0)}
    name: ClassVar[str] = "laq"
    source: ClassVar[str] = "Sun, Chen, Giannakis, Yang 2019, Algorithm 2"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.slack <= 10:
            raise UsageError(f"{self.name} takes a slack from 0 to 10, got slack={self.slack}")
        if not 0 <= self.tolerance < float("inf"):
            raise UsageError(f"{self.name} takes a finite tolerance of at least 0, got tolerance={self.tolerance}")

    def _slack(self, lost: NDArray[np.float64]) -> NDArray[np.float64]:
        return 3 * self.slack * lost + self.tolerance
