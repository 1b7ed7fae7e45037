"""Sparse buckets: the norm, how many coordinates are off 0, and for each of them distance, sign and level.

All numbers in Elias' recursive code, which starts at 1: the count plus 1; the distance from the coordinate before, for
the first from before the bucket; the index of the level, 1 for the lowest that is not 0. A bucket of norm 0 is its 32
bits and nothing else. The papers do not say how a reader finds the end of a bucket: by the count.

Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
Encoding" (2017), Section 3.1; Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD" (2021), Algorithm 2.
"""

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.codecs.elias_omega import EliasOmega
from distest.errors import WireError
from distest.kernels import bitpack, prefix
from distest.kernels.quantise import Levels

_CODE = EliasOmega()
_ENTRY = (prefix.Column(prefix.OMEGA), prefix.Column(prefix.FIXED, 1, 2, shortest=1), prefix.Column(prefix.OMEGA))
_Word = tuple[NDArray[np.uint64], NDArray[np.uint8]]


def pack(norms: NDArray[np.float32], symbols: NDArray[np.uint8], d: int, bucket: int, levels: Levels) -> Messages:
    """One message of d coordinates. symbols: of the buckets whose norm is not 0, as `kernels.quantise` gives them."""
    half = 1 << (levels.width - 1)
    index = (symbols & (half - 1)).astype(np.int64) + (not levels.zero)
    told = np.flatnonzero(index)
    coordinates = np.flatnonzero(np.repeat(norms > 0, bucket)[:d])[told]
    owner = coordinates // bucket
    counts = np.bincount(owner, minlength=norms.size)
    first = np.ones(told.size, bool)
    first[1:] = owner[1:] != owner[:-1]
    gaps = np.diff(coordinates, prepend=-1)
    gaps[first] = (coordinates - owner * bucket)[first] + 1

    heads = _beside((norms.view(np.uint32).astype(np.uint64), np.full(norms.size, 32, np.uint8)), _words(counts + 1))
    heads[0][norms == 0], heads[1][norms == 0] = 0, 32
    signs = (symbols[told] >= half).astype(np.uint64), np.ones(told.size, np.uint8)
    entries = _beside(_beside(_words(gaps), signs), _words(index[told]))
    places = np.arange(told.size) + owner + 1
    at_heads = np.arange(norms.size) + np.cumsum(counts) - counts
    code, width = np.empty(told.size + norms.size, np.uint64), np.empty(told.size + norms.size, np.uint8)
    code[places], width[places] = entries
    code[at_heads], width[at_heads] = heads
    data, n_bits = bitpack.pack(code, width)
    return Messages(data, n_bits, 1, n_bits)


def unpack(
    reader: BitReader, d: int, bucket: int, levels: Levels
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.uint8]]:
    """Norms, the coordinates off 0, and their symbols; books the message. Raises WireError."""
    data, start, limit = reader.raw()
    at = start
    top = levels.magnitudes().size - levels.zero
    norms = np.zeros(-(-d // bucket), np.float32)
    parts: list[NDArray[np.int64]] = []
    for place in range(norms.size):
        if at + 32 > limit:
            raise WireError("the message ends within a norm")
        pattern = bitpack.unpack(data, at, 32, 1).astype(np.uint32)
        at += 32
        if pattern[0] == 0:
            continue
        norms[place] = pattern.view(np.float32)[0]
        if pattern[0] >= 0x7F800000:
            raise WireError("a norm is negative or not finite")
        size = min(bucket, d - place * bucket)
        count, lengths, status = prefix.decode_rows(data, at, limit, 1, 1, _ENTRY[:1])
        if status or not 1 <= int(count[0, 0]) <= size + 1:
            raise WireError(f"the bits do not tell how many of {size} coordinates are off 0")
        at += int(lengths[0])
        rows, lengths, status = prefix.decode_rows(data, at, limit, int(count[0, 0]) - 1, 3, _ENTRY)
        if status:
            raise WireError("the bits end early or hold no code word in a bucket")
        at += int(lengths.sum())
        if rows.size and (int(rows[:, 0].max()) > size or int(rows[:, 0].sum()) > size or int(rows[:, 2].max()) > top):
            raise WireError(f"a coordinate is beyond {size} or a level beyond {top}")
        rows[:, 0] = np.cumsum(rows[:, 0]) - 1 + place * bucket
        parts.append(rows)
    reader.took(1, at - start)
    every = np.concatenate([np.zeros((0, 3), np.int64), *parts])
    symbols = every[:, 1] << (levels.width - 1) | every[:, 2] - (not levels.zero)
    return norms, every[:, 0], symbols.astype(np.uint8)


def _words(numbers: NDArray[np.int64]) -> _Word:
    """Code words of numbers (N,) from 1 to 2^32."""
    words = _CODE.encode(numbers.reshape(-1, 1))
    return words.code[:, 0], words.width[:, 0]


def _beside(left: _Word, right: _Word) -> _Word:
    return left[0] << right[1].astype(np.uint64) | right[0], left[1] + right[1]
