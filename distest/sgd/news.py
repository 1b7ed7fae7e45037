"""News: what a worker could say of a vector, before it is known whether it speaks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from distest.bits import Messages
from distest.sgd.problem import Vector


@dataclass(frozen=True, slots=True)
class News:
    """A vector, told to somebody who remembers another.

    size: |q|^2, q being what the memory would move by, as it would be read. vector: the memory after that. lost:
    |new - vector|^2. message: makes the message, where it is not made yet.
    """

    size: float
    vector: Vector
    lost: float
    message: Callable[[], Messages]


def square(x: Vector) -> float:
    """|x|^2, added up in float64."""
    wide = x.astype(np.float64)
    return float(wide @ wide)
