"""numba loops of `distest.kernels.largest`. Magnitudes are compared as the integers that their bits are."""

from typing import Any

from distest.kernels.jit._jit import at_least_of_64, i64, kernel, set_bits, trailing_zeros, u32, u64

Array = Any


@kernel
def collect(data: Array, bits: Array, least: Any, places: Array, sizes: Array) -> int:
    """Places, rising, and bits of the magnitudes that have bits of at least `least`; how many there are, or -1.

    data: uint8, the same memory as bits uint32 (d,). places int64 and sizes uint32 have room for 66 more than are
    wanted; -1 where that is not enough. Sixty-four comparisons make one word. Two places are written whether there
    are any or not, since few words hold more and a branch that nobody can predict costs more than both.
    """
    found = 0
    whole = bits.size & ~63
    for base in range(0, whole, 64):
        if found + 66 > places.size:
            return -1
        mask = at_least_of_64(data, 4 * base, u32(least))
        end = found + i64(set_bits(mask))
        for slot in range(2):
            i = base + (i64(trailing_zeros(mask)) & 63)
            places[found + slot] = i
            sizes[found + slot] = bits[i] & u32(0x7FFFFFFF)
            mask &= mask - u64(1)
        found += 2
        while mask != u64(0):
            i = base + i64(trailing_zeros(mask))
            places[found] = i
            sizes[found] = bits[i] & u32(0x7FFFFFFF)
            found += 1
            mask &= mask - u64(1)
        found = end
    if found + 66 > places.size:
        return -1
    for i in range(whole, bits.size):
        size = bits[i] & u32(0x7FFFFFFF)
        if size >= u32(least):
            places[found] = i
            sizes[found] = size
            found += 1
    return found


@kernel
def cut(places: Array, sizes: Array, least: Any, equal: int, out: Array) -> None:
    """The places of sizes above `least`, and of the first `equal` that equal it, in their order.

    out has a spare entry behind the last.
    """
    found = 0
    for j in range(sizes.size):
        tie = i64(sizes[j] == u32(least)) & i64(equal > 0)
        out[found] = places[j]
        found += i64(sizes[j] > u32(least)) + tie
        equal -= tie


@kernel
def high_digits(bits: Array, counts: Array) -> None:
    """counts[h] += 1 for the upper 15 bits h of each magnitude."""
    for i in range(bits.size):
        counts[i64((bits[i] & u32(0x7FFFFFFF)) >> u32(16))] += 1


@kernel
def low_digits(bits: Array, high: Any, counts: Array) -> None:
    """counts[l] += 1 for the lower 16 bits l of each magnitude whose upper 15 bits are `high`."""
    for i in range(bits.size):
        size = bits[i] & u32(0x7FFFFFFF)
        if (size >> u32(16)) == u32(high):
            counts[i64(size & u32(0xFFFF))] += 1
