"""No protocol beats a bound: error and bits are averaged over the prior of the bound itself (docs/bounds.md, 6.8)."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from analysis.bounds.total_bits_l1 import error_under_prior, total_bits_l1
from analysis.bounds.total_bits_l2 import bits_under_prior
from distest import experiment, spec
from distest.wire.transport import Solo

N, M, REPEATS = 64, 6400, 60
PROTOCOLS = [
    "full_sample",
    "adaptive_entropy",
    "grouping:bits=1",
    "grouping:bits=3,shift=true",
    "balanced_hash:bits=2",
    "linear_hash:bits=3",
    "linear_hash:bits=2,design=cycle",
    "local_refinement:bits=3",
]


def measured(protocol: str, prior: str, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The prior's parameters and the records of REPEATS runs, a fresh p each."""
    table = spec.normalise(
        {"protocol": protocol, "n": N, "m": M, "distribution": prior, "repeats": REPEATS, "seed": seed}
    )
    checked = spec.check(table)
    trials = experiment.plan(checked)
    found = [record for record, _ in experiment.run(checked, trials, Solo(), keep_board=False)]
    return dataclasses.asdict(trials[0].truth.distribution), found  # type: ignore[call-overload]


def slack(values: list[float]) -> float:
    """Three standard errors of the mean."""
    return float(3 * np.std(values, ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_protocol_beats_the_l2_bound_on_total_bits(protocol: str) -> None:
    """Three standard errors: each case fails with probability below 0.2 % even if the bound were met exactly."""
    prior, records = measured(protocol, "cos2_haar", seed=1)
    errors = [r["l2_squared"] for r in records]
    bits = float(np.mean([r["payload_bits"] for r in records]))
    optimistic = float(np.mean(errors)) + slack(errors)
    assert bits >= bits_under_prior(optimistic, prior["n_sub"], prior["a"], prior["D"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_protocol_beats_the_l1_bound_on_total_bits(protocol: str) -> None:
    """The prior is the best one at this protocol's bits; its own bound is held against a run under it.

    Three standard errors, as above.
    """
    _, first = measured(protocol, "pairs", seed=2)
    bits = float(np.mean([r["payload_bits"] for r in first]))
    bound = total_bits_l1(N, M, bits)
    table = f"pairs:n_sub={int(bound.constants['n_sub'])},D={bound.constants['D']}"
    _, records = measured(protocol, table, seed=3)
    errors = [r["l1"] for r in records]
    spent = float(np.mean([r["payload_bits"] for r in records]))
    least = error_under_prior(spent, int(bound.constants["n_sub"]), bound.constants["D"])
    assert float(np.mean(errors)) + slack(errors) >= least


def test_the_check_catches_a_protocol_that_hides_bits() -> None:
    """Halving the books of the full sample at large m would beat the bound: the check can fail."""
    prior, records = measured("full_sample", "cos2_haar", seed=1)
    error = float(np.mean([r["l2_squared"] for r in records]))
    needed = bits_under_prior(error, prior["n_sub"], prior["a"], prior["D"])
    assert needed > 0
    assert float(np.mean([r["payload_bits"] for r in records])) / 20 < needed
