"""Qsgd: levels at equal distances, under the Euclidean or the maximum norm of a bucket."""

from dataclasses import dataclass
from typing import Literal

from distest.kernels.quantise import Levels
from distest.sgd.buckets import ROUNDING, BucketQuantiser, check_bits, check_bucket, check_code


@dataclass(frozen=True, kw_only=True)
class Qsgd(BucketQuantiser):
    """A norm for every bucket, and for every coordinate its sign and one of equally spaced levels, at random.

    bits: of a coordinate in the code "fixed", 2 to 8. norm: "l2", the method of the paper; "max", which its
    experiments used. bucket: coordinates that share a norm. levels: "zero", 0, 1/s, ..., 1 with s = 2^(bits-1) - 1;
    "nozero", the odd multiples of 1 / (2^bits - 1), as the code behind published figures has it. code: "fixed";
    "rans", nearly the entropy of the symbols; the paper's "dense", and "elias", which pays where most coordinates are
    rounded to 0; "rice", like it; "shortest", for each bucket the best of fixed, elias and rice.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
    Encoding" (2017), Section 3.
    """

    bits: int
    norm: Literal["l2", "max"] = "l2"
    levels: Literal["zero", "nozero"] = "zero"

    def __post_init__(self) -> None:
        check_bits("qsgd", self.bits)
        check_bucket("qsgd", self.bucket)
        check_code("qsgd", self.code, self.levels)

    @property
    def _levels(self) -> Levels:
        zero = self.levels == "zero"
        return Levels("uniform", 2 ** (self.bits - zero) - 1, zero, self.bits)

    @property
    def _norm(self) -> tuple[str, float]:
        return self.norm, 0.0

    def distortion(self, d: int) -> float:
        """The worst case of a bucket (Proposition Q1 of docs/bounds.md, which says where it is attained)."""
        d, s = min(d, self.bucket), self._levels.steps
        rounding = ROUNDING * d / s**2
        if self.levels == "nozero":
            return (d - (self.norm == "max")) / s**2 + rounding
        if self.norm == "max":
            return float(((1 + (d - 1) / s**2) ** 0.5 - 1) / 2 + rounding)
        return float((d**0.5 / s - 1 if d >= 4 * s**2 else d / (4 * s**2)) + rounding)
