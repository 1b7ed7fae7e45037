"""Nuqsgd: levels that fall by a constant ratio, so that small coordinates keep their size."""

from dataclasses import dataclass
from typing import Literal

from distest.errors import UsageError
from distest.kernels.quantise import Levels
from distest.sgd.buckets import ROUNDING, BucketQuantiser, check_bits, check_bucket, check_code

_RATIOS = {2: 0.1, 3: 0.5, 4: 0.5, 5: 0.5, 6: 0.9, 7: 0.9, 8: 0.95}


@dataclass(frozen=True, kw_only=True)
class Nuqsgd(BucketQuantiser):
    """A norm for every bucket, and for every coordinate its sign and a level multiplier^j, at random.

    bits: of a coordinate in the code "fixed", 2 to 8. norm: "l2", the method of the paper, or "max". bucket:
    coordinates that share a norm. levels: "zero", 0 and multiplier^j for j = 0..2^(bits-1) - 2; "nozero", multiplier^j
    for j = 0..2^(bits-1) - 1 and no 0, as the code behind published figures has it. multiplier: above 0, at most
    0.999; by default 0.1 for 2 bits, 0.5 for 3 to 5, 0.9 for 6 and 7, 0.95 for 8: at 0.5 an eighth of the squared
    length may be lost however many bits there are. code: as of `qsgd`, of the index of a level.

    Source: Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD: Provably Communication-efficient
    Data-parallel SGD via Nonuniform Quantization" (2021).
    """

    bits: int
    norm: Literal["l2", "max"] = "l2"
    levels: Literal["zero", "nozero"] = "zero"
    multiplier: float | None = None

    def __post_init__(self) -> None:
        check_bits("nuqsgd", self.bits)
        check_bucket("nuqsgd", self.bucket)
        check_code("nuqsgd", self.code, self.levels)
        if not 0 < self._ratio <= 0.999:
            raise UsageError(f"the multiplier of nuqsgd is above 0 and at most 0.999, got {self.multiplier}")
        if self._levels.magnitudes()[int(self.levels == "zero")] < 2.0**-126:
            lowest = f"{self.multiplier}^{self._levels.steps}"
            raise UsageError(f"the lowest level of nuqsgd is a normal float32, and {lowest} is not; take fewer bits")

    @property
    def _ratio(self) -> float:
        return _RATIOS[self.bits] if self.multiplier is None else self.multiplier

    @property
    def _levels(self) -> Levels:
        zero = self.levels == "zero"
        return Levels("powers", 2 ** (self.bits - 1) - 1 - zero, zero, self.bits, self._ratio)

    @property
    def _norm(self) -> tuple[str, float]:
        return self.norm, 0.0

    def distortion(self, d: int) -> float:
        """The worst case between levels plus that of the cell at 0 (Proposition Q2 of docs/bounds.md)."""
        d, m = min(d, self.bucket), self._ratio
        lowest = m**self._levels.steps
        ratio = (1 - m) ** 2 / (4 * m) if self._levels.steps else 0.0
        if self.levels == "nozero":
            least = lowest**2 * d
        else:
            least = lowest * d**0.5 - 1 if d * lowest**2 >= 4 else lowest**2 * d / 4
        return (ratio + least) * (1 + 16 * ROUNDING) + ROUNDING * lowest**2 * d
