"""State: all that a training run carries from one step to the next."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.sgd.problem import Tensor, Vector

Array = NDArray[Any]


@dataclass(slots=True)
class State:
    """x: the parameters, float32 (d,), the same bits on every rank. step: steps done.

    shared: arrays that every rank has alike, by name (momentum), of any type; and on the server's rank those that the
    server alone keeps. own: arrays of the workers that live here, by name and worker (error memories). notes: short
    float64 arrays of the workers that live here, by name and worker (clocks, counts). near: arrays of these workers and
    of those they hear, alike wherever they are held. tensors: the parts of x. l1, l2: weights of |x|_1 and |x|^2 / 2 in
    the objective, for methods that take proximal steps. warnings: sentences for who trains, by what they are about.
    paper_bits: of the messages of the workers that live here, by the rule of the method's paper; None without one.
    """

    x: Vector
    step: int = 0
    shared: dict[str, NDArray[Any]] = field(default_factory=dict)
    own: dict[str, dict[int, Vector]] = field(default_factory=dict)
    notes: dict[str, dict[int, NDArray[np.float64]]] = field(default_factory=dict)
    near: dict[str, dict[int, Vector]] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
    l1: float = 0.0
    l2: float = 0.0
    warnings: dict[str, str] = field(default_factory=dict)
    paper_bits: int | None = None

    def warn(self, about: str, sentence: str) -> None:
        """Keep a sentence, unless there is one about this already."""
        self.warnings.setdefault(about, sentence)

    def on_paper(self, n_bits: float | None) -> None:
        """Count a message of a worker that lives here by the rule of a paper, to the nearest bit."""
        if n_bits is not None:
            self.paper_bits = (self.paper_bits or 0) + round(n_bits)


def side_by_side(kept: dict[int, Array], workers: range, width: int, first: float = 0.0, dtype: Any = float) -> Array:
    """The arrays of some workers, by worker, as rows of one array, (workers, width): what is written there is written
    to them. Those that are missing are made, every number of them `first`.
    """
    rows: Array | None = kept[workers.start].base if workers.start in kept else None
    if rows is None or rows.shape != (len(workers), width):  # at the start, or from a checkpoint
        rows = np.full((len(workers), width), first, dtype)
        for worker, array in kept.items():
            rows[worker - workers.start] = array
        kept.update(zip(workers, rows, strict=True))
    return rows
