"""Hashes and sets of symbols: exactly balanced, exactly uniform on pairs, and the loops equal to naive ones."""

from collections import Counter
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.coins import PublicCoins, from_seed
from distest.kernels import below, linear_hash, systematic
from distest.kernels.systematic import Sets
from distest.learning.distributions.zipf import Zipf
from distest.learning.fitting import allocation, hashing
from distest.learning.task import Task
from tests import laws

PAIRS = [(t, bits) for t in range(1, 7) for bits in range(1, t + 1)]
CYCLES = [(t, bits) for t in range(1, 9) for bits in range(1, t + 1) if t % bits == 0]


@pytest.fixture(params=[True, False], ids=["compiled", "plain"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (linear_hash, systematic):
        monkeypatch.setattr(module, "worth_compiling", lambda n_items: request.param)


def both(monkeypatch: pytest.MonkeyPatch, module: Any, call: Any) -> tuple[Any, Any]:
    """A result by numba and by numpy."""
    monkeypatch.setattr(module, "worth_compiling", lambda n_items: True)
    compiled = call()
    monkeypatch.setattr(module, "worth_compiling", lambda n_items: False)
    return compiled, call()


def parity(a: int) -> int:
    return a.bit_count() & 1


def hashed(rows: list[int], x: int) -> int:
    return sum(parity(row & x) << j for j, row in enumerate(rows))


def times(a: int, b: int, polynomial: int, t: int) -> int:
    """a b in GF(2)[X] modulo a polynomial of degree t."""
    out = 0
    for j in range(b.bit_length()):
        if b >> j & 1:
            out ^= a << j
    for k in range(out.bit_length() - 1, t - 1, -1):
        if out >> k & 1:
            out ^= polynomial << (k - t)
    return out


def power(exponent: int, polynomial: int, t: int) -> int:
    """X^exponent modulo a polynomial of degree t."""
    out, square = 1, times(2, 1, polynomial, t)
    while exponent:
        if exponent & 1:
            out = times(out, square, polynomial, t)
        square, exponent = times(square, square, polynomial, t), exponent >> 1
    return out


def prime_factors(number: int) -> set[int]:
    out, d = set(), 2
    while d * d <= number:
        while number % d == 0:
            out.add(d)
            number //= d
        d += 1
    return out | ({number} if number > 1 else set())


def multipliers(t: int, bits: int) -> NDArray[np.uint32]:
    """The rows of every multiplier a = 1 .. 2^t - 1, from a word that draws it."""
    most = (1 << t) - 1
    words = np.array([-(-((a - 1) << 64) // most) for a in range(1, most + 1)], np.uint64)
    rows = linear_hash.field_rows(words, t, bits)
    assert rows[0].tolist() == list(range(1, most + 1))
    return rows


@pytest.mark.parametrize("t", range(1, 32))
def test_polynomials_are_primitive(t: int) -> None:
    polynomial = 1 << t | linear_hash.TAILS[t - 1]
    order = (1 << t) - 1
    assert power(order, polynomial, t) == 1
    assert all(power(order // q, polynomial, t) != 1 for q in prime_factors(order))


@pytest.mark.parametrize("t", range(1, 13))
def test_powers_are_every_vector_once(t: int) -> None:
    powers = linear_hash.powers(t)
    assert sorted(powers.tolist()) == list(range(1, 1 << t))
    polynomial = 1 << t | linear_hash.TAILS[t - 1]
    assert powers[:40].tolist() == [power(k, polynomial, t) for k in range(min(40, len(powers)))]


@pytest.mark.parametrize(("t", "bits"), PAIRS)
@pytest.mark.usefixtures("road")
def test_every_multiplier_cuts_the_domain_into_equal_cells(t: int, bits: int) -> None:
    for rows in multipliers(t, bits).T.tolist():
        cells = Counter(hashed(rows, x) for x in range(1 << t))
        assert cells == dict.fromkeys(range(1 << bits), 1 << (t - bits))


@pytest.mark.parametrize(("t", "bits"), PAIRS)
@pytest.mark.usefixtures("road")
def test_multipliers_treat_all_pairs_alike(t: int, bits: int) -> None:
    """For x != y each difference of hashes has 2^(t-bits) multipliers; difference 0 has one less, a = 0."""
    everyone = multipliers(t, bits).T.tolist()
    expected = {c: (1 << (t - bits)) - (c == 0) for c in range(1 << bits)}
    for d in range(1, 1 << t):
        found = Counter(hashed(rows, d) for rows in everyone)
        assert {c: found[c] for c in expected} == expected


@pytest.mark.parametrize(("t", "bits"), CYCLES)
def test_subspaces_of_the_cycle_fill_the_space_once(t: int, bits: int) -> None:
    cycle = linear_hash.cycle_length(t, bits)
    rows = linear_hash.cycle_rows(range(cycle), t, bits)
    columns = rows[:, :cycle].T.tolist()
    spans = [xor(some, u) for some in columns for u in range(1, 1 << bits)]
    assert sorted(spans) == list(range(1, 1 << t))


@pytest.mark.parametrize(("t", "bits"), CYCLES)
def test_the_cycle_is_balanced_and_treats_all_pairs_alike(t: int, bits: int) -> None:
    cycle = linear_hash.cycle_length(t, bits)
    columns = linear_hash.cycle_rows(range(cycle), t, bits)[:, :cycle].T.tolist()
    for rows in columns:
        assert set(Counter(hashed(rows, x) for x in range(1 << t)).values()) == {1 << (t - bits)}
    together = {sum(hashed(rows, d) == 0 for rows in columns) for d in range(1, 1 << t)}
    assert together == {((1 << (t - bits)) - 1) * cycle // ((1 << t) - 1)}


@pytest.mark.parametrize("block", [range(5), range(3, 400), range(7, 900, 3), range(1, 2000, 2)])
def test_servers_take_the_cycle_in_turn(block: range) -> None:
    t, bits = 6, 2
    powers, cycle = linear_hash.powers(t), linear_hash.cycle_length(t, bits)
    rows = linear_hash.cycle_rows(block, t, bits)[:, : len(block)]
    assert rows.T.tolist() == [[int(powers[i % cycle + cycle * j]) for j in range(bits)] for i in block]


@pytest.mark.parametrize(("t", "bits", "length"), [(1, 1, 6), (2, 1, 4), (2, 2, 4), (3, 2, 4), (3, 3, 4), (4, 2, 3)])
@pytest.mark.usefixtures("road")
def test_rejection_gives_every_full_rank_matrix_equally_often(t: int, bits: int, length: int) -> None:
    """All sequences of `length` pieces, and nothing but zeros behind them, which are always passed over."""
    shift = 64 - t * length
    words = (np.arange(1 << (t * length), dtype=np.uint64) << np.uint64(shift))[:, None]
    rows, left = linear_hash.full_rank_rows(words, t, bits)
    done = np.setdiff1d(np.arange(len(words)), left)
    found = Counter(map(tuple, rows[:, done].T.tolist()))
    matrices = np.prod([(1 << t) - (1 << j) for j in range(bits)])
    assert len(found) == matrices
    assert len(set(found.values())) == 1
    for some in found:
        assert len({hashed(list(some), x) for x in range(1 << t)}) == 1 << bits


class Stingy:
    """Coins whose first words are zero for one party."""

    def words(self, parties: range, count: int = 1) -> NDArray[np.uint64]:
        out = from_seed(1)[0].public.words(parties, count)
        if 5 in parties:
            out[parties.index(5), :9] = 0
        return out


def test_a_server_whose_words_run_out_gets_more() -> None:
    coins: Any = Stingy()
    rows = hashing.full_rank(coins, range(2, 9), 6, 3)
    alone = hashing.full_rank(coins, range(5, 6), 6, 3)
    assert rows[:, 3].tolist() == alone[:, 0].tolist()
    assert len({hashed(alone[:, 0].tolist(), x) for x in range(64)}) == 8
    assert rows[:, 0].tolist() == naive_full_rank(coins, 2, 6, 3)


@pytest.mark.parametrize(("t", "bits"), [(1, 1), (8, 3), (8, 8), (16, 4), (31, 8), (5, 5)])
def test_compiled_loops_give_the_same_bits(t: int, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    m = 1700
    coins = from_seed(3)[0].public
    words = coins.words(range(m), 4)
    samples = (coins.fold("x").words(range(m))[:, 0] >> np.uint64(64 - t)).astype(np.int32)
    a, b = both(monkeypatch, linear_hash, lambda: linear_hash.field_rows(words[:, 0], t, bits))
    assert np.array_equal(a, b)
    first, second = both(monkeypatch, linear_hash, lambda: linear_hash.full_rank_rows(words, t, bits))
    sure = np.setdiff1d(np.arange(m), first[1])
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(first[0][:, sure], second[0][:, sure])
    codes, same = both(monkeypatch, linear_hash, lambda: linear_hash.encode(samples, b))
    assert np.array_equal(codes, same)
    if t > 16:
        return

    def sums() -> NDArray[np.int64]:
        out = np.zeros(1 << t, np.int64)
        linear_hash.accumulate(codes, b, out)
        return out

    one, other = both(monkeypatch, linear_hash, sums)
    assert np.array_equal(one, other)
    one, other = both(monkeypatch, linear_hash, lambda: linear_hash.hadamard(one))
    assert np.array_equal(one, other)


@pytest.mark.usefixtures("road")
def test_transform_is_the_sum_of_characters() -> None:
    values = np.random.Generator(np.random.Philox(1)).integers(-(10**12), 10**12, 32)
    signs = np.array([[1 - 2 * parity(v & x) for v in range(32)] for x in range(32)])
    assert linear_hash.hadamard(values).tolist() == (signs @ values).tolist()


def naive_field(coins: PublicCoins, i: int, t: int, bits: int) -> list[int]:
    a = 1 + (int(coins.words(range(i, i + 1))[0, 0]) * ((1 << t) - 1) >> 64)
    polynomial = 1 << t | linear_hash.TAILS[t - 1]
    return [times(a, power(j, polynomial, t), polynomial, t) for j in range(bits)]


def naive_full_rank(coins: PublicCoins, i: int, t: int, bits: int) -> list[int]:
    rows: list[int] = []
    for word in coins.words(range(i, i + 1), 16)[0].tolist():
        for k in range(64 // t):
            piece = word >> (64 - t * (k + 1)) & ((1 << t) - 1)
            spanned = {xor(rows, u) for u in range(1 << len(rows))}
            if len(rows) < bits and piece not in spanned:
                rows.append(piece)
    return rows


def xor(rows: list[int], u: int) -> int:
    out = 0
    for j, row in enumerate(rows):
        out ^= row * (u >> j & 1)
    return out


def naive_cycle(coins: PublicCoins, i: int, t: int, bits: int) -> list[int]:
    cycle = ((1 << t) - 1) // ((1 << bits) - 1)
    polynomial = 1 << t | linear_hash.TAILS[t - 1]
    return [power(i % cycle + cycle * j, polynomial, t) for j in range(bits)]


HASHES = [
    ({"name": "balanced_hash", "bits": 1}, naive_field),
    ({"name": "balanced_hash", "bits": 3}, naive_field),
    ({"name": "linear_hash", "bits": 1}, naive_full_rank),
    ({"name": "linear_hash", "bits": 3}, naive_full_rank),
    ({"name": "linear_hash", "bits": 1, "design": "cycle"}, naive_cycle),
    ({"name": "linear_hash", "bits": 2, "design": "cycle"}, naive_cycle),
]


@pytest.mark.parametrize(("spec", "rows_of"), HASHES, ids=lambda part: getattr(part, "__name__", str(part)))
@pytest.mark.parametrize(("n", "m"), [(16, 200), (11, 97), (13, 45)])
@pytest.mark.usefixtures("road")
def test_runs_equal_a_naive_one_server_by_server(spec: dict[str, Any], rows_of: Any, n: int, m: int) -> None:
    """The same bits, and the estimate by counting for each symbol the servers whose message fits it."""
    coins, data = from_seed(5)
    protocol = catalog.build("protocol", spec, task=Task(n, m))
    pmf = Zipf().pmf(n, data)
    outcome = laws.run(protocol, pmf, coins, data)
    t, bits = (n - 1).bit_length(), protocol.bits
    public = coins.fold("turn", 0).public
    samples = [int(row[0]) for said in laws.story(protocol, pmf, 5) for row in said.samples]
    rows = [rows_of(public, i, t, bits) for i in range(m)]
    codes = [hashed(some, x) for some, x in zip(rows, samples, strict=True)]
    assert outcome.board is not None
    told = "".join(
        "".join(map(str, np.unpackbits(chunk.payload)[: chunk.n_bits])) for chunk in outcome.board.posts[0].chunks
    )
    assert told == "".join(f"{code:0{bits}b}" for code in codes)
    characters = np.zeros(1 << t)
    seen = np.zeros(1 << t)
    for some, code in zip(rows, codes, strict=True):
        for u in range(1, 1 << bits):
            seen[xor(some, u)] += 1
            characters[xor(some, u)] += 1 - 2 * parity(u & code)
    if spec.get("design") == "cycle":
        means = characters / np.maximum(seen, 1)
        fitted = [(1 + sum(means[v] * (1 - 2 * parity(v & x)) for v in range(1, 1 << t))) / 2**t for x in range(n)]
    else:
        rho = (2 ** (t - bits) - 1) / (2**t - 1)
        fits = [sum(hashed(some, x) == code for some, code in zip(rows, codes, strict=True)) for x in range(n)]
        fitted = [(z / m - rho) / (1 - rho) for z in fits]
    np.testing.assert_allclose(outcome.estimate, fitted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("bits", "m"), [(1, 15), (1, 37), (2, 5), (2, 48), (4, 3)])
def test_the_cycle_is_unbiased_for_any_number_of_servers(bits: int, m: int) -> None:
    """Where all samples are x the estimate is the point mass at x; it is affine in what single servers say."""
    protocol = catalog.build("protocol", {"name": "linear_hash", "bits": bits, "design": "cycle"}, task=Task(16, m))
    for x in (0, 3, 15):
        estimate = laws.run(protocol, np.eye(16)[x], *from_seed(2)).estimate
        np.testing.assert_allclose(estimate, np.eye(16)[x], rtol=0, atol=1e-12)


def test_integers_below_are_exact_products() -> None:
    words = from_seed(9)[0].public.words(range(500))[:, 0]
    for n in (1, 2, 3, 255, 1 << 31, (1 << 32) - 1):
        assert below.below(words, n).tolist() == [word * n >> 64 for word in words.tolist()]


def naive_set(sets: Sets, offset: int, size: int) -> list[int]:
    """Whoever owns offset, offset + T, ..."""
    owners = [x for x, (a, b) in enumerate(zip(sets.start[:-1], sets.start[1:], strict=True)) for _ in range(b - a)]
    return [owners[offset + j * sets.period] for j in range(size)]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_systematic_sets_have_the_size_and_the_chances_they_should(size: int) -> None:
    width = np.array([5, 1, 12, 3, 12, 12, 7, 2, 12, 4, 6, 8]) if size == 7 else np.array([2, 1, 4, 1, 4]) * 3
    period = int(width.sum()) // size
    assert int(width.sum()) == size * period
    assert int(width.max()) <= period
    sets = Sets(period, np.concatenate(([0], np.cumsum(width))))
    everybody = [naive_set(sets, offset, size) for offset in range(period)]
    assert all(len(set(some)) == size for some in everybody)
    assert Counter(x for some in everybody for x in some) == dict(enumerate(width.tolist()))
    np.testing.assert_allclose(sets.chance, width / period)


@pytest.mark.parametrize(("n", "size"), [(5, 1), (12, 7), (40, 31), (7, 7), (300, 15), (300, 255)])
@pytest.mark.usefixtures("road")
def test_servers_name_their_place_in_a_systematic_set(n: int, size: int) -> None:
    """Codes, namings and watchers against the sets written out, with a period small enough to list its owners."""
    random = np.random.Generator(np.random.Philox(n))
    weights = np.minimum(random.integers(1, 60, n) ** 2, 900).astype(np.int64)
    watchers = np.full(n, 1000)
    sets = allocation.sets(weights, watchers, size, "l2")
    sets = small(sets, size)
    m = 400
    words = from_seed(4)[0].public.words(range(m))[:, 0]
    samples = random.integers(0, n, m).astype(np.int32)
    watched = [naive_set(sets, int(word) * sets.period >> 64, size) for word in words]
    codes = [1 + some.index(x) if x in some else 0 for some, x in zip(watched, samples.tolist(), strict=True)]
    assert systematic.encode(samples, words, sets).tolist() == codes
    named, could = systematic.count(np.array(codes, np.uint8), words, sets)
    assert named.tolist() == np.bincount([x for x, c in zip(samples, codes, strict=True) if c], minlength=n).tolist()
    assert could.tolist() == np.bincount([x for some in watched for x in some], minlength=n).tolist()


def small(sets: Sets, size: int) -> Sets:
    """Sets with about the same chances and a period of at most a few hundred."""
    width = np.maximum(1, np.diff(sets.start) * 97 // sets.period)
    period = -(-int(width.sum()) // size)
    for x in np.argsort(width, kind="stable"):
        width[x] += min(period - width[x], size * period - int(width.sum()))
    return Sets(period, np.concatenate(([0], np.cumsum(width))))


def test_roots_are_exact() -> None:
    for degree, top in ((2, 1 << 31), (3, 1664510)):
        base = np.unique(np.concatenate((np.arange(1, 3000), np.geomspace(3000, top - 1, 3000).astype(np.int64))))
        for shift in (-1, 0, 1):
            values = base**degree + shift
            root = allocation._root(values, degree)
            assert (root**degree <= values).all()
            assert ((root + 1) ** degree > values).all()


def test_shares_are_exact_at_the_largest_counts() -> None:
    whole = np.array([1, 2, 3, 1000, (1 << 32) - 1, (1 << 32) - 1])
    parts = np.array([2, 1, 4, 1, 1 << 32, 1])
    assert allocation._share(parts, whole).tolist() == [
        (p << 60) // w for p, w in zip(parts.tolist(), whole.tolist(), strict=True)
    ]


@pytest.mark.parametrize("loss", ["l1", "l2"])
@pytest.mark.parametrize("size", [1, 7, 31, 64])
def test_allocation_fills_every_place_and_caps_at_certainty(loss: Any, size: int) -> None:
    counts = np.array([100_000, 50_000, 20_000, *[10] * 30, *[0] * 31])
    watchers = np.full(64, 100_000)
    sets = allocation.sets(counts, watchers, size, loss)
    chance = sets.chance
    assert sets.start[-1] == size * sets.period
    assert sets.period < 1 << 32
    assert chance.max() <= 1
    free = chance < 1
    weight = ((counts + 1) / watchers) ** (1 / 3 if loss == "l1" else 1 / 2)
    if free.any():  # the others share what is left in proportion to their weights
        expected = weight[free] / weight[free].sum() * (size - np.count_nonzero(~free))
        np.testing.assert_allclose(chance[free], expected, rtol=1e-3)
        assert expected.max() <= 1 + 1e-3
    assert free.any() == (size < 64)


def test_allocation_of_many_symbols_stays_within_its_integers() -> None:
    n = 1 << 20
    counts = np.zeros(n, np.int64)
    counts[0] = (1 << 32) - 1
    sets = allocation.sets(counts, np.full(n, (1 << 32) - 1), 255, "l2")
    assert sets.period < 1 << 32
    assert sets.start[-1] == 255 * sets.period
    assert (np.diff(sets.start) >= 1).all()
    assert sets.chance[0] == 1


def test_compiled_sets_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.Generator(np.random.Philox(8))
    n, m = 500, 5000
    sets = allocation.sets(random.integers(0, 900, n), np.full(n, 1000), 15, "l2")
    words = from_seed(4)[0].public.words(range(m))[:, 0]
    samples = random.integers(0, n, m).astype(np.int32)
    codes, same = both(monkeypatch, systematic, lambda: systematic.encode(samples, words, sets))
    assert np.array_equal(codes, same)
    (named, could), (named2, could2) = both(monkeypatch, systematic, lambda: systematic.count(codes, words, sets))
    assert np.array_equal(named, named2)
    assert np.array_equal(could, could2)
    assert could.sum() == 15 * m


def test_multipliers_are_drawn_evenly() -> None:
    """The words that draw a multiplier are as many for each, give or take one: a statement about `below`."""
    for size in (3, 7, 255):
        edges = [-(-(a << 64) // size) for a in range(size + 1)]
        counts = {b - a for a, b in pairwise(edges)}
        assert max(counts) - min(counts) <= 1
        some = np.array([edges[1] - 1, edges[1], edges[2] - 1], np.uint64)
        assert below.below(some, size).tolist() == [0, 1, 1]


def test_pairs_of_parities_are_what_the_spans_say() -> None:
    """hashed() agrees with the parities of sums of rows, so the tests above test what the decoder uses."""
    rows = [0b1011, 0b0110]
    for x, (u, v) in product(range(16), combinations(range(4), 2)):
        assert parity(xor(rows, u ^ v) & x) == parity((u ^ v) & hashed(rows, x))
