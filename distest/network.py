"""Network: how long a step of training takes on a network, from speeds of kernels, formulas of exchanges and a link.

Steps are timed, not counted: what a lossy message does to their number is up to problem and method.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distest import catalog, coding_loss
from distest.bits import BitReader
from distest.coins import Coins, DataCoins, from_seed
from distest.errors import UsageError
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Load
from distest.sgd.method import Method
from distest.wire.turn import DIRECTIONS, Direction

SAMPLE = 1 << 20  # coordinates that kernels are measured on, or all there are
_LOSS_SAMPLE = 1 << 16
_DRAWS = 3
_NOTHING = 1e-3  # losses that nobody has seen in a number of steps
_ROUNDS = (3, 15)  # measurements of a kernel: at least, and at most
_KERNEL_S = 0.05  # seconds for each kernel, once it has run as often as it has to

CODES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"name": "identity"}, "nothing is lost"),
    ({"name": "identity", "precision": "float16"}, "half precision: no gradient may be beyond 65,504"),
    ({"name": "identity", "precision": "bfloat16"}, "seven binary digits of every coordinate"),
    ({"name": "qsgd", "bits": 8, "norm": "max", "bucket": 512}, ""),
    ({"name": "qsgd", "bits": 4, "norm": "max", "bucket": 512}, ""),
    ({"name": "qsgd", "bits": 2, "norm": "max", "bucket": 512}, ""),
    ({"name": "hadamard_dither"}, ""),
    ({"name": "eden"}, ""),
    ({"name": "sign"}, "with error feedback"),
    ({"name": "top_k", "density": 0.01}, "with error feedback"),
    ({"name": "top_k", "density": 0.001}, "with error feedback"),
)
"""Compressors that are looked at, and what has to be said about them."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a compressor takes, measured: seconds and bits a coordinate, and the loss of one message.

    encode_s, decode_s: seconds a coordinate. bits: a coordinate, all of a message. nmse: mean |y - x|^2/|x|^2 of
    Gaussian vectors.
    """

    encode_s: float
    decode_s: float
    bits: float
    nmse: float


@dataclass(frozen=True, slots=True)
class Network:
    """Links, one a worker, full duplex: seconds for a message beside its bits, and seconds a bit, by direction."""

    message_s: Mapping[Direction, float]
    bit_s: Mapping[Direction, float]

    @classmethod
    def of_links(cls, rate: float, latency: float) -> "Network":
        """All links alike: bits a second, and seconds before a message arrives. Raises UsageError for none such."""
        if not 0 < rate < math.inf or not 0 <= latency < math.inf:
            raise UsageError(f"a link has a rate above 0 and a latency of at least 0, got {rate} and {latency}")
        return cls(dict.fromkeys(DIRECTIONS, latency), dict.fromkeys(DIRECTIONS, 1 / rate))

    def on_links(self, loads: Sequence[Load]) -> tuple[float, float]:
        """Bits on the busiest link, and seconds, of turns one after the other."""
        seconds = sum(
            load.messages * self.message_s[load.direction] + load.bits * self.bit_s[load.direction] for load in loads
        )
        return sum(load.bits for load in loads), seconds


@dataclass(frozen=True, slots=True)
class Parts:
    """How gradients are averaged: by a compressor over an exchange, or by a method with turns of its own over it."""

    compressor: Compressor
    exchange: Exchange
    method: Method | None = None

    @property
    def label(self) -> str:
        """In a few words."""
        if self.method is not None:
            return catalog.label(self.method)
        return f"{catalog.label(self.compressor)}, {catalog.label(self.exchange)}"

    def describe(self) -> dict[str, Any]:
        """As in a spec of training, by kind; a method has the others inside."""
        if self.method is not None:
            return {"method": catalog.describe(self.method)}
        return {"compressor": catalog.describe(self.compressor), "exchange": catalog.describe(self.exchange)}


@dataclass(frozen=True, slots=True)
class Way:
    """The parts, and the seconds of a step. bits: a coordinate, of what a worker says once. nmse: as in `Speed`. speed:
    of the compressor, None where everything was timed as one. link_bits: out of, or into, the busiest link."""

    parts: Parts
    note: str
    bits: float
    nmse: float
    speed: Speed | None
    link_bits: float
    coding_s: float
    network_s: float
    compute_s: float

    @property
    def step_s(self) -> float:
        """Seconds of a step: gradient, coding and network, one after the other."""
        return self.compute_s + self.coding_s + self.network_s

    @property
    def label(self) -> str:
        """The parts in a few words."""
        return self.parts.label

    @property
    def unbiased(self) -> bool:
        """Whether what a message says is right on average."""
        return self.parts.method is None and self.parts.compressor.unbiased

    def describe(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            **dict.fromkeys(("compressor", "exchange", "method")),
            **self.parts.describe(),
            "label": self.label,
            "bits_per_coordinate": self.bits,
            "link_bits": self.link_bits,
            "nmse": self.nmse,
            "unbiased": self.unbiased,
            "encode_s": self.speed and self.speed.encode_s,
            "decode_s": self.speed and self.speed.decode_s,
            "compute_s": self.compute_s,
            "coding_s": self.coding_s,
            "network_s": self.network_s,
            "step_s": self.step_s,
            "note": self.note,
        }


def ways(d: int, workers: int, network: Network, compute_s: float, slower: float = 1.0) -> list[Way]:
    """Every compressor of CODES with the exchange that is quickest for it, quickest first.

    slower: how much longer coding takes than measured, where ranks share cores. Kernels are measured here and now.
    Raises UsageError for sizes that make no sense.
    """
    if not 1 <= d <= 1 << 40 or not 2 <= workers <= 1 << 16 or not 0 <= compute_s < math.inf:
        raise UsageError(
            "a plan is for 1 to 2^40 parameters, 2 to 65,536 workers and a gradient of at least 0 seconds, got "
            f"d={d}, W={workers}, {compute_s}"
        )
    quickest = []
    coins, data = from_seed(0)
    for spec, note in CODES:
        code: Compressor = catalog.build("compressor", spec)
        try:
            speed = measured(code, d, coins, data)
        except UsageError:  # not for vectors of so few coordinates
            continue
        found = [
            _way(code, exchange, speed, note, d, workers, network, compute_s, slower)
            for exchange in _exchanges(code, d, workers)
            if all(load.direction in network.bit_s for load in exchange.loads(d, workers, code, _length(speed)))
        ]
        quickest.append(min(found, key=lambda way: way.step_s))
    return sorted(quickest, key=lambda way: way.step_s)


def _exchanges(code: Compressor, d: int, workers: int) -> Iterator[Exchange]:
    """The exchanges that take a compressor; what codes by itself is for `rehearsal`."""
    for name in catalog.names("exchange"):
        exchange: Exchange = catalog.build("exchange", {"name": name})
        if name == "common_scale":
            continue
        try:
            exchange.check(code, d, workers)
        except UsageError:
            continue
        yield exchange


def _length(speed: Speed) -> Callable[[Compressor, int], float]:
    """Bits of a message about n coordinates; what is not compressed has 32 a coordinate."""
    plain = catalog.build("compressor", {"name": "identity"})
    return lambda compressor, n: n * (32.0 if compressor == plain else speed.bits)


def _way(
    code: Compressor, exchange: Exchange, speed: Speed, note: str, d: int, workers: int, network: Network,
    compute_s: float, slower: float,
) -> Way:  # fmt: skip
    link_bits, network_s = network.on_links(exchange.loads(d, workers, code, _length(speed)))
    coded, decoded = exchange.work(d, workers)
    coding = slower * (coded * speed.encode_s + decoded * speed.decode_s)
    return Way(Parts(code, exchange), note, speed.bits, speed.nmse, speed, link_bits, coding, network_s, compute_s)


def measured(code: Compressor, d: int, coins: Coins, data: DataCoins) -> Speed:
    """Speeds on min(d, 2^20) coordinates of a Gaussian vector, medians of 0.05 s each, and the loss on fewer.

    Raises UsageError for a d that the compressor refuses.
    """
    code.check(d)
    size = min(d, SAMPLE)
    x = coding_loss.gaussian(size, data)(0, 0)
    total = np.zeros(size, np.float32)
    message = code.encode(x, 0, coins)
    encode = median(lambda: code.encode(x, 0, coins))
    decode = median(lambda: code.add(BitReader(message.data, message.n_bits), size, 0, coins.public, total))
    few = min(d, _LOSS_SAMPLE)
    loss = coding_loss.measure(code, coding_loss.gaussian(few, data), few, 1, _DRAWS, coins)
    return Speed(encode / size, decode / size, message.n_bits / size, loss.nmse)


def median(job: Callable[[], object]) -> float:
    """Seconds of a job, the median of as many runs as fit."""
    job()  # kernels are compiled, or loaded, once
    taken: list[float] = []
    while len(taken) < _ROUNDS[0] or (sum(taken) < _KERNEL_S and len(taken) < _ROUNDS[1]):
        begin = time.perf_counter()
        job()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def recommended(found: list[Way], nmse: float) -> tuple[Way, str]:
    """The quickest way whose messages lose no more than `nmse`, and why."""
    dense = next(way for way in found if way.nmse == 0)
    careful = [way for way in found if way.nmse <= nmse]
    best = careful[0]
    if best is dense:
        return best, "nothing is quicker whose messages lose so little: coding takes longer than the bits it saves"
    gain = dense.step_s / best.step_s
    reason = f"a step takes {best.step_s:.4g} s, {gain:.3g} times as quick as {dense.label}"
    share = best.network_s / best.step_s
    reason += f"; the network takes {share:.0%} of it"
    wilder = [way for way in found if way.nmse > nmse and way.step_s < best.step_s]
    if wilder:
        said = ", ".join(f"{way.label} ({way.step_s:.4g} s, loses {way.nmse:.3g})" for way in wilder)
        reason += f"; quicker, and worse than {nmse:g}: {said}"
    return best, reason


def about_steps(way: Way, workers: int) -> str:
    """What the losses of a way do to the number of steps, in words."""
    w = way.nmse
    if w < _NOTHING:
        return "as many steps as without compression, but for rounding" if w else "as many steps as without compression"
    if way.parts.method is not None:
        return (
            f"biased: {w:.3g} of a squared length is left out of a step and remembered by the method, which sends it "
            "later; how many more steps that takes is not predicted"
        )
    if way.unbiased:
        again = type(way.parts.exchange).cuts and way.speed is not None
        twice = ", and the mean is rounded once more" if again else ""
        return (
            f"unbiased: a message adds {w:.3g} of its squared length as variance, the mean of {workers} a share of "
            f"1/{workers} of that{twice}; how many more steps that takes is not predicted"
        )
    return (
        f"biased: {w:.3g} of a squared length is left out of a message, so use feedback=true, which sends it later; "
        "how many more steps that takes is not predicted"
    )
