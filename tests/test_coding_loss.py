"""What compressors lose, measured: known ratios to the limits, laws of means, and the command that prints them."""

import json
import re
from typing import Any

import click
import numpy as np
import pytest
from scipy import stats

from distest import catalog, coding_loss
from distest.cli.main import run
from distest.coins import from_seed
from distest.errors import UsageError
from distest.sgd.compressors.qsgd import Qsgd

COINS, DATA = from_seed(0)


def measured(spec: dict[str, Any], d: int = 1 << 14, workers: int = 1, draws: int = 4) -> dict[str, Any]:
    compressor = catalog.build("compressor", spec)
    return coding_loss.measure(compressor, coding_loss.gaussian(d, DATA), d, workers, draws, COINS).describe()


def test_gaussian_vectors_are_gaussian_and_independent() -> None:
    """Kolmogorov and Smirnov at 2^16 numbers: fails by chance with probability 1e-4."""
    draw = coding_loss.gaussian(1 << 16, DATA)
    assert stats.kstest(draw(0, 0), "norm").pvalue > 1e-4
    for other in (draw(1, 0), draw(0, 1)):
        assert abs(np.corrcoef(draw(0, 0), other)[0, 1]) < 4 / 2**8
    assert coding_loss.gaussian(3, DATA)(0, 0).dtype == np.float32
    assert coding_loss.gaussian(3, DATA)(0, 0).shape == (3,)


@pytest.mark.parametrize(
    ("spec", "ratio"),
    [
        ({"name": "eden", "bits": 1}, 1.71),
        ({"name": "eden", "bits": 3}, 2.25),
        ({"name": "hadamard_dither", "bits": 1.0}, 1.65),
        ({"name": "hadamard_dither", "bits": 3.0}, 1.43),
    ],
)
def test_ratios_to_the_unbiased_limit_are_those_that_are_known(spec: dict[str, Any], ratio: float) -> None:
    assert measured(spec, 1 << 17)["over_unbiased_limit"] == pytest.approx(ratio, rel=0.03)


def test_qsgd_loses_what_its_variance_says_and_the_mean_of_workers_a_part() -> None:
    """Independent unbiased codes of W workers: the error of the mean is 1/W; over 8 draws of 2^14 within 4 %."""
    code = Qsgd(bits=4, bucket=512, norm="max")
    x = coding_loss.gaussian(1 << 14, DATA)(0, 0)
    one, four = (measured({**catalog.describe(code)}, workers=w, draws=8) for w in (1, 4))
    assert one["nmse"] == pytest.approx(code.variance(x), rel=0.04)
    assert 4 * four["nmse"] == pytest.approx(one["nmse"], rel=0.04)
    assert one["bits_per_coordinate"] == pytest.approx(4 + 32 / 512)
    assert one["claimed"] > one["nmse"] > one["unbiased_limit"]
    assert one["excess_bits"] > 0
    assert four["any_limit"] is None


@pytest.mark.parametrize("name", catalog.names("compressor"))
def test_every_compressor_is_measured_below_its_bound_and_above_the_limits(name: str) -> None:
    needs: dict[str, Any] = {"bits": 4} if "bits" in catalog.options("compressor", name) else {}
    needs |= {"threshold": 1.0} if name == "threshold" else {}
    found = measured({"name": name, **needs}, 1 << 12)
    if found["claimed"] is not None:
        assert found["nmse"] <= found["claimed"] + 4 * found["standard_error"] + 1e-6
    if found["nmse"] > 0:
        assert found["over_any_limit"] > 1
        assert found["excess_bits"] > 0
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_gradients_are_those_of_a_problem_where_sgd_has_led() -> None:
    problem = catalog.build("problem", {"name": "logistic", "data": "ionosphere"})
    start, later = (coding_loss.gradients(problem, 2, 0, steps, 0.5, 0) for steps in (0, 200))
    mean = [float(np.linalg.norm(np.mean([given(0, 0), given(0, 1)], axis=0))) for given in (start, later)]
    assert mean[1] < 0.2 * mean[0]
    assert np.array_equal(start(0, 1), start(3, 1))  # whole shards
    batches = coding_loss.gradients(problem, 2, 8, 0, 0.5, 0)
    assert not np.array_equal(batches(0, 1), batches(1, 1))


def test_the_command_prints_what_was_measured_and_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(["bounds", "--compressor", "qsgd:bits=4,bucket=64", "--d", "4096", "--json"])
    first, *bounds = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["kind"] == "measured"
    assert first["compressor"] == "qsgd bucket=64 b=4"
    assert [bound["name"][:2] for bound in bounds] == ["X1", "X2"]
    assert bounds[1]["value"] == first["unbiased_limit"]
    assert not run(["bounds", "--compressor", "top_k", "--problem", "logistic:data=ionosphere", "--workers", "3"])
    said = capsys.readouterr().out
    assert "gradients of logistic:data=ionosphere after 0 steps" in said
    assert "E[y_i | x] = x_i" in " ".join(said.split()) or "X3 a mean" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--compressor sign", "--compressor takes --d, for Gaussian vectors, or --problem"),
        ("--compressor sign --d 4 --problem mlp", "one of both"),
        ("--compressor sign --d 4 --n 3", "--n goes with --n and --m, not with --compressor"),
        ("--n 4 --m 3 --draws 3", "--draws goes with --compressor, not with --n and --m"),
        ("--compressor sign --d 4 --batch 3", "--batch goes with --problem, not with --d"),
        ("--n 4", "--m is missing: bounds take --n and --m, or --compressor and --d"),
        ("--compressor sign --d 0", "vectors have 1 to 2^28 coordinates"),
        ("--compressor sign --d 4294967297", "vectors have 1 to 2^28 coordinates"),
        ("--compressor sign --d 4 --workers 0", "--workers is at least 1, got 0"),
        ("--compressor top_k:k=5 --d 4", "top_k keeps k=5 coordinates of a vector that has d=4"),
        ("--compressor sing --d 4", "did you mean 'sign'"),
    ],
)
def test_wrong_combinations_are_one_sentence(arguments: str, said: str) -> None:
    with pytest.raises((UsageError, click.UsageError), match=re.escape(said)) as caught:
        run(["bounds", *arguments.split()])
    assert "\n" not in str(caught.value)
