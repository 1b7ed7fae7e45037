"""Lengths of quantised messages: as the formula says, as the papers say, and never beyond the cap of the modes.

Monte Carlo averages are held to 4.5 standard errors (each fails by chance with probability below 1e-5).
"""

import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from distest import catalog, coins
from distest.bits import BitReader, Messages
from distest.errors import UsageError, WireError
from distest.sgd import lengths
from distest.sgd.buckets import BucketQuantiser
from distest.sgd.compressors.nuqsgd import Nuqsgd
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.terngrad import Terngrad
from distest.sgd.problem import Vector
from tests import naive

KEY, _ = coins.from_seed(11)
SE = 4.5


@lru_cache
def vector(law: str, d: int = 8192, seed: int = 0) -> Vector:
    draw = np.random.default_rng(seed)
    return (draw.standard_normal(d) if law == "gauss" else draw.standard_t(3, d)).astype(np.float32)


def bits_of(message: Messages) -> str:
    return "".join(map(str, np.unpackbits(message.data)[: message.n_bits]))


def measured(compressor: BucketQuantiser, x: Vector, draws: int) -> tuple[float, float]:
    """Mean and standard error of the bits."""
    found = [compressor.encode(x, 0, KEY.fold("draw", t)).n_bits for t in range(draws)]
    return float(np.mean(found)), float(np.std(found, ddof=1) / draws**0.5)


def said(compressor: BucketQuantiser, x: Vector) -> Vector:
    message = compressor.encode(x, 0, KEY)
    return compressor.decode(BitReader(message.data, message.n_bits), x.size, 0, KEY.public)


# ---- the formula


MAKERS: list[Any] = [
    Qsgd(bits=4, code="elias"), Qsgd(bits=4, norm="max", code="elias"), Nuqsgd(bits=4, code="elias"),
    Qsgd(bits=2, code="elias"), Terngrad(clip=0, code="elias"), Terngrad(code="elias"),
    Qsgd(bits=4, levels="nozero", code="elias"), Nuqsgd(bits=4, levels="nozero", norm="max", code="elias"),
    Qsgd(bits=4, code="dense"), Qsgd(bits=4, norm="max", code="dense"), Nuqsgd(bits=4, code="dense"),
    Qsgd(bits=8, code="dense"), Nuqsgd(bits=8, norm="max", code="dense"), Terngrad(code="dense"),
]  # fmt: skip


@pytest.mark.parametrize("compressor", MAKERS, ids=catalog.label)
def test_measured_lengths_are_the_formula(compressor: BucketQuantiser) -> None:
    for law, bucket in (("gauss", 8192), ("t3", 700)):
        x = vector(law, 2048).copy()
        x[700:1400] *= law == "gauss"
        here = catalog.build("compressor", {**catalog.describe(compressor), "bucket": bucket})
        found, spread = measured(here, x, 60)
        assert abs(found - here.expected_bits(x)) <= SE * spread + 1e-3


@pytest.mark.parametrize("compressor", MAKERS, ids=catalog.label)
def test_the_formula_is_the_sum_over_all_outcomes(compressor: BucketQuantiser) -> None:
    """Of six coordinates with all 64 ways to round them, each with its probability and its words."""
    x = np.array([0.9, -0.05, 0.0, 0.31, -0.62, 0.07], np.float32)
    norms, r, cell, signed = compressor._between(x)
    up = (np.minimum(r, 1) - signed[cell]) / (signed[cell + 1] - signed[cell])
    levels, total = compressor._levels.magnitudes(), 0.0
    for chosen in itertools.product((0, 1), repeat=6):
        sizes = np.abs(signed[cell + np.array(chosen)])
        numbers = (np.searchsorted(levels, sizes) + (not compressor._levels.zero)).tolist()
        told = [i for i, number in enumerate(numbers) if number]
        if compressor.code == "dense":
            words = "".join(naive.elias_omega(number + 1) + "s" * (number > 0) for number in numbers)
        else:
            gaps = np.diff(told, prepend=-1).tolist()
            words = naive.elias_omega(len(told) + 1) + "".join(
                naive.elias_omega(gap) + "s" + naive.elias_omega(numbers[i]) for gap, i in zip(gaps, told, strict=True)
            )
        total += len(words) * float(np.where(chosen, up, 1 - up).prod())
    assert norms[0] > 0
    assert compressor.expected_bits(x) == pytest.approx(32 + total, rel=1e-9)


def test_the_law_of_a_count_is_that_of_a_sum_of_coins() -> None:
    off = np.random.default_rng(3).random((2, 37))
    for row, law in zip(off, lengths.counts(off), strict=True):
        naive_law = np.ones(1)
        for q in row:
            naive_law = np.convolve(naive_law, [1 - q, q])
        assert np.allclose(law, naive_law, atol=1e-14)


