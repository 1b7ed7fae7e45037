"""The last step of the referee: every estimator against what it promises.

Means over runs may be 3 standard errors off an exact formula: a right one is farther off with probability 0.3 % a
number (normal approximation). Seeds are fixed.
"""

import math
from typing import Any

import numpy as np
import pytest

from distest import catalog, experiment
from distest import spec as specs
from distest.coins import from_seed
from distest.errors import UsageError
from distest.learning import norms
from distest.learning.fitting.cells import cells_of
from distest.learning.norms import Pmf
from distest.learning.task import Task
from distest.wire.transport import Solo


def records(**table: Any) -> list[dict[str, Any]]:
    """Records of a small spec."""
    spec = specs.check(specs.normalise({"n": 16, "m": 320, "seed": 5, **table}))
    return [record for record, _ in experiment.run(spec, experiment.plan(spec), Solo(), False)]


def build(name: str, **options: Any) -> Any:
    return catalog.build("estimator", {"name": name, **options})


def plain(n: int, name: str = "full_sample", **options: Any) -> Any:
    return catalog.build("protocol", {"name": name, **options}, task=Task(n, 4 * n))


@pytest.mark.parametrize(
    "protocol", ["full_sample", "grouping:bits=1", "recursive_hadamard:bits=2", "simulate_infer:bits=2"]
)
@pytest.mark.parametrize("law", ["uniform", "zipf", "geometric"])
def test_minimax_has_the_risk_of_its_formula(protocol: str, law: str) -> None:
    runs = records(protocol=protocol, distribution=law, estimator="minimax", repeats=600)
    losses = np.array([run["l2_squared"] for run in runs])
    expected = runs[0]["risk_l2_squared"]
    if runs[0]["risk_exact"]:
        assert abs(losses.mean() - expected) < 3 * losses.std(ddof=1) / math.sqrt(losses.size)


@pytest.mark.parametrize("protocol", ["full_sample", "grouping:bits=1", "recursive_hadamard:bits=2"])
def test_minimax_has_one_risk_for_every_law_and_it_is_steinhaus_for_full_samples(protocol: str) -> None:
    found = {
        records(protocol=protocol, distribution=law, estimator="minimax")[0]["risk_l2_squared"]
        for law in ("uniform", "zipf", "geometric")
    }
    assert max(found) == pytest.approx(min(found), rel=1e-12)
    if protocol == "full_sample":
        assert found.pop() == pytest.approx((1 - 1 / 16) / (math.sqrt(320) + 1) ** 2, rel=1e-12)
        own = records(protocol="full_sample:estimator=minimax", distribution="zipf")[0]
        ours = records(protocol="full_sample", distribution="zipf", estimator="minimax")[0]
        assert own["l2_squared"] == pytest.approx(ours["l2_squared"], rel=1e-9)


def test_minimax_beats_raw_at_uniform_p_by_five_standard_errors() -> None:
    losses = [
        np.array([run["l2_squared"] for run in records(
            protocol="grouping:bits=1", distribution="uniform", estimator=name, repeats=300
        )])
        for name in ("raw", "minimax")
    ]  # fmt: skip
    gap = losses[0] - losses[1]  # same seeds, so the same runs
    assert gap.mean() > 5 * gap.std(ddof=1) / math.sqrt(gap.size)


def test_minimax_needs_a_formula() -> None:
    with pytest.raises(UsageError, match="uneven_samples has none"):
        build("minimax").check(
            catalog.build("protocol", {"name": "uneven_samples", "referee": "median"}, task=Task(4, 9, 50))
        )


def unimodal(n: int, mode: int) -> Pmf:
    away = np.abs(np.arange(n) - mode)
    pmf = 1.0 / (1 + away)
    return np.asarray(pmf / pmf.sum(), np.float64)


def law_of(shape: str) -> tuple[Pmf, dict[str, Any]]:
    if shape == "unimodal":
        return unimodal(60, 21), {"shape": shape, "mode": 21}
    pmf = unimodal(60, 0)
    return (pmf if shape == "falling" else pmf[::-1]), {"shape": shape}


@pytest.mark.parametrize("shape", ["falling", "rising", "unimodal"])
def test_isotonic_has_the_shape_and_never_hurts(shape: str) -> None:
    pmf, options = law_of(shape)
    noise = np.random.default_rng(1)
    estimator = build("isotonic", **options)
    for _ in range(100):
        raw = pmf + noise.normal(0, 0.01, pmf.size)
        fitted = estimator.apply(raw, plain(60))
        assert fitted.sum() == pytest.approx(raw.sum())
        rises = options.get("mode", 60 if shape == "rising" else 0)
        assert (np.diff(fitted[:rises]) >= 0).all()
        assert (np.diff(fitted[rises:]) <= 0).all()
        for loss in (norms.l1, norms.l2_squared):
            assert loss(fitted, pmf) <= loss(raw, pmf) + 1e-12


@pytest.mark.parametrize("mode", [-1, 60])
def test_a_mode_outside_the_domain_is_refused(mode: int) -> None:
    with pytest.raises(UsageError, match="has its mode at one of 0 to 59, got mode="):
        build("isotonic", shape="unimodal", mode=mode).check(plain(60))


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_merge_has_few_pieces_and_keeps_the_mass(loss: str) -> None:
    raw = np.random.default_rng(2).exponential(size=300)
    raw /= raw.sum()
    merged = build("merge", pieces=3, loss=loss).apply(raw, plain(300))
    assert 1 + np.count_nonzero(np.diff(merged)) <= 2 * 6 + 1
    assert merged.sum() == pytest.approx(1)


def test_merge_finds_a_histogram_and_keeps_what_has_few_pieces() -> None:
    edges = cells_of([0, 40, 41, 200, 256])
    pmf = edges.spread([0.1 / 40, 0.5, 0.1 / 159, 0.3 / 56])
    assert np.allclose(build("merge", pieces=4).apply(pmf, plain(256)), pmf)
    source = from_seed(3)[1]
    assert source  # the law of samples below
    runs = {
        name: records(n=256, m=4000, protocol="full_sample", distribution="pieces", repeats=20, estimator=name)
        for name in ("raw", "merge:pieces=4", "merge:pieces=4,loss=l1")
    }
    errors = {name: np.array([run["l1"] for run in found]) for name, found in runs.items()}
    for name in list(runs)[1:]:
        gap = errors["raw"] - errors[name]
        assert gap.mean() > 5 * gap.std(ddof=1) / math.sqrt(gap.size)


@pytest.mark.parametrize("options", [{"pieces": 0}, {"pieces": 3, "d": 0.0}, {"pieces": 3, "d": math.nan}])
def test_merge_refuses_what_makes_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="takes pieces >= 1 and"):
        build("merge", **options)


def test_more_pieces_than_symbols_are_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="n=16 symbols has at most 16 pieces, got pieces=17"):
        records(protocol="full_sample", distribution="uniform", estimator="merge:pieces=17")


def test_the_record_names_the_estimator_and_a_bare_name_is_enough() -> None:
    run = records(protocol="full_sample", distribution="uniform", estimator="merge:pieces=2")[0]
    assert run["spec"]["estimator"] == {"name": "merge", "pieces": 2, "loss": "l2", "d": 1.0}
    assert run["risk_l2_squared"] is None
    assert records(protocol="full_sample", distribution="uniform")[0]["spec"]["estimator"] == {"name": "raw"}


def test_simplex_is_a_distribution() -> None:
    found = build("simplex").apply(np.array([0.7, 0.5, -0.1]), plain(3))
    assert found.tolist() == pytest.approx([0.6, 0.4, 0.0])
