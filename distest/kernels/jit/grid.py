"""numba loops of `distest.kernels.grid`: change, radius, place on the grid, the memory after it and two sums."""

from typing import Any

from distest.kernels.jit._jit import f64, i32, i64, inline, kernel, u8, u32
from distest.kernels.jit._lanes import LANES, bits_of, both, f32, float_of, squares_onto
from distest.kernels.jit.quantise import folded
from distest.kernels.jit.rounding import MAGNITUDE

Array = Any
CHUNK = 512


@inline
def _tell(
    new: Array, memory: Array, vector: Array, block: int, gaps: int, radii: Array, symbols: Array, room: Array,
    sums: Array, keep: bool
) -> Any:  # fmt: skip
    """How many symbols there are. keep: whether anybody asks for more than sums and radii."""
    said, missed = room[0], room[1]
    step, fill = f64(2) / f64(gaps), i64(0)
    for place in range(radii.size):
        fresh, known = new[place * block :][:block], memory[place * block :][:block]
        top = u32(0)
        for j in range(fresh.size):
            here = both(bits_of(fresh[j] - known[j]), MAGNITUDE)
            top = here if here > top else top
        radii[place] = float_of(top)
    for lane in range(LANES):
        sums[0, lane] = f64(0)
        sums[1, lane] = f64(0)
    for start in range(0, new.size, CHUNK):
        stop = min(start + CHUNK, new.size)
        fresh, known = new[start:stop], memory[start:stop]
        begin = start
        while begin < stop:
            place = begin // block
            end = min(stop, place * block + block)
            first, count = begin - start, end - begin
            some, old, told_here = fresh[first : first + count], known[first : first + count], said[first:]
            wide = f64(radii[place])
            factor = f64(gaps) / (f64(2) * wide)
            if radii[place] == f32(0):
                for j in range(count):
                    told_here[j] = f32(0)
            elif keep:
                levels = symbols[fill : fill + count]
                for j in range(count):
                    levels[j] = u8(i32((f64(some[j] - old[j]) + wide) * factor + f64(0.5)))
                for j in range(count):
                    told_here[j] = f32(wide * (f64(levels[j]) * step - f64(1)))
                fill += count
            else:
                for j in range(count):
                    level = f64(i32((f64(some[j] - old[j]) + wide) * factor + f64(0.5)))
                    told_here[j] = f32(wide * (level * step - f64(1)))
            begin = end
        if keep:
            after = vector[start:stop]
            for j in range(stop - start):
                after[j] = known[j] + said[j]
        for j in range(stop - start):
            missed[j] = fresh[j] - (known[j] + said[j])
        groups = (stop - start + LANES - 1) // LANES
        for j in range(stop - start, groups * LANES):
            said[j] = f32(0)
            missed[j] = f32(0)
        squares_onto(said, i64(groups), sums[0])
        squares_onto(missed, i64(groups), sums[1])
    return fill


@kernel
def told(
    new: Array, memory: Array, vector: Array, block: int, gaps: int, radii: Array, symbols: Array, room: Array,
    sums: Array
) -> Any:  # fmt: skip
    """Sums of squares of what is told and of what is lost; how many symbols there are. vector: what the memory becomes.
    gaps: between points. room: float32 (2, CHUNK), and sums: float64 (2, LANES), are scratch.
    """
    count = _tell(new, memory, vector, block, gaps, radii, symbols, room, sums, True)
    return folded(sums[0]), folded(sums[1]), count


@kernel
def weighed(
    new: Array, memory: Array, block: int, gaps: int, radii: Array, symbols: Array, room: Array, sums: Array, out: Array
) -> None:  # fmt: skip
    """out = the two sums of `told` for each row of new and memory. symbols: not touched."""
    for row in range(out.shape[0]):
        _tell(new[row], memory[row], memory[row], block, gaps, radii, symbols, room, sums, False)
        out[row, 0] = folded(sums[0])
        out[row, 1] = folded(sums[1])
