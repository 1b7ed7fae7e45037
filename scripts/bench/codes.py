"""How fast are the codes? Gigasymbols a second on one core, against memcpy of the same bytes and against
bitarray.

Symbols: 4-bit stochastic rounding of Gaussians in buckets of 512, largest magnitude 7, folded to 1, 2, ...
(0, 1, -1, 2, ...), about 3.2 bits each. Medians of interleaved rounds. Run: python scripts/bench/codes.py
[symbols] [rounds]
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from timing import medians

from distest.bits import BitReader, Messages
from distest.codecs.base import SymbolCodec
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.huffman import Huffman
from distest.codecs.rice import Rice

try:
    import bitarray
except ImportError:
    HAS_BITARRAY = False
else:
    HAS_BITARRAY = True


def folded_gaussians(count: int) -> NDArray[np.uint8]:
    """The symbols, from 1 on."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count // 512, 512))
    levels = np.floor(7 * x / np.abs(x).max(axis=1, keepdims=True) + rng.random(x.shape)).astype(np.int64)
    folded: NDArray[np.int64] = np.where(levels > 0, 2 * levels, 1 - 2 * levels).ravel()
    return folded.astype(np.uint8)


def bitarray_rates(codec: SymbolCodec, symbols: NDArray[np.uint8], rounds: int) -> tuple[float, float]:
    """Symbols a second of bitarray's encode and decode with the same words, on the first 2^18 symbols."""
    part = symbols[: 1 << 18].tolist()
    book = {}
    for x in range(min(part), max(part) + 1):
        words = codec.encode(np.array([[x]]))
        book[x] = bitarray.bitarray(f"{int(words.code[0, 0]):0{int(words.width[0, 0])}b}")
    coded = bitarray.bitarray()
    coded.encode(book, part)
    tree = bitarray.decodetree(book)
    seconds = medians(
        {"encode": lambda: bitarray.bitarray().encode(book, part), "decode": lambda: list(coded.decode(tree))}, rounds
    )
    return len(part) / seconds["encode"], len(part) / seconds["decode"]


def decoded(codec: SymbolCodec, sent: Messages, count: int) -> NDArray[np.uint8]:
    """The symbols of one message, from its bits."""
    return codec.decode_small(BitReader(sent.data, sent.n_bits), (1, count))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 22
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 15, 9)
    from_one = folded_gaussians(count)
    masses = np.bincount(from_one) / from_one.size
    entropy = -float((masses[masses > 0] * np.log2(masses[masses > 0])).sum())
    target = np.empty_like(from_one)
    codes: list[tuple[str, SymbolCodec, int]] = [
        ("EliasGamma", EliasGamma(), 0), ("EliasDelta", EliasDelta(), 0), ("EliasOmega", EliasOmega(), 0),
        ("Rice(1)", Rice(1), 1), ("Huffman", Huffman.from_weights(np.bincount(from_one)), 0),
    ]  # fmt: skip
    print(f"{from_one.size} symbols, entropy {entropy:.3f} bits, medians of {rounds} rounds, Gsymbol/s")
    print(f"{'code':12}{'bits':>7}{'encode':>8}{'decode':>8}{'memcpy':>8}{'/memcpy':>13}{'/bitarray':>13}")
    for name, codec, shift in codes:
        symbols = (from_one - shift).reshape(1, -1)
        sent: Messages = codec.pack(symbols)

        encode, decode = partial(codec.pack, symbols), partial(decoded, codec, sent, from_one.size)
        if not np.array_equal(decode(), symbols):
            raise SystemExit(f"{name} does not decode what it encoded")
        jobs: dict[str, Callable[[], object]] = {
            "encode": encode, "decode": decode, "memcpy": partial(np.copyto, target, from_one)
        }  # fmt: skip
        rate = {job: from_one.size / each / 1e9 for job, each in medians(jobs, rounds).items()}
        line = f"{name:12}{sent.n_bits / from_one.size:7.3f}{rate['encode']:8.2f}{rate['decode']:8.2f}"
        line += f"{rate['memcpy']:8.1f}{rate['encode'] / rate['memcpy']:7.3f}{rate['decode'] / rate['memcpy']:6.3f}"
        if HAS_BITARRAY:
            other = bitarray_rates(codec, symbols[0], rounds)
            line += f"{1e9 * rate['encode'] / other[0]:7.1f}{1e9 * rate['decode'] / other[1]:6.1f}"
        print(line)


if __name__ == "__main__":
    main()
