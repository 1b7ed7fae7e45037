"""Coins: words are a function of (key, path, party, index), look uniform and independent, and keep sides apart.

Every statistical test here has fixed seeds and refuses at p < ALPHA / TESTS: were the words truly random, all of them
together would fail once in a million choices of the seeds (Bonferroni).
"""

import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from distest import coins as coins_module
from distest.coins import GENERATORS, Coins, DataCoins, PrivateCoins, PublicCoins, Stream, below, from_seed
from distest.errors import UsageError
from distest.kernels import philox, splitmix
from distest.learning.protocol import Protocol, RefereeProtocol

Words = NDArray[np.uint64]
GOLDEN = json.loads((Path(__file__).parent / "golden" / "coins.json").read_text())
SIDES = {"public": PublicCoins, "private": PrivateCoins, "data": DataCoins}
ALPHA, TESTS = 1e-6, 2000  # fewer than TESTS p-values are computed in this file
MASK = (1 << 64) - 1
COUNT = 1 << 16
KEY = "0123456789abcdef0123456789abcdef"


def accept(p: float, what: str) -> None:
    assert p > ALPHA / TESTS, f"{what}: p = {p:.3g}"


def chi_square(cells: NDArray[np.int64], what: str) -> None:
    """Cells that a fair source hits alike."""
    expected = cells.sum() / cells.size
    accept(float(stats.chi2.sf(((cells - expected) ** 2 / expected).sum(), cells.size - 1)), what)


# ---- what a word is


