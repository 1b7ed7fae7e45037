"""Accelerated AsyLPG: momentum from one snapshot to the next."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.sgd.methods.asy_lpg import AsyLpg, Epoch
from distest.sgd.problem import Vector
from distest.sgd.proximal import shrunk


class _Accelerated(Epoch):
    """z, and the sum of all x, besides."""

    def begin(self) -> Vector:
        self._z: Vector = self.state.shared.get("ahead", self.state.x)
        self._total = np.zeros(self._z.size, np.float64)
        return self._between()

    def step(self, direction: Vector) -> None:
        self._z = shrunk(self._z - np.float32(self.rate) * direction, self.rate * self.state.l1)
        self.x = self._between()
        self._total += self.x

    def end(self) -> Vector:
        self.state.shared["ahead"] = self._z
        return (self._total / self.versions).astype(np.float32)

    def _between(self) -> Vector:
        return self.state.x + np.float32(self.weight) * (self._z - self.state.x)


@dataclass(frozen=True)
class AccAsyLpg(AsyLpg):
    """AsyLPG with one momentum, from one snapshot to the next.

    In epoch s, with t = 2 / (s + 2), the server steps on z by rate / t and tells the model x = t z + (1 - t) y near the
    snapshot y; the next snapshot is the mean of all x, and z goes on.

    In mode "paper" the error of a model is at most t mu |x - y|^2. The other options are those of `asy_lpg`.

    Source: Yu, Wu, Huang, "Double Quantization for Communication-Efficient Distributed Optimization" (2019),
    accelerated AsyLPG; Shang, Liu, Cheng, Zhuo, "Fast Stochastic Variance Reduced Gradient Method with Momentum
    Acceleration for Machine Learning" (2017), the single momentum.
    """

    source: ClassVar[str] = "Yu, Wu, Huang 2019, accelerated AsyLPG"
    steps: ClassVar[type[Epoch]] = _Accelerated

    def weight(self, step: int) -> float:
        return 2 / (step + 2)
