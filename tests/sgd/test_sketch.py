"""Count sketches: hashes of four keys independent, the variance of a row, exact sums, recall, and HEAVYMIX."""

import itertools
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from distest.coins import from_seed
from distest.errors import UsageError
from distest.kernels import sketch as door
from distest.sgd.sketch import CountSketch, candidates, count_sketch, fixed_point, heavymix, shift_for

Ints = NDArray[np.int64]
COINS = from_seed(17)[0].public


def signs_and_columns(sketch: CountSketch, row: int) -> tuple[Ints, Ints]:
    columns, flip = door._places(sketch.tables, row, sketch.columns)
    return 1 + 2 * flip, columns


@pytest.mark.parametrize("rows", [1, 3, 5, 7, 9, 21])
def test_the_network_finds_the_median_of_every_order_of_zeros_and_ones(rows: int) -> None:
    """By the zero-one principle that is enough; 21 rows are tried at random."""
    if rows <= 9:
        found = np.array(list(itertools.product((0, 1), repeat=rows)), np.int64).T
    else:
        found = np.random.default_rng(0).integers(0, 2, (rows, 20_000))
    wanted = np.median(found, axis=0)
    for i, j in door.median_network(rows).tolist():
        assert i < j
        found[[i, j]] = np.minimum(found[i], found[j]), np.maximum(found[i], found[j])
    assert np.array_equal(found[rows // 2], wanted)


@pytest.mark.parametrize(
    ("d", "rows", "columns"), [(1, 1, 1), (511, 3, 7), (513, 5, 16), (5000, 5, 300), (70_000, 7, 1)]
)
def test_kernels_and_numpy_get_the_same_tables_and_estimates(
    d: int, rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketch = count_sketch(d, rows, columns, COINS)
    values = np.random.default_rng(d).integers(-(1 << 30), 1 << 30, d)
    found = []
    for awake in (True, False):
        monkeypatch.setattr(door, "worth_compiling", lambda count, awake=awake: awake)
        table = sketch.insert(values)
        found.append((table.tobytes(), sketch.query(table).tobytes()))
    assert found[0] == found[1]
    each = np.zeros((rows, d))
    for row in range(rows):
        signs, places = signs_and_columns(sketch, row)
        line = np.bincount(places, signs * values.astype(np.float64), columns)
        assert np.array_equal(table[row], line)
        each[row] = signs * line[places]
    assert np.array_equal(sketch.query(table), np.median(each, axis=0))


def test_four_keys_have_independent_hashes() -> None:
    """Of keys at the corners of a rectangle and of others: products of signs are 0 on average.

    16,000 tables; 5 standard errors refuse right ones with chance 6e-7 a set. Tables without the third character
    have a product of 1 at every rectangle.
    """
    d, rows = 4 * door.SIZE, 64
    draw = np.random.default_rng(3)
    keys = np.array([5, 9, 5 + door.SIZE, 9 + door.SIZE, 14 + 2 * door.SIZE, 0])
    signs = []
    for _ in range(250):
        words = draw.integers(0, 1 << 32, (rows, door.words_of(d)), dtype=np.uint32)
        hashes = door.tables(d, rows, words)
        signs.append([1 + 2 * door._places(hashes, row, 8)[1][keys] for row in range(rows)])
    flat = np.concatenate([np.array(part) for part in signs])
    for size in (1, 2, 3, 4):
        for chosen in itertools.combinations(range(len(keys)), size):
            product = flat[:, chosen].prod(axis=1)
            assert abs(product.mean()) <= 5 / len(flat) ** 0.5


def test_columns_are_uniform_and_pairs_collide_as_they_should() -> None:
    d, columns = 200_000, 100
    sketch = count_sketch(d, 3, columns, COINS)
    for row in range(3):
        signs, places = signs_and_columns(sketch, row)
        counts = np.bincount(places, minlength=columns)
        assert counts.size == columns
        chi = np.square(counts - d / columns).sum() * columns / d
        assert abs(chi - 99) <= 6 * 198**0.5
        assert abs(signs.mean()) <= 5 / d**0.5
    collide = signs_and_columns(sketch, 0)[1] == signs_and_columns(sketch, 1)[1]
    assert collide.mean() == pytest.approx(1 / columns, abs=5 * (1 / columns / d) ** 0.5)


def test_one_row_is_unbiased_with_the_variance_of_the_others() -> None:
    """(|v|^2 - v_i^2) / c: 800 sketches of 300 coordinates, within 5 standard errors of their mean."""
    d, columns, runs = 300, 40, 800
    v = np.rint(1000 * np.random.default_rng(4).standard_t(3, d)).astype(np.int64)
    errors = np.empty((runs, d))
    for run in range(runs):
        sketch = count_sketch(d, 1, columns, COINS.fold(run))
        errors[run] = sketch.query(sketch.insert(v)) - v
    wanted = (np.square(v).sum() - np.square(v)) / columns
    ratios = np.square(errors).mean(axis=1) / wanted.mean()
    assert abs(ratios.mean() - 1) <= 5 * ratios.std() / runs**0.5
    heaviest = int(np.argmax(np.abs(v)))  # whose own square is left out
    own = np.square(errors[:, heaviest])
    assert abs(own.mean() - wanted[heaviest]) <= 5 * own.std() / runs**0.5
    assert abs(errors.mean(axis=0) / (wanted / runs) ** 0.5).max() <= 5.5


def test_tables_add_up_exactly_and_equal_tables_have_equal_candidates() -> None:
    d, workers = 100_000, 4
    rng = np.random.default_rng(6)
    xs = rng.standard_t(3, (workers, d)).astype(np.float32)
    shift = shift_for(float(np.abs(xs).max()), d, workers)
    values = [fixed_point(x, shift) for x in xs]
    assert 1 << 29 <= max(int(np.abs(v).max()) for v in values) <= 1 << 30
    assert max(float(np.abs(np.ldexp(v.astype(float), -shift) - x).max()) for v, x in zip(values, xs, strict=True)) <= (
        2.0 ** -(shift + 1)
    )
    sketch = count_sketch(d, 5, 3000, COINS)
    tables = [sketch.insert(v) for v in values]
    whole = sketch.insert(np.sum(values, axis=0))
    assert np.array_equal(sum(tables), whole)
    backwards = tables[3] + tables[2] + tables[1] + tables[0]
    again = count_sketch(d, 5, 3000, COINS)  # on another rank
    first, second = sketch.query(whole), again.query(backwards)
    assert np.array_equal(candidates(first, 1000), candidates(second, 1000))
    assert np.array_equal(heavymix(sketch, whole, 50, COINS), heavymix(again, backwards, 50, COINS))


def test_the_norm_is_exact_in_the_counters_and_near_that_of_the_vector() -> None:
    d, columns = 20_000, 2000
    v = np.random.default_rng(8).integers(-(1 << 30), 1 << 30, d)
    sketch = count_sketch(d, 5, columns, COINS)
    table = sketch.insert(v)
    squares = sorted(sum(c * c for c in row) for row in table.tolist())
    assert sketch.norm_squared(table) == squares[2]
    whole = sum(a * a for a in v.tolist())
    # a row has relative deviation at most (2 / c)^(1/2) = 0.032
    assert float(Fraction(squares[2], whole)) == pytest.approx(1, abs=0.15)
    table[:] = -(1 << 62)
    assert sketch.norm_squared(table) == columns << 124


RECALL = [
    ("gauss", 5, 50_000, (0.02, 0.05, 0.15)),
    ("t3", 5, 10_000, (0.13, 0.22, 0.36)),
    ("t3", 5, 50_000, (0.59, 0.80, 0.93)),
    ("lognormal1", 5, 20_000, (0.27, 0.43, 0.62)),  # with ideal hashes too: 0.272, 0.434, 0.626
    ("lognormal2", 5, 10_000, (0.50, 0.83, 0.97)),
    ("zipf", 5, 10_000, (0.54, 0.86, 0.97)),
    ("zipf", 1, 50_000, (0.05, 0.19, 0.74)),
]


@pytest.mark.parametrize(("law", "rows", "columns", "wanted"), RECALL)
def test_recall_of_the_thousand_largest_of_a_million(
    law: str, rows: int, columns: int, wanted: tuple[float, float, float]
) -> None:
    """The share of the true top 1000 among the 1000, 4000 and 16,000 largest estimates, within 0.03: mean of four."""
    d, k, runs = 1_000_000, 1000, 4
    found = np.zeros(3)
    for run in range(runs):
        v = rounded(law, d, run)
        true = candidates(v, k)
        sketch = count_sketch(d, rows, columns, COINS.fold(run))
        estimates = sketch.query(sketch.insert(v))
        found += [np.isin(true, candidates(estimates, many * k)).mean() / runs for many in (1, 4, 16)]
    assert found == pytest.approx(np.array(wanted), abs=0.03)


@lru_cache(maxsize=4)
def rounded(law: str, d: int, seed: int) -> Ints:
    """A vector of a law with random signs, in fixed point."""
    rng = np.random.default_rng(seed)
    if law == "gauss":
        x = rng.standard_normal(d)
    elif law == "t3":
        x = rng.standard_normal(d) / np.sqrt(rng.chisquare(3, d) / 3)
    else:
        signs = rng.integers(0, 2, d) * 2 - 1
        x = (
            signs
            * {
                "lognormal1": np.exp(rng.standard_normal(d)),
                "lognormal2": np.exp(2 * rng.standard_normal(d)),
                "zipf": rng.permutation(np.arange(1, d + 1) ** -0.7),
            }[law]
        )
    return fixed_point(x.astype(np.float32), shift_for(float(np.abs(x).max()), d))


def test_candidates_take_the_lowest_indices_among_equals() -> None:
    estimates = np.array([3, -5, 5, 3, 0, -3, 5])
    assert candidates(estimates, 2).tolist() == [1, 2]
    assert candidates(estimates, 4).tolist() == [0, 1, 2, 6]
    assert candidates(estimates, 0).tolist() == []
    assert candidates(estimates, 7).tolist() == list(range(7))


def test_heavymix_takes_what_is_heavy_and_fills_up_at_random() -> None:
    d, k = 50_000, 20
    rng = np.random.default_rng(12)
    v = rng.integers(-50, 51, d)
    heavy = np.sort(rng.choice(d, 6, replace=False))
    v[heavy] = 100_000
    sketch = count_sketch(d, 5, 1000, COINS)
    table = sketch.insert(v)
    square, estimates = sketch.norm_squared(table), sketch.query(table)
    above = [i for i, e in enumerate(estimates.tolist()) if e * e * k >= square]
    assert above == heavy.tolist()
    others = []
    for run in range(30):
        chosen = heavymix(sketch, table, k, COINS.fold(run))
        assert chosen.size == k
        assert bool((np.diff(chosen) > 0).all())
        assert np.isin(heavy, chosen).all()
        others.append(np.setdiff1d(chosen, heavy))
    assert np.unique(np.concatenate(others)).size > 400  # 420 drawn of 49,994: about two of them twice
    assert np.concatenate(others).mean() == pytest.approx(d / 2, abs=5 * d / (12 * 420) ** 0.5)


def test_heavymix_keeps_the_largest_where_too_many_are_heavy() -> None:
    """Counters of 1, and of 3 in the first column: of the norm 58, 1/60 is reached by all estimates."""
    sketch = count_sketch(1000, 1, 50, COINS)
    table = np.ones((1, 50), np.int64)
    table[0, 0] = 3
    largest = np.flatnonzero(signs_and_columns(sketch, 0)[1] == 0)
    assert 0 < largest.size < 60
    others = np.setdiff1d(np.arange(1000), largest)
    wanted = np.sort(np.concatenate((largest, others[: 60 - largest.size])))
    assert heavymix(sketch, table, 60, COINS).tolist() == wanted.tolist()
    assert (
        heavymix(sketch, table, 58, COINS).tolist() == np.sort(np.append(largest, others[: 58 - largest.size])).tolist()
    )
    filled = heavymix(sketch, table, 57, COINS)  # now 1 is not enough: the rest is drawn
    assert np.isin(largest, filled).all()
    assert filled.size == 57
    assert filled.tolist() != np.sort(np.append(largest, others[: 57 - largest.size])).tolist()
    assert heavymix(sketch, np.zeros_like(table), 4, COINS).size == 4
    assert heavymix(sketch, table, 1000, COINS).tolist() == list(range(1000))


def test_what_makes_no_sketch_is_refused() -> None:
    for d, rows, columns in ((10, 2, 5), (10, 0, 5), (10, 65, 5), (10, 3, 0), (0, 3, 5), (10, 3, 1 << 25)):
        with pytest.raises(UsageError, match="a sketch"):
            count_sketch(d, rows, columns, COINS)
    sketch = count_sketch(10, 3, 5, COINS)
    with pytest.raises(UsageError, match="10 coordinates"):
        sketch.insert(np.zeros(9, np.int64))
    for k in (0, 11):
        with pytest.raises(UsageError, match="heavymix"):
            heavymix(sketch, np.zeros((3, 5), np.int64), k, COINS)
    with pytest.raises(UsageError, match="candidates"):
        candidates(np.zeros(3, np.int64), 4)
    with pytest.raises(UsageError, match="overflow"):
        shift_for(1.0, 1 << 31, 3)
