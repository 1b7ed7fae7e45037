"""Terngrad: minus, zero or plus the greatest magnitude."""

from dataclasses import dataclass

from distest.errors import UsageError
from distest.kernels.quantise import Levels
from distest.sgd.buckets import ROUNDING, BucketQuantiser, check_bucket


@dataclass(frozen=True)
class Terngrad(BucketQuantiser):
    """Every coordinate becomes -n, 0 or n at random, n the greatest magnitude of its bucket, after clipping.

    clip: what is greater than clip root mean squares of the bucket is cut down to that, so the mean is off; 0 for no
    clipping, then it is right. bucket: coordinates that share n. code: "fixed", 2 bits a coordinate, or
    another of those of `qsgd`.

    Source: Wen, Xu, Yan, Wu, Wang, Chen, Li, "TernGrad: Ternary Gradients to Reduce Communication in Distributed Deep
    Learning" (2017), which clips at 2.5 deviations of gradients taken to have mean 0.
    """

    clip: float = 2.5

    def __post_init__(self) -> None:
        check_bucket("terngrad", self.bucket)
        if not (self.clip == 0 or 1 <= self.clip < float("inf")):
            raise UsageError(f"terngrad clips at 1 root mean square or above, 0 for no clipping, got clip={self.clip}")

    @property
    def unbiased(self) -> bool:  # type: ignore[override]  # here it depends on an option
        """Without clipping."""
        return self.clip == 0

    @property
    def _levels(self) -> Levels:
        return Levels("uniform", 1, True, 2)

    @property
    def _norm(self) -> tuple[str, float]:
        return ("clipped", self.clip) if self.clip else ("max", 0.0)

    def distortion(self, d: int) -> float:
        """Proposition Q3 of docs/bounds.md; attained without clipping."""
        d, c = min(d, self.bucket), self.clip
        rounding = ROUNDING * d
        if c == 0 or d <= c * c:
            return float((d**0.5 - 1) / 2 + rounding)
        return (1 + c * c / 8 if c <= 4 else c - 1) + rounding * c * c / d
