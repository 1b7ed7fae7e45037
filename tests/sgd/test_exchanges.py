"""Exchanges: bits of every link as the formulas have them, means that are the same everywhere, and nothing lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import audit, catalog, records, training
from distest.bits import Messages
from distest.coins import from_seed
from distest.errors import ModelError, UsageError, WireError
from distest.sgd import integers
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.natural import Natural
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.exchanges.common_scale import CommonScale
from distest.sgd.exchanges.parameter_server import ParameterServer
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.exchanges.tree import Tree
from distest.sgd.link import Link
from distest.train_spec import check, normalise
from distest.wire.board import Chunk, Post
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger, per_link
from distest.wire.replay import Replay
from distest.wire.transport import Solo
from distest.wire.turn import Turn

Rows = NDArray[np.float32]
KEY, _ = from_seed(3)
FOUR = Qsgd(bits=4, norm="max", bucket=8)
ALL: list[Exchange] = [catalog.build("exchange", {"name": name}) for name in catalog.names("exchange")]


def gaussian(workers: int, d: int, seed: int = 0, common: float = 0.0) -> Rows:
    """Rows (W, d) of N(0, 1), of correlation `common` between workers."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((workers, d)) * np.sqrt(1 - common)
    return np.asarray(own + rng.standard_normal(d) * np.sqrt(common), np.float32)


def averaged(
    exchange: Exchange, code: Compressor, rows: Rows, step: int = 0, keep: bool = False
) -> tuple[Rows, Channel, Rows]:
    """One mean of the rows: what all read, the channel, and what each worker was told of its own vector."""
    channel = Channel(len(rows), Solo(), "blackboard", keep)
    said = np.zeros_like(rows)

    def sent(worker: int, x: Any) -> None:
        said[worker] = x

    mean = exchange.mean(lambda worker: rows[worker], rows.shape[1], code, Link(channel), KEY.fold("step", step), sent)
    return np.array(mean), channel, said


def length(code: Compressor, d: int) -> float:
    """Bits of a message about d coordinates, measured."""
    return code.encode(gaussian(1, d)[0], 0, KEY).n_bits


# ---- bits of a link


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize("exchange", ALL, ids=lambda exchange: type(exchange).__name__)
@pytest.mark.parametrize("d", [840, 5])
def test_the_books_hold_what_an_exchange_expects(exchange: Exchange, workers: int, d: int) -> None:
    """d = 5 leaves some of 6, 7 or 8 workers without a part."""
    code = Identity() if isinstance(exchange, CommonScale) else FOUR
    _, channel, _ = averaged(exchange, code, gaussian(workers, d))
    expected = exchange.expected(d, workers, code, length)
    for direction in ("up", "down_broadcast", "down_unicast", "board", "peer"):
        assert channel.ledger.payload(direction) == expected.get(direction, 0), direction
    links = channel.ledger.by_link(workers)
    assert links[:-1].mean() == pytest.approx(per_link(expected, workers), rel=1e-12)
    assert links[-1] == expected.get("down_unicast", 0)


TABLE: list[tuple[Exchange, Compressor, Callable[[int, float], float]]] = [
    (AllGather(), FOUR, lambda W, L: (W - 1) * L),
    (AllGather(), Identity(), lambda W, L: (W - 1) * L),
    (ScatterReduce(), FOUR, lambda W, L: 2 * (W - 1) / W * L),
    (ScatterReduce(), Identity(), lambda W, L: 2 * (W - 1) / W * L),
    (ScatterReduce(Identity()), FOUR, lambda W, L: (W - 1) / W * (L + 32 * 1680)),
    (ParameterServer(), FOUR, lambda W, L: L),
    (Tree(), FOUR, lambda W, L: (W - 1) / W * 2 * L),
    (CommonScale(4), Identity(), lambda W, L: (W - 1) * 32 + (W - 1) / W * (4 + (14 * W).bit_length()) * 1680),
]


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize(("exchange", "code", "formula"), TABLE, ids=lambda part: type(part).__name__)
def test_a_link_carries_what_the_table_of_collectives_says(
    exchange: Exchange, code: Compressor, formula: Callable[[int, float], float], workers: int
) -> None:
    """d = 1,680 has whole buckets of 8 in all parts but for W = 4 and 8, whose parts end within one."""
    d = 1680
    _, channel, _ = averaged(exchange, code, gaussian(workers, d))
    found = channel.ledger.by_link(workers)[:-1].mean()
    norms = 32 * 2 * workers if isinstance(code, Qsgd) else 0  # a norm more a message at most, where parts end
    assert -1e-6 <= found - formula(workers, length(code, d)) <= norms + 1e-6
    if d % (8 * workers) == 0:
        assert found == pytest.approx(formula(workers, length(code, d)), rel=1e-12)


