"""The laws of compressors, for every compressor and every way to set its named options."""

import math
import sys
from typing import Any

import numpy as np
import pytest

from distest import catalog, coins, warming
from distest.bits import BitReader, Messages
from distest.errors import UsageError, WireError
from distest.sgd import buckets
from distest.sgd.blend import Blend
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector

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
    {"name": "laq_grid", "block": 64},
    {"name": "laq_grid", "grid": "odd", "block": 7},
)


def apart(compressor: Compressor) -> bool:
    """Codes of quantisers do not care about the norm, nor much about the bits: all of them at one of each."""
    code = getattr(compressor, "code", "fixed")
    return code in ("fixed", "elias") or (getattr(compressor, "bits", 4), getattr(compressor, "norm", "l2")) == (
        4,
        "l2",
    )


ALL = [*filter(apart, warming.compressors()), *(catalog.build("compressor", spec) for spec in EXTRA)]
KEY, _ = coins.from_seed(7)
DRAWS = 150


def vectors() -> dict[str, Vector]:
    draw = np.random.default_rng(1)
    gauss = draw.standard_normal(1300).astype(np.float32)
    mixed = gauss * np.float32(10) ** draw.integers(-9, 9, gauss.size).astype(np.float32)
    mixed[::3] = 0
    return {
        "gauss": gauss,
        "mixed": mixed.astype(np.float32),
        "one": np.array([-2.5], np.float32),
        "zero": np.zeros(700, np.float32),
        "odd": draw.standard_t(3, 37).astype(np.float32),
        "spike": np.eye(1, 600, 77, dtype=np.float32)[0] * -3,
        "huge": np.full(600, 3.4e38, np.float32) * np.where(np.arange(600) % 2, 1, -1).astype(np.float32),
        "tiny": gauss[:600] * np.float32(1e-30),
        "subnormal": gauss[:600] * np.float32(1e-41),
    }


VECTORS = vectors()


def fits(compressor: Compressor, x: Vector) -> bool:
    """Whether it can code x."""
    try:
        compressor.check(x.size)
        compressor.encode(x, 0, KEY)
    except UsageError:
        return False
    return True


