"""Kinds of error feedback; chains of two compressors; what is warned of, and bits by the rules of the papers."""

import json
from typing import Any

import numpy as np
import pytest

from distest import catalog, training
from distest.bits import BitReader
from distest.cli import train_
from distest.coins import NO_PRIVATE, Coins, PublicCoins
from distest.errors import UsageError
from distest.sgd.compressors.chain import Chain
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.random_k import RandomK
from distest.sgd.compressors.sign import Sign
from distest.sgd.compressors.threshold import Threshold
from distest.sgd.compressors.top_k import TopK
from distest.sgd.methods.mean import Mean
from distest.sgd.rule import Rule
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import COINS, stepped

RNG = np.random.default_rng(5)
X = RNG.standard_t(3, 3000).astype(np.float32)


# ---- kinds of feedback


def test_a_low_pass_keeps_a_part_of_what_was_remembered_and_a_part_of_what_was_left_out() -> None:
    method = Mean(TopK(k=1), feedback="lowpass", beta=0.25)
    state, _ = stepped(method, [[4.0, 1.0]])
    assert state.own["memory"][0].tolist() == [0, 0.25]
    state, _ = stepped(method, [[4.0, 1.0]], 2)
    assert state.own["memory"][0].tolist() == [0, 0.75 * 0.25 + 0.25 * 1.25]
    assert state.x.tolist() == [-8, 0]
    plain, _ = stepped(Mean(TopK(k=1), feedback=True), X[None, :50], 7)
    same, _ = stepped(Mean(TopK(k=1), feedback="lowpass", beta=1.0), X[None, :50], 7)
    assert np.array_equal(plain.x, same.x)


def test_ef21_says_how_a_gradient_differs_from_what_is_known_and_follows_all_that_is_known() -> None:
    """(4, 1): known are (4, 0), then (4, 1), which is followed from then on; a worker with 0 halves the mean."""
    method = Mean(TopK(k=1), feedback="ef21")
    state, _ = stepped(method, [[4.0, 1.0], [0.0, 0.0]], 3)
    assert state.own["memory"][0].tolist() == [4, 1]
    assert state.shared["estimate"].tolist() == [2, 0.5]
    assert state.x.tolist() == [-6, -1]


