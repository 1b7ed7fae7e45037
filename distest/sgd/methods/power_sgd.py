"""PowerSGD: gradients of matrices by a step of the power method, two thin matrices in place of each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.coins import Coins, PublicCoins
from distest.errors import UsageError
from distest.sgd.compressor import CoinUse
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.feedback import Feedback
from distest.sgd.link import Link
from distest.sgd.lowrank import Matrix, orthonormal, product
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Tensor, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor as a matrix: its stretch of x, its shape, and the rank it is sent at, 0 as it is."""

    where: slice
    n: int
    m: int
    rank: int

    def of(self, x: Vector) -> Matrix:
        return x[self.where].reshape(self.n, self.m)


@dataclass(frozen=True)
class PowerSgd(Method):
    """For a matrix M = e + gradient of n x m and the Q of m x r that all know: the mean of M Q, made orthonormal, is P;
    the mean of M^T P is the next Q; x follows P Q^T. A worker's memory e is what P P^T M leaves of its M.

    Matrices are tensors of two or more dimensions, the first against the others. Those that r (n + m) numbers would not
    make shorter, and vectors, go as they are with the first of the two exchanges; both are in single precision. The
    first Q comes from public coins, as does a column of a later one that is 0. Momentum is that of the rule, behind
    all this. A worker sends 32 r (n + m) bits a matrix.

    rank: r >= 1, at most the lesser side. exchange: one that sends numbers as they are.

    Source: Vogels, Karimireddy, Jaggi, "PowerSGD: Practical low-rank gradient compression for distributed optimization"
    (2019), Algorithms 1 and 2; Q is made orthonormal as well, which changes no span and keeps numbers in range.
    """

    rank: int = 2
    exchange: Exchange = field(default_factory=AllGather)
    coin_use: ClassVar[CoinUse] = "public"
    source: ClassVar[str] = "Vogels, Karimireddy, Jaggi 2019, Algorithms 1 and 2"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UsageError(f"power_sgd sends matrices of rank >= 1, got rank={self.rank}")

    def check(self, problem: Problem, workers: int) -> None:
        self.check_shapes(problem.tensors)

    def check_shapes(self, tensors: tuple[Tensor, ...]) -> None:
        """Raise UsageError where no tensor is a matrix that two thin ones are smaller than."""
        if not any(part.rank for part in self._parts(tensors)):
            shapes = ", ".join("x".join(map(str, tensor.shape)) for tensor in tensors)
            raise UsageError(
                f"power_sgd needs a matrix that two of rank {self.rank} are smaller than, and the tensors of this "
                f"problem are {shapes}; use a smaller rank or another problem or method"
            )

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        here = coins.fold("step", state.step)
        parts = list(self._parts(state.tensors))
        plain = [part for part in parts if not part.rank]
        matrices = [part for part in parts if part.rank]
        feedback = Feedback(state, oracle, True)
        rights = self._rights(matrices, state, here.public)

        def first(worker: int) -> Vector:
            x = feedback.of(worker)
            thin = [part.of(x) @ right for part, right in zip(matrices, rights, strict=True)]
            return _joined([*(x[part.where] for part in plain), *thin])

        d = sum(part.n * part.m for part in plain)
        mean = self.exchange.mean(
            first,
            d + sum(part.n * part.rank for part in matrices),
            Identity(),
            link,
            here.fold("left"),
            None,
        )
        lefts = [orthonormal(left) for left in _cut(mean[d:], [(part.n, part.rank) for part in matrices])]

        def second(worker: int) -> Vector:
            x = feedback.of(worker)
            thin = [part.of(x).T @ left for part, left in zip(matrices, lefts, strict=True)]
            said = x.copy()
            for part, left, right in zip(matrices, lefts, thin, strict=True):
                said[part.where] = product(left, right).ravel()
            feedback.heard(worker, said)
            return _joined(thin)

        thin_mean = self.exchange.mean(
            second,
            sum(part.m * part.rank for part in matrices),
            Identity(),
            link,
            here.fold("right"),
            None,
        )
        state.shared["right"] = thin_mean
        update = np.zeros(state.x.size, np.float32)
        at = 0
        for part in plain:
            update[part.where] = mean[at : at + part.n * part.m]
            at += part.n * part.m
        found = _cut(thin_mean, [(part.m, part.rank) for part in matrices])
        for part, left, right in zip(matrices, lefts, found, strict=True):
            update[part.where] = product(left, right).ravel()
        rule.apply(state, update)

    def _parts(self, tensors: tuple[Tensor, ...]) -> Iterator[_Part]:
        at = 0
        for tensor in tensors:
            n, m = (tensor.shape[0], math.prod(tensor.shape[1:])) if len(tensor.shape) > 1 else (1, tensor.size)
            rank = min(self.rank, n, m)
            yield _Part(slice(at, at + tensor.size), n, m, rank if rank * (n + m) < n * m else 0)
            at += tensor.size

    def _rights(self, matrices: list[_Part], state: State, coins: PublicCoins) -> list[Matrix]:
        """Q of every matrix: of the step before, where it says something, else of the coins."""
        size = sum(part.m * part.rank for part in matrices)
        words = coins.fold("right").common(size) >> np.uint64(40)
        drawn = words.astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
        shapes = [(part.m, part.rank) for part in matrices]
        fresh = _cut(drawn, shapes)
        kept = _cut(state.shared.get("right", np.zeros(size, np.float32)), shapes)
        return [orthonormal(np.where(old.any(axis=0), old, new)) for old, new in zip(kept, fresh, strict=True)]


def _joined(arrays: list[Matrix]) -> Vector:
    return np.concatenate([array.ravel() for array in arrays])


def _cut(x: Vector, shapes: list[tuple[int, int]]) -> list[Matrix]:
    """A vector as matrices of some shapes, end to end."""
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(x, ends[:-1]), shapes, strict=True)]
