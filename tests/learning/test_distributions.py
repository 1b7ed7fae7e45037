"""Every family: a law for every n, of the shape it promises, and found by name."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.coins import from_seed
from distest.errors import UsageError

Spec = dict[str, Any]
SPECS: list[Spec] = [
    {"name": "uniform"},
    {"name": "zipf"},
    {"name": "zipf", "exponent": 0.0},
    {"name": "zipf", "exponent": 50.0},
    {"name": "geometric"},
    {"name": "geometric", "ratio": 1.0},
    {"name": "geometric", "ratio": 1e-300},
    {"name": "monotone"},
    {"name": "monotone", "prefixes": 1},
    {"name": "pieces"},
    {"name": "pieces", "k": 1},
    {"name": "pieces", "k": 12},
    {"name": "pairs", "n_sub": 10, "D": 0.5},
    {"name": "cos2_haar", "n_sub": 12, "a": 2, "D": 0.4},
]
COINS = from_seed(7)[1]


def pmf(spec: Spec, n: int, repeat: int = 0) -> NDArray[np.float64]:
    found: NDArray[np.float64] = catalog.build("distribution", spec).pmf(n, COINS.fold("repeat", repeat))
    return found


def test_the_list_above_has_every_distribution() -> None:
    assert {spec["name"] for spec in SPECS} == set(catalog.names("distribution"))


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("n", [12, 13, 1000])
def test_a_law_is_non_negative_sums_to_one_and_is_a_function_of_its_coins(spec: Spec, n: int) -> None:
    for repeat in range(3):
        p = pmf(spec, n, repeat)
        assert p.shape == (n,)
        assert p.dtype == np.float64
        assert p.min() >= 0
        assert abs(p.sum() - 1) < 1e-12
        assert np.array_equal(p, pmf(spec, n, repeat))
        assert not p.flags.writeable


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_random_families_say_so(spec: Spec) -> None:
    laws = {pmf(spec, 24, repeat).tobytes() for repeat in range(8)}
    random = catalog.find("distribution", spec["name"]).random
    assert random or len(laws) == 1
    if random and spec not in ({"name": "pieces", "k": 1},):
        assert len(laws) > 4


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_describe_and_build_are_inverses(spec: Spec) -> None:
    built = catalog.build("distribution", spec)
    described = catalog.describe(built)
    assert described["name"] == spec["name"]
    assert spec.items() <= described.items()
    assert catalog.build("distribution", described) == built
    assert set(described) == {"name", *catalog.options("distribution", spec["name"])}


@pytest.mark.parametrize("n", [2, 3, 7, 100, 5000])
def test_uniform_zipf_and_geometric_are_their_formulas(n: int) -> None:
    x = np.arange(n)
    for spec, weight in (
        ({"name": "uniform"}, np.ones(n)),
        ({"name": "zipf", "exponent": 1.5}, (x + 1.0) ** -1.5),
        ({"name": "geometric", "ratio": 0.7}, 0.7**x),
    ):
        assert np.allclose(pmf(spec, n), weight / weight.sum(), rtol=1e-13, atol=0)


@pytest.mark.parametrize("prefixes", [1, 2, 16, 200])
@pytest.mark.parametrize("n", [2, 3, 50, 1000])
def test_monotone_never_rises_and_has_as_many_steps_as_prefixes(n: int, prefixes: int) -> None:
    for repeat in range(5):
        p = pmf({"name": "monotone", "prefixes": prefixes}, n, repeat)
        assert (np.diff(p) <= 0).all()
        assert np.count_nonzero(np.diff(p)) <= prefixes


@pytest.mark.parametrize("k", [1, 2, 3, 10, 12])
def test_pieces_has_k_pieces(k: int) -> None:
    for n in (12, 100, 1001):
        for repeat in range(5):
            p = pmf({"name": "pieces", "k": k}, n, repeat)
            assert np.count_nonzero(np.diff(p)) == k - 1
            assert p.min() > 0


def test_breakpoints_of_pieces_are_uniform() -> None:
    """Two pieces of n = 5: each of 4 breakpoints is Bin(4000, 1/4); 6 deviations fail once in 10^8 choices of seed."""
    where = [int(np.flatnonzero(np.diff(pmf({"name": "pieces", "k": 2}, 5, r)))[0]) for r in range(4000)]
    assert (np.abs(np.bincount(where, minlength=4) - 1000) < 6 * np.sqrt(4000 * 3 / 16)).all()


def test_pairs_stay_in_their_box_and_share_what_two_symbols_have() -> None:
    for repeat in range(20):
        p = pmf({"name": "pairs", "n_sub": 10, "D": 0.5}, 13, repeat)
        assert (np.abs(10 * p[:10] - 1) <= 0.5 + 1e-12).all()
        assert np.allclose(p[:10:2] + p[1:10:2], 0.2, atol=1e-15)
        assert not p[10:].any()


@pytest.mark.parametrize(("n_sub", "a"), [(12, 1), (12, 2), (32, 5), (64, 3)])
def test_cos2_haar_stays_in_its_box_and_keeps_the_mass_of_its_blocks(n_sub: int, a: int) -> None:
    for repeat in range(20):
        p = pmf({"name": "cos2_haar", "n_sub": n_sub, "a": a, "D": 0.4}, 70, repeat)
        assert (np.abs(n_sub * p[:n_sub] - 1) <= 0.4 + 1e-12).all()
        assert np.allclose(p[:n_sub].reshape(-1, 1 << a).sum(axis=1), (1 << a) / n_sub, atol=1e-14)
        assert not p[n_sub:].any()


@pytest.mark.parametrize(
    ("spec", "n"),
    [
        ({"name": "zipf", "exponent": -1.0}, 5),
        ({"name": "zipf", "exponent": 51.0}, 5),
        ({"name": "zipf", "exponent": float("nan")}, 5),
        ({"name": "geometric", "ratio": 0.0}, 5),
        ({"name": "geometric", "ratio": 1.5}, 5),
        ({"name": "geometric", "ratio": float("nan")}, 5),
        ({"name": "monotone", "prefixes": 0}, 5),
        ({"name": "pieces", "k": 0}, 5),
        ({"name": "pieces", "k": 6}, 5),
        ({"name": "pairs", "n_sub": 6, "D": 0.5}, 5),
        ({"name": "pairs", "n_sub": 3, "D": 0.5}, 5),
        ({"name": "pairs", "n_sub": 0, "D": 0.5}, 5),
        ({"name": "pairs", "n_sub": 4, "D": 0.0}, 5),
        ({"name": "pairs", "n_sub": 4, "D": 1.5}, 5),
        ({"name": "pairs", "n_sub": 4, "D": float("nan")}, 5),
        ({"name": "cos2_haar", "n_sub": 8, "a": 2, "D": 0.5}, 5),
        ({"name": "cos2_haar", "n_sub": 4, "a": 0, "D": 0.5}, 5),
        ({"name": "cos2_haar", "n_sub": 4, "a": 3, "D": 0.5}, 5),
        ({"name": "cos2_haar", "n_sub": 4, "a": 1, "D": 1.0}, 5),
        ({"name": "cos2_haar", "n_sub": 4, "a": 1, "D": float("nan")}, 5),
        ({"name": "cos2_haar", "n_sub": 4, "a": 99, "D": 0.5}, 5),
        ({"name": "cos2_haar", "n_sub": -4, "a": 1, "D": 0.5}, 5),
    ],
    ids=str,
)
def test_values_that_make_no_law_are_refused_in_a_sentence_that_names_the_family(spec: Spec, n: int) -> None:
    with pytest.raises(UsageError, match=r"zipf|geometric|monotone|piece|histogram|pairs|cos2_haar"):
        pmf(spec, n)
