"""Checks on made-up records: what is as theory says passes, what is off, noisy or missing does not."""

from typing import Any

import numpy as np
import pytest

from analysis import theory
from analysis.bounds import under_prior
from analysis.bounds.total_bits_l1 import error_under_prior
from analysis.bounds.total_bits_l2 import bits_under_prior
from analysis.theory import Check

Record = dict[str, Any]
REPEATS = 40


def records(power: float = -1.0, noise: float = 0.02, seed: int = 1, **more: Any) -> list[Record]:
    """l2_squared = m^power up to noise, at three m and two b."""
    rng = np.random.default_rng(seed)
    found = []
    for m in (100, 1000, 10000):
        for bits in (1, 3):
            for repeat in range(REPEATS):
                protocol = {"name": "grouping", "bits": bits}
                spec = {
                    "protocol": protocol,
                    "distribution": {"name": "zipf", "exponent": 1.5},
                    "n": 64,
                    "m": m,
                    "s": 1,
                }
                error = m**power / (2**bits - 1) * rng.normal(1, noise)
                found.append(
                    {
                        **{"protocol": "grouping", "label": f"grouping b={bits}", "spec": spec, "seed": 0},
                        **{"repeat": repeat, "n": 64, "m": m, "s": 1, "bits_per_server": bits},
                        **{"payload_bits": m * bits, "l2_squared": error, "l1": error**0.5, **more},
                    }
                )
    return found


def examine(check: Check, some: list[Record], quick: bool = False) -> theory.Finding:
    return theory.examine(check, some, 0.99, quick)


