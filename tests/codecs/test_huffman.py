"""Huffman: best total length, the same lengths on both roads, canonical words, deep and wide codes."""

from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distest.bits import BitReader
from distest.codecs.huffman import Huffman
from distest.errors import UsageError, WireError


@settings(max_examples=150)
@given(weights=st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_total_length_is_least_and_kraft_is_met(weights: list[int]) -> None:
    lengths = Huffman.from_weights(np.array(weights)).lengths.astype(int)
    pool, least = sorted(weights), 0
    while len(pool) > 1:
        merged = pool.pop(0) + pool.pop(0)
        least += merged
        pool = sorted([*pool, merged])
    assert int((lengths * weights).sum()) == least
    assert sum(2 ** (64 - int(length)) for length in lengths) == 1 << 64
    order = sorted(range(len(weights)), key=lambda x: (-weights[x], x))
    assert all(lengths[a] <= lengths[b] for a, b in pairwise(order))


@pytest.mark.parametrize("n", [2, 17, 3000])
def test_both_roads_find_the_same_lengths(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(n).integers(0, 5, n) ** 3
    answers = []
    for worth in (False, True):
        monkeypatch.setattr("distest.kernels.huffman.worth_compiling", lambda n_items, worth=worth: worth)
        answers.append(Huffman.from_weights(weights).lengths)
    assert np.array_equal(answers[0], answers[1])


def test_words_are_canonical(naive: ModuleType) -> None:
    code = Huffman.from_weights(np.random.default_rng(1).integers(0, 100, 200) ** 2)
    coded = code.encode(np.arange(200)[:, None])
    ours = [f"{c:0{w}b}" for c, w in zip(coded.code[:, 0].tolist(), coded.width[:, 0].tolist(), strict=True)]
    assert ours == naive.canonical(code.lengths.tolist())


def test_ties_are_broken_by_symbol() -> None:
    assert Huffman.from_weights(np.array([1, 1, 1])).lengths.tolist() == [1, 2, 2]
    assert Huffman.from_weights(np.ones(6, np.int64)).lengths.tolist() == [2, 2, 3, 3, 3, 3]
    assert Huffman.from_weights(np.zeros(1, np.int64)).lengths.tolist() == [1]


@pytest.mark.parametrize("worth", [False, True])
def test_words_of_64_bits(worth: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distest.kernels.prefix.worth_compiling", lambda n_items: worth)
    code = Huffman(np.array([*range(1, 65), 64], np.uint8))
    symbols = np.arange(65).reshape(5, 13)
    messages = code.encode(symbols).pack()
    assert np.array_equal(code.decode(BitReader(messages.data, messages.n_bits), (5, 13)), symbols)
    lone = Huffman(np.array([3], np.uint8))
    with pytest.raises(WireError):
        lone.decode(BitReader(np.array([0b00100000], np.uint8), 8), (1, 1))


def test_weights_that_would_need_longer_words_are_halved() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 80:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = Huffman.from_weights(np.array(fibonacci)).lengths
    assert int(lengths.max()) <= 64
    assert sum(2 ** (64 - int(length)) for length in lengths) == 1 << 64


@pytest.mark.parametrize("n", [300, 82_834])
def test_large_alphabets_and_a_million_symbols(n: int) -> None:
    rng = np.random.default_rng(n)
    weights = (1e9 / np.arange(1, n + 1)).astype(np.int64)
    code = Huffman.from_weights(weights)
    symbols = np.minimum((n ** rng.random(1_000_000)).astype(np.int64) - 1, n - 1).reshape(-1, 5)
    messages = code.encode(symbols).pack()
    reader = BitReader(messages.data, messages.n_bits)
    assert np.array_equal(code.decode(reader, symbols.shape), symbols)
    assert reader.unread() == 0


def test_what_is_no_code_is_refused() -> None:
    for lengths in ([1, 1, 1], [0, 1], [65, 1], []):
        with pytest.raises(UsageError):
            Huffman(np.array(lengths, np.uint8))
    for weights in ([-1, 2], [1 << 62, 1], []):
        with pytest.raises(UsageError):
            Huffman.from_weights(np.array(weights, np.int64))
    code = Huffman.from_weights(np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="read-only"):
        code.lengths[0] = 3
