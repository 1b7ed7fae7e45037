"""numba loop of `distest.kernels.quantise.relay`: symbols are added to a vector and that is coded, bucket by bucket."""

from typing import Any

from distest.kernels.jit._jit import i64, kernel, u64
from distest.kernels.jit._lanes import f32, fetch_soon
from distest.kernels.jit.planes import unpack_block
from distest.kernels.jit.quantise import AHEAD, norm_of_blocks, ordinary, rounded
from distest.kernels.jit.rounding import UNIFORM, values_of
from distest.kernels.jit.splitmix import GAMMA

Array = Any


@kernel
def relay(
    data: Array, told: Array, told_width: int, told_steps: int, scale: Any, share: Any, base: Array, bucket: int,
    norm: int, width: int, steps: int, levels: Array, start: Any, strides: Array, draws: Array, halves: Array,
    room: Array, room_bits: Array, symbols: Array, norms: Array, out: Array,
) -> Any:  # fmt: skip
    """`encode_blocks` of the vector that `decode_blocks` gives with a base; all levels are UNIFORM.

    told: the norms in data. room, room_bits: the same memory as float32 and uint32, for a bucket.
    """
    at, found, told_nibbles = 0, 0, told_width == 4
    for place in range(norms.size):
        begin, before = place * bucket, found
        if begin + bucket > base.size:
            return place, at, before
        for line in range(0, bucket, 16):
            fetch_soon(base, i64(begin + max(bucket, AHEAD) + line))
        if told[place] == f32(0):
            for j in range(bucket):
                room[j] = base[begin + j] * share
        else:
            for block in range(0, bucket, 512):
                if not told_nibbles:
                    unpack_block(data[found : found + 64 * told_width], told_width, symbols)
                some, first = (data, found) if told_nibbles else (symbols, 0)
                values_of(
                    some, first, 512, told_nibbles, UNIFORM, told_width, told_steps, told[place], levels, scale, True,
                    share, base, begin + block, room, block,
                )  # fmt: skip
                found += 64 * told_width
        size = norm_of_blocks(room, room_bits, 0, bucket, norm)
        norms[place] = size
        if size == f32(0):
            continue
        if not ordinary(size):
            return place, at, before
        for block in range(0, bucket, 512):
            words = start + u64((begin + block) >> 2) * GAMMA
            rounded(
                room_bits, block, words, UNIFORM, width, steps, size, levels, strides, draws, halves, symbols, out, at
            )  # fmt: skip
            at += 64 * width
    return norms.size, at, found
