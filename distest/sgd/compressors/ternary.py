"""Ternary: the large coordinates become plus or minus one scale, the others 0."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.codecs.fixed import Fixed
from distest.coins import Coins, PublicCoins
from distest.errors import UsageError, WireError
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd import values as numbers
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector

MODE_BITS = 2
NOTHING, PLAIN, TRITS, SPARSE = range(1 << MODE_BITS)
_POWERS = np.array([81, 27, 9, 3, 1], np.uint8)  # five trits are a number below 243
_USUAL = {"max": 0.3, "mean": 0.7}
_ROUNDING = 2.0**-22  # of the scale, in parts of |x|^2

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Ternary(Compressor):
    """Each coordinate of a kept set becomes sign(x_i) s, s the mean magnitude of the set, the best one; the others 0.
    Its error is |x|^2 - k s^2 for k coordinates; biased, and the same for the same vector.

    Two bits say how the rest is written, the shortest of three ways: two bits a coordinate, five coordinates a byte, or
    their number, their places and their signs; 32 bits of scale go before it. The vector 0 takes the two bits alone.

    rule: which are kept. "max", those of at least `threshold` times the largest magnitude. "mean", those above
    `threshold` times the mean magnitude. "top_k", the `count` largest, or for count = 0 the share `density`. "best", as
    many of the largest as give the least error. threshold: 0 is the usual one, 0.3 of the largest or 0.7 of the mean.

    Source: Xu, Wangni, Zhang, Ye, Wu, Zhao, "Quantized adaptive subgradient algorithms and their applications" (2022),
    threshold quantisation; "mean": Li, Liu, "Ternary weight networks" (2016), which minimises this error of weights.
    """

    rule: Literal["max", "mean", "top_k", "best"] = "max"
    threshold: float = 0.0
    density: float = 0.1
    count: int = 0
    unbiased: ClassVar[bool] = False

    def __post_init__(self) -> None:
        indices.check_size("ternary", self.count, self.density)
        if self.threshold and self.rule not in _USUAL:
            raise UsageError(f"the rule {self.rule!r} of ternary has no threshold, got threshold={self.threshold}")
        if not 0 <= self.threshold < 1:
            raise UsageError(f"ternary takes a threshold from 0, the usual one, to 1 excluded, got {self.threshold}")

    def check(self, d: int) -> None:
        indices.size("ternary", d, self.count if self.rule == "top_k" else 0, self.density)

    def signs(self, x: Vector) -> tuple[Signs, np.float32]:
        """-1, 0 or 1 for each coordinate, int8, and the scale; 0 for the vector 0."""
        size = np.abs(x.astype(np.float64))
        kept = self._kept(x, size) & (size > 0)
        if not kept.any():
            return np.zeros(x.size, np.int8), np.float32(0)
        scale = numbers.single(np.array([size[kept].mean()]))[0]
        return (np.sign(x) * kept).astype(np.int8), scale

    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        signs, scale = self.signs(x)
        places = np.flatnonzero(signs)
        if not places.size:
            return _mode(NOTHING)
        d, whole = x.size, 8 * -(-x.size // len(_POWERS))
        number = indices.write_count(places.size)
        lengths = {PLAIN: 2 * d, TRITS: whole, SPARSE: number.n_bits + indices.n_bits(places, d) + places.size}
        mode = min(lengths, key=lambda choice: lengths[choice])
        parts = [_mode(mode), numbers.write_magnitude(np.array([scale]))]
        if mode == PLAIN:
            parts.append(Messages.of_symbols((signs % 3).astype(np.uint8), 2))
        elif mode == TRITS:
            padded = np.zeros(whole // 8 * len(_POWERS), np.uint8)
            padded[:d] = signs % 3
            parts.append(Messages.of_symbols(padded.reshape(-1, len(_POWERS)) @ _POWERS, 8))
        else:
            below = (signs[places] < 0).astype(np.uint8)
            parts += [number, indices.write(places, d), Messages.of_symbols(below, 1)]
        return Messages.one(parts)

    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        parts = inside(reader)
        mode = int(parts.fixed(1, MODE_BITS)[0, 0])
        parts.aside("how trits are coded", [mode])
        x = np.zeros(d, np.float32)
        if mode != NOTHING:
            scale = np.float32(numbers.read_magnitude(parts))
            if mode == SPARSE:
                places = indices.read_counted(parts, d)
                x[places] = np.where(parts.symbols(places.size, 1) == 1, -scale, scale)
                parts.note("signs")
            else:
                x[...] = np.array([0, scale, -scale], np.float32)[_trits(parts, mode, d)]
                parts.note("trits", x)
        close(reader, parts)
        return x

    def distortion(self, d: int) -> float:
        """Proposition Q6 of docs/bounds.md."""
        t = self.threshold or _USUAL.get(self.rule, 0.0)
        if self.rule == "max":
            kept = 4 * t / (1 + t) ** 2 / (1 + (d - 1) * t * t)
        elif self.rule == "mean":
            kept = (4 * t * (1 - t) if t > 0.5 else 1) / d
        elif self.rule == "top_k":
            k = indices.size("ternary", d, self.count, self.density)
            kept = min(1 / k, k / d)
        else:
            kept = 1 / (1 + float(np.log(d)))
        return 1 - kept + _ROUNDING

    def paper_bits(self, x: Vector) -> float | None:
        """A scale and two bits a coordinate."""
        return 32 + 2 * x.size

    def _kept(self, x: Vector, size: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.rule == "max":
            return np.asarray(size >= (self.threshold or _USUAL["max"]) * size.max())
        if self.rule == "mean":
            return np.asarray(size > (self.threshold or _USUAL["mean"]) * size.mean())
        if self.rule == "top_k":
            k = indices.size("ternary", x.size, self.count, self.density)
        else:
            sums = np.cumsum(np.sort(size)[::-1])
            k = 1 + int((sums * (sums / np.arange(1, x.size + 1))).argmax())
        kept = np.zeros(x.size, np.bool_)
        kept[largest(x, k)] = True
        return kept


def _mode(mode: int) -> Messages:
    return Fixed(1 << MODE_BITS).encode(np.array([[mode]])).pack()


def _trits(parts: BitReader, mode: int, d: int) -> NDArray[np.uint8]:
    """0, 1 or 2 for 0, plus and minus, uint8 (d,). Raises WireError for what is none."""
    if mode == PLAIN:
        found = parts.symbols(d, 2)
        if d and int(found.max()) > 2:
            raise WireError("a coordinate is neither minus, zero nor plus")
        return found
    groups = parts.symbols(-(-d // len(_POWERS)), 8)
    found = (groups[:, None] // _POWERS % 3).ravel()
    if bool((groups > 242).any()) or bool(found[d:].any()):
        raise WireError("a byte is no five coordinates of minus, zero or plus")
    return found[:d]
