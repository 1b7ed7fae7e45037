"""What may be wrong with vectors and sizes: no coordinates off 0, a single one, very many, buckets and k beyond d."""

import sys
from typing import Any

import numpy as np
import pytest

from distest import catalog, training, warming
from distest.__main__ import _explain
from distest.bits import BitReader
from distest.cli.main import cli
from distest.coins import from_seed
from distest.errors import UsageError
from distest.sgd import indices
from distest.sgd.compressor import Compressor
from distest.sgd.problem import Vector
from distest.train_spec import check, normalise
from distest.wire.transport import Solo

KEY = from_seed(6)[0]
COMPRESSORS = list({catalog.describe(each)["name"]: each for each in warming.compressors()}.values())

LONG: list[dict[str, Any]] = [{"name": "top_k", "k": 3}, {"name": "threshold"}, {"name": "gspar"}, {"name": "sign"}]


def having(option: str) -> list[str]:
    """Compressors with an option."""
    return [name for name in catalog.names("compressor") if option in catalog.options("compressor", name)]


class Flat:
    """A loss without slopes."""

    d, rows = 40, 8

    def gradient(self, x: Vector, rows: Any) -> Vector:
        return 0 * x

    def loss(self, x: Vector) -> float:
        return 1.0


class Single:
    """One coordinate, whose best place is 1."""

    d, rows = 1, 8

    def gradient(self, x: Vector, rows: Any) -> Vector:
        return x - 1

    def loss(self, x: Vector) -> float:
        return float((x[0] - 1) ** 2 / 2)


def coded(compressor: Compressor, x: Vector) -> tuple[Vector, int]:
    message = compressor.encode(x, 0, KEY)
    return compressor.decode(BitReader(message.data, message.n_bits), x.size, 0, KEY.public), message.n_bits


def methods() -> list[dict[str, Any]]:
    """Every method, and the mean over every exchange with every compressor."""
    short = {
        name: {"inner": 4} if "inner" in catalog.options("method", name) else {} for name in catalog.names("method")
    }
    every: list[dict[str, Any]] = [{"name": name, **options} for name, options in short.items()]
    for exchange in catalog.names("exchange"):
        specs = map(catalog.describe, COMPRESSORS)
        every += [{"name": "mean", "compressor": spec, "exchange": exchange} for spec in specs]
    return every


@pytest.mark.parametrize("problem", ["Flat", "Single"])
def test_no_slopes_and_a_single_coordinate_are_trained_or_refused_with_a_sentence(problem: str) -> None:
    """Only for a single coordinate may a method have reasons to refuse. Sparsified at random, it may go astray."""
    refused = []
    for method in methods():
        table = {"problem": f"{__name__}:{problem}", "method": method, "workers": 2, "steps": 12, "rate": 0.01}
        spec = check(normalise({**table, "evaluate": 12}))
        try:
            trials = training.plan(spec)
        except UsageError as error:
            refused.append(str(error))
            continue
        record, _, _ = next(training.run(spec, trials, Solo(), False))
        if problem == "Flat":
            assert record["model_sha256"] == training.model_digest(np.zeros(40, np.float32)), method
        else:
            assert np.isfinite(record["loss"]), method
    assert not any("\n" in said for said in refused)
    known = ("power_sgd needs a matrix", "common_scale rounds", "lag_ps needs to know")
    others = [said for said in refused if not said.startswith(known)]
    assert len(others) <= (problem == "Single") * len(methods()) / 4, others


OUTSIDE = {
    "lag_wk:xi=-1": "takes xi from 0 to 10",
    "lag_ps:xi=11": "takes xi from 0 to 10",
    "laq:clock=-1": "a clock of at least 1 round",
    "clag:zeta=-1": "a finite zeta of at least 0",
    "asy_lpg:tau=2": "4 workers are late by 3 steps without anybody's fault, got tau=2",
    "asy_lpg:mu=1": "with 0 < mu < 1, got mu=1",
    "ringmaster:limit=0": "limit >= 1",
    "rennala:collect=0": "at least one gradient, got collect=0",
    "choco_sgd:gamma=0": "0 < gamma <= 1",
}


