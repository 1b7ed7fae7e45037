"""Exponential times from words of coins: by additions, products and quotients alone, so the same on every machine.

Libraries of mathematics differ in the last digit of a logarithm, and the order of events may hang on it.
"""

_LN2 = 0.6931471805599453
_TERMS = tuple(2.0 / (2 * k + 1) for k in range(14))


def exponential(word: int) -> float:
    """-ln(u) for u = (word + 1) / 2^64, to 15 digits: exponential with mean 1 where words are uniform, at most 44.4."""
    number = word + 1
    shift = 64 - number.bit_length()  # u = part * 2^-shift with 1/2 <= part < 1
    part = number / (1 << number.bit_length())
    if part < 0.7071067811865476:
        part, shift = 2.0 * part, shift + 1
    z = (part - 1.0) / (part + 1.0)  # ln(part) = 2 (z + z^3/3 + z^5/5 + ...), |z| < 0.172
    square, total = z * z, 0.0
    for term in reversed(_TERMS):
        total = total * square + term
    return shift * _LN2 - z * total