def test_lengths_that_no_formula_is_known_for_are_refused() -> None:
    for code in ("rans", "rice", "shortest"):
        with pytest.raises(UsageError, match="mean bits are known of the codes fixed, dense and elias"):
            Qsgd(bits=4, code=code).expected_bits(vector("gauss"))
    assert Qsgd(bits=4, bucket=1000).expected_bits(vector("gauss")) == 9 * 32 + 4 * 8192


# ---- the papers


TABLE: list[Any] = [  # law, compressor, bits a coordinate: elias, rice, entropy of the symbols (of one vector each)
    ("gauss", {"name": "qsgd"}, (0.609, 0.468, 0.405)),
    ("gauss", {"name": "qsgd", "norm": "max"}, (3.72, 3.46, 2.93)),
    ("gauss", {"name": "nuqsgd"}, (2.33, 2.13, 1.76)),
    ("gauss", {"name": "qsgd", "bits": 8}, (3.27, 3.09, 2.63)),
    ("t3", {"name": "qsgd"}, (0.511, 0.394, 0.336)),
    ("t3", {"name": "nuqsgd"}, (2.01, 1.85, 1.58)),
]


@pytest.mark.parametrize(("law", "spec", "figures"), TABLE, ids=str)
def test_bits_of_the_known_table(law: str, spec: dict[str, Any], figures: tuple[float, ...]) -> None:
    """d = B = 8192, means over 12 vectors within 4 %; the table of rANS and its coders are 300 bits and no entropy."""
    for code, figure in zip(("elias", "rice", "rans"), figures, strict=True):
        compressor = catalog.build("compressor", {"bits": 4, **spec, "code": code})
        found = [compressor.encode(vector(law, 8192, seed), seed, KEY).n_bits for seed in range(12)]
        more = 300 / 8192 if code == "rans" else 0.0
        assert 0.96 * figure <= np.mean(found) / 8192 <= 1.04 * figure + more, code


def test_coordinates_off_zero_are_as_few_as_the_papers_say() -> None:
    d = 8192
    for law in ("gauss", "t3"):
        for bits in (2, 3, 4):
            s = 2 ** (bits - 1) - 1
            ours = [np.count_nonzero(said(Qsgd(bits=bits), vector(law, d, seed))) for seed in range(5)]
            assert np.mean(ours) <= s * (s + d**0.5)
            s = 2 ** (bits - 1) - 2
            theirs = [
                np.count_nonzero(said(Nuqsgd(bits=bits, multiplier=0.5), vector(law, d, seed))) for seed in range(5)
            ]
            assert np.mean(theirs) <= 2 ** (2 * s) + 2**s * d**0.5


# ---- bit by bit


def on_levels(bucket: int, rows: list[list[int]]) -> Vector:
    """A vector in buckets whose greatest magnitude is 7, so that 4 bits under the maximum norm take no chances."""
    x = np.zeros((len(rows), bucket), np.float32)
    for place, row in enumerate(rows):
        x[place, : len(row)] = row
    return x.ravel()


SEVEN = f"{np.float32(7).view(np.uint32):032b}"


def test_a_rice_bucket_bit_by_bit() -> None:
    x = on_levels(64, [[0] * 9 + [7] + [0] * 20 + [-2] + [0] * 10 + [1]])
    message = Qsgd(bits=4, norm="max", bucket=64, code="rice").encode(x, 0, KEY)
    entries = [(9, "0", 7), (20, "1", 2), (10, "0", 1)]  # zeros between, sign, level
    wanted = [
        SEVEN + f"{b:05b}" + naive.elias_omega(4)
        + "".join(naive.rice(gap, b) + sign + naive.elias_gamma(level) for gap, sign, level in entries)
        for b in range(8)
    ]  # fmt: skip
    assert bits_of(message) == min(wanted, key=len)


def test_a_dense_bucket_bit_by_bit() -> None:
    x = on_levels(6, [[7, 0, -2, 0, 0, 1], [0] * 6])
    message = Qsgd(bits=4, norm="max", bucket=6, code="dense").encode(x, 0, KEY)
    words = [naive.elias_omega(8) + "0", "0", naive.elias_omega(3) + "1", "0", "0", naive.elias_omega(2) + "0"]
    assert bits_of(message) == SEVEN + "0" * 32 + "".join(words)


