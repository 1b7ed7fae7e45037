"""The laws of a compressor, for every one of the catalog in every variant of its named options.

Statistical tests have fixed seeds; bounds of 4 standard errors refuse a right compressor with chance 6e-5 a
comparison.
"""

import itertools
import sys
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import Coins, from_seed
from distest.errors import UsageError, WireError
from distest.sgd.compressor import Compressor

COINS = from_seed(7)[0]
Vector = NDArray[np.float32]

EXTRA: tuple[dict[str, Any], ...] = (
    {"name": "top_k", "k": 3},
    {"name": "random_k", "density": 0.8},
    {"name": "random_k", "density": 0.8, "draw": "private"},
    {"name": "random_k", "density": 0.1, "draw": "private"},
    {"name": "threshold", "threshold": 0.5},
    {"name": "threshold", "threshold": 0.0},
    {"name": "chunk_top", "chunk": 7},
    {"name": "chunk_top", "chunk": 1},
    {"name": "gspar", "eps": 0.5},
    {"name": "gspar", "density": 0.9},
)


def variants() -> Iterator[dict[str, Any]]:
    """A spec for each way to set the named options of each compressor, and those of EXTRA."""
    for name in catalog.names("compressor"):
        hints = typing.get_type_hints(catalog.find("compressor", name))
        choices: dict[str, tuple[Any, ...]] = {}
        for key in catalog.options("compressor", name):
            if hints[key] is bool:
                choices[key] = (True, False)
            elif typing.get_origin(hints[key]) is typing.Literal:
                choices[key] = typing.get_args(hints[key])
        for chosen in itertools.product(*choices.values()):
            yield {"name": name, **dict(zip(choices, chosen, strict=True))}
    yield from EXTRA


def fits(compressor: Compressor, d: int) -> bool:
    try:
        compressor.check(d)
    except UsageError:
        return False
    return True


SPECS = list(variants())
every = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: " ".join(str(value) for value in spec.values()))


def built(spec: dict[str, Any]) -> Compressor:
    made: Compressor = catalog.build("compressor", spec)
    return made


def decoded(compressor: Compressor, sent: Messages, d: int, worker: int, coins: Coins = COINS) -> Vector:
    reader = BitReader(sent.data, sent.n_bits)
    y = compressor.decode(reader, d, worker, coins.public)
    assert reader.unread() == 0, "the whole message is read"
    assert reader.booked() == (1, sent.n_bits)
    assert sent.count == 1
    return y


def through(compressor: Compressor, x: Vector, worker: int = 2, coins: Coins = COINS) -> Vector:
    return decoded(compressor, compressor.encode(x, worker, coins), x.size, worker, coins)


def vectors() -> dict[str, Vector]:
    rng = np.random.default_rng(5)
    heavy = (rng.standard_normal(300) * np.exp(2 * rng.standard_normal(300))).astype(np.float32)
    return {
        "one": np.array([-2.5], np.float32),
        "one zero": np.zeros(1, np.float32),
        "zeros": np.zeros(130, np.float32),
        "mostly zeros": np.where(np.arange(200) % 50 == 3, heavy[:200], np.float32(0)).astype(np.float32),
        "equal": np.full(65, -1.5, np.float32),
        "heavy": heavy,
        "huge": (heavy / np.abs(heavy).max() * np.float32(3.4e38)).astype(np.float32),
        "tiny": (np.arange(100) % 7 - 3).astype(np.float32) * np.float32(1.4e-45),
        "huge and tiny": np.array([3.4028235e38, -3.4028235e38, 1.4e-45, 0, 1, -1e-30] * 20, np.float32),
        "long": rng.standard_normal(1 << 17).astype(np.float32),  # long enough for every kernel
    }


VECTORS = vectors()


