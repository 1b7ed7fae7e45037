"""Shards and batches: every row has one owner, and a batch depends on (coins, worker, step) alone."""

from typing import Any

import numpy as np
import pytest

from distest import catalog
from distest.coins import from_seed
from distest.errors import UsageError
from distest.sgd.shards import deal

COINS, DATA = from_seed(3)[0].public, from_seed(3)[1]
IONOSPHERE = catalog.build("problem", {"name": "logistic", "data": "ionosphere"})
CLOTHES = catalog.build("problem", {"name": "softmax"})


@pytest.mark.parametrize("how", ["iid", "sorted"])
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 280])
def test_every_row_has_one_owner_and_shards_are_nearly_equal(how: Any, workers: int) -> None:
    shards = deal(IONOSPHERE, workers, how, COINS)
    owned = [shards.rows(worker) for worker in range(workers)]
    assert all(rows.dtype == np.int64 for rows in owned)
    assert sorted(np.concatenate(owned)) == list(range(280))
    assert {len(rows) for rows in owned} <= {280 // workers, -(-280 // workers)}


def test_sorted_shards_hold_few_labels_and_iid_ones_all() -> None:
    labels = CLOTHES.labels()
    by_label, mixed = (deal(CLOTHES, 10, how, COINS) for how in ("sorted", "iid"))
    for worker in range(10):
        assert len(np.unique(labels[by_label.rows(worker)])) <= 3
        assert len(np.unique(labels[mixed.rows(worker)])) == 10
    assert (np.diff(labels[by_label.order]) >= 0).all()
    ties = np.diff(by_label.order)[np.diff(labels[by_label.order]) == 0]
    assert (ties > 0).all()


def test_the_iid_order_follows_the_coins_and_nothing_else() -> None:
    one = deal(IONOSPHERE, 4, "iid", COINS).order
    np.testing.assert_array_equal(one, deal(IONOSPHERE, 5, "iid", COINS).order)
    assert not np.array_equal(one, deal(IONOSPHERE, 4, "iid", from_seed(4)[0].public).order)
    assert abs(np.corrcoef(one, np.arange(280))[0, 1]) < 5 / 280**0.5  # 5 standard errors, false with chance 6e-7


def test_batches_depend_on_coins_worker_and_step_alone() -> None:
    shards = deal(CLOTHES, 4, "iid", COINS)
    first = shards.batch(2, 7, 32, DATA)
    shards.batch(1, 7, 32, DATA)
    shards.batch(2, 8, 1000, DATA)
    again = deal(CLOTHES, 4, "iid", COINS).batch(2, 7, 32, from_seed(3)[1])
    assert first.dtype == np.int64
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[:8], shards.batch(2, 7, 8, DATA))  # a smaller batch is the front of a larger
    assert set(first) <= set(shards.rows(2))
    others = [shards.batch(2, 8, 32, DATA), shards.batch(2, 7, 32, from_seed(4)[1]), shards.batch(3, 7, 32, DATA)]
    assert not any(np.array_equal(first, other) for other in others)


def test_workers_draw_different_places_of_their_shards() -> None:
    shards = deal(CLOTHES, 4, "iid", COINS)
    places = [
        np.argsort(shards.rows(w))[np.searchsorted(np.sort(shards.rows(w)), shards.batch(w, 7, 32, DATA))]
        for w in range(4)
    ]
    np.testing.assert_array_equal(shards.rows(3)[places[3]], shards.batch(3, 7, 32, DATA))
    assert len({tuple(place) for place in places}) == 4


def test_batches_draw_every_row_of_the_shard_equally() -> None:
    """A chi-square of 70 rows over 40 steps; fails by chance 6e-7 (5 standard deviations)."""
    shards = deal(IONOSPHERE, 4, "iid", COINS)
    own = shards.rows(1)
    drawn = np.concatenate([shards.batch(1, step, 175, DATA) for step in range(40)])
    counts = np.bincount(drawn, minlength=280)[own]
    assert counts.sum() == 7000
    assert abs(((counts - 100.0) ** 2 / 100).sum() - 69) < 5 * (2 * 69) ** 0.5


@pytest.mark.parametrize("size", [0, None])
def test_no_size_is_the_whole_shard(size: int | None) -> None:
    shards = deal(IONOSPHERE, 3, "sorted", COINS)
    np.testing.assert_array_equal(shards.batch(1, 5, size, DATA), shards.rows(1))


def test_what_cannot_be_dealt_is_one_sentence() -> None:
    for workers in (0, -1, 281):
        with pytest.raises(UsageError, match=rf"280 training rows can be dealt to 1..280 workers, got {workers}"):
            deal(IONOSPHERE, workers, "iid", COINS)
    with pytest.raises(UsageError, match=r"no way to deal rows 'srted'.*did you mean 'sorted'"):
        deal(IONOSPHERE, 2, "srted", COINS)  # type: ignore[arg-type]  # a user's spec can say anything
    letters = catalog.build("problem", {"name": "letter_lstm", "letters": 2000})
    with pytest.raises(UsageError, match="no labels to be sorted by"):
        deal(letters, 2, "sorted", COINS)
    shards = deal(IONOSPHERE, 2, "iid", COINS)
    for worker in (-1, 2):
        with pytest.raises(UsageError, match=r"workers are numbered 0\.\.1"):
            shards.rows(worker)
    with pytest.raises(UsageError, match="a positive number of rows"):
        shards.batch(0, 0, -1, DATA)