@pytest.mark.parametrize("workers", range(1, 9))
def test_a_sum_of_levels_takes_at_most_the_logarithm_of_w_more_bits(workers: int) -> None:
    for bits in range(2, 9):
        assert CommonScale(bits).sum_bits(workers) <= bits + int(np.ceil(np.log2(workers)))


@pytest.mark.parametrize("workers", range(1, 9))
def test_sparse_messages_cost_k_indices_and_values_on_every_link(workers: int) -> None:
    """All-gather: (W-1) k (ib + vb); tree: at most two messages leave a worker, ceil(log2 W) reach the first."""
    d, k = 4096, 64
    code = TopK(k=k)
    _, gathered, _ = averaged(AllGather(), code, gaussian(workers, d))
    ib = np.log2(d / k) + 1.443  # the entropy of an index; Rice codes are within 0.1 bit, two and five bits name them
    links = gathered.ledger.by_link(workers)[:-1]
    assert (workers - 1) * k * (ib - 0.1 + 32) <= links.min()
    assert links.max() <= (workers - 1) * (k * (ib + 0.2 + 32) + 7)
    _, merged, _ = averaged(Tree(), code, gaussian(workers, d), keep=True)
    longest = k * (ib + 0.2 + 32) + 7
    assert merged.ledger.by_link(workers)[:-1].max() <= 2 * longest
    assert merged.board is not None
    to_first = [
        chunk.n_bits
        for post in merged.board.posts
        for (_, owner), chunk in zip(post.turn.pairs(), post.chunks, strict=False)
        if owner == 0
    ]
    assert len(to_first) == int(np.ceil(np.log2(workers)))
    assert sum(to_first) <= len(to_first) * longest


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_scalecom_over_scatter_reduce_costs_one_leader_and_one_allreduce_of_values(workers: int) -> None:
    """k ceil(log2 C) + 2 (W-1)/W k 32, gradients.md 4.5, on the busiest link; the leader's indices go round a ring."""
    spec = check(
        normalise(
            {
                "method": "scalecom:density=0.0625,exchange=scatter_reduce",
                "problem": "softmax",
                "workers": workers,
                "steps": workers,
            }
        )
    )
    record, _, _ = next(training.run(spec, training.plan(spec), Solo(), False))
    d, C = record["d"], 16
    k = -(-d // C)
    assert record["payload_bits_board"] == workers * (k * 4 + 32 * k)
    assert record["payload_bits_peer"] == workers * (workers - 1) * 32 * k
    each_step = record["link_bits"] / workers
    assert abs(each_step - (k * 4 * (workers - 1) / workers + 2 * (workers - 1) / workers * 32 * k)) <= 64


def test_a_ring_passes_on_all_but_the_messages_of_the_next() -> None:
    ledger = Ledger()
    ledger.book(Turn(0, range(3), "board"), range(3), np.array([100, 10, 1]), 111, 100)
    ledger.book(Turn(1, range(3), "referee"), range(3), 5, 15, 5)
    ledger.book(Turn(2, range(0), "each"), range(3), 7, 21, 7)
    assert ledger.by_link(3).tolist() == [101 + 5, 110 + 5, 11 + 5, 21]


# ---- errors


def nmse(exchange: Exchange, code: Compressor, rows: Rows, rounds: int) -> tuple[float, float]:
    """E |mean found - mean|^2 / mean |x|^2 over the coins of so many rounds, and its standard error."""
    exact = rows.astype(np.float64).mean(axis=0)
    scale = float(np.square(rows.astype(np.float64)).sum(axis=1).mean())
    errors = [float(np.square(averaged(exchange, code, rows, step)[0] - exact).sum()) / scale for step in range(rounds)]
    return float(np.mean(errors)), float(np.std(errors, ddof=1) / np.sqrt(rounds))


@pytest.mark.parametrize("common", [0.0, 0.5])
@pytest.mark.parametrize("workers", [2, 5, 8])
def test_the_error_of_the_mean_follows_the_law_of_its_exchange(workers: int, common: float) -> None:
    """All-gather: w/W; scatter-reduce: w/W + w' |mu|^2 / mean |x|^2 less what a worker does not round of its own.

    w, of one message about a worker's vector, and w', of one about the mean mu, are computed exactly for the vectors at
    hand. 6 standard errors of 40 rounds: Student's t of 39 degrees of freedom, failure below 1e-6 each, 1e-5 in all.
    """
    d, code = 512 * workers, Qsgd(bits=4, norm="max", bucket=512)
    rows = gaussian(workers, d, 7, common)
    squares = np.square(rows.astype(np.float64)).sum(axis=1)
    w = float(np.dot([code.variance(x) for x in rows], squares) / squares.sum())
    found, error = nmse(AllGather(), code, rows, 40)
    assert abs(found - w / workers) <= 6 * error
    own = sum(  # a worker does not round its own part in turn 1
        code.variance(rows[i, 512 * i : 512 * (i + 1)]) * np.square(rows[i, 512 * i : 512 * (i + 1)]).sum()
        for i in range(workers)
    )
    mu = rows.astype(np.float64).mean(axis=0)
    first = (w * squares.sum() - own) / workers**2
    found, error = nmse(ScatterReduce(), code, rows, 40)
    second = code.variance(mu.astype(np.float32)) * float(np.square(mu).sum())
    # turn 2 rounds the mean of turn 1, a little longer than mu: |mean|^2 = |mu|^2 + first on average
    low, high = first + 0.97 * second, first + second * (1 + first / float(np.square(mu).sum())) * 1.03
    assert low / squares.mean() - 6 * error <= found <= high / squares.mean() + 6 * error


def test_a_common_scale_rounds_once_and_without_bias() -> None:
    """w/W with w from the grid: E (Q - x)^2 = (b - x)(x - a) between neighbours a, b. 6 standard errors, as above."""
    workers, d = 5, 1000
    rows = gaussian(workers, d, 9)
    step = float(np.abs(rows).max()) / 7
    place = rows.astype(np.float64) / step
    variance = (np.ceil(place) - place) * (place - np.floor(place)) * step**2
    expected = float(variance.sum()) / workers**2 / float(np.square(rows.astype(np.float64)).sum(axis=1).mean())
    found, error = nmse(CommonScale(4), Identity(), rows, 60)
    assert abs(found - expected) <= 6 * error + 2e-4 * expected  # chances are multiples of 2^-16
    means = np.mean([averaged(CommonScale(4), Identity(), rows, i)[0] for i in range(400)], axis=0)
    gap = np.abs(means - rows.mean(axis=0))
    assert float(gap.max()) <= 5.5 * step / 2 / np.sqrt(workers * 400) + 2.0**-15 * step  # 1000 normals: below 1e-4


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_integers_add_up_exactly_on_a_common_scale(workers: int) -> None:
    """Vectors that lie on the grid come back as they are: 7 levels of 1/8 below the largest, 7/8."""
    rows = np.random.default_rng(1).integers(-7, 8, (workers, 300)).astype(np.float32) / np.float32(8)
    rows[0, 0] = 7 / 8
    mean, _, said = averaged(CommonScale(4), Identity(), rows)
    assert np.array_equal(said, rows)
    total = np.round(mean.astype(np.float64) * workers * 8)
    assert np.array_equal(total, rows.astype(np.float64).sum(axis=0) * 8)
    zero, channel, said = averaged(CommonScale(4), Identity(), np.zeros((workers, 10), np.float32))
    assert not zero.any()
    assert not said.any()
    assert channel.ledger.payload_bits == 32 * workers


@pytest.mark.parametrize("largest", [3.4028234e38, 1e-45, 2.0**-140])
def test_a_common_scale_of_any_size_gives_finite_means(largest: float) -> None:
    rows = np.array([[largest, -largest, 0], [largest, largest, 0]], np.float32)
    mean, _, _ = averaged(CommonScale(3), Identity(), rows)
    assert np.isfinite(mean).all()
    assert abs(float(mean[0]) - float(np.float32(largest))) <= 1e-6 * largest + 6 * 1.5e-45  # 6 levels


def test_a_sum_beyond_all_levels_is_refused() -> None:
    rows = gaussian(3, 60)
    _, channel, _ = averaged(CommonScale(4), Identity(), rows, keep=True)
    board = channel.board
    assert board is not None
    last = board.posts[-1]
    full = Chunk(np.full_like(last.chunks[0].data, 255), last.chunks[0].n_bits)
    board.posts[-1] = Post(last.turn, (full, *last.chunks[1:]))
    link = Link(Replay(board, Solo(), "blackboard"))
    with pytest.raises(WireError, match="a sum is beyond 21 levels, the most that 3 workers have"):
        CommonScale(4).mean(lambda worker: rows[worker], 60, Identity(), link, KEY.fold("step", 0), None)


def test_a_common_scale_takes_no_compressor() -> None:
    with pytest.raises(UsageError, match="common_scale rounds by itself"):
        training.plan(check(normalise({"method": "qsgd:exchange=common_scale"})))
    with pytest.raises(UsageError, match="cuts vectors in W parts"):
        training.plan(check(normalise({"method": "mean:exchange=common_scale,layers=true"})))


# ---- memories


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("exchange", [AllGather(), ScatterReduce(), Tree()], ids=lambda part: type(part).__name__)
def test_nothing_is_lost_where_workers_remember(exchange: Exchange, workers: int) -> None:
    """W times what x has moved, and all memories, are the sum of all gradients: exactly, as all of them are integers
    and W is a factor of them. So what the merges of gTop-k drop, or a second rounding, is kept by somebody.
    """
    d, code, scale = 90, TopK(k=8), 840
    memories = np.zeros((workers, d), np.float32)
    moved, given = np.zeros(d), np.zeros(d)
    rng = np.random.default_rng(4)
    for step in range(12):
        gradients = (scale * rng.integers(-9, 10, (workers, d))).astype(np.float32)
        rows = gradients + memories
        mean, _, said = averaged(exchange, code, rows, step)
        memories = rows - said
        moved += mean.astype(np.float64) * workers
        given += gradients.sum(axis=0)
        off = np.abs(moved + memories.sum(axis=0) - given)
        assert float(off.max()) <= (0 if workers in (1, 2, 8) else 1e-3 * scale)
    assert np.count_nonzero(memories) > d // 2


@pytest.mark.parametrize("workers", [2, 3, 7, 8])
def test_a_tree_follows_the_same_k_coordinates_whatever_w(workers: int) -> None:
    d, k = 300, 10
    rows = gaussian(workers, d)
    mean, _, _ = averaged(Tree(), TopK(k=k), rows)
    assert np.count_nonzero(mean) == k
    gathered, _, _ = averaged(AllGather(), TopK(k=k), rows)
    assert np.count_nonzero(gathered) > k
    exact = rows.astype(np.float64).mean(axis=0)
    whole, _, _ = averaged(Tree(), Identity(), rows)
    assert np.allclose(whole, exact, atol=1e-6)


# ---- sums of integers


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 5, 100])
@pytest.mark.parametrize("by_parts", [True, False])
def test_integers_of_all_workers_add_up_exactly(workers: int, count: int, by_parts: bool) -> None:
    rows = np.random.default_rng(2).integers(-1000, 1001, (workers, count))
    channel = Channel(workers, Solo(), "blackboard")
    found = integers.total(lambda worker: rows[worker], count, 1000, Link(channel), by_parts)
    assert np.array_equal(found, rows.sum(axis=0))
    if not by_parts:
        assert channel.ledger.by_party(workers + 1)[:workers].max() <= 7 + 11 * count
        return
    widest = 7 * 2 * workers + 2 * (workers - 1) / workers * count * (11 + int(np.ceil(np.log2(workers)))) + 2 * workers
    assert channel.ledger.by_link(workers)[:-1].mean() <= widest + 16


