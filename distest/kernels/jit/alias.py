"""numba loops of `distest.kernels.alias`."""

from typing import Any

from distest.kernels.jit._jit import i32, i64, inline, kernel, u64
from distest.kernels.jit.splitmix import GAMMA, mix

Array = Any


@kernel
def build(mass: Array, share: Any, threshold: Array, other: Array, stack: Array) -> None:
    """Alias table of integer masses, all summing to cells * share; `stack` is scratch of one entry a cell.

    Small cells pile up from the front of the stack, large ones from its end; ties go by index, so the table is a
    function of the masses alone.
    """
    cells = mass.size
    small, large = 0, cells
    for i in range(cells):
        if mass[i] < share:
            stack[small] = i
            small += 1
        else:
            large -= 1
            stack[large] = i
    while small > 0 and large < cells:
        small -= 1
        i, j = stack[small], stack[large]
        threshold[i], other[i] = mass[i], j
        mass[j] -= share - mass[i]
        if mass[j] < share:
            large += 1
            stack[small] = j
            small += 1
    for k in range(small):
        threshold[stack[k]], other[stack[k]] = share, stack[k]
    for k in range(large, cells):
        threshold[stack[k]], other[stack[k]] = share, stack[k]


@inline
def _symbol(w: Any, up: Any, rest: Any, threshold: Array, other: Array) -> Any:
    """The symbol drawn by a word: its top bits choose a cell, the rest is held against the threshold."""
    cell = i64(w >> up)
    a = other[cell]
    # branch-free: a where the rest is at or above the threshold, the cell itself below it
    return a + (i32(cell) - a) * i32(((w << rest) >> u64(1)) < threshold[cell])


@kernel
def sample(words: Array, cell_bits: Any, threshold: Array, other: Array, out: Array) -> None:
    """out[i] = symbol drawn by words[i]."""
    up, rest = u64(64 - cell_bits), u64(cell_bits)
    for i in range(words.size):
        out[i] = _symbol(words[i], up, rest, threshold, other)


@kernel
def draw(key: Any, first: Any, step: Any, cell_bits: Any, threshold: Array, other: Array, out: Array) -> None:
    """sample and splitmix.fill in one pass, one word a party: the words never see memory."""
    up, rest = u64(64 - cell_bits), u64(cell_bits)
    stride = step * (GAMMA << u64(32))
    start = key + first * (GAMMA << u64(32))
    for i in range(out.size):
        out[i] = _symbol(mix(start + u64(i) * stride), up, rest, threshold, other)