@pytest.mark.parametrize("method", OUTSIDE)
def test_a_trigger_or_a_delay_bound_outside_its_range_is_refused_before_a_run(
    method: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["distest", "train", "--problem", "logistic:data=ionosphere", "--method", method])
    with pytest.raises(UsageError) as refused:
        cli(sys.argv[1:], standalone_mode=False)
    assert _explain(refused.value) == 2
    said = capsys.readouterr().err
    assert OUTSIDE[method] in said
    assert said.count("\n") == 1


def test_a_radius_or_a_scale_of_0_is_a_radius_or_a_scale_and_no_level() -> None:
    """R = 0 and alpha = 0: nothing is divided by it."""
    zero = np.zeros(10, np.float32)
    for spec, n_bits in (({"name": "laq_grid"}, 32), ({"name": "twos_complement", "bits": 4}, 32)):
        x, n_read = coded(catalog.build("compressor", spec), zero)
        assert n_read == n_bits
        assert not x.any()


@pytest.mark.parametrize(
    "name", [n for n in catalog.names("compressor") if "bucket" in catalog.options("compressor", n)]
)
def test_a_bucket_longer_than_the_vector_is_the_vector(name: str) -> None:
    x = np.linspace(-1, 2, 35, dtype=np.float32)
    needs = {"bits": 4} if "bits" in catalog.options("compressor", name) else {}
    both = [catalog.build("compressor", {"name": name, "bucket": bucket, **needs}) for bucket in (35, 1 << 40)]
    one, other = (coded(each, x) for each in both)
    assert one[1] == other[1]
    assert np.array_equal(one[0], other[0])
    with pytest.raises(UsageError, match="at least one coordinate, got bucket=0"):
        catalog.build("compressor", {"name": name, "bucket": 0, **needs})


@pytest.mark.parametrize("name", having("k"))
def test_k_beyond_the_vector_is_refused_and_k_0_is_the_density(name: str) -> None:
    x = np.linspace(-1, 2, 35, dtype=np.float32)
    with pytest.raises(UsageError, match=f"{name} keeps k=36 coordinates of a vector that has d=35"):
        catalog.build("compressor", {"name": name, "k": 36}).check(35)
    with pytest.raises(UsageError, match="k=-1"):
        catalog.build("compressor", {"name": name, "k": -1})
    share, number = ({"name": name, "k": 0, "density": 0.2}, {"name": name, "k": 7})
    one, other = (coded(catalog.build("compressor", spec), x)[0] for spec in (share, number))
    assert np.array_equal(one, other)
    assert np.count_nonzero(one) == 7
    with pytest.raises(UsageError, match=f"{name} sends indices of vectors of up to 2\\^32 coordinates"):
        catalog.build("compressor", number).check((1 << 32) + 1)


@pytest.mark.parametrize("spec", LONG, ids=str)
def test_coordinates_beyond_the_integers_of_float32_arrive(spec: dict[str, Any]) -> None:
    """d > 2^24: an index that was ever rounded to float32 would come back as its even neighbour."""
    d = (1 << 24) + 6
    x = np.zeros(d, np.float32)
    places = [1, (1 << 24) + 1, d - 1]
    x[places] = 1, -2, 3
    y, _ = coded(catalog.build("compressor", spec), x)
    large = np.flatnonzero(y if spec["name"] != "sign" else y < 0)
    assert large.tolist() == (places if spec["name"] != "sign" else [places[1]])


@pytest.mark.parametrize("d", [(1 << 31) - 1, (1 << 31) + 9, 1 << 32])
@pytest.mark.parametrize("k", [1, 5, 300])
def test_indices_beyond_31_bits_are_64_bit_numbers(d: int, k: int) -> None:
    places = np.unique(np.concatenate([[0, d - 1], np.random.default_rng(k).integers(0, d, k)]))
    message = indices.write(places, d)
    found = indices.read(BitReader(message.data, message.n_bits), places.size, d)
    assert found.dtype == np.int64
    assert np.array_equal(found, places)
    with pytest.raises(UsageError, match=r"a set of indices of d=4294967297 <= 2\^32"):
        indices.write(places, (1 << 32) + 1)
