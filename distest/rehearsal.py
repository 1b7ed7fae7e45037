"""Rehearsal: ways to average gradients that code by themselves, each timed as one worker of W in this process.

The exchange `common_scale` and the methods `sketched_sgd` and `power_sgd` have codes and turns of their own, of which
the formulas of `network` know nothing. So one worker does all it has to, and is told its own messages in place of all
others': the seconds are those of its kernels, and what it sends is counted as it goes.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from statistics import NormalDist
from typing import Literal

import numpy as np

from distest import coding_loss, network
from distest.bits import BitReader, Messages
from distest.coins import Coins, from_seed
from distest.errors import UsageError
from distest.network import Network, Parts, Way
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Load
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.exchanges.common_scale import CommonScale
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.link import Decode, Encode, Link
from distest.sgd.methods.power_sgd import PowerSgd
from distest.sgd.methods.sketched_sgd import SketchedSgd
from distest.sgd.problem import Tensor, Vector
from distest.sgd.rule import Rule
from distest.sgd.sketch import MOST_COLUMNS, shift_for
from distest.sgd.state import State
from distest.wire.channel import Channel
from distest.wire.transport import Solo

MOST_WORKERS = 64
MOST_WHOLE = 1 << 24  # parameters that are rehearsed at their own size
BITS = (8, 4)  # of common_scale
_SHARE = 100  # coordinates for each column, and each of the k, of sketched_sgd as it is by default
_EXPECTED = math.exp(-0.5772156649) / 2  # the largest of N magnitudes is about the quantile of this share of 1/N


class Echo(Link):
    """Worker 0 of W, who is told by every other what it says itself, of another part where there are parts: these have
    to be of one size.

    loads: turns so far, as `Exchange.loads` has them. said: bits of its messages in each, once.
    """

    def __init__(self, workers: int):
        super().__init__(Channel(workers, Solo(), "blackboard"))
        self.loads: list[Load] = []
        self.said: list[int] = []

    def board(self, encode: Encode, decode: Decode, speakers: range | None = None) -> None:
        message = encode(0)
        self._book("board", [message] * (self.workers - 1), message.n_bits)
        for worker in range(self.workers):
            decode(worker, BitReader(message.data, message.n_bits))

    def swap(self, encode: Callable[[int, int], Messages], decode: Callable[[int, int, BitReader], None]) -> None:
        sent = [encode(0, owner) for owner in range(1, self.workers)]
        self._book("peer", sent, sum(message.n_bits for message in sent))
        for worker, message in enumerate(sent, 1):
            decode(worker, 0, BitReader(message.data, message.n_bits))

    def _book(self, direction: Literal["board", "peer"], sent: list[Messages], said: int) -> None:
        self.loads.append(Load(direction, len(sent), float(sum(message.n_bits for message in sent))))
        self.said.append(said)


class Given:
    """Whoever is asked for a gradient has the same one, in every step."""

    def __init__(self, x: Vector):
        self._x = x

    def gradient(self, worker: int, x: Vector, step: int) -> Vector:
        """float32 (d,)."""
        return self._x


def stepper(
    parts: Parts, tensors: tuple[Tensor, ...], x: Vector, link: Link, coins: Coins
) -> Callable[[], Vector]:  # fmt: skip
    """A function that makes a step of workers who have the gradient x; it returns the mean, or the method's model."""
    if parts.method is None:
        numbers = count()

        def mean() -> Vector:
            here = coins.fold("step", next(numbers))
            return parts.exchange.mean(lambda worker: x, x.size, parts.compressor, link, here, None)

        return mean
    method, oracle, rule = parts.method, Given(x), Rule(rate=1.0)
    state = State(np.zeros(x.size, np.float32), tensors=tensors)

    def round() -> Vector:
        method.round(state, rule, oracle, link, coins)  # type: ignore[arg-type]  # it asks for gradients alone
        return state.x

    return round


@dataclass(frozen=True, slots=True)
class Task:
    """What a plan is for. tensors: shapes of the model, none where only d is known. slower: as in `network.ways`."""

    d: int
    workers: int
    network: Network
    compute_s: float
    slower: float = 1.0
    tensors: tuple[Tensor, ...] = ()


def planned(task: Task) -> tuple[list[Way], list[Way], list[str]]:
    """All ways, quickest first; those among them that code by themselves; and what is left out, a sentence each.

    Raises UsageError as `network.ways` does.
    """
    found = network.ways(task.d, task.workers, task.network, task.compute_s, task.slower)
    own: list[Way] = []
    left: list[str] = []
    for rehearse in (_common_scale, _sketched, _power):
        try:
            own += rehearse(task)
        except UsageError as reason:
            left.append(str(reason))
    return sorted([*found, *own], key=_seconds), own, left


def _seconds(way: Way) -> float:
    return way.step_s


def _workers(name: str, task: Task) -> int:
    """W. Raises UsageError for more than are rehearsed."""
    if task.workers > MOST_WORKERS:
        raise UsageError(f"{name} is rehearsed with up to {MOST_WORKERS} workers")
    return task.workers


