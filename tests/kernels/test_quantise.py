"""Quantising and packing: kernels and numpy give the same bytes, whatever the buckets and magnitudes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from distest.kernels import bitpack, planes, quantise, splitmix
from distest.kernels.quantise import Levels

KEY, WORKER = 5, 3
GRIDS = [
    *(Levels("uniform", 2 ** (bits - 1) - 1, True, bits) for bits in range(2, 9)),
    *(Levels("uniform", 2**bits - 1, False, bits) for bits in (2, 4, 8)),
    *(Levels("powers", 2 ** (bits - 1) - 2, True, bits, ratio) for bits in (2, 4, 8) for ratio in (0.5, 0.9)),
    *(Levels("powers", 2 ** (bits - 1) - 1, False, bits, ratio) for bits in (2, 4, 7) for ratio in (0.5, 0.9)),
]


def words(start: bool = False) -> quantise.Words:
    return quantise.Words.of(
        KEY if start else None, WORKER, lambda n: splitmix.words(KEY, range(WORKER, WORKER + 1), n)[0]
    )


def with_kernels(monkeypatch: pytest.MonkeyPatch, use: bool) -> None:
    for module in (quantise, planes):
        monkeypatch.setattr(module, "worth_compiling", lambda n: use)


def both_ways(monkeypatch: pytest.MonkeyPatch, job: Callable[[], Any]) -> tuple[Any, Any]:
    found = []
    for use in (True, False):
        with_kernels(monkeypatch, use)
        found.append(job())
    return found[0], found[1]


def vector(d: int, magnitude: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    x = np.random.default_rng(d).standard_t(3, d) * magnitude
    x[::17] = 0
    x[d // 3 : d // 2] = 0
    return np.clip(x, -3.4e38, 3.4e38).astype(np.float32)


@pytest.mark.parametrize(("bucket", "d"), [(8192, 9001), (512, 1024), (700, 2000), (100, 1000), (7, 50), (1, 9)])
@pytest.mark.parametrize("levels", GRIDS, ids=str)
def test_kernels_and_numpy_give_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, levels: Levels, bucket: int, d: int
) -> None:
    for magnitude in (1.0, 1e-42, 1e-25, 1e25, 1e38):
        for norm in ("max", "l2", "clipped"):
            x = vector(d, magnitude)
            out = np.zeros(d + bitpack.SPARE, np.uint8)
            size = min(bucket, d)

            def job(
                start: bool = False, x: Any = x, norm: str = norm, out: Any = out, size: int = size
            ) -> tuple[bytes, bytes, bytes, bytes]:
                out[:] = 0
                norms, count = quantise.encode(x, size, norm, 2.5, levels, words(start), out)
                symbols = quantise.symbols_of(x, size, norm, 2.5, levels, words(start))[1]
                assert symbols.size == count
                y, total = np.full((2, x.size), 0.5, np.float32)
                quantise.decode(out, norms, size, levels, y)
                with np.errstate(over="ignore"):
                    quantise.decode(out, norms, size, levels, total, 0.3)
                    assert (total == np.float32(0.5) + np.float32(0.3) * y).all()
                assert np.isfinite(y).all()
                return norms.tobytes(), out.tobytes(), symbols.tobytes(), y.tobytes()

            fast, slow = both_ways(monkeypatch, job)
            assert fast == slow
            with_kernels(monkeypatch, True)
            assert job(start=True) == fast  # the kernel's own words are those that are handed in


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("count", [0, 5, 511, 512, 513, 1600])
def test_planes_hold_symbols_where_the_layout_says(monkeypatch: pytest.MonkeyPatch, width: int, count: int) -> None:
    symbols = np.random.default_rng(count).integers(0, 1 << width, count, dtype=np.uint8)
    expected = []
    for start in range(0, count - count % 512, 512):
        block, shift = symbols[start : start + 512].astype(int), width
        for part in (8, 4, 2, 1) if width == 8 else (4, 2, 1):
            if shift and width & part:
                shift -= part
                values, span = (block >> shift) & ((1 << part) - 1), 64 * part
                for j in range(span):
                    byte = 0
                    for value in values[j::span]:
                        byte = byte << part | int(value)
                    expected.append(byte)
    tail = "".join(f"{symbol:0{width}b}" for symbol in symbols[count - count % 512 :])
    expected += [int(tail[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(tail), 8)]

    def job() -> bytes:
        out = np.zeros((count * width + 7) // 8 + bitpack.SPARE, np.uint8)
        planes.pack(symbols, width, out)
        assert (planes.unpack(out, width, count) == symbols).all()
        return out[: -bitpack.SPARE].tobytes()

    fast, slow = both_ways(monkeypatch, job)
    assert fast == slow == bytes(expected)


@pytest.mark.parametrize("at", [0, 3, 8, 13])
@pytest.mark.parametrize("n_bits", [0, 1, 63, 64, 200])
def test_bits_are_cut_out_at_any_place(at: int, n_bits: int) -> None:
    bits = np.random.default_rng(at).integers(0, 2, at + n_bits, dtype=np.uint8)
    data = np.concatenate([np.packbits(bits), np.zeros(bitpack.SPARE, np.uint8)])
    found = bitpack.cut(data, at, n_bits)
    assert found.size >= (n_bits + 7) // 8 + bitpack.SPARE
    assert (np.unpackbits(found)[:n_bits] == bits[at:]).all()


def test_a_level_of_zero_has_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.where(np.arange(1024) % 64 == 5, np.float32(-2), np.float32(-1e-6))
    for levels in (GRIDS[2], Levels("powers", 6, True, 4), Levels("powers", 6, True, 4, 0.9)):
        out = np.zeros(1024 + bitpack.SPARE, np.uint8)

        def job(levels: Levels = levels, out: Any = out) -> bytes:
            norms, _ = quantise.encode(x.astype(np.float32), 512, "max", 0.0, levels, words(True), out)
            y = np.empty(x.size, np.float32)
            quantise.decode(out, norms, 512, levels, y)
            assert (y == 0).sum() > 900
            assert not np.signbit(y[y == 0]).any()
            return y.tobytes()

        fast, slow = both_ways(monkeypatch, job)
        assert fast == slow


@pytest.mark.parametrize("bucket", [512, 1024, 8192])
@pytest.mark.parametrize("norm", ["max", "l2"])
def test_buckets_of_whole_blocks_between_others_are_like_any(
    monkeypatch: pytest.MonkeyPatch, bucket: int, norm: str
) -> None:
    """Zero, tiny and huge buckets make the fast loops hand over, in the middle of a vector and at its ragged end."""
    x = vector(5 * bucket + 700, 1.0)
    x[bucket : 2 * bucket] = 0
    for start, factor in ((3 * bucket, 1e-30), (4 * bucket, 1e30), (0, 1.0)):
        x[start : start + bucket] *= np.float32(factor)
        for levels in (GRIDS[2], GRIDS[6], Levels("powers", 6, True, 4)):

            def job(levels: Levels = levels, x: Any = x) -> tuple[bytes, bytes, bytes]:
                out = np.zeros(x.size + bitpack.SPARE, np.uint8)
                norms, _ = quantise.encode(x, bucket, norm, 0.0, levels, words(True), out)
                y = np.full(x.size, 0.25, np.float32)
                quantise.decode(out, norms, bucket, levels, y, 0.5)
                return norms.tobytes(), out.tobytes(), y.tobytes()

            fast, slow = both_ways(monkeypatch, job)
            assert fast == slow


@pytest.mark.parametrize("bucket", [512, 1024])
@pytest.mark.parametrize("norm", ["max", "l2", "clipped"])
def test_a_sum_is_coded_in_one_pass_as_it_is_in_two(monkeypatch: pytest.MonkeyPatch, bucket: int, norm: str) -> None:
    """Buckets of norm 0 and out of the ordinary on both sides, and a ragged end."""
    d = 6 * bucket + 700
    x, base = vector(d, 1.0), vector(d, 2.0)[::-1].copy()
    for start, factor in ((0, 0.0), (2 * bucket, 1e-30), (5 * bucket, 1e30)):
        x[start : start + bucket] *= np.float32(factor)
        base[start + bucket : start + 2 * bucket] *= np.float32(factor)
    base[:bucket] = 0
    for read in (GRIDS[2], GRIDS[6], GRIDS[7], Levels("powers", 6, True, 4)):
        data, total = np.zeros(d + bitpack.SPARE, np.uint8), np.empty_like(x)
        norms, _ = quantise.encode(x, bucket, "max", 0.0, read, words(True), data)
        quantise.decode(data, norms, bucket, read, total, 0.25, base)
        for levels in (GRIDS[2], GRIDS[1], Levels("powers", 6, True, 4)):
            out, again = np.zeros((2, d + bitpack.SPARE), np.uint8)
            kept = quantise.encode(total, bucket, norm, 2.5, levels, words(True), out)

            def job(
                read: Levels = read, levels: Levels = levels, codes: Any = data, scales: Any = norms, out: Any = again
            ) -> Any:
                found, count = quantise.relay(
                    codes, scales, read, 0.25, 0.25, base, bucket, norm, 2.5, levels, words(True), out
                )  # fmt: skip
                return found.tobytes(), count, out.tobytes()

            for found in both_ways(monkeypatch, job):
                assert found == (kept[0].tobytes(), kept[1], out.tobytes())


def test_places_beyond_two_to_the_31_are_reached() -> None:
    """8.6 GB of addresses, of which hardly any are touched: every bucket is 0 but the last."""
    d, levels = (1 << 31) + 1536, GRIDS[2]
    try:
        x, y, out = np.zeros(d, np.float32), np.zeros(d, np.float32), np.empty(d, np.uint8)
    except MemoryError:
        pytest.skip("this machine does not give 20 GB of addresses")
    x[-512:] = vector(512, 1.0)
    start = words(True).start
    assert start is not None
    norms, count = quantise.encode(x, 512, "max", 0.0, levels, words(True), out)
    quantise.decode(out, norms, 512, levels, y, 1.0)
    assert (norms[:-1] == 0).all()
    assert count == 512
    part, small = np.empty(512 + bitpack.SPARE, np.uint8), np.zeros(512, np.float32)
    first = (start + (d - 512) // 4 * int(splitmix.GAMMA)) % (1 << 64)
    alone, _ = quantise.encode(x[-512:], 512, "max", 0.0, levels, quantise.Words(first, words().make), part)
    quantise.decode(part, alone, 512, levels, small, 1.0)
    assert part[:256].tobytes() == out[:256].tobytes()
    assert (y[-512:] == small).all()
    assert small.any()
