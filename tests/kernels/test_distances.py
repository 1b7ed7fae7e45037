"""Buckets by distances: numpy and numba write the same bits, and take the same bits for messages.

The words themselves are held against plain strings in tests/sgd/test_lengths.py.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.kernels import bitpack, distances
from distest.kernels.distances import ELIAS, RICE, SHORTEST
from distest.kernels.quantise import Floats, Levels
from tests import naive

CODES = (ELIAS, RICE, SHORTEST)
LEVELS = [
    Levels("uniform", 7, True, 4),
    Levels("uniform", 15, False, 4),
    Levels("powers", 2, True, 3, 0.5),
    Levels("powers", 6, True, 4, 0.7),
    Levels("uniform", 127, True, 8),
    Levels("powers", 127, False, 8, 0.9),
    Levels("uniform", 1, True, 2),
]
SIZES = [(1, 1), (63, 63), (64, 64), (65, 65), (700, 64), (1300, 1300), (1300, 200), (997, 3)]


def drawn(levels: Levels, d: int, bucket: int, draw: np.random.Generator) -> tuple[Floats, NDArray[np.uint8]]:
    """Norms, some of them 0, and symbols of the others: of each bucket its own share off 0, in runs or spread."""
    norms = (draw.random(-(-d // bucket)) * (draw.random(-(-d // bucket)) < 0.8)).astype(np.float32)
    indices = draw.integers(0, distances.top(levels) + levels.zero, d) * (draw.random(d) < 0.5)
    symbols = (indices | draw.integers(0, 2, d) << (levels.width - 1)).astype(np.uint8)
    for begin in range(0, d, bucket):
        here = symbols[begin : begin + bucket]
        here[draw.random(here.size) < draw.choice([0, 0.5, 0.9, 0.99, 1])] = 0
    return norms, symbols[np.repeat(norms > 0, bucket)[:d]]


def both_ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """numpy, then numba."""
    for compiled in (False, True):
        monkeypatch.setattr(distances, "worth_compiling", lambda count, compiled=compiled: compiled)
        yield compiled


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_small_and_large_vectors_make_the_same_bits(levels: Levels, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(code)
    for d, bucket in SIZES:
        norms, symbols = drawn(levels, d, bucket, draw)
        start = draw.standard_normal(d).astype(np.float32)
        found = []
        for _ in both_ways(monkeypatch):
            data, n_bits = distances.encode(norms, symbols, d, bucket, levels, code)
            assert not data[(n_bits + 7) // 8 :].any()
            shifted = bitpack.room(n_bits + 5)
            bitpack.append(data, n_bits, shifted, 5)
            put, added = np.empty(d, np.float32), start.copy()
            for out, scale in ((put, None), (added, 0.3)):
                end, status, _, own = distances.decode(shifted, 5, n_bits + 5, bucket, levels, code, out, scale)
                assert (end, status) == (n_bits + 5, 0)
            found.append((data.tobytes(), n_bits, own, put.tobytes(), added.tobytes()))
        assert found[0] == found[1], (d, bucket)


def test_all_modes_are_among_the_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, levels = np.random.default_rng(0), LEVELS[0]
    for compiled in both_ways(monkeypatch):
        modes = set()
        for _ in range(200):
            data, _ = distances.encode(*drawn(levels, 60, 60, draw), 60, 60, levels, SHORTEST)
            modes.add(int(data[0]) >> 6)
        assert modes == {0, 1, 2, 3}, compiled


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("levels", LEVELS[:5], ids=str)
def test_damaged_bits_are_the_same_message_or_none_on_both_roads(
    levels: Levels, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits behind the end are drawn anew: nothing that is read changes by them."""
    draw = np.random.default_rng(2)
    d, bucket = 300, 128
    read = 0
    for case in range(120):
        norms, symbols = drawn(levels, d, bucket, draw)
        data, n_bits = distances.encode(norms, symbols, d, bucket, levels, code)
        data = data.copy()
        places = draw.integers(0, (n_bits + 7) // 8, 1 + case % 3)
        data[places] ^= (1 << draw.integers(0, 8, places.size)).astype(np.uint8)
        limit = n_bits if case % 4 else int(draw.integers(0, n_bits))
        found = []
        for _ in both_ways(monkeypatch):
            noise = np.concatenate([data, draw.integers(0, 256, 8, dtype=np.uint8)])
            noise[limit // 8 + 1 :] = draw.integers(0, 256, noise.size - limit // 8 - 1)
            noise[limit // 8] ^= int(draw.integers(0, 256)) >> (limit % 8)
            out = np.empty(d, np.float32)
            end, status, place, _ = distances.decode(noise, 0, limit, bucket, levels, code, out, None)
            assert end <= limit or status
            found.append((0, end, out.tobytes()) if not status else (1, place, out[: place * bucket].tobytes()))
        read += found[0][0] == 0
        assert found[0] == found[1], case
    assert 0 < read < 120


@pytest.mark.parametrize("code", [ELIAS, RICE])
def test_distances_of_millions_have_words(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone and behind crowds, which want a small parameter where the distance wants a large one."""
    d, levels = (1 << 21) + 3, LEVELS[0]
    symbols = np.zeros(d, np.uint8)
    places = [*range(40), 1 << 20, (1 << 20) + 1023, (1 << 20) + 2047, d - 1]
    symbols[places] = 15
    monkeypatch.setattr(distances, "worth_compiling", lambda count: True)
    data, n_bits = distances.encode(np.ones(1, np.float32), symbols, d, d, levels, code)
    gaps = np.diff(places, prepend=-1).tolist()
    head = f"{np.float32(1).view(np.uint32):032b}"
    count = naive.elias_omega(len(places) + 1)
    if code == ELIAS:
        wanted = head + count + "".join(naive.elias_omega(gap) + "1" + naive.elias_omega(7) for gap in gaps)
    else:
        b = int(((max(gaps) - 1) // 32).bit_length())
        words = (naive.rice(gap - 1, b) + "1" + naive.elias_gamma(7) for gap in gaps)
        wanted = head + f"{b:05b}" + count + "".join(words)
    assert "".join(map(str, np.unpackbits(data)[:n_bits])) == wanted
    out = np.empty(d, np.float32)
    own = len(places) * len("1" + (naive.elias_omega(7) if code == ELIAS else naive.elias_gamma(7)))
    assert distances.decode(data, 0, n_bits, d, levels, code, out, None) == (n_bits, 0, 1, own)
    assert np.flatnonzero(out).tolist() == places
    assert (out[places] == -1).all()


@pytest.mark.parametrize("code", CODES)
def test_no_vector_passes_the_room_that_is_made_for_it(code: int) -> None:
    """The worst of each: no zeros; every second, third, fourth; a crowd behind the furthest; by the words alone."""
    for levels in LEVELS:
        half = 1 << (levels.width - 1)
        for bucket in (1, 2, 31, 32, 33, 64, 1000):
            room = distances._room(bucket, bucket, 1, levels, code)
            for step in (1, 2, 3, 4, 7, bucket):
                symbols = np.zeros(bucket, np.uint8)
                symbols[::step] = half + distances.top(levels) - (not levels.zero)
                for some in (symbols, symbols[::-1].copy()):
                    some[: bucket // 2 * (step == 7)] = 0
                    n_bits = distances._encode([1], some.tolist(), bucket, bucket, levels, code)[1]
                    assert n_bits <= room
