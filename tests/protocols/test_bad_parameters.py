"""Parameters and samples that make no sense are refused with one sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from distest import catalog
from distest.bits import BitReader, Messages
from distest.coins import from_seed
from distest.errors import PartyError, UsageError, WireError
from distest.learning.run import learn
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.wire.channel import Channel
from distest.wire.transport import Solo

ONE_SAMPLE: list[dict[str, Any]] = [
    {"name": "grouping", "bits": 2},
    {"name": "balanced_hash", "bits": 2},
    {"name": "linear_hash", "bits": 2},
    {"name": "linear_hash", "bits": 2, "design": "cycle"},
    {"name": "recursive_hadamard", "bits": 2},
    {"name": "simulate_infer", "bits": 2},
    {"name": "simulate_infer", "bits": 2, "split": True},
    {"name": "sparse_hash", "bits": 2, "support": 3},
    {"name": "local_refinement", "bits": 2},
    {"name": "tree_localisation", "bits": 2, "support": 2},
]
ALL: list[dict[str, Any]] = [
    {"name": "full_sample"},
    {"name": "full_sample", "code": "truncated"},
    {"name": "full_sample", "code": "block"},
    {"name": "multiset"},
    {"name": "golomb_gaps"},
    {"name": "arithmetic_counts"},
    {"name": "adaptive_entropy"},
    {"name": "monotone_cells"},
    {"name": "monotone_l2"},
    {"name": "two_stage_histogram", "pieces": 3},
    {"name": "two_stage_histogram_l2", "pieces": 3},
    {"name": "tight_budget", "bits": 4},
    *ONE_SAMPLE,
]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert not text.endswith(".")
    assert len(text) < 300
    return text


def build(spec: dict[str, Any], task: Task) -> Any:
    return catalog.build("protocol", spec, task=task)


@pytest.mark.parametrize("fields", [{"n": 1}, {"n": 0}, {"n": 1 << 31}, {"m": 0}, {"m": 1 << 32}, {"s": 0}])
def test_tasks(fields: dict[str, Any]) -> None:
    refused(lambda: Task(**{"n": 16, "m": 100, **fields}))


@pytest.mark.parametrize("spec", ONE_SAMPLE, ids=str)
def test_several_samples(spec: dict[str, Any]) -> None:
    assert "one sample per server, got s=2" in refused(lambda: build(spec, Task(16, 100, s=2)))


@pytest.mark.parametrize("bits", [-1, 0, 9, 64])
@pytest.mark.parametrize("spec", ONE_SAMPLE, ids=str)
def test_bits_out_of_range(spec: dict[str, Any], bits: int) -> None:
    text = refused(lambda: build({**spec, "bits": bits}, Task(10_000, 100_000)))
    assert f"takes 1 to 8 bits, got bits={bits}" in text


@pytest.mark.parametrize(
    ("spec", "n", "most"),
    [
        ({"name": "grouping"}, 14, 3),
        ({"name": "grouping"}, 15, 4),
        ({"name": "local_refinement"}, 14, 3),
        ({"name": "balanced_hash"}, 14, 4),
        ({"name": "balanced_hash"}, 17, 5),
        ({"name": "linear_hash"}, 16, 4),
        ({"name": "linear_hash"}, 2, 1),
        ({"name": "recursive_hadamard"}, 17, 5),
        ({"name": "recursive_hadamard"}, 2, 1),
        ({"name": "sparse_hash", "support": 2}, 17, 5),
        ({"name": "tree_localisation", "support": 2}, 14, 3),
        ({"name": "simulate_infer"}, 15, 3),
        ({"name": "simulate_infer"}, 16, 4),
        ({"name": "simulate_infer", "split": True}, 15, 3),
    ],
    ids=str,
)
def test_more_bits_than_the_domain_has(spec: dict[str, Any], n: int, most: int) -> None:
    build({**spec, "bits": most}, Task(n, 100))
    assert f"takes 1 to {most} bits" in refused(lambda: build({**spec, "bits": most + 1}, Task(n, 100)))


def test_bits_are_missing_or_no_number() -> None:
    assert "needs option 'bits'" in refused(lambda: build({"name": "grouping"}, Task(16, 100)))
    refused(lambda: build({"name": "balanced_hash", "bits": "three"}, Task(16, 100)))
    refused(lambda: build({"name": "linear_hash", "bits": 2.5}, Task(16, 100)))


def test_too_few_servers() -> None:
    build({"name": "grouping", "bits": 2}, Task(16, 6))
    assert "6 would do" in refused(lambda: build({"name": "grouping", "bits": 2}, Task(16, 5)))
    build({"name": "local_refinement", "bits": 2}, Task(16, 11))
    assert "first turn, where 5 of 10" in refused(lambda: build({"name": "local_refinement", "bits": 2}, Task(16, 10)))
    assert "m=1" in refused(lambda: build({"name": "local_refinement", "bits": 1}, Task(2, 1)))


def test_cycles_that_do_not_exist() -> None:
    cycle = {"name": "linear_hash", "design": "cycle"}
    build({**cycle, "bits": 4}, Task(256, 17))
    assert "each of 17 subspaces, got m=16" in refused(lambda: build({**cycle, "bits": 4}, Task(256, 16)))
    assert "divides 8 (1, 2, 4, 8), got bits=3" in refused(lambda: build({**cycle, "bits": 3}, Task(256, 1000)))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "full_sample", "code": "gzip"}, "code"),
        ({"name": "full_sample", "estimator": "best"}, "estimator"),
        ({"name": "linear_hash", "bits": 1, "design": "spiral"}, "design"),
        ({"name": "sparse_hash", "bits": 2, "support": 0}, "support"),
        ({"name": "sparse_hash", "bits": 2, "support": 17}, "support"),
        ({"name": "tree_localisation", "bits": 2, "support": 0}, "support of 1 to 16 symbols"),
        ({"name": "tree_localisation", "bits": 2, "support": 17}, "support of 1 to 16 symbols"),
        ({"name": "adaptive_entropy", "growth": -0.1}, "growth"),
        ({"name": "adaptive_entropy", "growth": 1.5}, "growth"),
        ({"name": "adaptive_entropy", "growth": float("nan")}, "growth"),
        ({"name": "monotone_cells", "tau": 0.0}, "0 < tau < 1"),
        ({"name": "monotone_cells", "tau": 1.0}, "0 < tau < 1"),
        ({"name": "monotone_cells", "tau": float("nan")}, "tau"),
        ({"name": "monotone_cells", "partition": "even"}, "partition"),
        ({"name": "monotone_cells", "direction": "up"}, "direction"),
        ({"name": "monotone_l2", "eps": 0.0}, "0 < eps <= 1/2"),
        ({"name": "monotone_l2", "eps": 0.51}, "0 < eps <= 1/2"),
        ({"name": "monotone_l2", "eps": float("nan")}, "eps"),
    ],
    ids=str,
)
def test_options(spec: dict[str, Any], said: str) -> None:
    task = Task(16, 100)
    assert said in refused(lambda: build(spec, task))
    fields = {key: value for key, value in spec.items() if key != "name"}
    assert said in refused(lambda: catalog.find("protocol", spec["name"])(task=task, **fields))


@pytest.mark.parametrize("bad", [-1, 16, 250, 1 << 20])
@pytest.mark.parametrize("spec", ALL, ids=str)
def test_samples_outside_the_domain(spec: dict[str, Any], bad: int) -> None:
    protocol = build(spec, Task(16, 100))
    coins, _ = from_seed(1)
    samples = np.array([[3], [bad], [0]], np.int32)
    refused(lambda: protocol.speak(Servers(range(0, 6, 2), samples), protocol.start(), coins))
    many = np.zeros((1 << 17, 1), np.int32)
    many[77_777] = bad
    refused(lambda: protocol.speak(Servers(range(1 << 17), many), protocol.start(), coins))


def test_the_second_turn_of_refinement_looks_as_well() -> None:
    protocol = build({"name": "local_refinement", "bits": 2}, Task(16, 100))
    state = protocol.fold(protocol.start(), np.ones(16, np.int64))
    servers = Servers(range(1, 3, 2), np.array([[16]], np.int32))
    assert "symbols from 0 to 15" in refused(lambda: protocol.speak(servers, state, from_seed(1)[0]))


def test_a_run_says_whose_sample_it_was() -> None:
    protocol = build({"name": "grouping", "bits": 2}, Task(16, 100))
    channel = Channel(100, Solo(), "referee")
    coins, _ = from_seed(1)
    with pytest.raises(PartyError, match=r"round 0, servers 0-15 on rank 0: samples are symbols from 0 to 15"):
        learn(protocol, lambda block: np.full((len(block), 1), 99, np.int32), channel, coins)


def test_bits_that_name_no_symbol() -> None:
    """Eleven symbols in four bits leave five words that nobody can have sent."""
    protocol = build({"name": "full_sample"}, Task(11, 3))
    messages = Messages.of_symbols(np.array([1, 11, 2], np.uint8), 4)
    with pytest.raises(WireError, match="symbol 11 is outside"):
        protocol.read(range(3), BitReader(messages.data, messages.n_bits), from_seed(1)[0].public)
