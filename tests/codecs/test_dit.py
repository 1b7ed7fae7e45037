"""Words against `dit.coding`, an independent implementation.

Its conventions are ours: unary parts are ones closed by a zero, remainders are truncated binary. Two
differences: its unary counts from 1 (our x is its x + 1), and its Huffman code breaks ties in another way, so
only totals are compared.
"""

import numpy as np
import pytest

from distest.codecs.base import SymbolCodec
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.golomb import Golomb
from distest.codecs.huffman import Huffman
from distest.codecs.rice import Rice
from distest.codecs.unary import Unary

dit = pytest.importorskip("dit", reason="dit is the oracle here; pip install distest[dev]")
coding = pytest.importorskip("dit.coding", reason="dit.coding came with dit 2")


def words(codec: SymbolCodec, symbols: list[int]) -> list[str]:
    coded = codec.encode(np.array([symbols]))
    assert coded.code.shape == (1, len(symbols))
    return [
        f"{code:0{width}b}" if width else ""
        for code, width in zip(coded.code[0].tolist(), coded.width[0].tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("codec", "name"),
    [(EliasGamma(), "elias_gamma"), (EliasDelta(), "elias_delta"), (EliasOmega(), "elias_omega")],
)
def test_elias_words_are_those_of_dit(codec: SymbolCodec, name: str) -> None:
    symbols = [*range(1, 600), 2**16 - 1, 2**16, 2**20 + 7, 2**31]
    oracle = getattr(coding.universal, name)
    assert words(codec, symbols) == [oracle(x) for x in symbols]


def test_unary_words_are_those_of_dit_one_later() -> None:
    assert words(Unary(), list(range(60))) == [coding.universal.unary(x + 1) for x in range(60)]


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 10, 64, 100])
def test_golomb_words_are_those_of_dit(m: int) -> None:
    symbols = list(range(min(50 * m, 400)))
    book = coding.golomb(dit.Distribution(symbols, [1 / len(symbols)] * len(symbols)), m=m).codebook
    assert words(Golomb(m), symbols) == [book[x] for x in symbols]


@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_rice_words_are_those_of_dit(k: int) -> None:
    symbols = list(range(50 << min(k, 3)))
    book = coding.rice(dit.Distribution(symbols, [1 / len(symbols)] * len(symbols)), k=k).codebook
    assert words(Rice(k), symbols) == [book[x] for x in symbols]


@pytest.mark.parametrize("n", [2, 3, 7, 40])
def test_huffman_is_as_short_as_that_of_dit(n: int) -> None:
    weights = np.random.default_rng(n).integers(1, 1000, n)
    code = coding.huffman(dit.Distribution(list(range(n)), (weights / weights.sum()).tolist()))
    ours = float((Huffman.from_weights(weights).lengths * weights).sum() / weights.sum())
    assert ours == pytest.approx(code.rate(), rel=1e-12)