@pytest.mark.parametrize("exchange", ["all_gather", "parameter_server"])
def test_ef21_comes_to_rest_at_the_optimum_where_workers_disagree(exchange: str) -> None:
    """Gradients row + x, whose rows are large and nearly add up to 0: of what single workers send first nothing is
    left in the mean. EF21 goes on to the optimum, compression alone stays away."""
    rows = np.array([[9, 9, 1], [-9, -9, 0], [0, 0, 2]], np.float32)
    best = -rows.mean(axis=0)
    ends = {}
    for feedback in (False, "ef21"):
        table = {"name": "mean", "compressor": {"name": "top_k", "k": 1}, "exchange": exchange, "feedback": feedback}
        method: Mean = catalog.build("method", table)
        state, _ = stepped(method, rows, 300, rule=Rule(rate=0.1), slope=1.0)
        ends[feedback] = float(np.linalg.norm(state.x - best))
    assert ends["ef21"] < 1e-4
    assert ends[False] > 0.3


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"name": "mean", "feedback": "ef21", "exchange": "scatter_reduce"}, "rounded once more"),
        ({"name": "mean", "feedback": "lowpass", "beta": 0.0}, "0 < beta <= 1"),
        ({"name": "mean", "feedback": "twice"}, "does not fit"),
        ({"name": "mean", "feedback": True, "compressor": "random_k"}, "errs by 97.5 times .* every vector"),
        ({"name": "mean", "feedback": True, "compressor": {"name": "gspar", "eps": 2.0}}, "errs by 2 times"),
        ({"name": "mean", "compressor": {"name": "chain", "places": "sign"}}, "places from top_k"),
        ({"name": "mean", "compressor": {"name": "chain", "places": {"name": "top_k", "k": 4000}}}, "k=4000"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(method: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        training.plan(check(normalise({"method": method, "problem": "softmax"})))
    assert "\n" not in str(caught.value)


# ---- chains


@pytest.mark.parametrize("places", [TopK(density=0.05), RandomK(density=0.05, scaled=False), Threshold(threshold=2.0)])
def test_a_chain_is_the_index_part_and_a_message_about_the_values(places: Any) -> None:
    chain = Chain(places, Qsgd(bits=4, norm="max"))
    message = chain.encode(X, 2, COINS)
    kept = places.choose(X, 2, COINS)
    inner = chain.values.encode(X[kept], 2, COINS.fold("values"))
    assert message.n_bits == places.write_places(kept, X.size).n_bits + inner.n_bits
    y = chain.decode(BitReader(message.data, message.n_bits), X.size, 2, COINS.public)
    said = chain.values.decode(BitReader(inner.data, inner.n_bits), kept.size, 2, COINS.fold("values").public)
    assert np.array_equal(y[kept], said)
    assert np.count_nonzero(y) == np.count_nonzero(said)


def test_the_error_of_a_chain_is_composed_of_those_of_its_parts() -> None:
    """G4: 1 - (1 - a)(1 - b) where b <= 1, attained by sign on a vector of one coordinate off 0 beside others."""
    chain = Chain(TopK(k=4), Sign())
    assert chain.distortion(16) == pytest.approx(1 - 4 / 16 * 1 / 4)
    x = np.ones(16, np.float32)
    message = Chain(TopK(k=4), Identity()).encode(x, 0, COINS)
    y = Chain(TopK(k=4), Identity()).decode(BitReader(message.data, message.n_bits), 16, 0, COINS.public)
    assert np.square(y - x).sum() == Chain(TopK(k=4), Identity()).distortion(16) * 16
    coarse = Qsgd(bits=2)
    assert coarse.distortion(1000) > 1
    assert Chain(TopK(k=1000), coarse).distortion(9000) == coarse.distortion(1000)
    unbiased = Chain(RandomK(k=10), Qsgd(bits=4))
    assert unbiased.unbiased
    assert unbiased.distortion(100) == pytest.approx(9 + 10 * Qsgd(bits=4).distortion(10))
    assert Chain(RandomK(k=10), Sign()).distortion(100) == float("inf")
    assert not Chain(TopK(k=10), Qsgd(bits=4)).unbiased
    assert Chain(RandomK(k=10), Sign()).coin_use == "public"


def test_random_places_and_random_levels_are_unbiased_together() -> None:
    """The mean of 2,000 messages is off by chi-square of 50 degrees or so: 6 deviations have a chance below 1e-6."""
    chain, x, draws = Chain(RandomK(k=10), Qsgd(bits=3)), X[:50], 2000
    total, squares = np.zeros(50), np.zeros(50)
    for t in range(draws):
        key = COINS.fold("draw", t)
        message = chain.encode(x, t, key)
        error = chain.decode(BitReader(message.data, message.n_bits), 50, t, key.public).astype(np.float64) - x
        total += error
        squares += np.square(error)
    assert squares.sum() / draws <= chain.distortion(50) * np.square(x, dtype=np.float64).sum()
    ratio = np.square(total / draws) / (squares / draws / draws)
    assert ratio.sum() < 50 + 6 * (2 * 50) ** 0.5


# ---- warnings, and bits by the rules of the papers


def trained(**table: Any) -> dict[str, Any]:
    spec = check(normalise({"problem": "softmax", "workers": 4, "steps": 3, "batch": 2, **table}))
    return next(training.run(spec, training.plan(spec), Solo(), False))[0]


def test_an_all_gather_beyond_the_crossover_is_warned_of() -> None:
    """4 bits and norms: from 16 workers on, W b > 64; float32 itself is no compression, scatter_reduce no gather."""
    (said,) = trained(method="qsgd", workers=16)["warnings"]
    assert said == (
        "all_gather of 4.02 bits a coordinate from 16 workers loads each link more than a ring all-reduce in single "
        "precision would, as it does for more than 64 / b = 15.9 workers; try exchange=scatter_reduce"
    )
    assert trained(method="qsgd", workers=15)["warnings"] == []
    assert trained(method="supersgd", workers=16)["warnings"] == []
    assert trained(method="qsgd:exchange=scatter_reduce", workers=16)["warnings"] == []
    assert trained(method="qsgd:layers=true,small=0", workers=16)["warnings"][0].endswith("exchange=parameter_server")


def test_feedback_that_may_fail_and_sketches_that_say_little_are_warned_of() -> None:
    (said,) = trained(method={"name": "qsgd", "feedback": True})["warnings"]
    assert "may err by 5.35 times the squared length" in said
    assert trained(method="ef_signsgd")["warnings"] == []
    (said,) = trained(method="sketched_sgd")["warnings"]
    assert said.startswith("at step 0 the smallest coordinate that is followed is 0.")
    assert trained(method="sketched_sgd:density=0.002,columns=20000,candidates=8")["warnings"] == []
    assert trained(method="sketched_sgd:density=0.5,candidates=2")["warnings"] == []  # everything is asked for


def test_a_warning_is_told_once_and_kept(capfd: pytest.CaptureFixture[str]) -> None:
    asked = ["--method", "sketched_sgd", "--method", "ef_signsgd", "--steps", "4", "--batch", "2", "--json"]
    train_.command.main(asked, standalone_mode=False)
    out, err = capfd.readouterr()
    assert err.count("distest: warning: sketched_sgd: at step 0 the smallest") == err.count("warning") == 1
    first, second = map(json.loads, out.splitlines())
    assert len(first["warnings"]) == 1
    assert second["warnings"] == []


@pytest.mark.parametrize(
    ("method", "each"),
    [
        ("qsgd", 4 * 1970 + 32),
        ("qsgdinf", 4 * 1970 + 4 * 32),
        ("nuqsgd", 4 * 1970 + 32),
        ("terngrad", 2 * 1970 + 32),
        ("local_top_k", 32 * 20),
        ("uniform_sgd", 32 * 39),
        ("scalecom", 32 * 20),
        ("sketched_sgd", 32 * (5 * 20 + 4 * 20 + 20)),
        ("heavymix_sgd", 32 * (5 * 20 + 20)),
        ("dgc:density=0.01", 32 * 20),
        ({"name": "qsgd", "compressor": {"name": "qsgd", "bits": 4, "code": "elias"}}, None),
        ("ef_signsgd", None),
        ("supersgd", None),
    ],
)
def test_bits_by_the_rule_of_the_paper_stand_beside_those_that_were_sent(method: Any, each: int | None) -> None:
    record = trained(method=method)
    assert record["paper_bits"] == (None if each is None else 3 * 4 * each)
    assert record["payload_bits"] > 0


def test_gspar_counts_by_its_own_formula() -> None:
    """Twelve messages; its rule forgets signs and takes log2 d for an index, so the sums are alike but not the same."""
    record = trained(method="gspar_sgd")
    assert 0.7 < record["paper_bits"] / record["payload_bits"] < 1.3
    assert record["paper_bits"] != record["payload_bits"]


@pytest.mark.parametrize("feedback", ["lowpass", "ef21"])
def test_the_bits_alone_give_the_model_whatever_is_remembered(feedback: str) -> None:
    method = {"name": "mean", "compressor": {"name": "chain"}, "feedback": feedback}
    spec = check(normalise({"problem": "softmax", "workers": 3, "steps": 5, "batch": 2, "method": method}))
    record, _, board = next(training.run(spec, training.plan(spec), Solo(), True))
    assert board is not None
    public = PublicCoins(record["public_key"], "splitmix", tuple(record["coin_path"]))
    found = training.replay(record, board, Coins(public, NO_PRIVATE))
    assert {key: record[key] for key in found} == found
