"""Slow and obvious versions of what the kernels do, on strings of '0' and '1'.

Oracles of the tests, nothing else.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement


def packed(words: Sequence[str]) -> bytes:
    """Strings end to end, most significant bit first, zeros to the next whole byte."""
    bits = "".join(words)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def bits_of(data: bytes, n_bits: int) -> str:
    """The reverse of packed."""
    return "".join(f"{byte:08b}" for byte in data)[:n_bits]


def binary(value: int, width: int) -> str:
    return f"{value:0{width}b}" if width else ""


def fixed(x: int, n: int) -> str:
    return binary(x, (n - 1).bit_length())


def truncated_binary(x: int, n: int) -> str:
    width = (n - 1).bit_length()
    short = 2**width - n
    return binary(x, width - 1) if x < short else binary(x + short, width)


def unary(x: int) -> str:
    return "1" * x + "0"


def golomb(x: int, m: int) -> str:
    return unary(x // m) + (truncated_binary(x % m, m) if m > 1 else "")


def rice(x: int, k: int) -> str:
    return unary(x >> k) + binary(x % 2**k, k)


def elias_gamma(x: int) -> str:
    return "0" * (x.bit_length() - 1) + f"{x:b}"


def elias_delta(x: int) -> str:
    return elias_gamma(x.bit_length()) + f"{x:b}"[1:]


def elias_omega(x: int) -> str:
    word = "0"
    while x > 1:
        word = f"{x:b}" + word
        x = x.bit_length() - 1
    return word


def signed_omega(x: int) -> str:
    size = (x + 1) // 2
    return elias_omega(size + 1) + ("" if x == 0 else "1" if x == 2 * size else "0")


def block(row: Sequence[int], n: int, size: int) -> str:
    words = []
    for at in range(0, len(row), size):
        part = row[at : at + size]
        words.append(binary(sum(x * n**j for j, x in enumerate(part)), (n ** len(part) - 1).bit_length()))
    return "".join(words)


def multisets(n: int, s: int) -> list[tuple[int, ...]]:
    """All sorted rows in the order of their ranks: the last sample weighs most."""
    return sorted(combinations_with_replacement(range(n), s), key=lambda row: row[::-1])


def huffman_total(weights: Sequence[int]) -> int:
    """Least total length of a prefix code: the sum of all merged weights."""
    pool, total = sorted(weights), 0
    while len(pool) > 1:
        merged = pool.pop(0) + pool.pop(0)
        total += merged
        pool = sorted([*pool, merged])
    return total


def canonical(lengths: Sequence[int]) -> list[str]:
    """Words that ascend with (length, symbol)."""
    words, word, before = [""] * len(lengths), -1, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        word = (word + 1) << (length - before)
        words[symbol], before = binary(word, length), length
    return words
