"""How fast is rANS? Gigasymbols a second on one core, encode and decode, against memcpy, beside Huffman.

Symbols: Gaussians rounded at random in buckets of 512, as in codes.py (about 3.2 bits) and scaled by the norm of the
bucket (about 1.4). Under one table, and under sixteen that a context chooses. Where `constriction` is installed, its
coder with the same frequencies. Medians of interleaved rounds, seconds of the core. Run: python scripts/bench/rans.py
[symbols] [rounds]
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from timing import medians

from distest.bits import BitReader, Messages
from distest.codecs.huffman import Huffman
from distest.kernels import rans

PEER = importlib.import_module("constriction") if importlib.util.find_spec("constriction") else None


def rounded_gaussians(count: int, by_norm: bool) -> NDArray[np.uint8]:
    """The symbols, zero at 8."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count // 512, 512))
    scale = np.linalg.norm(x, axis=1, keepdims=True) / 1.5 if by_norm else np.abs(x).max(axis=1, keepdims=True)
    return np.floor(7 * x / scale + rng.random(x.shape) + 8).astype(np.uint8).ravel()


def peer_jobs(symbols: NDArray[np.uint8], table: NDArray[np.int64]) -> dict[str, Callable[[], object]]:
    """Encode and decode of constriction's stack coder with the frequencies of a table."""
    if PEER is None:
        return {}
    stream = PEER.stream
    model = stream.model.Categorical((table / table.sum()).astype(np.float32), perfect=False)
    wide = symbols.astype(np.int32)
    coded = stream.stack.AnsCoder()
    coded.encode_reverse(wide, model)
    words = coded.get_compressed()
    return {
        "peer encode": lambda: stream.stack.AnsCoder().encode_reverse(wide, model),
        "peer decode": lambda: stream.stack.AnsCoder(words).decode(model, wide.size),
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 22
    rounds = max(int(sys.argv[2]) if len(sys.argv) > 2 else 15, 9)
    print(f"{count} symbols, medians of {rounds} rounds, Gsymbol/s of one core" + ("" if PEER else "; no constriction"))
    print(f"{'code':20}{'entropy':>8}{'bits':>8}{'encode':>8}{'decode':>8}{'/memcpy':>13}{'/peer':>12}")
    for by_norm in (False, True):
        symbols = rounded_gaussians(count, by_norm)
        n = symbols.size
        counts = np.bincount(symbols, minlength=17)
        masses = counts[counts > 0] / n
        entropy = -float((masses * np.log2(masses)).sum())
        table = rans.frequencies(counts)
        contexts = (np.arange(n) * 7 % 16).astype(np.uint8)
        code, target = Huffman.from_weights(counts), np.empty_like(symbols)
        sent: Messages = code.pack(symbols[None])
        tries = [
            ("rans", rans.model(table[None]), None),
            ("rans, 16 contexts", rans.model(table[None].repeat(16, 0)), contexts),
        ]
        for name, model, which in tries:
            data, n_bits = rans.write(symbols, model, which)
            if not np.array_equal(rans.read(data, 0, n_bits, n, model, which)[0], symbols):
                raise SystemExit(f"{name} does not decode what it encoded")
            jobs: dict[str, Callable[[], object]] = {
                "encode": partial(rans.write, symbols, model, which),
                "decode": partial(rans.read, data, 0, n_bits, n, model, which),
                "memcpy": partial(np.copyto, target, symbols),
                **peer_jobs(symbols, table),
            }
            report(name, entropy, n_bits / n, {job: n / s / 1e9 for job, s in medians(jobs, rounds, cpu=True).items()})
        jobs = {
            "encode": partial(code.pack, symbols[None]),
            "decode": lambda code=code, sent=sent, n=n: code.decode_small(BitReader(sent.data, sent.n_bits), (1, n)),
            "memcpy": partial(np.copyto, target, symbols),
        }
        rate = {job: n / s / 1e9 for job, s in medians(jobs, rounds, cpu=True).items()}
        report("Huffman", entropy, sent.n_bits / n, rate)


def report(name: str, entropy: float, bits: float, rate: dict[str, float]) -> None:
    line = f"{name:20}{entropy:8.4f}{bits:8.4f}{rate['encode']:8.2f}{rate['decode']:8.2f}"
    line += f"{rate['encode'] / rate['memcpy']:7.3f}{rate['decode'] / rate['memcpy']:6.3f}"
    if "peer encode" in rate:
        line += f"{rate['encode'] / rate['peer encode']:6.1f}{rate['decode'] / rate['peer decode']:6.1f}"
    print(line)


if __name__ == "__main__":
    main()
