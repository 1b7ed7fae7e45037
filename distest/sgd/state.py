"""State: all that a training run carries from one step to the next."""

from dataclasses import dataclass, field

from distest.sgd.problem import Tensor, Vector


@dataclass(slots=True)
class State:
    """x: the parameters, float32 (d,), the same bits on every rank. step: steps done.

    shared: arrays that every rank has alike, by name (momentum). own: arrays of the workers that live here, by name and
    worker (error memories). tensors: the parts of x.
    """

    x: Vector
    step: int = 0
    shared: dict[str, Vector] = field(default_factory=dict)
    own: dict[str, dict[int, Vector]] = field(default_factory=dict)
    tensors: tuple[Tensor, ...] = ()