SLOPE = Check(what="slope", kind="slope", x="m", by=["bits"], expected=-1, tolerance=0.02)
CELLS = Check(what="cells", kind="mean", y="l2_squared * m * cells", by=["bits", "m"], expected=1, tolerance=0.03)
CHECKS = [
    SLOPE,
    CELLS,
    Check(what="ratio", kind="ratio", where={"bits": 1}, against={"bits": 3}, by=["m"], expected=7, tolerance=0.3),
    Check(what="column", kind="ratio", where={"bits": 3}, against={"bits": 1}, expected="1 / cells", tolerance=0.01),
    Check(what="table", kind="mean", y="payload_bits / m", by=["bits"], expected={"1": 1, "3": 3}),
    Check(what="least", kind="least", y="l2_squared * payload_bits", x="bits", expected=3),
    Check(what="limit", kind="mean", y="l1 * m^0.5", where={"bits": [1, 2]}, low=0.97, high=1.03),
    Check(what="worst", kind="worst", y="l1 * m^0.5", where={"bits": 1}, high=1.05),
    Check(
        what="share", kind="mean", y="payload_bits", by=["bits", "m"], expected="bits * m", tolerance=0.01, share=True
    ),
    Check(what="line", kind="line", y="payload_bits / m", x="bits", expected=1),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_what_is_as_theory_says_passes(check: Check) -> None:
    """Noise of 2 % and tolerances of at least 4 standard errors; the seed is fixed."""
    found = examine(check, records())
    assert found.passed, found
    assert found.low <= found.interval[0] <= found.value <= found.interval[1] <= found.high


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_what_is_off_fails(check: Check) -> None:
    some = records(power=-0.9)
    for record in some:
        record["payload_bits"] *= 1.1 if record["bits_per_server"] == 1 else 5
        record["l2_squared"] *= 1.3 if record["bits_per_server"] == 1 else 1
    assert not examine(check, some).passed


def test_noise_does_not_pass() -> None:
    """The number is right, but nobody could tell."""
    assert examine(SLOPE, records(noise=0.01)).passed
    loud = examine(SLOPE, records(noise=0.3))
    assert loud.interval[0] < -1 < loud.interval[1]
    assert not loud.passed


def test_the_worst_group_is_shown() -> None:
    some = records()
    for record in some:
        if (record["bits_per_server"], record["m"]) == (3, 1000):
            record["l2_squared"] *= 1.5
    found = examine(CELLS, some)
    assert (found.group, found.groups, found.passed) == ("3, 1000", 6, False)


def test_an_exact_formula_is_held_to_three_standard_errors() -> None:
    wide = Check(what="wide", kind="mean", y="l2_squared * m * cells", expected=1.01, tolerance=0.5)
    assert examine(wide, records()).passed
    strict = Check(what="strict", kind="mean", y="l2_squared * m * cells", expected=1.01, tolerance=0.5, exact=True)
    assert not examine(strict, records()).passed


def test_a_quick_run_widens_only() -> None:
    check = Check(what="slope", kind="slope", x="m", expected=-1, tolerance=1e-4, quick={"tolerance": 0.05})
    assert not examine(check, records()).passed
    assert examine(check, records(), quick=True).passed


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check(what="none", kind="mean", where={"bits": 7}, low=0), "no records"),
        (Check(what="side", kind="ratio", against={"bits": 7}, low=0), "both sides"),
        (Check(what="open", kind="mean"), "neither what is expected nor a limit"),
        (Check(what="name", kind="mean", y="l3", low=0), "no column 'l3'"),
        (Check(what="form", kind="mean", y="l1 + m", low=0), "a product is written"),
        (Check(what="form", kind="mean", y="* m", low=0), "a product is written"),
        (Check(what="group", kind="mean", by=["m"], expected={"100": 1}), "expects nothing of '1000'"),
    ],
)
def test_a_check_that_says_nothing_is_an_error(check: Check, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        examine(check, records())


def test_columns_come_from_the_record_and_from_its_spec() -> None:
    record = records()[-1]
    assert theory.product(record, "2 * m^0.5 / cells * distribution.exponent") == pytest.approx(2 * 100 / 7 * 1.5)
    assert theory.column(record, "protocol") == "grouping"
    assert theory.column(record, "protocol.bits") == 3
    assert theory.column(record, "law") == "zipf exponent=1.5"


def test_a_planted_error_changes_some_records_and_not_the_originals() -> None:
    some = records()
    plant = theory.Plant(what="", where={"bits": 3}, scale={"l2_squared": "half / cells"})
    wrong = theory.planted(plant, some)
    for before, after in zip(some, wrong, strict=True):
        factor = 4 / 7 if before["bits_per_server"] == 3 else 1
        assert after["l2_squared"] == pytest.approx(before["l2_squared"] * factor)
    assert not examine(CELLS, wrong).passed
    assert examine(CELLS, some).passed


# ---- bounds


def test_measured_over_provable_is_held_against_the_prior_of_the_bound() -> None:
    prior = {"name": "cos2_haar", "n_sub": 8, "a": 1, "D": 0.3}
    some = [r for r in records() if r["m"] == 10000]
    for record in some:
        record["spec"] = {**record["spec"], "distribution": prior}
        record["l2_squared"] *= 0.01
    mean = float(np.mean([r["l2_squared"] for r in some if r["bits_per_server"] == 3]))
    bits = examine(Check(what="bits", kind="bits", where={"bits": 3}, low=0), some)
    assert bits.value == pytest.approx(30000 / bits_under_prior(mean, 8, 1, 0.3))
    error = examine(Check(what="error", kind="error", where={"bits": 3}, low=0), some)
    assert error.value == pytest.approx(mean / under_prior.l2_squared(prior, 10000, 1, 30000, 3))
    assert error.interval[0] < error.value < error.interval[1]


def test_the_bounds_under_a_prior_agree_with_those_on_bits_alone() -> None:
    prior = {"n_sub": 8, "a": 2, "D": 0.3}
    error = under_prior.l2_squared(prior, 10**9, 1, 5000.0, None)
    assert bits_under_prior(error, 8, 2, 0.3) == pytest.approx(5000)
    assert under_prior.l1(prior, 10**9, 1, 5000.0, None) == pytest.approx(error_under_prior(5000.0, 8, 0.3))


@pytest.mark.parametrize("kind", ["bits", "error"])
def test_errors_of_two_problems_are_not_averaged_against_one_bound(kind: Any) -> None:
    prior = {"name": "cos2_haar", "n_sub": 8, "a": 1, "D": 0.3}
    some = records()
    for record in some:
        record["spec"] = {**record["spec"], "distribution": prior}
    with pytest.raises(ValueError, match="averages over several problems"):
        examine(Check(what="mixed", kind=kind, low=0), some)


@pytest.mark.parametrize("bound", [under_prior.l2_squared, under_prior.l1])
def test_a_cap_and_the_samples_themselves_bound_too(bound: Any) -> None:
    prior = {"n_sub": 8, "a": 2, "D": 0.3}
    free = bound(prior, 1000, 1, 1e12, None)
    assert bound(prior, 1000, 1, 1e12, 1) > free > bound(prior, 2000, 1, 1e12, None)
    assert bound(prior, 500, 2, 1e12, None) == pytest.approx(free)
    assert bound(prior, 1000, 1, 10.0, None) > free
