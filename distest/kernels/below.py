"""Integers below n from uniform words: the high half of a product, exact to the last bit of the word."""

import numpy as np
from numpy.typing import NDArray

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def below(words: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """floor(word n / 2^64) for 1 <= n < 2^32: each value has n-th part of all words, give or take one."""
    size = np.uint64(n)
    return ((words >> _HALF) * size + ((words & _LOW) * size >> _HALF)) >> _HALF
