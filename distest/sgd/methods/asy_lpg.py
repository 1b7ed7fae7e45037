"""AsyLPG: asynchronous proximal SVRG with few bits both ways."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.errors import UsageError
from distest.sgd import downlink
from distest.sgd.asynchronous import Asynchronous, Stretch
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.twos_complement import TwosComplement
from distest.sgd.link import Link
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.proximal import shrunk
from distest.sgd.state import State

_EXACT = Identity()


class Epoch(Stretch):
    """Steps from a snapshot. x: the model of the server. whole: the gradient at the snapshot, on the server's rank."""

    def __init__(
        self, method: "AsyLpg", state: State, oracle: Oracle | None, link: Link, coins: Coins, rate: float
    ) -> None:
        super().__init__(state, oracle, link, coins, method.inner)
        self.method, self.tau, self.weight = method, method.tau, method.weight(state.step)
        self.rate, self.ratio = rate / self.weight, method.mu * self.weight
        self.whole = _whole(state, oracle, link, coins)
        self.x = self.begin()

    def begin(self) -> Vector:
        """The first model."""
        return self.state.x

    def tell(self, worker: int, number: int) -> Messages:
        part, here = self.method, self.coins.fold("down", number)
        return downlink.write(part.mode, part.down, self.x, self.state.x, self.ratio, worker, here)

    def hear(self, worker: int, number: int, reader: BitReader) -> Vector:
        part, here = self.method, self.coins.public.fold("down", number)
        return downlink.read(part.mode, part.down, reader, self.state.x, worker, here)

    def answer(self, worker: int, number: int) -> Messages:
        assert self.oracle is not None  # somebody speaks
        told, snapshot = self.views[worker], self.state.x
        moved = self.oracle.asked(worker, told, self.state.step, number)
        moved = moved - self.oracle.asked(worker, snapshot, self.state.step, number)
        return self.method.compressor.encode(self.check(moved), worker, self.coins.fold("up", number))

    def take(self, worker: int, number: int, delay: int | None, reader: BitReader) -> bool:
        public = self.coins.public.fold("up", number)
        moved = self.method.compressor.decode(reader, self.state.x.size, worker, public)
        if delay is None:
            return False
        assert self.whole is not None  # the server reads
        self.step(moved + self.whole)
        self.version += 1
        self.check(self.x)
        return True

    def step(self, direction: Vector) -> None:
        """One step of the server."""
        self.x = shrunk(self.x - np.float32(self.rate) * direction, self.rate * self.state.l1)

    def end(self) -> Vector:
        """The next snapshot, on the server's rank."""
        return self.x


@dataclass(frozen=True)
class AsyLpg(Asynchronous):
    """Asynchronous proximal SVRG with compressed gradients and models.

    A round is an epoch. All send their part of the gradient at the snapshot y. Then the server takes steps along what
    arrives, x <- prox(x - rate (C(g(x') - g(y)) + the whole gradient at y)), where x' is the model that the worker was
    told and g its gradient of the same batch at both. At the end all are told x, the next snapshot. The step is
    proximal for the l1-norm of the objective, without which gradients are taken.

    inner: steps of an epoch; about rows / batch is usual. compressor: C. tau: an answer is used at most so many steps
    after its model was sent, by a gate that is exact; at least W - 1. mode: how a model goes down, "centred" by
    down(x - y); "direct" by down(x); "paper" by x in the least width whose expected squared error is at most
    mu |x - y|^2, 8 bits for the width (`down` is not used). snapshot, clock: as for all asynchronous methods.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019), AsyLPG;
    De Sa et al., "High-Accuracy Low-Precision Training" (2018), bit centring.
    """

    compressor: Compressor = field(default_factory=lambda: TwosComplement(4))
    down: Compressor = field(default_factory=lambda: TwosComplement(4))
    mode: downlink.Mode = "centred"
    mu: float = 0.5
    tau: int = 20
    source: ClassVar[str] = "Yu, Wu, Huang 2019, AsyLPG; De Sa et al. 2018"
    steps: ClassVar[type[Epoch]] = Epoch

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.mu < 1:
            raise UsageError(f"the error of a model is mu times its distance with 0 < mu < 1, got mu={self.mu}")

    def check(self, problem: Problem, workers: int) -> None:
        super().check(problem, workers)
        if self.tau < workers - 1:
            raise UsageError(
                f"{workers} workers are late by {workers - 1} steps without anybody's fault, got tau={self.tau}"
            )
        self.down.check(problem.d)

    def looked_at(self, rows: int, workers: int, batch: int) -> int:
        """With all rows once more, for the snapshot."""
        return super().looked_at(rows, workers, batch) + rows

    def weight(self, step: int) -> float:
        """What the rate of a round is divided by, and the bound on the error of a model is multiplied with."""
        return 1.0

    def stretch(self, state: State, oracle: Oracle | None, link: Link, coins: Coins, rate: float) -> Stretch:
        return self.steps(self, state, oracle, link, coins, rate)


def _whole(state: State, oracle: Oracle | None, link: Link, coins: Coins) -> Vector | None:
    """The gradient at x over all rows, on the server's rank: a turn in which each worker sends its part in full."""
    here = coins.fold("whole")
    parts: dict[int, Vector] = {}

    def encode(worker: int) -> Messages:
        assert oracle is not None  # somebody speaks
        return _EXACT.encode(oracle.smooth_part(worker, state.x, state.step), worker, here)

    def decode(worker: int, reader: BitReader) -> None:
        parts[worker] = _EXACT.decode(reader, state.x.size, worker, here.public)

    link.up(encode, decode)
    if not link.hosts_server:
        return None
    total = np.zeros(state.x.size, np.float64)
    for worker in range(link.workers):
        total += parts[worker]
    return (total / link.workers).astype(np.float32)