def decoded(compressor: Compressor, message: Messages, d: int, worker: int, key: coins.Coins = KEY) -> Vector:
    reader = BitReader(message.data, message.n_bits)
    x = compressor.decode(reader, d, worker, key.public)
    assert reader.unread() == 0
    count, lengths = reader.booked()
    assert (count, int(np.sum(lengths))) == (1, message.n_bits)
    return x


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
@pytest.mark.parametrize("generator", coins.GENERATORS)
def test_a_message_is_read_whole_and_twice_the_same(compressor: Compressor, generator: str) -> None:
    key, _ = coins.from_seed(3, generator)
    for name, x in VECTORS.items():
        if not fits(compressor, x):
            continue
        kept = x.copy()
        message = compressor.encode(x, 5, key)
        assert message.count == 1
        assert message.lengths == message.n_bits > 0
        assert not np.unpackbits(message.data[: (message.n_bits + 7) // 8])[message.n_bits :].any()
        again = compressor.encode(x, 5, key)
        assert again.to_bytes() == message.to_bytes()
        assert (x == kept).all()
        y = decoded(compressor, message, x.size, 5, key)
        with np.errstate(over="ignore"):
            news = compressor.news([x, x], np.zeros((2, x.size), np.float32), range(4, 6), key)
        assert (news.vector(1) == y).all()
        assert news.message(1).to_bytes() == message.to_bytes()
        assert y.dtype == np.float32
        assert y.shape == x.shape
        assert np.isfinite(y).all(), name
        if name == "zero":
            assert not y.any()


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_a_reader_needs_public_coins_where_it_is_said_and_nowhere_else(compressor: Compressor) -> None:
    x = VECTORS["gauss"]
    message = compressor.encode(x, 5, KEY)
    try:
        other = compressor.decode(BitReader(message.data, message.n_bits), x.size, 5, coins.from_seed(8)[0].public)
        same = bool((other == decoded(compressor, message, x.size, 5)).all())
    except WireError:
        same = False
    assert compressor.coin_use == ("none" if same else "public")


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_a_message_within_a_byte_says_the_same_and_add_adds_it(compressor: Compressor) -> None:
    for x in (VECTORS["gauss"], VECTORS["odd"]):
        if not fits(compressor, x):
            continue
        message = compressor.encode(x, 2, KEY)
        y = decoded(compressor, message, x.size, 2)
        lead = Messages.of_symbols(np.array([1, 0, 1], np.uint8), 1)
        joined = Messages.join([lead, message, message])
        reader = BitReader(joined.data, joined.n_bits)
        reader.symbols(3, 1)
        assert (compressor.decode(reader, x.size, 2, KEY.public) == y).all()
        total = x.copy()
        compressor.add(reader, x.size, 2, KEY.public, total, 0.3)
        assert (total == x + np.float32(0.3) * y).all()
        again = BitReader(message.data, message.n_bits)
        compressor.blend(again, 2, KEY.public, 0.3, x, total)
        assert (total == np.float32(0.3) * x + np.float32(0.3) * y).all()
        assert again.unread() == 0
        assert reader.unread() == 0


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_a_blend_is_coded_like_the_vector_it_is(compressor: Compressor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "STRETCH", 512)
    for name in ("gauss", "mixed", "odd"):
        x = VECTORS[name]
        if not fits(compressor, x):
            continue
        for workers in ([2], [2, 0, 5]):
            blend, total = Blend(x, 0.3, lambda n: np.empty(n, np.float32)), np.float32(0.3) * x
            for worker in workers:
                message = compressor.encode(x, worker, KEY)
                total += np.float32(0.3) * decoded(compressor, message, x.size, worker)
                reader = BitReader(message.data, message.n_bits)
                blend.read(compressor, reader, worker, KEY.public)
                assert reader.booked() == (1, message.n_bits)
            kept, found = compressor.encode(total, 1, KEY), compressor.encode_blend(blend, 1, KEY)
            assert (found.to_bytes(), found.n_bits) == (kept.to_bytes(), kept.n_bits)


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
@pytest.mark.parametrize("name", ["gauss", "one", "odd", "spike", "tiny"])
def test_means_are_right_and_distortion_is_below_its_bound(compressor: Compressor, name: str) -> None:
    """A coordinate of an unbiased compressor is off by more than 4 SE with probability 6e-5, their mean square is
    checked against its law: it fails by chance with probability below 1e-5 a case."""
    x = VECTORS[name].astype(np.float64)
    if not fits(compressor, VECTORS[name]):
        return
    errors = np.empty((DRAWS, x.size))
    for t in range(DRAWS):
        key = KEY.fold("draw", t)
        errors[t] = decoded(compressor, compressor.encode(VECTORS[name], t, key), x.size, t, key) - x
    squares = np.square(errors).sum(axis=1) / np.square(x).sum()
    slack = 4 * squares.std() / DRAWS**0.5 + 1e-6
    assert squares.mean() <= compressor.distortion(x.size) + slack
    if compressor.unbiased:
        off = np.square(errors.mean(axis=0)).sum()
        expected = errors.var(axis=0, ddof=1).sum() / DRAWS
        spread = (2 * np.square(errors.var(axis=0, ddof=1) / DRAWS).sum()) ** 0.5
        assert off <= expected + 6 * spread + 1e-9 * np.square(x).sum()


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_damaged_bits_give_finite_numbers_or_a_wire_error(compressor: Compressor) -> None:
    draw = np.random.default_rng(2)
    x = VECTORS["mixed"]
    if not fits(compressor, x):
        x = VECTORS["gauss"]
    message = compressor.encode(x, 0, KEY)
    size = (message.n_bits + 7) // 8
    for case in range(400):
        data, n_bits = message.data.copy(), message.n_bits
        if case % 2:
            n_bits = int(draw.integers(0, message.n_bits))
        else:
            places = draw.integers(0, size, draw.integers(1, 9)) if case % 4 else draw.integers(0, min(size, 12), 3)
            data[places] = draw.integers(0, 256, places.size)
        try:
            y = compressor.decode(BitReader(data, n_bits), x.size, 0, KEY.public)
        except WireError:
            continue
        assert case % 2 == 0, "a message that was cut short was read"
        assert y.shape == x.shape
        assert np.isfinite(y).all()


def test_the_list_has_every_compressor_with_a_bound_that_means_something() -> None:
    assert {catalog.describe(compressor)["name"] for compressor in ALL} == set(catalog.names("compressor"))
    for compressor in ALL:
        assert not math.isnan(compressor.distortion(1000))
        assert compressor.distortion(1000) >= 0
        assert catalog.build("compressor", catalog.describe(compressor)) == compressor


@pytest.mark.parametrize("generator", ["splitmix", "philox"])
@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_small_and_large_inputs_make_the_same_bits(compressor: Compressor, generator: str) -> None:
    """What numpy does before numba is awake and the kernels afterwards; `worth_compiling` decides which."""
    key, _ = coins.from_seed(3, generator)
    x = VECTORS["gauss"]
    with pytest.MonkeyPatch.context() as patch:
        sent = []
        for answer in (True, False):
            for module in _doors():
                patch.setattr(f"{module}.worth_compiling", lambda count, answer=answer: answer)
            message = compressor.encode(x, 4, key)
            y = compressor.decode(BitReader(message.data, message.n_bits), x.size, 4, key.public)
            sent.append((message.to_bytes(), y.tobytes()))
    assert sent[0] == sent[1]


def _doors() -> list[str]:
    return [
        name
        for name, module in sorted(sys.modules.items())
        if name.startswith("distest.") and hasattr(module, "worth_compiling") and not name.endswith("._lazy")
    ]
