"""Downlink: how the server of an asynchronous method tells a worker the model, near one that the worker has already."""

from typing import Literal

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins, PublicCoins
from distest.errors import WireError
from distest.kernels import bitpack
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.twos_complement import MOST_BITS, TwosComplement
from distest.sgd.problem import Vector

Mode = Literal["centred", "direct", "paper"]
WIDTH_BITS = 8
_SAME, _WHOLE = 0, 32  # widths that are none: the centre itself, and single precision


def write(mode: Mode, code: Compressor, x: Vector, centre: Vector, ratio: float, worker: int, coins: Coins) -> Messages:
    """The model x for a worker that has the centre.

    "centred": C(x - centre). "direct": C(x). "paper": x in two's complement of the least width whose expected squared
    error is at most ratio |x - centre|^2, the width in 8 bits in front; 8 bits alone for x = centre, and single
    precision where no width does.
    """
    if mode == "centred":
        return code.encode(x - centre, worker, coins)
    if mode == "direct":
        return code.encode(x, worker, coins)
    width = least_width(x, centre, ratio)
    head = Messages(*bitpack.pack_symbols(np.array([width], np.uint8), WIDTH_BITS), 1, WIDTH_BITS)
    if width == _SAME:
        return head
    return Messages.one([head, _of_width(width).encode(x, worker, coins)])


def read(mode: Mode, code: Compressor, reader: BitReader, centre: Vector, worker: int, coins: PublicCoins) -> Vector:
    """What `write` told, float32 (d,). Raises WireError."""
    if mode == "centred":
        return centre + code.decode(reader, centre.size, worker, coins)
    if mode == "direct":
        return code.decode(reader, centre.size, worker, coins)
    parts = inside(reader)
    width = int(parts.fixed(1, WIDTH_BITS)[0, 0])
    parts.aside("width of a coordinate", [width])
    if width not in (_SAME, *range(2, MOST_BITS + 1), _WHOLE):
        raise WireError(f"a width of {width} bits is announced; 2 to {MOST_BITS} are possible, and 0 and 32")
    x = centre if width == _SAME else _of_width(width).decode(parts, centre.size, worker, coins)
    close(reader, parts)
    return x


def least_width(x: Vector, centre: Vector, ratio: float) -> int:
    """The width of "paper": 2 to 24, 0 for x = centre, 32 where none is wide enough."""
    if (x == centre).all():
        return _SAME
    bound = ratio * float(np.square(x.astype(np.float64) - centre).sum())
    return next((bits for bits in range(2, MOST_BITS + 1) if TwosComplement(bits).error(x) <= bound), _WHOLE)


def _of_width(width: int) -> Compressor:
    return Identity() if width == _WHOLE else TwosComplement(width)
