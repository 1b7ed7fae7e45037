"""Float32 moves bit patterns, whatever they mean."""

import numpy as np
import pytest

from distest.bits import BitReader
from distest.codecs.float32 import Float32


def test_every_pattern_survives() -> None:
    floats = np.array([[0.0, -0.0, 1.5, np.inf, -np.inf, np.nan, 1e-45, 3.4e38]], np.float32)
    messages = Float32().encode(Float32.to_symbols(floats)).pack()
    assert messages.to_bytes() == floats.astype(">f4").tobytes()
    back = Float32.to_floats(Float32().decode(BitReader(messages.data, messages.n_bits), (1, 8)))
    assert back.tobytes() == floats.tobytes()


def test_other_types_are_not_rounded_in_silence() -> None:
    with pytest.raises(ValueError, match="float64"):
        Float32.to_symbols(np.zeros(3))  # type: ignore[arg-type]
