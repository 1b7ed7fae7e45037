"""Clocks: times from coins, the order they make, and the order of an earlier run."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import catalog
from distest.coins import from_seed
from distest.errors import UsageError
from distest.sgd.clock import Order
from distest.sgd.clocks.live import Live
from distest.sgd.clocks.recorded import Recorded
from distest.sgd.clocks.virtual import Virtual
from distest.sgd.exponential import exponential

COINS = from_seed(3)[0].public


class Box:
    """A mailbox in which the answer of worker w has the bits it is given; remembers which were fetched."""

    def __init__(self, *bits: int):
        self.bits, self.fetched = bits, list[int]()

    def fetch(self, worker: int) -> int:
        self.fetched.append(worker)
        return self.bits[worker]


def following(order: Order, box: Box, due: int | None = None) -> int:
    return order.next(box, due)  # type: ignore[arg-type]


def test_exponential_is_minus_the_logarithm() -> None:
    words = [0, 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, *map(int, COINS.words(range(1), 2000)[0])]
    for word in words:
        assert exponential(word) == pytest.approx(-math.log((word + 1) / 2**64), rel=1e-13, abs=2e-16)
    assert exponential(2**64 - 1) == 0.0


def test_times_have_an_exponential_law() -> None:
    """Kolmogorov and Smirnov: 20,000 draws are off by more than 2 / sqrt(n) with probability 2 e^-8 = 7e-4."""
    draws = np.sort([exponential(int(word)) for word in COINS.fold("law").words(range(1), 20_000)[0]])
    law = 1 - np.exp(-draws)
    assert np.abs(law - np.arange(1, draws.size + 1) / draws.size).max() < 2 / draws.size**0.5


def test_who_is_done_first_comes_first_and_of_equals_the_lower() -> None:
    order = Virtual(compute=0, latency=1.0, bandwidth=8.0).order(4, COINS, 0)
    for worker, n_bits in enumerate((16, 8, 8, 0)):
        order.sent(worker, n_bits)
    box = Box(0, 8, 8, 40)
    # down, latency, up, latency: 4 = 2 + 1 + 0 + 1; 4; 4; 7
    assert [following(order, box) for _ in range(3)] == [0, 1, 2]
    assert order.now == 4.0
    order.sent(0, 0)  # leaves at 4, is there at 6
    assert [following(order, box) for _ in range(2)] == [0, 3]
    assert order.now == 7.0


def test_an_answer_is_fetched_only_once_it_may_be_next() -> None:
    order = Virtual(compute=0, bandwidth=1.0).order(3, COINS, 0)
    for worker, n_bits in enumerate((1, 5, 9)):
        order.sent(worker, n_bits)
    box = Box(5, 5, 5)
    assert following(order, box) == 0
    assert box.fetched == [0, 1]  # the second might have been there at 5, the first was at 6
    assert following(order, box, due=2) == 2  # the gate has waited for it
    assert order.now == 14.0
    assert following(order, box) == 1
    assert order.now == 14.0  # it was there before, at 10


def test_slow_workers_take_their_multiple() -> None:
    """Means of 4,000 times of mean 1 and 3: off by 6 standard errors with probability 2e-9."""
    order = Virtual(slow=2.0).order(2, COINS, 0)
    box = Box(1, 1)
    spent = {0: 0.0, 1: 0.0}
    for worker in spent:
        before = order.now
        for _ in range(4000):
            order.sent(worker, 1)
            following(order, box)
        spent[worker] = (order.now - before) / 4000
    assert spent[0] == pytest.approx(1, abs=6 / 4000**0.5)
    assert spent[1] == pytest.approx(3, abs=18 / 4000**0.5)


def test_a_trace_is_followed_and_one_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(json.dumps([[1, 0], [0, 0], [1, 1]]))
    box = Box()
    order = Recorded(str(path)).order(2, COINS, 1)
    assert following(order, box, due=0) == 0
    assert following(order, box) == 1
    with pytest.raises(UsageError, match="ends after 3 answers"):
        following(order, box)
    with pytest.raises(UsageError, match="answer 0 is of worker 1, and worker 0 is due"):
        following(Recorded(str(path)).order(2, COINS, 0), box, due=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not JSON"), ("[1, 2]", "a list of"), ('[["a", 1]]', "a list of"), ("[[1, -1]]", "a list of")],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        following(Recorded(str(path)).order(2, COINS, 0), Box())
    with pytest.raises(UsageError, match="cannot be read"):
        following(Recorded(str(tmp_path / "none")).order(2, COINS, 0), Box())


def test_pauses_are_drawn_by_coins() -> None:
    assert Live().pause(3, 5, COINS) == 0
    pauses = {(w, k): Live(0.5).pause(w, k, COINS) for w in range(3) for k in range(3)}
    assert len(set(pauses.values())) == 9
    assert pauses[2, 1] == Live(0.5).pause(2, 1, COINS)


@pytest.mark.parametrize(
    "spec",
    [{"name": "virtual", "compute": -1.0}, {"name": "virtual", "bandwidth": math.inf}, {"name": "live", "delay": -1.0}],
    ids=str,
)
def test_times_are_finite_and_not_negative(spec: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is a finite number of at least 0"):
        catalog.build("clock", spec)


def test_every_clock_is_described_as_it_is_built() -> None:
    assert catalog.names("clock") == ("live", "recorded", "virtual")
    for clock in (Live(0.25), Virtual(slow=1.0), Recorded("there")):
        assert catalog.build("clock", catalog.describe(clock)) == clock
