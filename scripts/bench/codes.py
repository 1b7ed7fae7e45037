"""How fast are the codes? Gigasymbols a second on one core, against memcpy of the same bytes and against peers.

Symbols: 4-bit stochastic rounding of Gaussians in buckets of 512, largest magnitude 7, of the maximum norm (about 3.2
bits each) and of the Euclidean norm (about 1.05), folded to 0, 1, 2, ... for 0, 1, -1, .... Prefix codes stand beside
bitarray with the same words, on the first 2^18 symbols; rANS, under one table and under sixteen that a context chooses,
beside constriction's stack coder with the same frequencies, each where it is installed. "portable" is rANS without the
vectors of AVX-512, the same bits. Behind them whole messages of `qsgd` in each of its codes, quantised and coded,
decoded and added up, against memcpy of float32. Medians of interleaved rounds, seconds of the core. Run:
python scripts/bench/codes.py [symbols] [rounds]
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from timing import medians

from distest import coins
from distest.bits import BitReader, Messages
from distest.codecs.base import SymbolCodec
from distest.codecs.elias_delta import EliasDelta
from distest.codecs.elias_gamma import EliasGamma
from distest.codecs.elias_omega import EliasOmega
from distest.codecs.huffman import Huffman
from distest.codecs.rice import Rice
from distest.codecs.signed_omega import SignedOmega
from distest.kernels import rans
from distest.kernels._lazy import jitted
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.problem import Vector

Jobs = dict[str, Callable[[], object]]
Symbols = NDArray[np.uint8]
NORMS: tuple[Literal["max", "l2"], ...] = ("max", "l2")


def peer(name: str) -> Any:
    """A module that may be missing."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


BITARRAY, CONSTRICTION = peer("bitarray"), peer("constriction")


def folded_gaussians(count: int, norm: str) -> Symbols:
    """The symbols, from 0 on."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count // 512, 512))
    scale = np.abs(x).max(axis=1, keepdims=True) if norm == "max" else np.linalg.norm(x, axis=1, keepdims=True)
    levels = np.floor(7 * x / scale + rng.random(x.shape)).astype(np.int64)
    folded: NDArray[np.int64] = np.where(levels > 0, 2 * levels - 1, -2 * levels).ravel()
    return folded.astype(np.uint8)


def bitarray_jobs(codec: SymbolCodec, symbols: Symbols) -> tuple[Jobs, float]:
    """bitarray's encode and decode with the same words, and the share of the symbols that they take."""
    part = symbols[: 1 << 18].tolist()
    book = {}
    for x in range(min(part), max(part) + 1):
        words = codec.encode(np.array([[x]]))
        book[x] = BITARRAY.bitarray(f"{int(words.code[0, 0]):0{int(words.width[0, 0])}b}")
    coded = BITARRAY.bitarray()
    coded.encode(book, part)
    tree = BITARRAY.decodetree(book)
    jobs: Jobs = {
        "peer encode": lambda: BITARRAY.bitarray().encode(book, part),
        "peer decode": lambda: list(coded.decode(tree)),
    }
    return jobs, len(part) / symbols.size


def constriction_jobs(symbols: Symbols, table: NDArray[np.int64]) -> Jobs:
    """Encode and decode of constriction's stack coder with the frequencies of a table."""
    stream = CONSTRICTION.stream
    model = stream.model.Categorical((table / table.sum()).astype(np.float32), perfect=False)
    wide = symbols.astype(np.int32)
    coded = stream.stack.AnsCoder()
    coded.encode_reverse(wide, model)
    words = coded.get_compressed()
    return {
        "peer encode": lambda: stream.stack.AnsCoder().encode_reverse(wide, model),
        "peer decode": lambda: stream.stack.AnsCoder(words).decode(model, wide.size),
    }


def decoded(codec: SymbolCodec, sent: Messages, count: int) -> Symbols:
    """The symbols of one message, from its bits."""
    return codec.decode_small(BitReader(sent.data, sent.n_bits), (1, count))


def prefix_rows(symbols: Symbols, rounds: int) -> Iterator[str]:
    """Codes of symbol by symbol."""
    codes: list[tuple[str, SymbolCodec, int]] = [
        ("Elias gamma", EliasGamma(), 1), ("Elias delta", EliasDelta(), 1), ("Elias omega", EliasOmega(), 1),
        ("signed omega", SignedOmega(), 0), ("Rice(0)", Rice(0), 0), ("Rice(1)", Rice(1), 0),
        ("Huffman", Huffman.from_weights(np.bincount(symbols)), 0),
    ]  # fmt: skip
    for name, codec, first in codes:
        shifted = symbols + np.uint8(first)
        sent: Messages = codec.pack(shifted[None])
        if not np.array_equal(decoded(codec, sent, symbols.size)[0], shifted):
            raise SystemExit(f"{name} does not decode what it encoded")
        peers, share = bitarray_jobs(codec, shifted) if BITARRAY else ({}, 1.0)
        jobs = {"encode": partial(codec.pack, shifted[None]), "decode": partial(decoded, codec, sent, symbols.size)}
        yield row(name, sent.n_bits, symbols, jobs | peers, rounds, share)


