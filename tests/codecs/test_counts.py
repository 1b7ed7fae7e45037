"""Counts by arithmetic coding: exact round trips on both roads, messages that end themselves, lengths."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.codecs.counts import Counts
from distest.codecs.golomb import Golomb
from distest.codecs.multiset import Multiset
from distest.errors import UsageError, WireError
from distest.kernels import arithmetic

Ints = NDArray[np.int64]
LAWS: Any = ("binomial", "multiset")
TABLE = [
    (256, 16, 84.2), (256, 256, 476.2), (256, 4096, 1026.0), (4096, 64, 472.5), (4096, 1024, 3642.6),
    (4096, 4096, 7703.0),
]  # fmt: skip


@pytest.fixture(params=["small", "kernel"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "worth_compiling", lambda n_items: request.param == "kernel")


def lengths_of(code: Counts | Multiset, rows: Ints) -> Ints:
    messages = code.pack(rows)
    return np.array(np.broadcast_to(np.asarray(messages.lengths, np.int64), messages.count))


def rows_of_all_kinds(n: int, m: int, s: int, seed: int) -> Ints:
    """Uniform, crowded, one symbol alone, the ends of the domain, one apart from the rest."""
    rng = np.random.default_rng(seed)
    alone, apart = np.full((2, s), n - 1), np.zeros((2, s), np.int64)
    apart[:, 0], alone[1] = n - 1, n // 2
    crowded = (n * rng.random((m, s)) ** 8).astype(np.int64)
    return np.vstack((rng.integers(0, n, (m, s)), crowded, alone, apart, rng.choice([0, n - 1], (m, s))))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("n", "s"),
    [
        (2, 1),
        (2, 9),
        (3, 40),
        (5, 1),
        (11, 3),
        (16, 1),
        (37, 200),
        (256, 16),
        (1000, 5),
        (1 << 20, 7),
        ((1 << 31) - 1, 4),
    ],
)
def test_round_trip_and_the_same_bits_on_both_roads(n: int, s: int, law: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of_all_kinds(n, 6, s, seed=n % 97 + s)
    code = Counts(n, law)
    sent = []
    for kernel, back in itertools.product((False, True), repeat=2):
        monkeypatch.setattr(arithmetic, "worth_compiling", lambda n_items, kernel=kernel: kernel)
        messages = code.pack(rows)
        sent.append((messages.to_bytes(), messages.n_bits, np.asarray(messages.lengths).tolist()))
        monkeypatch.setattr(arithmetic, "worth_compiling", lambda n_items, back=back: back)
        reader = BitReader(messages.data, messages.n_bits)
        assert np.array_equal(code.decode(reader, rows.shape), np.sort(rows, axis=1))
        assert reader.unread() == 0
        assert np.array_equal(np.asarray(reader.booked()[1]), np.asarray(messages.lengths))
    assert all(each == sent[0] for each in sent)
    assert code.encode(rows).pack().to_bytes() == sent[0][0]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "s"), [(2, 1), (2, 4), (3, 3), (4, 4), (7, 2), (6, 4), (16, 1)])
def test_no_message_starts_another_and_together_they_leave_little_room(n: int, s: int, law: Any) -> None:
    """All multisets: a prefix-free set. Kraft's sum is above 1/4, as no message is 2 bits longer than its share."""
    rows = np.array(list(itertools.combinations_with_replacement(range(n), s)))
    messages = Counts(n, law).pack(rows)
    bits = "".join(map(str, np.unpackbits(messages.data)))
    ends = np.cumsum(lengths_of(Counts(n, law), rows)).tolist()
    words = sorted(bits[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(words))
    assert 0.25 < sum(2.0 ** -len(word) for word in words) <= 1


@pytest.mark.parametrize("law", LAWS)
def test_a_message_ends_itself_whatever_follows(law: Any, road: None) -> None:
    rng = np.random.default_rng(3)
    for n, s in [(2, 1), (5, 3), (100, 9), (256, 40)]:
        code, rows = Counts(n, law), np.sort(rng.integers(0, n, (3, s)), axis=1)
        sent = code.pack(rows)
        for count in (1, 5, 64, 333):
            for junk in (np.zeros(count, np.uint8), np.ones(count, np.uint8), rng.integers(0, 2, count, np.uint8)):
                for lead in (0, 3):
                    front = Messages(np.zeros(17, np.uint8), lead, 1, lead)
                    joined = Messages.join([front, sent, Messages(np.packbits(junk), count, 1, count)])
                    reader = BitReader(joined.data, joined.n_bits, lead)
                    assert np.array_equal(code.decode(reader, rows.shape), rows)
                    assert reader.unread() == count


@pytest.mark.parametrize("law", LAWS)
def test_a_message_cut_anywhere_is_refused(law: Any, road: None) -> None:
    code, rows = Counts(100, law), rows_of_all_kinds(100, 1, 6, seed=4)[:2]
    sent = code.pack(rows)
    for n_bits in range(sent.n_bits):
        for fill in (0, 255):
            data = np.full(sent.data.size, fill, np.uint8)
            data[:-16] = sent.data[:-16]
            with pytest.raises(WireError):
                code.decode(BitReader(data, n_bits), rows.shape)


@pytest.mark.parametrize("law", LAWS)
def test_any_bits_decode_to_what_they_encode_or_are_refused(law: Any, road: None) -> None:
    rng = np.random.default_rng(11)
    refused = 0
    for n, s in [(2, 1), (3, 2), (10, 30), (256, 16), (1 << 30, 3)]:
        code = Counts(n, law)
        for _ in range(60):
            bits = (rng.random(int(rng.integers(0, 600))) < rng.random()).astype(np.uint8)
            reader = BitReader(np.packbits(bits), bits.size)
            try:
                rows = code.decode(reader, (2, s))
            except WireError:
                refused += 1
                continue
            assert rows.min() >= 0
            assert rows.max() < n
            read = bits.size - reader.unread()
            again = code.pack(rows)
            assert again.n_bits == read
            assert np.array_equal(np.unpackbits(again.data)[:read], bits[:read])
    assert refused > 100


@pytest.mark.parametrize(("n", "s", "entropy"), TABLE)
def test_uniform_samples_take_the_entropy_of_their_counts(n: int, s: int, entropy: float) -> None:
    """The mean of 100 000 samples within 3 bits and half a percent; both laws against exact chances, row by row."""
    rows = np.random.default_rng(s).integers(0, n, (max(32, 100_000 // s), s))
    spent = lengths_of(Counts(n), rows)
    assert abs(spent.mean() - entropy) < 3 + 0.005 * entropy
    counts = np.array([np.bincount(row, minlength=n) for row in rows[:32]])
    logs = np.array([math.lgamma(c + 1) for c in range(s + 1)]) / math.log(2)
    ideal = s * math.log2(n) + logs[counts].sum(axis=1) - logs[s]
    assert (spent[:32] < ideal + 2.05).all()
    assert (spent[:32] > ideal - 0.05).all()
    multiset = lengths_of(Counts(n, "multiset"), rows[:32])
    ideal = (math.lgamma(n + s) - math.lgamma(s + 1) - math.lgamma(n)) / math.log(2)
    assert (multiset < ideal + 2.05).all()
    assert (multiset > ideal - 0.05).all()


@pytest.mark.parametrize(
    ("n", "s"), [(2, 1), (2, 5000), (5, 30), (16, 4), (256, 16), (256, 300), (1000, 1), (999, 3000)]
)
def test_the_multiset_law_costs_no_row_more_than_two_bits_above_its_rank(n: int, s: int) -> None:
    """Rows of every kind; and each of 10 000 rows that are steered, half by half, to where weights are about to end."""
    length = Multiset(n).length(s)
    assert lengths_of(Counts(n, "multiset"), rows_of_all_kinds(n, 20, s, seed=s)).max() <= length + 2
    rng, rows = np.random.default_rng(n + s), []
    for _ in range(10_000 // s + 1):
        parts, row = [(0, n, s)], []
        while parts:
            first, k, count = parts.pop()
            if count == 0 or k == 1:
                row += [first] * count
                continue
            a = (k + 1) // 2
            edge = arithmetic._span(count, a, k - a, arithmetic.MULTISET)[2 + int(rng.integers(2))]
            x = int(np.clip(edge + rng.integers(-2, 3), 0, count))
            parts += [(first + a, k - a, count - x), (first, a, x)]
        rows.append(row)
    assert lengths_of(Counts(n, "multiset"), np.array(rows)).max() <= length + 2


def test_large_rows_and_large_domains() -> None:
    rng = np.random.default_rng(5)
    for n, s in [(256, 100_000), (3, 200_000), (1 << 30, 20_000)]:
        rows = np.sort(rng.integers(0, n, (2, s)), axis=1)
        for law in LAWS:
            sent = Counts(n, law).pack(rows)
            assert np.array_equal(Counts(n, law).decode(BitReader(sent.data, sent.n_bits), rows.shape), rows)
            assert sent.n_bits / 2 <= Multiset(256).length(s) + 2 if n == 256 else True
    apart = np.zeros((2, 300_000), np.int64)
    apart[0, -1] = 9
    assert lengths_of(Counts(10), apart).max() <= 4 * arithmetic.STEP_BITS + 2


def test_many_samples_cost_less_than_ranks_and_those_less_than_gaps() -> None:
    """s far above n at uniform p: three codes, each apart by more than 5 standard errors of its mean."""
    n, s = 256, 4096
    rows = np.sort(np.random.default_rng(8).integers(0, n, (64, s)), axis=1)
    binomial = lengths_of(Counts(n), rows)
    error = binomial.std(ddof=1) / 8
    gaps = Golomb(1).n_bits(np.diff(rows, axis=1, prepend=0)).sum(axis=1)
    assert binomial.mean() + 5 * error < lengths_of(Counts(n, "multiset"), rows).mean() - 2
    assert Multiset(n).length(s) + 5 * gaps.std(ddof=1) / 8 < gaps.mean()


def test_no_messages_are_no_bits_and_bad_parameters_are_refused() -> None:
    sent = Counts(7).pack(np.zeros((0, 3), np.int64))
    assert sent.n_bits == 0
    assert Counts(7).decode(BitReader(sent.data, 0), (0, 3)).shape == (0, 3)
    bad: Any = ((1, "binomial"), (1 << 31, "binomial"), (4, "poisson"))
    for n, law in bad:
        with pytest.raises(UsageError):
            Counts(n, law)
    for x in (-1, 7):
        with pytest.raises(UsageError, match="0 to 6"):
            Counts(7).encode(np.array([[x]]))
    with pytest.raises(UsageError, match="2\\^24"):
        Counts(7).decode(BitReader(np.zeros(16, np.uint8), 0), (1, (1 << 24) + 1))
