"""The values of kept coordinates as bits: single precision, or half precision after scaling by a power of two.

Half precision reaches from 6e-8 to 65,504 only, so the values of a message are first scaled by the power of two that
brings the largest magnitude into [2^14, 2^15); its exponent is sent in nine bits. So no value overflows, and what
loses digits is 2^-28 of the largest or less.
"""

from typing import Literal

import numpy as np

from distest.bits import BitReader, Messages
from distest.errors import WireError
from distest.kernels import bitpack
from distest.sgd.problem import Vector

Precision = Literal["float32", "float16"]
BITS = {"float32": 32, "float16": 16}
EXPONENT_BITS = 9
_LOWEST = -149  # exponent of the least float32
_HIGHEST = 127
_LARGEST = float(np.finfo(np.float32).max)


def write(values: Vector, precision: Precision) -> Messages:
    """Finite float32 (k,) as one part of a message: 32 bits each, or 9 bits and 16 each; none for k = 0."""
    if values.size == 0:
        return Messages(bitpack.room(0), 0, 0, 0)
    if precision == "float32":
        return Messages.of_bytes(values.view(np.uint32).byteswap().tobytes())  # most significant byte first
    largest = float(np.abs(values).max())
    exponent = int(np.frexp(largest)[1]) - 1 if largest else _LOWEST
    half = np.ldexp(values.astype(np.float64), 14 - exponent).astype(np.float16)
    head = bitpack.pack(np.array([exponent - _LOWEST], np.uint64), np.array([EXPONENT_BITS], np.uint8))
    body = Messages.of_bytes(half.view(np.uint16).byteswap().tobytes())
    return Messages.join([Messages(*head, 1, EXPONENT_BITS), body])


def read(parts: BitReader, count: int, precision: Precision) -> Vector:
    """`count` values, float32. Raises WireError where the bits end or one is not a finite number."""
    if count == 0:
        return np.zeros(0, np.float32)
    if precision == "float32":
        values = _singles(parts, count)
    else:
        exponent = int(parts.fixed(1, EXPONENT_BITS)[0, 0]) + _LOWEST
        parts.aside("exponent of the values", [exponent])
        half = parts.fixed(count, 16)[:, 0].astype(np.uint16).view(np.float16)
        if exponent > _HIGHEST or not np.isfinite(half).all():
            raise WireError("a value is not a finite number")
        values = single(np.ldexp(half.astype(np.float64), exponent - 14))
    parts.note(f"values, {precision}", values)
    return values


def write_magnitude(x: Vector) -> Messages:
    """The largest magnitude of a vector, 32 bits."""
    return write(np.array([np.abs(x).max()], np.float32), "float32")


def read_magnitude(reader: BitReader) -> float:
    """What `write_magnitude` wrote. Raises WireError for what is below 0."""
    value = read_scale(reader, "largest magnitude")
    if value < 0:
        raise WireError(f"a largest magnitude of {value} is announced")
    return value


def read_scale(reader: BitReader, name: str) -> float:
    """A float32 that others are multiples or parts of, called by a name. Raises WireError as `read` does."""
    value = float(_singles(reader, 1)[0])
    reader.aside(f"{name}, float32", [value])
    return value


def _singles(reader: BitReader, count: int) -> Vector:
    """float32 (count,). Raises WireError for one that is not a finite number."""
    values: Vector = reader.fixed(count, 32)[:, 0].astype(np.uint32).view(np.float32)
    if not np.isfinite(values).all():
        raise WireError("a value is not a finite number")
    return values


def single(values: np.typing.NDArray[np.float64]) -> Vector:
    """The nearest float32; those that are too large become the largest one."""
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


def error(precision: Precision, count: int) -> float:
    """A bound on |read - written|^2 / |written|^2 for `count` values."""
    return 0.0 if precision == "float32" else 2.0**-22 + count * 2.0**-76