def rans_rows(symbols: Symbols, rounds: int) -> Iterator[str]:
    """rANS on the roads of this machine."""
    loops, n = jitted("rans_vectors"), symbols.size
    table = rans.frequencies(np.bincount(symbols, minlength=17))
    here = loops.HERE
    for vectors in (True, False) if here else (False,):
        loops.HERE = vectors
        for contexts in (1, 16):
            model = rans.model(table[None].repeat(contexts, 0))
            which = (np.arange(n) * 7 % 16).astype(np.uint8) if contexts > 1 else None
            data, n_bits = rans.write(symbols, model, which)
            read = partial(rans.read, data, 0, n_bits, n, model, which)
            if not np.array_equal(read()[0], symbols):
                raise SystemExit("rANS does not decode what it encoded")
            jobs: Jobs = {"encode": partial(rans.write, symbols, model, which), "decode": read}
            peers = constriction_jobs(symbols, table) if CONSTRICTION else {}
            name = f"rANS{'' if vectors else ', portable'}{', 16 contexts' if contexts > 1 else ''}"
            yield row(name, n_bits, symbols, jobs | peers, rounds, 1.0)
    loops.HERE = here


def message_rows(count: int, norm: Literal["l2", "max"], rounds: int) -> Iterator[str]:
    """Messages of `qsgd` with 4 bits a coordinate."""
    x = np.random.default_rng(1).standard_normal(count).astype(np.float32)
    key, _ = coins.from_seed(0)
    for bucket in (512, 8192):
        for code in get_args(get_type_hints(Qsgd)["code"]):
            quantiser, total = Qsgd(bits=4, norm=norm, bucket=bucket, code=code), np.zeros_like(x)
            sent = quantiser.encode(x, 0, key)
            jobs: Jobs = {
                "encode": partial(quantiser.encode, x, 0, key),
                "decode": partial(added, quantiser, sent, key.public, total),
            }
            yield row(f"{code}, bucket {bucket}", sent.n_bits, x, jobs, rounds, 1.0)


def added(quantiser: Qsgd, sent: Messages, key: coins.PublicCoins, total: Vector) -> None:
    """A message, added to a total."""
    quantiser.add(BitReader(sent.data, sent.n_bits), total.size, 0, key, total, 0.25)


def row(name: str, n_bits: int, symbols: Symbols | Vector, jobs: Jobs, rounds: int, share: float) -> str:
    """Rates of some jobs; those of a peer take a share of the symbols."""
    target = np.empty_like(symbols)
    seconds = medians({**jobs, "memcpy": partial(np.copyto, target, symbols)}, rounds, cpu=True)
    rate = {job: symbols.size / each / 1e9 for job, each in seconds.items()}
    line = f"{name:28}{n_bits / symbols.size:8.4f}{rate['encode']:8.2f}{rate['decode']:8.2f}"
    line += f"{rate['encode'] / rate['memcpy']:8.3f}{rate['decode'] / rate['memcpy']:7.3f}"
    if "peer encode" in rate:
        line += (
            f"{rate['encode'] / rate['peer encode'] / share:8.1f}{rate['decode'] / rate['peer decode'] / share:7.1f}"
        )
    return line


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 22
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 15, 9)
    missing = [name for name, module in (("bitarray", BITARRAY), ("constriction", CONSTRICTION)) if module is None]
    print(f"medians of {rounds} rounds, Gsymbol/s of one core" + "".join(f"; no {name}" for name in missing))
    for norm in NORMS:
        symbols = folded_gaussians(count, norm)
        masses = np.bincount(symbols) / symbols.size
        entropy = -float((masses[masses > 0] * np.log2(masses[masses > 0])).sum())
        print(f"\n{symbols.size} symbols of the {norm} norm, entropy {entropy:.4f} bits")
        print(f"{'code':28}{'bits':>8}{'encode':>8}{'decode':>8}{'x memcpy':>15}{'x peer':>15}")
        for line in (*prefix_rows(symbols, rounds), *rans_rows(symbols, rounds)):
            print(line)
        print(f"\n{symbols.size} coordinates of `qsgd`, {norm} norm, Gcoordinate/s")
        print(f"{'code':28}{'bits':>8}{'encode':>8}{'add':>8}{'x memcpy':>15}")
        for line in message_rows(symbols.size, norm, rounds):
            print(line)


if __name__ == "__main__":
    main()
