"""numba loops of `distest.kernels.arithmetic`."""

from typing import Any

from distest.kernels.jit._jit import i64, inline, kernel, leading_zeros, load_be, u64

Array = Any
TOP = u64(1 << 62)
UNIT = u64(1 << 63)
LOW_31 = u64((1 << 31) - 1)


@inline
def ratio(x: Any, count: Any, a: Any, c: Any, law: Any) -> Any:
    """The weight of x + 1 over that of x, as a fraction."""
    if law == 0:
        return (count - x) * a, (x + 1) * c
    return (x + a) * (count - x), (x + 1) * (count - x + c - 1)


@inline
def scaled(weight: Any, numerator: Any, denominator: Any) -> Any:
    """weight * numerator / denominator, at most 1, in 32 fractional bits, rounded down."""
    top, bottom = u64(numerator), u64(denominator)
    length = u64(64) - leading_zeros(bottom)
    if length > u64(31):
        top, bottom = top >> (length - u64(31)), bottom >> (length - u64(31))
    factor = (top << u64(32)) // bottom
    return ((weight >> u64(31)) * factor + (((weight & LOW_31) * factor) >> u64(31))) >> u64(1)


@inline
def mode_of(count: Any, a: Any, c: Any, law: Any) -> Any:
    """The x of the largest weight."""
    if law == 0:
        return (count + 1) * a // (a + c)
    if a == 1:
        return i64(0)
    return max(i64(0), ((a - 1) * count - (c - 1) + (a + c - 3)) // (a + c - 2))


@inline
def shift_of(count: Any) -> Any:
    """Bits of a weight that do not count: frequencies of a table add up to about 2^44 at most."""
    return u64(62 - 44 + 64) - leading_zeros(u64(count))


@kernel
def fill(count: int, a: int, c: int, law: int, spans: Array, kind: int, at: int) -> None:
    """Frequencies from the mode up, all of them, and the first and last x of the walk, into spans[kind, at], int64."""
    shift = shift_of(count)
    mode = mode_of(count, a, c, law)
    up = i64(TOP >> shift) + 1
    high, weight = mode, TOP
    while high < count:
        top, bottom = ratio(high, count, a, c, law)
        weight = scaled(weight, top, bottom)
        frequency = i64(weight >> shift)
        if frequency == 0:
            break
        up += frequency + 1
        high += 1
    total, low, weight = up, mode, TOP
    while low > 0:
        top, bottom = ratio(low - 1, count, a, c, law)
        weight = scaled(weight, bottom, top)
        frequency = i64(weight >> shift)
        if frequency == 0:
            break
        total += frequency + 1
        low -= 1
    spans[kind, at, 0], spans[kind, at, 1] = up, total + count - (high - low)
    spans[kind, at, 2], spans[kind, at, 3] = low, high


@inline
def spanned(count: Any, a: Any, c: Any, law: Any, spans: Array, kind: Any) -> Any:
    """The four numbers of `fill`, from their place or made anew."""
    at = count if count < spans.shape[1] else 0
    if at == 0 or spans[kind, at, 0] == 0:
        fill(count, a, c, law, spans, kind, at)
    return spans[kind, at, 0], spans[kind, at, 1], spans[kind, at, 2], spans[kind, at, 3]


@inline
def add(words: Array, at: Any, number: Any) -> None:
    """Add a number of 63 bits to the bits from `at` on, with its carries."""
    place, offset = at >> 6, u64(at & 63)
    moved = number << u64(1)
    carry = False
    if offset > u64(0):
        tail = moved << (u64(64) - offset)
        words[place + 1] += tail
        carry = words[place + 1] < tail
    head = moved >> offset
    words[place] += head
    over = words[place] < head
    if carry:
        words[place] += u64(1)
        over = over or words[place] == u64(0)
    while over:
        place -= 1
        words[place] += u64(1)
        over = words[place] == u64(0)


@inline
def ending(low: Any, span: Any) -> Any:
    """The fewest bits more, 0 to 2, that stay in [low, low + span) whatever follows, and how far up they lie."""
    more, unit = 0, UNIT
    up = (u64(0) - low) & (unit - u64(1))
    while up + unit > span:
        more += 1
        unit = unit >> u64(1)
        up = (u64(0) - low) & (unit - u64(1))
    return more, up


@kernel
def encode(
    rows: Array, n: int, law: int, longest: int, spans: Array, stack: Array, words: Array, row: int, at: int,
    lengths: Array,
) -> tuple[int, int]:  # fmt: skip
    """Write rows from `row` on into zeroed words uint64, most significant bit first, from bit `at` on.

    Stops where a row of `longest` bits might not fit. Returns the next row and the next bit.
    """
    m, s = rows.shape
    while row < m and at + longest <= 64 * words.size:
        begin_of_row, span, top = at, UNIT, 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3], stack[0, 4] = 0, n, 0, s, 0
        while top > 0:
            top -= 1
            first, k, begin = stack[top, 0], stack[top, 1], stack[top, 2]
            end, depth = stack[top, 3], stack[top, 4]
            count = end - begin
            if count == 0 or k == 1:
                continue
            if count == 1:
                below, frequency, total = rows[row, begin] - first, i64(1), k
            else:
                a = (k + 1) // 2
                c = k - a
                left, right = begin, end
                while left < right:
                    half = (left + right) // 2
                    if rows[row, half] < first + a:
                        left = half + 1
                    else:
                        right = half
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = first + a, c, left, end
                stack[top, 4], stack[top + 1, 4] = depth + 1, depth + 1
                top += 1
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = first, a, begin, left
                top += 1
                x = left - begin
                up, total, low, high = spanned(count, a, c, law, spans, 2 * depth + (k & 1))
                if x < low or x > high:
                    below, frequency = total - (count - (high - low)) + x, i64(1)
                    if x > high:
                        below -= high - low + 1
                else:
                    shift = shift_of(count)
                    here, weight = mode_of(count, a, c, law), TOP
                    below = i64(0) if x >= here else up
                    while here < x:
                        below += i64(weight >> shift) + 1
                        over, under = ratio(here, count, a, c, law)
                        weight = scaled(weight, over, under)
                        here += 1
                    while here > x:
                        over, under = ratio(here - 1, count, a, c, law)
                        weight = scaled(weight, under, over)
                        here -= 1
                        if here > x:
                            below += i64(weight >> shift) + 1
                    frequency = i64(weight >> shift) + 1
            each = span // u64(total)
            if below > 0:
                add(words, at, each * u64(below))
            span = each * u64(frequency)
            moved = leading_zeros(span - u64(1)) - u64(1)
            span = span << moved
            at += i64(moved)
        place, offset = at >> 6, u64(at & 63)
        window = words[place] << offset
        if offset > u64(0):
            window |= words[place + 1] >> (u64(64) - offset)
        more, up_by = ending(window >> u64(1), span)
        add(words, at, up_by)
        at += more
        lengths[row] = at - begin_of_row
        row += 1
    return row, at


