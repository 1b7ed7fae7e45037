"""Asynchronous training: a server that handles the answers of workers one by one, over a mailbox.

A round of an asynchronous method is all that happens between two barriers, at which nobody is under way and every rank
knows the same x: so a run is evaluated, kept and resumed between rounds like any other. Within a round the server sends
each worker a model, handles one answer after the other, in the order of a clock, and sends who has answered the newest
model, until the model has its last version. Then the answers still under way are waited for, read, booked and dropped.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.errors import DivergedError, ModelError, UsageError
from distest.sgd.clock import Clock, Order
from distest.sgd.clocks.virtual import Virtual
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.link import Link
from distest.sgd.method import Method, Total
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State
from distest.wire.mailbox import Mailbox

_DELAYS, _TRACE, _TIMES = "delays", "trace", "times"
_EXACT = Identity()


class Stretch(ABC):
    """The asynchronous part of one round.

    version: of the model, the number of updates in this round so far; `take` moves it on, up to `versions`. tau: the
    gate, None without one. A worker's messages are numbered by both ends, so that their coins need no bits.
    """

    tau: int | None = None

    def __init__(self, state: State, oracle: Oracle | None, link: Link, coins: Coins, versions: int):
        self.state, self.oracle, self.link, self.coins = state, oracle, link, coins
        self.version, self.versions = 0, versions
        self.views: dict[int, Vector] = {}  # the models that workers who live here have been told
        self._numbers = [0] * link.workers  # messages to each worker so far
        self._told: dict[int, int] = {}  # the version that each worker under way was told

    @abstractmethod
    def tell(self, worker: int, number: int) -> Messages:
        """The server's message to a worker: the model, in some way."""

    @abstractmethod
    def hear(self, worker: int, number: int, reader: BitReader) -> Vector:
        """The model that the message tells, float32 (d,)."""

    @abstractmethod
    def answer(self, worker: int, number: int) -> Messages:
        """What a worker that lives here makes of the model in `views`."""

    @abstractmethod
    def take(self, worker: int, number: int, delay: int | None, reader: BitReader) -> bool:
        """Read an answer on the server's rank; whether it is used.

        delay: versions since the model that the worker was told; None for an answer that has to be dropped.
        """

    @abstractmethod
    def end(self) -> Vector:
        """What all are told at the end of the round, on the server's rank."""

    def check(self, x: Vector) -> Vector:
        """x itself. Raises DivergedError where a coordinate is not a finite number."""
        if not np.isfinite(x).all():
            raise DivergedError(
                f"after {self.version} versions of round {self.state.step} a vector has coordinates that are no finite "
                "numbers; try a smaller --rate"
            )
        return x

    def run(self, clock: Clock) -> None:
        """All of it; every rank takes part. Raises ModelError where the gate is broken, which a board may do."""
        times = self.coins.public.fold("times")
        mailbox = self.link.mailbox(self._heard, partial(self._answered, clock))
        if not self.link.hosts_server:
            mailbox.work()
            return
        trace = _array(self.state, _TRACE, (0, 2), np.int32)
        order = clock.order(self.link.workers, times, len(trace))
        handled: list[tuple[int, int]] = []
        delays: list[int] = []
        for worker in range(self.link.workers):
            self._send(worker, mailbox, order)
        while self._told:
            worker = self._next(mailbox, order)
            told = self._told.pop(worker)
            handled.append((worker, told))
            delay = self.version - told if self.version < self.versions else None
            if delay is not None and self.tau is not None and delay > self.tau:
                raise ModelError(
                    f"worker {worker} answers after {delay} versions, the gate lets at most {self.tau} pass"
                )
            if self._read(worker, delay, mailbox) and delay is not None:
                delays.append(delay)
            if self.version < self.versions:
                self._send(worker, mailbox, order)
        mailbox.close()
        _keep(self.state, np.array(handled, np.int32), np.array(delays, np.int64), order.now)

    def _send(self, worker: int, mailbox: Mailbox, order: Order) -> None:
        n_bits = mailbox.send(worker, partial(self.tell, worker, self._numbers[worker]))
        self._told[worker] = self.version
        order.sent(worker, n_bits)

    def _next(self, mailbox: Mailbox, order: Order) -> int:
        """Whose answer is handled next: a kept board knows, else the gate may, else the clock decides."""
        foretold = mailbox.foretold()
        if foretold is not None:
            if foretold not in self._told:
                raise ModelError(f"worker {foretold} answers, and it is not under way")
            return foretold
        return order.next(mailbox, self._due())

    def _due(self) -> int | None:
        """The worker that the gate lets no other pass: the one longest under way, once somebody would else be too late.

        Of those under way, the oldest first, number i has to be handled within tau - i versions.
        """
        if self.tau is None or self.version >= self.versions:
            return None
        oldest = sorted(self._told, key=lambda worker: (self._told[worker], worker))
        late = any(self.version - self._told[worker] + i >= self.tau for i, worker in enumerate(oldest))
        return oldest[0] if late else None

    def _heard(self, worker: int, reader: BitReader) -> None:
        view = self.hear(worker, self._numbers[worker], reader)
        self._numbers[worker] += 1
        if self.oracle is not None and worker in self.link.channel.hosted:
            self.views[worker] = view

    def _answered(self, clock: Clock, worker: int) -> Messages:
        number = self._numbers[worker] - 1
        pause = clock.pause(worker, number, self.coins.public.fold("pauses"))
        if pause:
            time.sleep(pause)
        return self.answer(worker, number)

    def _read(self, worker: int, delay: int | None, mailbox: Mailbox) -> bool:
        used = False

        def hear(reader: BitReader) -> None:
            nonlocal used
            used = self.take(worker, self._numbers[worker] - 1, delay, reader)

        mailbox.read(worker, hear)
        return used


