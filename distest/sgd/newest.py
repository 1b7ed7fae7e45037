"""Newest: the asynchronous part of a round in which workers send gradients at the newest model they have."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.sgd.asynchronous import Asynchronous, Stretch
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.link import Link
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Vector
from distest.sgd.proximal import shrunk
from distest.sgd.state import State


class Newest(Stretch):
    """The server says 1 to a worker that has the newest model, else 0 and the model in single precision.

    x: the model. rate: of a step, proximal for the l1-norm of the objective.
    """

    exact: ClassVar[Compressor] = Identity()

    def __init__(
        self,
        method: Asynchronous,
        state: State,
        oracle: Oracle | None,
        link: Link,
        coins: Coins,
        rate: float,
    ):
        super().__init__(state, oracle, link, coins, method.inner)
        self.compressor, self.rate, self.x = method.compressor, rate, state.x
        self._known = [0] * link.workers  # the version that each worker has; all have that at the barrier

    @abstractmethod
    def use(self, gradient: Vector, delay: int) -> bool:
        """Do something with a gradient on the server's rank; whether it is used."""

    def tell(self, worker: int, number: int) -> Messages:
        same = self._known[worker] == self.version
        self._known[worker] = self.version
        flag = Messages.of_symbols(np.array([same], np.uint8), 1)
        return flag if same else Messages.one([flag, self.exact.encode(self.x, worker, self.coins)])

    def hear(self, worker: int, number: int, reader: BitReader) -> Vector:
        parts = inside(reader)
        same = bool(parts.fixed(1, 1)[0, 0])
        parts.aside("whether the model is the one that is known", [int(same)])
        d = self.state.x.size
        x = self.views.get(worker, self.state.x) if same else self.exact.decode(parts, d, worker, self.coins.public)
        close(reader, parts)
        return x

    def answer(self, worker: int, number: int) -> Messages:
        assert self.oracle is not None  # somebody speaks
        gradient = self.oracle.asked(worker, self.views[worker], self.state.step, number)
        return self.compressor.encode(gradient, worker, self.coins.fold("up", number))

    def take(self, worker: int, number: int, delay: int | None, reader: BitReader) -> bool:
        public = self.coins.public.fold("up", number)
        gradient = self.compressor.decode(reader, self.state.x.size, worker, public)
        return delay is not None and self.use(gradient, delay)

    def end(self) -> Vector:
        return self.x

    def step(self, direction: Vector, share: float = 1.0) -> None:
        """A new version of the model, by a step of a share of the rate."""
        rate = self.rate * share
        self.x = shrunk(self.x - np.float32(rate) * direction, rate * self.state.l1)
        self.version += 1
        self.check(self.x)
