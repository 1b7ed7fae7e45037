"""numba loops of `distest.kernels.alias`."""

from typing import Any

from distest.kernels.jit._jit import i32, i64, kernel, u64

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


@kernel
def sample(words: Array, cell_bits: Any, threshold: Array, other: Array, out: Array) -> None:
    """out[i] = symbol drawn by words[i]: its top bits choose a cell, the rest is held against the threshold."""
    up = u64(64 - cell_bits)
    rest = u64(cell_bits)
    for i in range(words.size):
        w = words[i]
        cell = i64(w >> up)
        a = other[cell]
        # branch-free: a where the rest is at or above the threshold, the cell itself below it
        out[i] = a + (i32(cell) - a) * i32(((w << rest) >> u64(1)) < threshold[cell])