def _common_scale(task: Task) -> list[Way]:
    """At several bits. The loads are those of the exchange; its grid is as wide as the largest coordinate of all."""
    workers = _workers("common_scale", task)
    size = min(task.d, network.SAMPLE) // workers * workers
    if not size:
        raise UsageError(f"common_scale is rehearsed with at least {workers} parameters, one for each worker")
    coins, data = from_seed(0)
    x = coding_loss.gaussian(size, data)(0, 0)
    x[0] = max(np.float32(-NormalDist().inv_cdf(_EXPECTED / (task.d * workers))), np.abs(x).max())
    found: list[Way] = []
    for bits in BITS:
        parts = Parts(Identity(), CommonScale(bits))
        parts.exchange.check(parts.compressor, task.d, workers)
        seconds, _ = _rehearsed(parts, workers, (), x, coins)
        loads = parts.exchange.loads(task.d, workers, parts.compressor, _plain)
        nmse, _ = _lost(parts, (), x, coins)
        found += _made(task, parts, loads, seconds * task.d / size, bits, nmse, "one grid for all, rounded once")
    return found


def _sketched(task: Task) -> list[Way]:
    """With the quicker exchange, on at most 2^20 coordinates. Counters are as wide as Gaussian vectors make them."""
    workers = _workers("sketched_sgd", task)
    step = _SHARE * workers
    size = min(task.d, network.SAMPLE) // step * step
    if not size:
        raise UsageError(f"sketched_sgd is rehearsed with at least {step:,} parameters, {_SHARE} for each worker")
    if -(-task.d // _SHARE) > MOST_COLUMNS:
        raise UsageError(f"a sketch has at most {MOST_COLUMNS:,} columns, too few for {task.d:,} parameters")
    shift_for(1.0, task.d, workers)
    coins, data = from_seed(0)
    x = coding_loss.gaussian(size, data)(0, 0)
    nmse, said = _lost(Parts(Identity(), AllGather(), SketchedSgd()), (), x, coins)
    times = task.d / size
    found: list[Way] = []
    for exchange in (AllGather(), ScatterReduce()):
        parts = Parts(Identity(), exchange, SketchedSgd(exchange=exchange))
        seconds, loads = _rehearsed(parts, workers, (), x, coins)
        grown = [replace(load, bits=load.bits * times) for load in loads]
        found += _made(task, parts, grown, seconds * times, sum(said) / size, nmse, "with memories of its own")
    return sorted(found, key=_seconds)[:1]


def _power(task: Task) -> list[Way]:
    """With the quicker exchange, at the model's own shapes: a worker alone, and with what the exchange declares that
    there is to be done about the others' numbers."""
    workers = _workers("power_sgd", task)
    if not task.tensors:
        raise UsageError("power_sgd needs the shapes of the matrices: give --shapes in place of --model-size")
    if task.d > MOST_WHOLE:
        raise UsageError(f"power_sgd is rehearsed at its own size, up to {MOST_WHOLE:,} parameters")
    coins, data = from_seed(0)
    x = coding_loss.gaussian(task.d, data)(0, 0)
    alone = Parts(Identity(), AllGather(), PowerSgd())
    PowerSgd().check_shapes(task.tensors)
    nmse, said = _lost(alone, task.tensors, x, coins)
    seconds, _ = _rehearsed(alone, 1, task.tensors, x, coins)
    speed = network.measured(Identity(), sum(said) // 32, coins, data)
    found: list[Way] = []
    for exchange in (AllGather(), ScatterReduce()):
        parts = Parts(Identity(), exchange, PowerSgd(exchange=exchange))
        loads, more = list[Load](), 0.0
        for n in (bits // 32 for bits in said):
            loads += exchange.loads(n, workers, parts.compressor, _plain)
            coded, decoded = exchange.work(n, workers)
            more += (coded - n) * speed.encode_s + (decoded - n) * speed.decode_s
        found += _made(task, parts, loads, seconds + more, sum(said) / task.d, nmse, "with memories of its own")
    return sorted(found, key=_seconds)[:1]


def _made(
    task: Task, parts: Parts, loads: list[Load], seconds: float, bits: float, nmse: float, note: str
) -> Iterator[Way]:
    """The way, where the network has all its directions."""
    if all(load.direction in task.network.bit_s for load in loads):
        coding = task.slower * max(0.0, seconds)
        link_bits, network_s = task.network.on_links(loads)
        yield Way(parts, note, bits, nmse, None, link_bits, coding, network_s, task.compute_s)


def _plain(compressor: Compressor, n: int) -> float:
    return 32.0 * n


def _rehearsed(
    parts: Parts, workers: int, tensors: tuple[Tensor, ...], x: Vector, coins: Coins
) -> tuple[float, list[Load]]:
    """Seconds of a step of worker 0 of so many, and the loads of its link in the first one."""
    link = Echo(workers)
    step = stepper(parts, tensors, x, link, coins)
    step()
    loads = list(link.loads)
    return network.median(step), loads


def _lost(parts: Parts, tensors: tuple[Tensor, ...], x: Vector, coins: Coins) -> tuple[float, list[int]]:
    """|y - x|^2 / |x|^2 of what a worker alone makes of x, and the bits of its messages."""
    link = Echo(1)
    mean = stepper(parts, tensors, x, link, coins)()
    y = mean.astype(np.float64) * (1 if parts.method is None else -1)
    return float(np.square(y - x).sum() / np.square(x, dtype=np.float64).sum()), link.said
