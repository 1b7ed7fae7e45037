"""Moves: how far x has gone of late, which tells lazy workers what is worth saying."""

import numpy as np

from distest.sgd.news import square
from distest.sgd.problem import Vector
from distest.sgd.state import State

GROWTH = 4.0  # squared moves that grow so much in three spans of D rounds mean divergence


class Moves:
    """|x_k - x_{k-1}|^2 of the last 3 depth rounds, newest first: "moves" of state.shared, float64."""

    def __init__(self, state: State, depth: int):
        self._state, self._depth = state, depth

    def threshold(self, xi: float, unit: float, spread: bool) -> float:
        """xi / unit^2 times the sum of the last `depth` squared moves, or of those there are.

        unit: how far x goes for a mean gradient of length 1. spread: the weights of the moves that are missing yet are
        spread over those there are.
        """
        moves = self._state.shared.get("moves", np.zeros(0))[: self._depth]
        weight = xi * self._depth / len(moves) if spread and len(moves) else xi
        return weight * float(moves.sum()) / unit**2

    def push(self, before: Vector, after: Vector) -> None:
        """x has moved."""
        moves = self._state.shared.get("moves", np.zeros(0))
        self._state.shared["moves"] = np.concatenate(([square(after - before)], moves[: 3 * self._depth - 1]))

    def growing(self) -> bool:
        """Whether the moves have grown for 2 depth rounds; then forgets them, so that the next answer is as late."""
        moves = self._state.shared.get("moves", np.zeros(0))
        if len(moves) < 3 * self._depth:
            return False
        spans = moves.reshape(3, self._depth).sum(axis=1)
        grown = bool(spans[0] > spans[1] > spans[2] and spans[0] > GROWTH * spans[2])
        if grown:
            self._state.shared["moves"] = moves[: self._depth]
        return grown
