"""Buckets one by one: those of few coordinates off 0 by distances, each bucket in its own mode where modes are told.

Behind the norm of a bucket, unless it is 0, stands how many coordinates are off 0, plus 1, and for each of them the
distance from the one before (for the first from before the bucket), the sign, and the index of the level, 1 for the
lowest that is not 0. In "elias" all numbers are in Elias' recursive code. In "rice" 5 bits in front of the count say
the parameter b of the distances less 1, in Rice's code, and indices are in Elias gamma. The papers do not say how a
reader finds the end of a bucket: by the count.

In "shortest" 2 bits in front of each bucket say what it is: 0, all 0, and nothing follows; else a norm and 1, a symbol
of fixed width for each coordinate; 2, as in "elias"; 3, as in "rice". The shortest is taken, the first of equals, so
that no bucket of B coordinates of b bits has more than b B + 34 bits.

Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD: Communication-Efficient SGD via Gradient Quantization and
Encoding" (2017), Section 3.1; Ramezani-Kebrya, Faghri, Markov, Aksenov, Alistarh, Roy, "NUQSGD" (2021), Algorithm 2;
Rice, "Some practical universal noiseless coding techniques" (1979).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.errors import WireError
from distest.kernels import distances
from distest.kernels.quantise import Levels
from distest.sgd.problem import Vector

SparseCode = Literal["elias", "rice", "shortest"]
_CODES = {"elias": distances.ELIAS, "rice": distances.RICE, "shortest": distances.SHORTEST}
_WRONG = {
    distances.MODE_ENDS: "the message ends within a mode",
    distances.NORM_ENDS: "the message ends within a norm",
    distances.PARAMETER_ENDS: "the message ends within a parameter",
    distances.BAD_NORM: "a norm is negative or not finite",
    distances.ZERO_TOLD: "a bucket of norm 0 is not announced as one",
    distances.FIXED_ENDS: "the bits end early in a bucket",
    distances.BAD_COUNT: "the bits do not tell how many of {size} coordinates are off 0",
    distances.BAD_WORD: "the bits end early or hold no code word in a bucket",
    distances.BEYOND: "a coordinate is beyond {size} or a level beyond {top}",
}


def pack(
    norms: NDArray[np.float32], symbols: NDArray[np.uint8], d: int, bucket: int, levels: Levels, code: SparseCode
) -> Messages:
    """One message of d coordinates. symbols: of the buckets whose norm is not 0, as `kernels.quantise` gives them."""
    data, n_bits = distances.encode(norms, symbols, d, bucket, levels, _CODES[code])
    return Messages(data, n_bits, 1, n_bits)


def unpack(reader: BitReader, bucket: int, levels: Levels, code: SparseCode, out: Vector, scale: float | None) -> None:
    """out = what the message says, or, with a scale, out += scale times that; books the message.

    Raises WireError, and then the buckets before the one that is wrong are in out.
    """
    data, start, limit = reader.raw()
    end, status, place, own = distances.decode(data, start, limit, bucket, levels, _CODES[code], out, scale)
    if status:
        size = min(bucket, out.size - place * bucket)
        raise WireError(_WRONG[status].format(size=size, top=distances.top(levels)))
    reader.took(1, end - start)
    reader.note(f"norms, distances and levels, {code}", out if scale is None else (), side=end - start - own)
