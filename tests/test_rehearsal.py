"""Ways that code by themselves, planned: what one worker alone shows is what the books hold of many."""

import numpy as np
import pytest

from distest import network, rehearsal
from distest.network import Network, Parts
from distest.rehearsal import Task
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.exchanges.common_scale import CommonScale
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.methods.power_sgd import PowerSgd
from distest.sgd.methods.sketched_sgd import SketchedSgd
from distest.sgd.problem import Tensor
from distest.sgd.state import State
from tests.sgd.stepping import COINS, stepped
from tests.sgd.test_exchanges import averaged, gaussian
from tests.test_network import booked

LINKS = Network.of_links(1e9, 1e-5)
MATRICES = (Tensor("a", (40, 60)), Tensor("b", (60,)), Tensor("c", (60, 20)))
D = sum(tensor.size for tensor in MATRICES)


@pytest.mark.parametrize("workers", [2, 4, 5])
@pytest.mark.parametrize("exchange", [CommonScale(4), CommonScale(8), ScatterReduce(), AllGather()], ids=str)
def test_a_worker_alone_sends_what_the_exchange_says(exchange: Exchange, workers: int) -> None:
    link, x = rehearsal.Echo(workers), gaussian(1, 840)[0]
    step = rehearsal.stepper(Parts(Identity(), exchange), (), x, link, COINS)
    assert step().shape == x.shape
    assert link.loads == exchange.loads(840, workers, Identity(), lambda _, n: 32.0 * n)


def test_common_scale_loses_what_its_mean_loses_times_the_workers() -> None:
    """Roundings of workers are independent. The largest of so many Gaussians scatters, its square by 15 %."""
    workers, d = 4, 4096
    rows = gaussian(workers, d)
    task = Task(d, workers, LINKS, 0.0)
    for way in rehearsal._common_scale(task):
        mean, _, _ = averaged(way.parts.exchange, Identity(), rows)
        off = np.square(mean - rows.mean(axis=0, dtype=np.float64)).sum()
        assert way.nmse == pytest.approx(workers * off / np.square(rows).sum(axis=1).mean(), rel=0.15)
        loads = way.parts.exchange.loads(d, workers, Identity(), lambda _, n: 32.0 * n)
        assert (way.link_bits, way.network_s) == LINKS.on_links(loads)
        assert way.coding_s > 0


def only(turns: list[tuple[str, float]]) -> Network:
    """Links for the directions of some turns alone, so slow that fewer bits are quicker."""
    bit_s = {direction: 1.0 for direction, _ in turns}
    return Network(dict.fromkeys(bit_s, 0.0), bit_s)  # type: ignore[arg-type]


@pytest.mark.parametrize("exchange", [AllGather(), ScatterReduce()], ids=str)
def test_power_sgd_loads_links_as_the_books_have_it(exchange: Exchange) -> None:
    workers = 5
    state = State(np.zeros(D, np.float32), tensors=MATRICES)
    _, channel = stepped(PowerSgd(exchange=exchange), gaussian(workers, D), state=state)
    turns = booked(channel, workers)
    (way,) = rehearsal._power(Task(D, workers, only(turns), 0.0, 1.0, MATRICES))
    assert way.parts.exchange == exchange
    assert way.link_bits == sum(bits for _, bits in turns)
    assert way.bits * D == 32 * (40 * 2 + 60 + 60 * 2 + 60 * 2 + 20 * 2)
    assert 0.5 < way.nmse < 1
    assert way.coding_s > 0


@pytest.mark.parametrize("exchange", [AllGather(), ScatterReduce()], ids=str)
def test_sketches_load_links_nearly_as_the_books_have_it(exchange: Exchange) -> None:
    """A counter's width depends on the gradients: a bit of about twenty."""
    workers, d = 4, 20_000
    _, channel = stepped(SketchedSgd(exchange=exchange), gaussian(workers, d))
    turns = booked(channel, workers)
    (way,) = rehearsal._sketched(Task(d, workers, only(turns), 0.0))
    assert way.parts.exchange == exchange
    assert way.link_bits == pytest.approx(sum(bits for _, bits in turns), rel=0.05)
    assert way.bits == pytest.approx(2.3, rel=0.1)
    assert 0.9 < way.nmse < 1
    (larger,) = rehearsal._sketched(Task(2 * network.SAMPLE, workers, only(turns), 0.0))
    assert larger.link_bits == pytest.approx(way.link_bits * 2 * network.SAMPLE / d, rel=0.05)


@pytest.mark.parametrize(
    ("d", "workers", "tensors", "sentences"),
    [
        (D, 4, MATRICES, []),
        (D, 4, (), ["give --shapes"]),
        (D, 4, (Tensor("x", (D,)),), ["a matrix that two of rank 2 are smaller than"]),
        (399, 4, (), ["sketched_sgd is rehearsed with at least 400 parameters", "give --shapes"]),
        (
            D,
            65,
            MATRICES,
            [f"{name} is rehearsed with up to 64" for name in ("common_scale", "sketched_sgd", "power_sgd")],
        ),
        (1 << 31, 4, (), ["at most 16,777,216 columns", "give --shapes"]),
    ],
)
def test_what_cannot_be_rehearsed_is_left_out_with_a_reason(
    d: int, workers: int, tensors: tuple[Tensor, ...], sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "CODES", network.CODES[:1])
    monkeypatch.setattr(network, "SAMPLE", 1 << 12)
    monkeypatch.setattr(network, "median", lambda job: 1.0)
    found, own, left = rehearsal.planned(Task(d, workers, LINKS, 0.0, 1.0, tensors))
    assert len(left) == len(sentences)
    assert all(sentence in reason for sentence, reason in zip(sentences, left, strict=True))
    assert [way.step_s for way in found] == sorted(way.step_s for way in found)
    assert len(found) == len(own) + 1
