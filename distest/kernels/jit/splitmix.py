"""numba loop of `distest.kernels.splitmix`."""

from typing import Any

from distest.kernels.jit._jit import inline, kernel, u64

GAMMA = u64(0x9E3779B97F4A7C15)


@inline
def mix(z: Any) -> Any:
    """The finaliser of splitmix64: a bijection of 64-bit words whose outputs look independent."""
    z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    return z ^ (z >> u64(31))


@kernel
def fill(key: Any, first: Any, step: Any, out: Any) -> None:
    """out[i, j] = word j of party first + i * step."""
    stride = step * (GAMMA << u64(32))
    start = key + first * (GAMMA << u64(32))
    if out.shape[1] == 1:
        line = out[:, 0]
        for i in range(out.shape[0]):
            line[i] = mix(start + u64(i) * stride)
    else:
        for i in range(out.shape[0]):
            row = start + u64(i) * stride
            for j in range(out.shape[1]):
                out[i, j] = mix(row + u64(j) * GAMMA)
