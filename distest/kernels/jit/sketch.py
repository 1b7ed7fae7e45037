"""numba loops of `distest.kernels.sketch`: blocks of keys with the same high character, row by row."""

from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, u32, u64

Array = Any


@inline
def _bucket(hash_: Any, columns: Any) -> Any:
    """The lower 31 bits of a hash, spread over range(columns); unsigned, so that no index counts from the end."""
    return u32((u64(hash_ & u32(0x7FFFFFFF)) * u64(columns)) >> u64(31))


@inline
def _sign(hash_: Any) -> Any:
    """0 or -1, by the upper bit of a hash."""
    return -i64(hash_ >> u32(31))


@kernel
def insert(values: Array, low: Array, high: Array, both: Array, scratch: Array, buckets: Array, table: Array) -> None:
    """table[j, bucket_j(i)] += sign_j(i) values[i], all int64.

    low, high, both: uint32 (rows, ...), the tables of characters; scratch int64 and buckets uint32 (low.shape[1],).
    """
    size = low.shape[1]
    columns = u32(table.shape[1])
    for group in range(0, high.shape[1], 128):  # the counters of a row stay near for many blocks
        for row in range(table.shape[0]):
            line = table[row]
            for top in range(group, min(group + 128, high.shape[1])):
                base = top * size
                here = min(size, values.size - base)
                part = values[base : base + here]
                first, second, third = high[row, top], low[row], both[row, top : top + size]
                for j in range(here):
                    hash_ = first ^ second[j] ^ third[j]
                    flip = _sign(hash_)
                    buckets[j] = _bucket(hash_, columns)
                    scratch[j] = (part[j] ^ flip) - flip
                for j in range(here):
                    line[buckets[j]] += scratch[j]


@inline
def _medians_of_five(rows: Array, here: int, out: Array) -> None:
    """The medians of the first columns of five rows, in registers: of the usual number of rows."""
    one, two, three, four, five = rows[0], rows[1], rows[2], rows[3], rows[4]
    for j in range(here):
        a, b, c, d = one[j], two[j], three[j], four[j]
        e, f = max(min(a, b), min(c, d)), min(max(a, b), max(c, d))
        out[j] = max(min(e, f), min(max(e, f), five[j]))


@kernel
def query(
    table: Array,
    low: Array,
    high: Array,
    both: Array,
    steps: Array,
    scratch: Array,
    flips: Array,
    buckets: Array,
    out: Array,
) -> None:
    """out[i] = median over rows of sign_j(i) table[j, bucket_j(i)], all int64.

    steps: int64 (steps, 2), pairs of rows that are put in order, after which the median is in the middle row of
    scratch, int64 (rows, low.shape[1]). flips int64 and buckets uint32 (low.shape[1],) are scratch as well.
    """
    size = low.shape[1]
    columns = u32(table.shape[1])
    middle = scratch[table.shape[0] // 2]
    for top in range(high.shape[1]):
        base = top * size
        here = min(size, out.size - base)
        for row in range(table.shape[0]):
            first, second, third = high[row, top], low[row], both[row, top : top + size]
            line, found = table[row], scratch[row]
            for j in range(here):
                hash_ = first ^ second[j] ^ third[j]
                buckets[j] = _bucket(hash_, columns)
                flips[j] = _sign(hash_)
            for j in range(here):
                found[j] = line[buckets[j]]
            for j in range(here):
                found[j] = (found[j] ^ flips[j]) - flips[j]
        if table.shape[0] == 5:
            _medians_of_five(scratch, here, out[base : base + here])
            continue
        for step in range(steps.shape[0]):
            upper, lower = scratch[steps[step, 0]], scratch[steps[step, 1]]
            for j in range(here):
                a, b = upper[j], lower[j]
                upper[j] = min(a, b)
                lower[j] = max(a, b)
        for j in range(here):
            out[base + j] = middle[j]
