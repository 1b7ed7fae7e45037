"""numba twin of `distest.kernels.below`, for the kernels that need integers on the way."""

from typing import Any

from distest.kernels.jit._jit import inline, u64


@inline
def below(word: Any, n: Any) -> Any:
    """floor(word n / 2^64) for uint64 n below 2^32."""
    return ((word >> u64(32)) * n + (((word & u64(0xFFFFFFFF)) * n) >> u64(32))) >> u64(32)