def test_each_bucket_takes_its_shortest_mode() -> None:
    rows = [[0] * 64, [7, -7] * 32, [0] * 31 + [7], [0] * 9 + [7] + [0] * 20 + [-1] + [0] * 20 + [1], [1] * 12 + [7]]
    shorter, modes = on_levels(64, rows), []
    total = ""
    for row in rows:
        alone = on_levels(64, [row])
        elias = Qsgd(bits=4, norm="max", bucket=64, code="elias").encode(alone, 0, KEY)
        rice = Qsgd(bits=4, norm="max", bucket=64, code="rice").encode(alone, 0, KEY)
        plain = SEVEN + "".join(f"{8 * (k < 0) + abs(int(k)):04b}" for k in alone)
        tries = ["00", "01" + plain, "10" + bits_of(elias), "11" + bits_of(rice)]
        best = min(tries[1:], key=len) if any(row) else tries[0]
        modes.append(best[:2])
        total += best
    assert {"00", "01", "10", "11"} == set(modes)
    message = Qsgd(bits=4, norm="max", bucket=64, code="shortest").encode(shorter, 0, KEY)
    assert bits_of(message) == total


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_no_bucket_passes_the_cap_of_the_modes(bits: int) -> None:
    """b B + 34 bits, on vectors for which Elias and Rice take more, and 2 bits for a bucket of zeros."""
    draw = np.random.default_rng(0)
    lone = np.zeros(8192, np.float32)
    lone[draw.choice(8192, 300, replace=False)] = 1
    lone[-1] = -1
    flat = np.where(draw.random(8192) < 0.5, -1, 1).astype(np.float32)
    for x in (flat, lone, vector("gauss"), vector("t3"), draw.random(8192).astype(np.float32), flat * 0):
        for bucket in (1, 3, 64, 1000, 8192):
            buckets = -(-8192 // bucket)
            for kind, norm in itertools.product((Qsgd, Nuqsgd), ("l2", "max")):
                found = kind(bits=bits, norm=norm, bucket=bucket, code="shortest").encode(x, 0, KEY).n_bits
                assert found <= bits * 8192 + 34 * buckets
                if not x.any():
                    assert found == 2 * buckets
    long = Nuqsgd(bits=4, norm="max", code="elias").encode(vector("gauss"), 0, KEY).n_bits
    assert long > 1.6 * (4 * 8192 + 34)  # which the modes are for


def test_rans_takes_the_entropy_of_the_symbols() -> None:
    x = vector("gauss", 1 << 18)
    for compressor in (Qsgd(bits=4, bucket=512, code="rans"), Qsgd(bits=4, norm="max", bucket=512, code="rans")):
        y = said(compressor, x).astype(np.float64)
        norms = np.repeat(
            np.linalg.norm(x.reshape(-1, 512).astype(np.float64), axis=1)
            if compressor.norm == "l2"
            else np.abs(x).reshape(-1, 512).max(axis=1),
            512,
        )
        _, counts = np.unique(np.round(7 * y / norms), return_counts=True)
        entropy = -float((counts / x.size * np.log2(counts / x.size)).sum())
        found = compressor.encode(x, 0, KEY).n_bits / x.size - 32 / 512
        assert entropy <= found <= entropy + 0.004


def test_counts_of_more_than_two_million_have_words() -> None:
    x = np.ones((1 << 21) + 5, np.float32)
    compressor = Terngrad(clip=0, bucket=x.size, code="elias")
    message = compressor.encode(x, 0, KEY)
    assert message.n_bits == 32 + len(naive.elias_omega(x.size + 1)) + 3 * x.size
    assert (compressor.decode(BitReader(message.data, message.n_bits), x.size, 0, KEY.public) == 1).all()


# ---- damage


@pytest.mark.parametrize(
    ("code", "bits", "said"),
    [
        ("shortest", "01" + "0" * 32 + "1" * 64, "a bucket of norm 0 is not announced as one"),
        ("shortest", "01" + SEVEN + "1" * 20, "the bits end early in a bucket"),
        ("shortest", "11" + SEVEN + "1" * 3, "the message ends within a parameter"),
        ("shortest", "0", "the message ends within a mode"),
        ("rice", SEVEN + "00000" + naive.elias_omega(100), "how many of 10 coordinates"),
        ("rice", SEVEN + "00000" + naive.elias_omega(2) + "1" * 12 + "0" + "0" + "1", "a coordinate is beyond 10"),
        ("rice", SEVEN + "00000" + naive.elias_omega(2) + "0" + "0" + naive.elias_gamma(8), "a level beyond 7"),
        ("dense", SEVEN + naive.elias_omega(9) + "0" + "0" * 9, "a level beyond 7"),
        ("rans", SEVEN + naive.elias_gamma(4096) * 2 + "1" * 300, "sum to more than 4096"),
    ],
)
def test_bits_that_are_no_message_are_refused(code: Any, bits: str, said: str) -> None:
    data = np.packbits(np.array(list(bits), np.uint8))
    with pytest.raises(WireError, match=said):
        Qsgd(bits=4, code=code).decode(BitReader(data, len(bits)), 10, 0, KEY.public)


def test_dense_and_no_zero_do_not_go_together() -> None:
    for name in ("qsgd", "nuqsgd"):
        with pytest.raises(UsageError, match=f"the code 'dense' of {name} saves the sign of a level at 0"):
            catalog.build("compressor", {"name": name, "bits": 4, "levels": "nozero", "code": "dense"})
    assert math.isfinite(Qsgd(bits=8, levels="nozero", code="rans").encode(vector("t3"), 0, KEY).n_bits)