def mixed(z: int) -> int:
    """splitmix64's finaliser in plain integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def numpys_philox(key: tuple[int, int], party: int, index: int) -> int:
    """The same word from numpy, whose counter is stepped once before the first block."""
    before = ((party << 64) + index // 4 - 1) % (1 << 256)
    counter = np.array([(before >> shift) & MASK for shift in (0, 64, 128, 192)], np.uint64)
    return int(np.random.Philox(key=np.array(key, np.uint64), counter=counter).random_raw(4)[index % 4])


@pytest.mark.parametrize("vector", GOLDEN["words"], ids=lambda v: f"{v['side']}-{v['generator']}-{len(v['path'])}")
def test_words_are_the_frozen_ones(vector: dict[str, Any]) -> None:
    key = GOLDEN["keys"][0][vector["side"]]
    stream = SIDES[vector["side"]](key, vector["generator"]).fold(*vector["path"])
    for party, index, word in vector["words"]:
        assert format(int(stream.words(range(party, party + 1), index + 1)[0, index]), "016x") == word


@pytest.mark.parametrize("keys", GOLDEN["keys"], ids=lambda k: str(k["seed"]))
def test_a_seed_gives_the_frozen_keys(keys: dict[str, Any]) -> None:
    both, data = from_seed(keys["seed"])
    assert (both.public.key, both.private.key, data.key) == (keys["public"], keys["private"], keys["data"])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("parties", [range(5), range(3, 20, 4), range((1 << 32) - 3, 1 << 32), range(7, 7)])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_both_roads_of_splitmix_follow_the_formula(
    monkeypatch: pytest.MonkeyPatch, compiled: bool, parties: range, count: int
) -> None:
    monkeypatch.setattr(splitmix, "worth_compiling", lambda n_items: compiled)
    key = 0xFEDCBA9876543210
    found = splitmix.words(key, parties, count)
    gamma = 0x9E3779B97F4A7C15
    expected = [[mixed((key + ((p << 32) + j) * gamma) & MASK) for j in range(count)] for p in parties]
    assert found.shape == (len(parties), count)
    assert found.tolist() == expected


def test_splitmix_is_the_published_generator_for_one_party() -> None:
    """Output t of SplitMix64 with seed s is mix(s + (t + 1) gamma); 0 gives these in Java and C alike."""
    found = splitmix.words(0x9E3779B97F4A7C15, range(1), 3)[0]
    assert [hex(w) for w in found.tolist()] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


@pytest.mark.parametrize("key", [(0, 0), (1, MASK), (0x243F6A8885A308D3, 0x13198A2E03707344)])
def test_philox_is_numpys_word_for_word(key: tuple[int, int]) -> None:
    parties, count = range(0, 40, 3), 11
    found = philox.words(key, parties, count)
    assert found.tolist() == [[numpys_philox(key, p, j) for j in range(count)] for p in parties]
    assert philox.words(key, range((1 << 32) - 1, 1 << 32), 1)[0, 0] == numpys_philox(key, (1 << 32) - 1, 0)


def test_philox_lies_one_block_behind_numpys_counter() -> None:
    numpys = np.random.Philox(key=np.array((5, 6), np.uint64), counter=[0, 0, 0, 0]).random_raw(8)
    assert np.array_equal(philox.words((5, 6), range(1), 12)[0, 4:], numpys)


def test_path_and_key_are_hashed_into_the_key_of_the_kernel() -> None:
    digest = hashlib.sha256("\x1f".join((KEY, "turn", "7")).encode()).digest()
    first, second = (int.from_bytes(digest[i : i + 8], "little") for i in (0, 8))
    for generator, expected in (
        ("splitmix", splitmix.words(first, range(9), 3)),
        ("philox", philox.words((first, second), range(9), 3)),
    ):
        assert np.array_equal(Stream(KEY, generator).fold("turn", 7).words(range(9), 3), expected)


# ---- a word depends on its address alone


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", [50, 20_000])
def test_a_word_depends_on_its_address_and_not_on_what_else_is_asked(generator: str, size: int) -> None:
    stream = Stream(KEY, generator).fold("turn", 1)
    whole = stream.words(range(size), 5)
    assert np.array_equal(stream.words(range(size), 2), whole[:, :2])
    for block in (range(17, 40), range(3, size, 7), range(size - 1, size), range(0, size, size - 1)):
        assert np.array_equal(stream.words(block, 5), whole[block.start : block.stop : block.step])
    assert np.array_equal(stream.words(range(size), 5), whole)
    stream.fold("turn", 2).words(range(size), 9)
    assert np.array_equal(Stream(KEY, generator).fold("turn", 1).words(range(size), 5), whole)


@pytest.mark.parametrize("generator", GENERATORS)
def test_folding_step_by_step_is_folding_at_once_and_order_counts(generator: str) -> None:
    stream = Stream(KEY, generator)
    assert stream.fold("a", 1, "b") == stream.fold("a").fold(1).fold("b")
    paths = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a", "1"), ("a", "11"), ("a", "1", "1")]
    seen = {int(stream.fold(*path).words(range(1))[0, 0]) for path in paths}
    assert len(seen) == len(paths)


@pytest.mark.parametrize("generator", GENERATORS)
def test_common_words_belong_to_no_party(generator: str) -> None:
    stream = Stream(KEY, generator)
    common = stream.common(4)
    assert common.shape == (4,)
    assert np.array_equal(stream.common(2), common[:2])
    assert not set(common.tolist()) & set(stream.words(range(1000), 4).ravel().tolist())


def test_nothing_is_consumed_because_a_stream_cannot_change() -> None:
    stream = PublicCoins(KEY)
    with pytest.raises(AttributeError):
        stream.path = ("other",)  # type: ignore[misc]
    assert not hasattr(stream, "__dict__")


@pytest.mark.parametrize(
    ("parties", "count"),
    [
        (range((1 << 32), (1 << 32) + 1), 1),
        (range((1 << 32) - 1, (1 << 32) + 1), 1),
        (range(-1, 3), 1),
        (range(3, 0, -1), 1),
        (range(1), (1 << 32) + 1),
    ],
)
@pytest.mark.parametrize("generator", GENERATORS)
def test_addresses_of_two_to_the_32_or_more_are_refused(generator: str, parties: range, count: int) -> None:
    with pytest.raises(UsageError, match=r"below 2\^32"):
        Stream(KEY, generator).words(parties, count)


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY + "0", KEY.upper(), "g" * 32])
def test_a_key_of_another_shape_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="32 lower-case hex digits"):
        PublicCoins(key)


def test_an_unknown_generator_is_refused() -> None:
    with pytest.raises(UsageError, match="known: splitmix, philox"):
        PublicCoins(KEY, "mersenne")


# ---- sides


def test_public_private_and_data_keys_differ_for_every_seed() -> None:
    keys = []
    for seed in range(2000):
        both, data = from_seed(seed)
        keys += [both.public.key, both.private.key, data.key]
    assert len(set(keys)) == len(keys)


def test_keys_are_hashes_so_that_none_tells_another() -> None:
    """One-way by SHA-256 of different texts; here, that no other road leads from one key to the next."""
    both, data = from_seed(12)
    for stream, purpose in ((both.public, "public"), (both.private, "private"), (data, "data")):
        assert stream.key == hashlib.sha256(f"distest {purpose} 12".encode()).hexdigest()[:32]
    assert {f.name for f in PublicCoins.__dataclass_fields__.values()} == {"key", "generator", "path"}


def test_folding_keeps_the_sides_apart() -> None:
    both, data = from_seed(3, "philox")
    here = both.fold("turn", 2)
    assert type(here.public) is PublicCoins
    assert type(here.private) is PrivateCoins
    assert type(data.fold("x")) is DataCoins
    assert here.public.path == here.private.path == ("turn", "2")
    assert here.public.generator == here.private.generator == data.generator == "philox"
    assert not np.array_equal(here.public.words(range(9)), here.private.words(range(9)))


def test_what_a_decoder_gets_has_no_private_side() -> None:
    for decoder in (Protocol.hear, RefereeProtocol.read, RefereeProtocol.hear):
        assert inspect.signature(decoder, eval_str=True).parameters["coins"].annotation is PublicCoins
    assert not hasattr(PublicCoins(KEY), "private")
    assert not any("private" in name for name in dir(PublicCoins))
    assert issubclass(PublicCoins, Stream)
    assert not issubclass(PublicCoins, PrivateCoins | DataCoins | Coins)


# ---- uniform


def sources(generator: str) -> Iterator[tuple[str, Words]]:
    """COUNT words over parties, over indices, over both, over turns and over seeds."""
    stream = Stream(KEY, generator).fold("uniform")
    yield "parties", stream.words(range(COUNT))[:, 0]
    yield "every 64th party", stream.words(range(0, 64 * COUNT, 64))[:, 0]
    yield "indices", stream.words(range(1), COUNT)[0]
    yield "parties and indices", stream.words(range(COUNT // 64), 64).ravel()
    turns = [stream.fold("turn", turn).words(range(8)).ravel() for turn in range(COUNT // 32)]
    yield "turns", np.concatenate(turns)
    seeds = [from_seed(seed, generator)[0].public.words(range(8)).ravel() for seed in range(COUNT // 32)]
    yield "seeds", np.concatenate(seeds)


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_byte_is_uniform(generator: str) -> None:
    """Chi-square on 256 cells for each of the 8 bytes."""
    for what, words in sources(generator):
        for byte in range(8):
            cells = np.bincount((words >> np.uint64(8 * byte) & np.uint64(255)).astype(np.int64), minlength=256)
            chi_square(cells, f"byte {byte} over {what}")


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_bit_is_fair(generator: str) -> None:
    """Two-sided normal test of the number of ones, for each of the 64 bits."""
    for what, words in sources(generator):
        ones = np.array([int((words >> np.uint64(bit) & np.uint64(1)).sum()) for bit in range(64)])
        z = (ones - words.size / 2) / np.sqrt(words.size / 4)
        accept(float(2 * stats.norm.sf(np.abs(z).max()) * 64), f"bits over {what}")


@pytest.mark.parametrize("generator", GENERATORS)
def test_top_and_low_ten_bits_are_uniform(generator: str) -> None:
    """Chi-square on 1024 cells."""
    for what, words in sources(generator):
        for part, bits in (("top", words >> np.uint64(54)), ("low", words & np.uint64(1023))):
            chi_square(np.bincount(bits.astype(np.int64), minlength=1024), f"{part} bits over {what}")


# ---- independent


def pairs(generator: str) -> Iterator[tuple[str, Words, Words]]:
    """Words whose addresses differ in one thing."""
    both, data = from_seed(5, generator)
    stream = both.public.fold("turn", 0)
    whole = stream.words(range(COUNT + (1 << 12)), 1)[:, 0]
    first = whole[:COUNT]
    for lag in (1, 2, 3, 8, 256, 1 << 12):
        yield f"party i and i + {lag}", first, whole[lag : lag + COUNT]
    row = stream.words(range(1), COUNT + 64)[0]
    for lag in (1, 2, 4, 64):
        yield f"index j and j + {lag}", row[:COUNT], row[lag : lag + COUNT]
    two = stream.words(range(COUNT), 2)
    yield "indices 0 and 1 of a party", two[:, 0], two[:, 1]
    yield "index 1 of party i and 0 of party i + 1", two[:-1, 1], two[1:, 0]
    everybody = range(COUNT)
    yield "turns", first, both.public.fold("turn", 1).words(everybody)[:, 0]
    yield "repeats", first, both.public.fold("repeat", 1, "turn", 0).words(everybody)[:, 0]
    yield "public and private", first, both.private.fold("turn", 0).words(everybody)[:, 0]
    yield "public and data", first, data.fold("turn", 0).words(everybody)[:, 0]
    yield "seeds", first, from_seed(6, generator)[0].public.fold("turn", 0).words(everybody)[:, 0]
    yield "word and party", first, np.arange(COUNT, dtype=np.uint64) * np.uint64((1 << 64) // COUNT)


@pytest.mark.parametrize("generator", GENERATORS)
def test_words_at_different_addresses_are_independent(generator: str) -> None:
    """Pair chi-square on 8 x 8 cells of the top and of the low three bits, and of one against the other."""
    parts: list[tuple[str, Callable[[Words], Words]]] = [
        ("top", lambda w: w >> np.uint64(61)),
        ("low", lambda w: w & np.uint64(7)),
    ]
    for what, a, b in pairs(generator):
        for (p, left), (q, right) in itertools.product(parts, parts):
            if what == "word and party" and q == "low":
                continue  # the low bits of the party's number are zeros here
            cells = np.bincount((left(a) * np.uint64(8) + right(b)).astype(np.int64), minlength=64)
            chi_square(cells, f"{what}, {p} and {q} bits")


@pytest.mark.parametrize("generator", GENERATORS)
def test_words_at_different_addresses_are_uncorrelated(generator: str) -> None:
    """Correlation of the words as numbers in [0, 1), times sqrt(COUNT), against the normal law."""
    for what, a, b in pairs(generator):
        u, v = (w.astype(np.float64) * 2.0**-64 - 0.5 for w in (a, b))
        z = float((u * v).sum() / np.sqrt((u**2).sum() * (v**2).sum())) * np.sqrt(u.size)
        accept(float(2 * stats.norm.sf(abs(z))), what)


@pytest.mark.parametrize("generator", GENERATORS)
def test_half_of_the_bits_differ_between_different_addresses(generator: str) -> None:
    """The number of differing bits is Bin(64, 1/2): its mean against the normal law, its law by chi-square."""
    law = stats.binom.pmf(np.arange(65), 64, 0.5)
    middle = slice(20, 45)
    expected = np.concatenate(([law[:20].sum()], law[middle], [law[45:].sum()])) * (COUNT - 1)
    for what, a, b in pairs(generator):
        if what == "word and party":
            continue
        differ = np.bitwise_count(a ^ b).astype(np.int64)
        z = (differ.mean() - 32) / 4 * np.sqrt(differ.size)
        accept(float(2 * stats.norm.sf(abs(z))), f"mean, {what}")
        found = np.bincount(differ, minlength=65)
        cells = np.concatenate(([found[:20].sum()], found[middle], [found[45:].sum()]))
        wanted = expected * differ.size / (COUNT - 1)
        accept(float(stats.chi2.sf(((cells - wanted) ** 2 / wanted).sum(), cells.size - 1)), f"law, {what}")


# ---- integers


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, (1 << 31) + 1, 1 << 32])
def test_integers_below_n_are_the_high_part_of_a_product(n: int) -> None:
    words = Stream(KEY).fold("below").words(range(2000))[:, 0]
    edges = np.array([0, MASK, 1 << 32, (1 << 32) - 1], np.uint64)
    drawn = below(np.concatenate((words, edges)), n)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [(w >> 32) * n >> 32 for w in [*words.tolist(), *edges.tolist()]]
    assert 0 <= drawn.min() <= drawn.max() < n


def test_integers_below_ten_are_uniform() -> None:
    """Chi-square on 10 cells."""
    drawn = below(Stream(KEY).fold("below").words(range(COUNT))[:, 0], 10)
    chi_square(np.bincount(drawn, minlength=10), "below(words, 10)")


@pytest.mark.parametrize("n", [0, -1, (1 << 32) + 1])
def test_integers_below_nothing_or_too_much_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match="integers are drawn below n"):
        below(np.zeros(1, np.uint64), n)


def test_no_coin_comes_from_numpys_generators() -> None:
    """Their streams may change between versions, and an old transcript would fail its audit."""
    for module in (coins_module, splitmix, philox):
        assert "import random" not in inspect.getsource(module)
        assert not any(line.lstrip().startswith(("np.random", "rng")) for line in inspect.getsourcelines(module)[0])