# ---- room for vectors


def test_room_is_used_again_once_nobody_holds_it() -> None:
    link = Link(Channel(2, Solo(), "blackboard"))
    first = link.vector(10)
    first[...] = 1
    place = first.ctypes.data
    part = first[3:]
    del first
    second = link.vector(10)
    assert second.ctypes.data != place  # a part of the first is still held
    assert part.tolist() == [1] * 7
    del part
    assert link.vector(10).ctypes.data == place
    assert link.vector(11).size == 11


# ---- off the books


def test_fast_runs_book_nothing_and_say_so() -> None:
    small = {"problem": "logistic:data=ionosphere", "workers": 3, "steps": 5, "batch": 8, "fast": True}
    for method in ("mean", "true_top_k:momentum=0.5", "mean:exchange=scatter_reduce"):
        spec = check(normalise({**small, "method": method}))
        record, _, board = next(training.run(spec, training.plan(spec), Solo(), False))
        slow = check(normalise({**small, "method": method, "fast": False}))
        booked, _, _ = next(training.run(slow, training.plan(slow), Solo(), False))
        assert (record["ledger"], record["payload_bits"], record["link_bits"], board) == ("none", 0, None, None)
        assert (booked["ledger"], booked["payload_bits"] > 0) == ("bits", True)
        assert record["label"] == booked["label"]
        assert record["loss"] == pytest.approx(booked["loss"], rel=1e-5)
        record = json.loads(json.dumps({**record, "board": "none"}))
        assert "nothing that could be audited" in str(audit.audit(Path(), record, 1).wrong)