@inline
def byte_word(data: Array, place: Any) -> Any:
    """8 bytes from a byte on, zeros behind the end."""
    if place + 8 <= data.size:
        return load_be(data, place)
    word = u64(0)
    for j in range(8):
        word = word << u64(8)
        if place + j < data.size:
            word |= u64(data[place + j])
    return word


@inline
def bits(data: Array, at: Any, width: Any) -> Any:
    """`width` bits, 1 to 63, from bit `at` on, zeros behind the end; width uint64."""
    place, offset = at >> 3, u64(at & 7)
    word = byte_word(data, place) << offset
    if place + 8 < data.size:
        word |= u64(data[place + 8]) >> (u64(8) - offset)
    return word >> (u64(64) - width)


@kernel
def decode(
    data: Array, start: int, limit: int, n: int, law: int, spans: Array, stack: Array, rows: Array, lengths: Array
) -> int:
    """The mirror of encode, into rows and lengths. Returns 0; or, where row i is cut short, -1 - 2 i,
    and where it is no code word, -2 - 2 i.
    """
    m, s = rows.shape
    at = start
    for row in range(m):
        begin_of_row, span, top, out = at, UNIT, 1, 0
        value = bits(data, at, u64(63))
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, n, s, 0
        while top > 0:
            top -= 1
            first, k, count, depth = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3]
            if count == 0:
                continue
            if k == 1:
                for j in range(out, out + count):
                    rows[row, j] = first
                out += count
                continue
            a = (k + 1) // 2
            c = k - a
            if count == 1:
                total = k
                each = span // u64(total)
                target = value // each
                if target >= u64(total):
                    return -2 - 2 * row
                below, frequency = i64(target), i64(1)
                rows[row, out] = first + below
                out += 1
            else:
                up, total, low, high = spanned(count, a, c, law, spans, 2 * depth + (k & 1))
                each = span // u64(total)
                if value // each >= u64(total):
                    return -2 - 2 * row
                aim = i64(value // each)
                walked = total - (count - (high - low))
                if aim >= walked:
                    x, below, frequency = aim - walked, aim, i64(1)
                    if x >= low:
                        x += high - low + 1
                else:
                    shift = shift_of(count)
                    x, weight, below = mode_of(count, a, c, law), TOP, i64(0)
                    frequency = i64(weight >> shift) + 1
                    if aim < up:
                        while aim >= below + frequency:
                            below += frequency
                            over, under = ratio(x, count, a, c, law)
                            weight = scaled(weight, over, under)
                            frequency = i64(weight >> shift) + 1
                            x += 1
                    else:
                        below, frequency = up, i64(0)
                        while aim >= below + frequency:
                            below += frequency
                            over, under = ratio(x - 1, count, a, c, law)
                            weight = scaled(weight, under, over)
                            frequency = i64(weight >> shift) + 1
                            x -= 1
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = first + a, c, count - x, depth + 1
                top += 1
                stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = first, a, x, depth + 1
                top += 1
            value -= each * u64(below)
            span = each * u64(frequency)
            moved = leading_zeros(span - u64(1)) - u64(1)
            if moved > u64(0):
                span = span << moved
                value = (value << moved) | bits(data, at + 63, moved)
                at += i64(moved)
            if at > limit:
                return -1 - 2 * row
        window = (bits(data, at, u64(63)) - value) & (UNIT - u64(1))
        more, up_by = ending(window, span)
        if at + more > limit:
            return -1 - 2 * row
        if value < up_by or value - up_by >= UNIT >> u64(more):
            return -2 - 2 * row
        at += more
        lengths[row] = at - begin_of_row
    return 0