@every
@pytest.mark.parametrize("kind", VECTORS)
def test_a_message_gives_d_finite_numbers_and_is_read_to_its_end(spec: dict[str, Any], kind: str) -> None:
    compressor, x = built(spec), VECTORS[kind]
    if not fits(compressor, x.size):
        return
    before = x.copy()
    try:
        sent = compressor.encode(x, 1, COINS)
    except UsageError:
        assert spec == {"name": "identity", "precision": "float16"}
        assert "huge" in kind
        return
    assert np.array_equal(x, before), "encoding leaves the vector alone"
    again = compressor.encode(x, 1, COINS)
    assert again.n_bits == sent.n_bits
    assert again.to_bytes() == sent.to_bytes(), "the same bits twice"
    y = decoded(compressor, sent, x.size, 1)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert bool(np.isfinite(y).all())
    if not x.any():
        assert not y.any()


@every
@pytest.mark.parametrize("kind", ["heavy", "equal", "mostly zeros"])
def test_distortion_is_a_bound_and_the_unbiased_are_right_on_average(spec: dict[str, Any], kind: str) -> None:
    compressor, x = built(spec), VECTORS[kind]
    if not fits(compressor, x.size):
        return
    runs = 400
    found = np.array([through(compressor, x, run % 5, COINS.fold(run)) for run in range(runs)], np.float64)
    square = float(np.square(x, dtype=np.float64).sum())
    losses = np.square(found - x).sum(axis=1) / square
    assert losses.mean() <= compressor.distortion(x.size) + 4 * losses.std() / runs**0.5 + 1e-12
    if compressor.unbiased:
        # one random direction: 4 standard errors; and the sum of squares of the mean's error is variance / runs
        direction = np.random.default_rng(9).standard_normal(x.size)
        along = (found - x) @ direction
        assert abs(along.mean()) <= 4 * along.std() / runs**0.5 + 1e-6 * square**0.5
        # with one coordinate left to chance this is chi-square with 1 degree of freedom: above 20 with chance 8e-6
        error = np.square(found.mean(axis=0) - x).sum() / square
        assert error <= 20 * (losses.mean() + 1e-12) / runs + 1e-12


@every
def test_damaged_bits_give_a_finite_vector_or_a_wire_error(spec: dict[str, Any]) -> None:
    compressor, x = built(spec), VECTORS["heavy"]
    rng = np.random.default_rng(11)
    sent = compressor.encode(x, 0, COINS)
    good = np.frombuffer(sent.to_bytes(), np.uint8)
    refused = 0
    for case in range(400):
        data, n_bits = good.copy(), sent.n_bits
        if case % 2:
            n_bits = int(rng.integers(0, n_bits))
        else:
            data[rng.integers(0, data.size, 1 + case % 3)] = rng.integers(0, 256, 1 + case % 3)
        try:
            y = compressor.decode(BitReader(data[: (n_bits + 7) // 8], n_bits), x.size, 0, COINS.public)
        except WireError:
            refused += 1
            continue
        assert y.shape == x.shape
        assert bool(np.isfinite(y).all())
    assert refused >= 150  # cut short, nearly every message is refused


@pytest.mark.parametrize("generator", ["splitmix", "philox"])
@every
def test_small_and_large_inputs_make_the_same_bits(spec: dict[str, Any], generator: str) -> None:
    """What numpy does before numba is awake and the kernels afterwards; `worth_compiling` decides which."""
    compressor, coins = built(spec), from_seed(3, generator)[0]
    x = VECTORS["heavy"]
    with pytest.MonkeyPatch.context() as patch:
        sent = []
        for answer in (True, False):
            for module in _doors():
                patch.setattr(f"{module}.worth_compiling", lambda count, answer=answer: answer)
            message = compressor.encode(x, 4, coins)
            y = compressor.decode(BitReader(message.data, message.n_bits), x.size, 4, coins.public)
            sent.append((message.to_bytes(), y.tobytes()))
    assert sent[0] == sent[1]


def _doors() -> list[str]:
    return [
        name
        for name, module in sorted(sys.modules.items())
        if name.startswith("distest.") and hasattr(module, "worth_compiling") and not name.endswith("._lazy")
    ]
