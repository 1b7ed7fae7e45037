"""Tables from records: means are plain means, repeats count once, and a ratio is formed only where it is one."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import compare
from analysis.bounds.applicable import best_lower_bits
from analysis.bounds.total_bits_l2 import bits_under_prior
from distest import experiment, spec
from distest.wire.transport import Solo

Record = dict[str, Any]


def run(*protocols: str, **more: Any) -> list[Record]:
    table = {"protocols": list(protocols), "n": 16, "m": 400, "distribution": "zipf", "repeats": 5, "seed": 2, **more}
    asked = spec.check(spec.normalise(table))
    return [record for record, _ in experiment.run(asked, experiment.plan(asked), Solo(), False)]


def column(records: list[Record], protocol: str, key: str) -> NDArray[np.float64]:
    return np.array([r[key] for r in records if r["protocol"] == protocol], np.float64)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return run("full_sample", "grouping:bits=2", "adaptive_entropy")


def test_numbers_are_plain_means_over_the_repeats(records: list[Record]) -> None:
    rows = compare.summary(records)
    assert [row["runs"] for row in rows] == [5, 5, 5]
    for row, protocol in zip(rows, ("full_sample", "grouping", "adaptive_entropy"), strict=True):
        l2 = column(records, protocol, "l2_squared")
        bits = column(records, protocol, "payload_bits")
        assert row["protocol"].startswith(protocol)
        assert row["l1"] == pytest.approx(column(records, protocol, "l1").mean())
        assert row["l2^2"] == pytest.approx(l2.mean())
        assert row["l2^2 s.e."] == pytest.approx(l2.std(ddof=1) / np.sqrt(5))
        assert row["payload bits"] == round(bits.mean())
        assert row["bits/server"] == pytest.approx(bits.mean() / 400)
        assert row["seconds"] == pytest.approx(column(records, protocol, "seconds").mean())
        assert row["padded n"] == 16


def test_records_are_enough_once_they_have_been_through_json(records: list[Record]) -> None:
    assert compare.summary(json.loads(json.dumps(records))) == compare.summary(records)


def test_the_order_of_first_appearance_is_kept_and_repeats_of_a_seed_count_once(records: list[Record]) -> None:
    mixed = [*records[::-1], *json.loads(json.dumps(records))]
    assert [row["protocol"] for row in compare.summary(mixed)] == [
        row["protocol"] for row in compare.summary(records[::-1])
    ]
    assert [row["runs"] for row in compare.summary(mixed)] == [5, 5, 5]
    again = compare.summary(mixed)[::-1]
    for row, other in zip(again, compare.summary(records), strict=True):
        assert row["l2^2"] == pytest.approx(other["l2^2"])


def test_another_seed_is_another_run(records: list[Record]) -> None:
    more = [*run("full_sample", seed=3, repeats=2), *(r for r in records if r["protocol"] == "full_sample")]
    (row,) = compare.summary(more)
    assert row["runs"] == 7
    assert row["l1"] == pytest.approx(np.mean([r["l1"] for r in more]))


def test_one_run_has_no_standard_error() -> None:
    (row,) = compare.summary(run("full_sample", repeats=1))
    assert row["l2^2 s.e."] is None
    assert compare.standard_error([1.0]) is None
    assert compare.standard_error([1.0, 2.0, 4.0]) == pytest.approx(np.std([1, 2, 4], ddof=1) / np.sqrt(3))
    assert compare.mean([0.1] * 10) == 0.1


def test_predictions_are_the_exact_ones_of_the_protocols(records: list[Record]) -> None:
    exact = np.array([r["risk_l2_squared"] for r in records if r["protocol"] == "full_sample"])
    assert compare.summary(records)[0]["predicted"] == pytest.approx(exact.mean())
    (row,) = compare.summary(run("local_refinement:bits=2"))
    assert row["predicted"] is None  # no exact formula
    (row,) = compare.summary(run("full_sample", estimator="simplex"))
    assert row["predicted"] is None  # the formula is for the raw estimate


def test_the_bound_is_for_the_worst_p_and_no_ratio_is_formed(records: list[Record]) -> None:
    for row in compare.summary(records):
        needed = best_lower_bits(16, 400, "l2_squared", row["l2^2"]).value
        assert row["lower bound, bits"] == round(needed)
        assert "measured/provable" not in row


def test_under_the_prior_of_the_bound_the_ratio_is_bits_over_provable_bits() -> None:
    found = run("grouping:bits=2", distribution="cos2_haar", n=64, m=2000)
    (row,) = compare.summary(found)
    prior = found[0]["spec"]["distribution"]
    needed = bits_under_prior(row["l2^2"], prior["n_sub"], prior["a"], prior["D"])
    assert row["lower bound, bits"] == round(needed)
    assert needed > 0
    assert row["measured/provable"] == pytest.approx(4000 / needed)
    assert row["measured/provable"] > 1
    assert f"n'={prior['n_sub']}" in row["prior"]


def test_no_bound_is_shown_where_none_is_stated() -> None:
    """The bounds on bits are for one sample a server; and no error at all has none that is finite."""
    (several,) = compare.summary(run("full_sample", s=3))
    (exact,) = compare.summary(run("full_sample", distribution="geometric:ratio=1e-300"))
    assert several["lower bound, bits"] is None
    assert exact["l2^2"] == 0
    assert exact["lower bound, bits"] is None


def test_the_padding_of_hashes_is_in_the_row() -> None:
    rows = compare.summary(run("balanced_hash:bits=2", "grouping:bits=2", n=17))
    assert [row["padded n"] for row in rows] == [32, 17]


def test_nothing_gives_no_rows() -> None:
    assert compare.summary([]) == []
    assert compare.groups([]) == []