def test_fast_is_refused_where_more_is_said_than_whole_vectors_or_a_board_is_kept() -> None:
    for method in ("scalecom", "qsgd", "mean:compressor=sign", "sketched_sgd"):
        with pytest.raises(UsageError, match=r"fast=true adds up whole vectors, .* sends other messages") as caught:
            training.plan(check(normalise({"method": method, "fast": True})))
        assert "\n" not in str(caught.value)
    spec = check(normalise({"fast": True, "steps": 1}))
    with pytest.raises(UsageError, match="fast=true says nothing that a board could keep"):
        next(training.run(spec, training.plan(spec), Solo(), True))


def test_a_digest_left_out_changes_nothing_else_and_keeps_no_board() -> None:
    """Nor the hash of the spec, so that runs with and without it are one run, and agree."""
    small = {"problem": "logistic:data=ionosphere", "workers": 3, "steps": 5, "batch": 8}
    made = []
    for digest in (True, False):
        spec = check(
            normalise({**small, "method": "mean:exchange=scatter_reduce,compressor=terngrad", "digest": digest})
        )
        made.append(next(training.run(spec, training.plan(spec), Solo(), False))[0])
    with_it, without = made
    assert (len(with_it["digest"]), without["digest"]) == (64, None)
    differs = {key for key in with_it if with_it[key] != without[key]}
    assert differs <= {"digest", "seconds"}
    assert records.conflicts(made) == []
    assert len(records.conflicts([with_it, {**with_it, "digest": "0" * 64}])) == 1
    with pytest.raises(UsageError, match="held against its digest, and digest=false; leave out --boards"):
        next(training.run(spec, training.plan(spec), Solo(), True))
    with pytest.raises(ModelError, match="held against its digest"):
        Channel(3, Solo(), "blackboard", True, digest=False)