@dataclass(frozen=True)
class Asynchronous(Method):
    """What asynchronous methods share.

    compressor: of what workers answer. inner: versions of the model in a round. snapshot: the compressor of what all
    are told at the end of a round, by how much x has moved; None for x itself in single precision. clock: the order of
    answers.
    """

    compressor: Compressor = field(default_factory=Identity)
    inner: int = 100
    snapshot: Compressor | None = None
    clock: Clock = field(default_factory=Virtual)

    def __post_init__(self) -> None:
        if self.inner < 1:
            raise UsageError(f"a round has at least one version, got inner={self.inner}")

    def check(self, problem: Problem, workers: int) -> None:
        for code in (self.compressor, self.snapshot or _EXACT):
            code.check(problem.d)

    def check_rule(self, rule: Rule) -> None:
        _rate(rule, 0)

    def looked_at(self, rows: int, workers: int, batch: int) -> int:
        """Those of the updates: a round makes `inner` of them, each of a batch or a shard."""
        return self.inner * (batch or -(-rows // workers))

    @abstractmethod
    def stretch(self, state: State, oracle: Oracle | None, link: Link, coins: Coins, rate: float) -> Stretch:
        """The asynchronous part of a round, after what all do together before it."""

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        here = coins.fold("step", state.step)
        stretch = self.stretch(state, oracle, link, here, _rate(rule, state.step))
        stretch.run(self.clock)
        self._tell_all(state, stretch.end() if link.hosts_server else None, link, here)

    def figures(self, state: State, total: Total) -> dict[str, Any]:
        handled, seconds = _array(state, _TRACE, (0, 2), np.int32), _array(state, _TIMES, (0,), np.float64)
        delays = _array(state, _DELAYS, (0,), np.int64)
        told: dict[str, Any] = {
            "updates": state.step * self.inner,
            "answers": len(handled),
            "answers_dropped": len(handled) - int(delays.sum()),
            "delays": delays.tolist(),
            "delay_max": max(0, delays.size - 1),
        }
        if self.clock.live:
            return told | {"trace": handled.tolist()}
        return told | {"virtual_seconds": float(seconds.sum())}

    def _tell_all(self, state: State, x: Vector | None, link: Link, coins: Coins) -> None:
        """The end of a round: all learn x, which the server knew alone, and go on with what was read."""
        here, told, before = coins.fold("snapshot"), list[Vector](), state.x
        code = self.snapshot

        def encode() -> Messages:
            assert x is not None  # the server speaks
            return _EXACT.encode(x, 0, here) if code is None else code.encode(x - before, link.workers, here)

        def decode(reader: BitReader) -> None:
            d = before.size
            if code is None:
                told.append(_EXACT.decode(reader, d, 0, here.public))
            else:
                told.append(before + code.decode(reader, d, link.workers, here.public))

        link.down(encode, decode)
        state.x = told[0]
        state.step += 1


def _rate(rule: Rule, step: int) -> float:
    """The step size of a round. Raises UsageError for a rule that asks for more than that."""
    if rule.optimiser != "sgd" or rule.momentum:
        raise UsageError("asynchronous methods have steps of their own: leave out momentum and optimiser")
    return rule.at(step)


def _array(state: State, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """What the rounds before have kept, or nothing of this shape."""
    return state.shared.get(name, np.zeros(shape, dtype))


def _keep(state: State, handled: Any, delays: Any, seconds: float) -> None:
    """Add what a round has shown to what the state keeps: the trace, how often each delay was seen, the times."""
    state.shared[_TRACE] = np.concatenate((_array(state, _TRACE, (0, 2), np.int32), handled))
    before, now = _array(state, _DELAYS, (0,), np.int64), np.bincount(delays)
    size = max(before.size, now.size)
    state.shared[_DELAYS] = np.pad(before, (0, size - before.size)) + np.pad(now, (0, size - now.size))
    state.shared[_TIMES] = np.append(_array(state, _TIMES, (0,), np.float64), seconds)
