"""numba loops of `distest.kernels.grid`: change, radius, place on the grid, the memory after it and two sums."""

from typing import Any

from distest.kernels.jit._jit import f64, i32, i64, kernel, u8, u32, u64
from distest.kernels.jit._lanes import LANES, bits_of, both, f32, float_of
from distest.kernels.jit.quantise import folded
from distest.kernels.jit.rounding import MAGNITUDE

Array = Any
CHUNK = 512


@kernel
def told(
    new: Array, memory: Array, vector: Array, block: int, gaps: int, radii: Array, symbols: Array, room: Array
) -> Any:  # fmt: skip
    """Sums of squares of what is told and of what is lost; how many symbols there are. vector: what the memory becomes.
    gaps: between points. room: float64 (2, CHUNK + LANES), scratch.
    """
    said, missed = room[0], room[1]
    step, fill = f64(2) / f64(gaps), i64(0)
    for place in range(radii.size):
        fresh, known = new[place * block :][:block], memory[place * block :][:block]
        top = u32(0)
        for j in range(fresh.size):
            here = both(bits_of(fresh[j] - known[j]), MAGNITUDE)
            top = here if here > top else top
        radii[place] = float_of(top)
    for lane in range(CHUNK, CHUNK + LANES):
        said[lane] = f64(0)
        missed[lane] = f64(0)
    for start in range(0, new.size, CHUNK):
        stop = min(start + CHUNK, new.size)
        fresh, known, after = new[start:stop], memory[start:stop], vector[start:stop]
        begin = start
        while begin < stop:
            place = begin // block
            end = min(stop, place * block + block)
            first, count = begin - start, end - begin
            some, old, told_here = fresh[first : first + count], known[first : first + count], said[first:]
            if radii[place] == f32(0):
                for j in range(count):
                    told_here[j] = f64(0)
            else:
                wide = f64(radii[place])
                factor = f64(gaps) / (f64(2) * wide)
                levels = symbols[fill : fill + count]
                for j in range(count):
                    levels[j] = u8(i32((f64(some[j] - old[j]) + wide) * factor + f64(0.5)))
                for j in range(count):
                    told_here[j] = f64(f32(wide * (f64(levels[j]) * step - f64(1))))
                fill += count
            begin = end
        for j in range(stop - start):
            after[j] = known[j] + f32(said[j])
            missed[j] = f64(fresh[j] - after[j])
        for j in range(stop - start, CHUNK):
            said[j] = f64(0)
            missed[j] = f64(0)
        for which in range(2):
            values = room[which]
            line = values[CHUNK:]
            for group in range(u64((stop - start + LANES - 1) // LANES)):
                for lane in range(u64(LANES)):
                    here = values[group * u64(LANES) + lane]
                    line[lane] += here * here
    return folded(said[CHUNK:]), folded(missed[CHUNK:]), fill


@kernel
def weighed(
    new: Array, memory: Array, vector: Array, block: int, gaps: int, radii: Array, symbols: Array, room: Array,
    out: Array,
) -> None:  # fmt: skip
    """As `told` for each row of new and memory; out: the two sums of each. What else is found is scratch."""
    for row in range(out.shape[0]):
        size, lost, _ = told(new[row], memory[row], vector, block, gaps, radii, symbols, room)
        out[row, 0] = size
        out[row, 1] = lost