def test_a_run_that_was_once_not_hashed_has_no_digest() -> None:
    channel = Channel(2, Solo(), "blackboard", digest=False)
    link = Link(channel)
    link.board(lambda worker: Messages.of_bytes(b"x"), lambda worker, reader: reader.took(1, 8))
    later = Channel(2, Solo(), "blackboard")
    later.restore(*channel.snapshot())
    Link(later, later.turns).board(lambda worker: Messages.of_bytes(b"y"), lambda worker, reader: reader.took(1, 8))
    assert (later.turns, later.digest(), later.ledger.payload_bits) == (2, None, 32)


def test_natural_compression_is_there_for_the_law_of_one_w() -> None:
    """Levels that do not move with the data: w' = w in the law of scatter-reduce, whatever the mean is."""
    rows = gaussian(8, 4096, 5, 0.5)
    squares = np.square(rows.astype(np.float64)).sum(axis=1)
    mu = rows.astype(np.float64).mean(axis=0)
    rho = float(np.square(mu).sum() / squares.mean())
    gathered, error = nmse(AllGather(), Natural(), rows, 30)
    w = 8 * gathered
    found, other = nmse(ScatterReduce(), Natural(), rows, 30)
    expected = w / 8 * 7 / 8 + w * rho
    assert abs(found - expected) <= 6 * (other + error * (1 + 8 * rho)) + 0.02 * expected
