"""Task: the public parameters of a learning problem."""

from dataclasses import dataclass
from typing import Literal

from distest.errors import UsageError

Loss = Literal["l1", "l2"]
Family = Literal["all", "sparse", "histogram", "monotone"]


@dataclass(frozen=True, slots=True)
class Task:
    """Learn a distribution on n symbols from m servers with s samples each.

    n: domain size, 2 <= n < 2^31. m: servers, 1 <= m < 2^32. s: samples per server, at least 1. loss: what a
    protocol may tune itself for, "l2" or "l1". Raises UsageError outside these ranges.
    """

    n: int
    m: int
    s: int = 1
    loss: Loss = "l2"

    def __post_init__(self) -> None:
        if not 2 <= self.n < 1 << 31:
            raise UsageError(f"a distribution to learn has 2 <= n < 2^31 symbols, got n={self.n}")
        if not 1 <= self.m < 1 << 32:
            raise UsageError(f"there are 1 <= m < 2^32 servers, got m={self.m}")
        if not 1 <= self.s < 1 << 31:
            raise UsageError(f"every server has 1 <= s < 2^31 samples, got s={self.s}")
        if self.loss not in ("l1", "l2"):
            raise UsageError(f"the loss is 'l1' or 'l2', got {self.loss!r}")
