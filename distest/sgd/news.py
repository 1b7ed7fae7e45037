"""News: what some workers could say of their vectors, before it is known who speaks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.bits import Messages
from distest.sgd.problem import Vector


@dataclass(frozen=True, slots=True)
class News:
    """Vectors of n workers, each to be told to somebody who remembers another.

    sizes: float64 (n,), |q|^2, q being what the memory would move by, as it would be read. lost: float64 (n,), the
    squares of what the memories lack then. vector(i) is the memory of the i-th after that, message(i) the message: made
    only where somebody asks, which for who is silent nobody does.
    """

    sizes: NDArray[np.float64]
    lost: NDArray[np.float64]
    vector: Callable[[int], Vector]
    message: Callable[[int], Messages]


def square(x: Vector) -> float:
    """|x|^2, added up in float64."""
    wide = x.astype(np.float64)
    return float(wide @ wide)


def squares(rows: list[Vector]) -> NDArray[np.float64]:
    """|x|^2 of each vector, float64 (n,)."""
    return np.array([square(x) for x in rows])
