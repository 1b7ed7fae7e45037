"""Norms of all buckets, then the symbols of those whose norm is not 0 as one stream of a code.

"dense": signed Elias omega of the index of the level, 0 for 0, a sign where it is not 0. "rans": the frequencies of the
symbols out of 4096, but the last, and a stream at their entropy. Nothing is said of the sign of a 0.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.codecs.rans import Rans
from distest.codecs.signed_omega import SignedOmega
from distest.errors import WireError
from distest.kernels import bitpack, planes, quantise
from distest.kernels.quantise import Levels

StreamCode = Literal["dense", "rans"]
_WRONG = "a norm is negative or not finite"


def pack(norms: NDArray[np.float32], symbols: NDArray[np.uint8], levels: Levels, code: StreamCode) -> Messages:
    """One message. symbols: of the buckets whose norm is not 0, as `kernels.quantise` gives them."""
    half = np.uint8(1 << (levels.width - 1))
    if levels.zero:
        symbols = symbols * (symbols != half)  # a product, because np.where takes ten times as long
    head = Messages.of_bytes(norms.astype(">f4").tobytes())
    if code == "rans":
        return Messages.one([head, Rans(1 << levels.width).pack(symbols[None])])
    size = symbols & (half - 1)
    folded = 2 * size - ((size > 0) & (symbols < half))
    return Messages.one([head, SignedOmega().pack(folded[None])])


def unpack(
    reader: BitReader, d: int, bucket: int, levels: Levels, code: StreamCode
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Norms, and the symbols in planes as `quantise.decode` takes them; books the message. Raises WireError."""
    parts = inside(reader)
    norms = checked_norms(parts.fixed(-(-d // bucket), 32)[:, 0])
    parts.aside("norms, float32", norms)
    count, half = quantise.present(norms, bucket, d), 1 << (levels.width - 1)
    if code == "rans":
        symbols = _rans(parts, count, Rans(2 * half))
    else:
        folded = SignedOmega().decode_small(parts, (1, count))[0]
        parts.note("levels in Elias omega, folded", folded)
        if folded.size and int(folded.max()) > 2 * half - 2:
            raise WireError(f"a level beyond {half - 1}")
        negative = (folded > 0) & (folded % 2 == 0)
        symbols = (folded + 1 >> 1) | negative.astype(np.uint8) * np.uint8(half)
    close(reader, parts)
    out = np.zeros((count * levels.width + 7) // 8 + bitpack.SPARE, np.uint8)
    planes.pack(symbols, levels.width, out)
    return norms, out


def _rans(parts: BitReader, count: int, code: Rans) -> NDArray[np.uint8]:
    """Levels of one row, none of which take no bits: their table is side information."""
    if count == 0:
        return np.zeros(0, np.uint8)
    table = code.read_table(parts)
    parts.aside("frequencies of the levels but the last, plus 1, Elias gamma", table[:-1] + 1)
    symbols = code.read_stream(parts, table, count)
    parts.note("levels, rANS", symbols)
    return symbols


def checked_norms(patterns: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Norms from their bits. Raises WireError for one that is negative, infinite or no number."""
    if bool((patterns >= np.uint64(0x7F800000)).any()):
        raise WireError(_WRONG)
    return patterns.astype(np.uint32).view(np.float32)


def norms_at(data: NDArray[np.uint8], at: int, count: int) -> NDArray[np.float32]:
    """`count` norms from bit `at` on, which are there. Raises WireError as `checked_norms` does."""
    if at % 8:
        return checked_norms(bitpack.unpack(data, at, 32, count))
    patterns = data[at // 8 : at // 8 + 4 * count].view(">u4").astype(np.uint32)
    if int(patterns.max(initial=0)) >= 0x7F800000:
        raise WireError(_WRONG)
    return patterns.view(np.float32)
