"""Words, Messages and BitReader: exact lengths, no gaps, and a reader that never reads past the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words, close, inside
from distest.errors import WireError
from distest.kernels.bitpack import SPARE
from distest.watch import Watch

Row = list[tuple[int, int]]  # the fields of a message: (value, width)
FIELD = st.integers(0, 64).flatmap(lambda w: st.tuples(st.integers(0, (1 << w) - 1), st.just(w)))
ROWS = st.integers(1, 4).flatmap(lambda f: st.lists(st.lists(FIELD, min_size=f, max_size=f), max_size=9))


def words(rows: list[Row]) -> Words:
    fields = len(rows[0]) if rows else 1
    code = np.array([[v for v, _ in row] for row in rows], np.uint64).reshape(-1, fields)
    width = np.array([[w for _, w in row] for row in rows], np.uint8).reshape(-1, fields)
    return Words(code, width)


def text(rows: list[Row]) -> str:
    """The bits as characters: what a person would write down."""
    return "".join(format(v, f"0{w}b") for row in rows for v, w in row if w)


def bits(messages: Messages) -> str:
    return "".join(map(str, np.unpackbits(messages.data)[: messages.n_bits].tolist()))


def each(lengths: int | NDArray[np.int64], count: int) -> list[int]:
    return [int(x) for x in np.broadcast_to(np.asarray(lengths), count)]


@given(ROWS)
def test_words_are_packed_end_to_end_most_significant_bit_first(rows: list[Row]) -> None:
    packed = words(rows).pack()
    assert bits(packed) == text(rows)
    assert packed.n_bits == len(text(rows))
    assert packed.count == len(rows)
    assert each(packed.lengths, packed.count) == [sum(w for _, w in row) for row in rows]


@given(ROWS)
def test_bytes_that_travel_are_as_few_as_hold_the_bits_and_end_in_zeros(rows: list[Row]) -> None:
    packed = words(rows).pack()
    padded = text(rows) + "0" * (-len(text(rows)) % 8)
    assert packed.to_bytes() == bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))
    assert packed.data.size == len(packed.to_bytes()) + SPARE
    assert not packed.data[len(packed.to_bytes()) :].any()


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_join_leaves_no_gap_at_any_bit_position(parts: list[list[Row]]) -> None:
    joined = Messages.join([words(rows).pack() for rows in parts])
    rows = [row for part in parts for row in part]
    assert bits(joined) == text(rows)
    assert (joined.n_bits, joined.count) == (len(text(rows)), len(rows))
    assert each(joined.lengths, joined.count) == [sum(w for _, w in row) for row in rows]
    assert joined.data.size == (joined.n_bits + 7) // 8 + SPARE


@pytest.mark.parametrize("at", range(9))
def test_join_of_long_parts_is_the_same_on_the_compiled_road(at: int) -> None:
    random = np.random.Generator(np.random.Philox(at))
    head = Messages.of_symbols(np.ones(at, np.uint8), 1)
    symbols = random.integers(0, 8, 30_000).astype(np.uint8)
    joined = Messages.join([head, Messages.of_symbols(symbols, 3)])
    expected = "1" * at + "".join(format(s, "03b") for s in symbols.tolist())
    assert bits(joined) == expected


def test_join_keeps_one_length_where_all_are_equal_and_one_each_where_not() -> None:
    three, five = (Messages.of_symbols(np.ones(4, np.uint8), w) for w in (3, 5))
    nothing = Messages.join([])
    assert (nothing.n_bits, nothing.count, nothing.lengths) == (0, 0, 0)
    assert Messages.join([nothing, three, three]).lengths == 3
    assert each(Messages.join([three, five]).lengths, 8) == [3] * 4 + [5] * 4


def test_fields_beside_and_messages_stacked_cost_what_they_say() -> None:
    left, right = words([[(1, 1)], [(2, 2)]]), words([[(5, 3), (0, 1)], [(0, 0), (3, 2)]])
    assert bits(left.beside(right).pack()) == "1" + "1010" + "10" + "11"
    stacked = Words.stack([left, right])
    assert stacked.code.shape == (4, 2)
    assert bits(stacked.pack()) == "1" + "10" + "1010" + "11"
    assert each(stacked.pack().lengths, 4) == [1, 2, 4, 2]


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 70_003])
def test_symbols_of_one_width_are_packed_as_words_are(width: int, count: int) -> None:
    symbols = np.random.Generator(np.random.Philox(width)).integers(0, 1 << width, count).astype(np.uint8)
    fast = Messages.of_symbols(symbols, width)
    slow = Words(symbols[:, None].astype(np.uint64), np.full((count, 1), width, np.uint8)).pack()
    assert fast.to_bytes() == slow.to_bytes()
    assert (fast.n_bits, fast.count, fast.lengths) == (count * width, count, width)
    reader = BitReader(fast.data, fast.n_bits)
    assert np.array_equal(reader.symbols(count, width), symbols)
    assert reader.unread() == 0


@given(ROWS)
def test_a_reader_gives_back_every_field(rows: list[Row]) -> None:
    packed = words(rows).pack()
    reader = BitReader(packed.data, packed.n_bits)
    for row in rows:
        for value, width in row:
            assert int(reader.fixed(1, width)[0, 0]) == value
    assert reader.unread() == 0


@given(st.binary(max_size=12), st.integers(0, 7), st.integers(0, 20), st.integers(0, 64), st.integers(1, 3))
def test_a_reader_refuses_the_first_bit_too_many(data: bytes, less: int, count: int, width: int, fields: int) -> None:
    n_bits = max(0, 8 * len(data) - less)
    reader = BitReader(np.frombuffer(data, np.uint8), n_bits)
    if count * width * fields > n_bits:
        with pytest.raises(WireError, match="end early"):
            reader.fixed(count, width, fields)
        assert reader.unread() == n_bits
    else:
        assert reader.fixed(count, width, fields).shape == (count, fields)
        assert reader.unread() == n_bits - count * width * fields


def test_a_reader_asks_for_no_memory_before_it_knows_that_the_bits_are_there() -> None:
    reader = BitReader(np.zeros(1, np.uint8), 8)
    for ask in (reader.fixed, reader.symbols):
        with pytest.raises(WireError, match="bit 0 of 8 is reached"):
            ask(1 << 60, 8)


def test_a_reader_refuses_bits_that_were_announced_and_are_not_there() -> None:
    with pytest.raises(WireError, match="9 bits were announced, 8 are there"):
        BitReader(np.zeros(1, np.uint8), 9)


def test_a_reader_starts_at_any_bit() -> None:
    reader = BitReader(np.array([0b10110100], np.uint8), 8, 3)
    assert reader.fixed(1, 3)[0, 0] == 0b101
    assert np.array_equal(reader.symbols(2, 1), [0, 0])
    assert reader.unread() == 0


def test_symbols_are_read_from_the_middle_of_a_byte_too() -> None:
    symbols = (np.arange(70_000) % 8).astype(np.uint8)
    packed = Messages.join([Messages.of_symbols(np.ones(1, np.uint8), 1), Messages.of_symbols(symbols, 3)])
    reader = BitReader(packed.data, packed.n_bits)
    assert reader.symbols(1, 1)[0] == 1
    assert np.array_equal(reader.symbols(symbols.size, 3), symbols)


def test_a_reader_books_what_was_decoded_message_by_message() -> None:
    reader = BitReader(np.zeros(8, np.uint8), 64)
    assert reader.booked() == (0, 0)
    reader.fixed(3, 2)
    assert reader.booked() == (3, 2)
    reader.fixed(2, 3, fields=2)
    reader.took(2, np.array([1, 4]))
    count, lengths = reader.booked()
    assert count == 7
    assert each(lengths, count) == [2, 2, 2, 6, 6, 1, 4]
    assert reader.unread() == 64 - 23
    reader.fixed(0, 5)
    assert reader.booked()[0] == 7


@pytest.mark.parametrize("kind", [BitReader, Watch])
def test_a_reader_adds_up_what_it_was_told_is_side_information(kind: type[BitReader]) -> None:
    reader = kind(np.array([0b01111111, 255, 255, 255], np.uint8), 30)
    assert not reader.flag()  # a silent message
    for _ in range(2):
        parts = inside(reader)
        parts.fixed(1, 3)
        parts.aside("a norm", [7])
        parts.fixed(1, 4)
        parts.note("levels", [15])
        inner = inside(parts)
        inner.fixed(1, 2)
        inner.aside("a width")
        close(parts, inner)
        close(reader, parts)
    assert reader.side_bits == 1 + 2 * (3 + 2)
    reader.took(1, 11)
    reader.aside("the first", (), 4)
    reader.note("the others, and three of a kind among them", (), side=3)
    assert (reader.side_bits, reader.unread()) == (18, 0)
    if isinstance(reader, Watch):
        assert sum(part.side for part in reader.parts) == reader.side_bits
        assert [(part.start, part.stop) for part in reader.parts[-2:]] == [(19, 23), (23, 30)]


def test_booking_more_than_there_is_is_refused() -> None:
    reader = BitReader(np.zeros(1, np.uint8), 8)
    with pytest.raises(WireError):
        reader.took(1, np.array([9]))
    with pytest.raises(WireError):
        reader.took(1, -1)
    assert reader.unread() == 8


@settings(max_examples=30)
@given(st.integers(0, 200), st.integers(0, 64), st.integers(0, 7))
def test_bytes_behind_the_end_do_not_matter(count: int, width: int, at: int) -> None:
    random = np.random.Generator(np.random.Philox(count))
    n_bits = at + count * width
    clean = random.integers(0, 256, (n_bits + 7) // 8, dtype=np.uint8)
    dirty = np.concatenate((clean, np.full(SPARE, 0xFF, np.uint8)))
    read = [BitReader(data, n_bits, at).fixed(count, width) for data in (clean, dirty)]
    assert np.array_equal(read[0], read[1])


def test_a_reader_tells_nothing_about_lengths_or_the_rest() -> None:
    public = {name for name in dir(BitReader) if not name.startswith("_")}
    reads = {"fixed", "symbols", "flag", "silent", "need", "raw", "took", "inner"}
    assert public == reads | {"booked", "unread", "note", "aside", "side_bits"}


def test_silent_messages_are_read_as_by_flags_one_by_one() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        bits = (draw.random(200) < draw.choice([0.0, 0.02, 0.5])).astype(np.uint8)
        made = Messages.of_symbols(bits, 1)
        together, single = (BitReader(made.data, made.n_bits) for _ in range(2))
        places = []
        for reader in (together, single):
            place, found = 0, []
            while place < bits.size:
                before = place
                if reader is together:
                    place += reader.silent(min(bits.size - place, int(draw.integers(1, 90))))
                else:
                    place += not reader.flag()
                if place == before:
                    found.append(place)
                    reader.fixed(1, 1)
                    place += 1
            places.append(found)
            assert reader.unread() == 0
        assert places[0] == places[1] == np.flatnonzero(bits).tolist()
        assert together.booked() == single.booked() == (200, 1)
        assert together.side_bits == single.side_bits == 200 - bits.sum()
    with pytest.raises(WireError, match="end early"):
        BitReader(np.zeros(1, np.uint8), 5).silent(6)
