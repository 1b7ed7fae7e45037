"""ScaleCom: one worker in turn says which coordinates, all send theirs."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages, close, inside
from distest.coins import Coins
from distest.errors import UsageError, WireError
from distest.kernels import bitpack
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.feedback import Feedback
from distest.sgd.indices import Places
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Scalecom(Method):
    """Cyclic local top-k: in step t the leader, worker t mod W, puts the places of its largest p = memory + gradient on
    the board, and the mean of all workers' p at these places is made by an exchange and followed.

    Indices are the same for all, so traffic does not grow with W as that of `local_top_k` does, and only the leader
    pays for them. A memory becomes (1 - beta) memory + beta p, less beta p at the places sent, so that there
    (1 - beta) of the old memory stays, and on average all of a gradient arrives whatever beta is.

    density: share of the coordinates, rounded to 1/chunk. chunks: whether the leader takes the largest of each stretch
    of `chunk` coordinates, at ceil(log2 chunk) bits each, else the largest of all. beta: in 0..1, 0 excluded; the
    low-pass filter of the memory, 1 being plain error feedback. values, exchange: how the values travel.

    Source: Chen et al., "ScaleCom: Scalable sparsified gradient compression for communication-efficient distributed
    training" (2020), Algorithm 1.
    """

    density: float = 0.01
    chunks: bool = True
    beta: float = 1.0
    values: Compressor = field(default_factory=Identity)
    exchange: Exchange = field(default_factory=AllGather)
    source: ClassVar[str] = "Chen et al. 2020, Algorithm 1"

    def __post_init__(self) -> None:
        indices.check_size("scalecom", 0, self.density)
        if not 0 < self.beta <= 1:
            raise UsageError(f"scalecom takes 0 < beta <= 1, got beta={self.beta}")

    @property
    def chunk(self) -> int:
        """Coordinates of a stretch of which one is taken."""
        return max(1, round(1 / self.density))

    def check(self, problem: Problem, workers: int) -> None:
        self.values.check(self.size(problem.d))
        self.exchange.check(self.values, self.size(problem.d), workers)

    def size(self, d: int) -> int:
        """Coordinates sent of d."""
        return -(-d // self.chunk) if self.chunks else indices.size("scalecom", d, 0, self.density)

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        feedback = Feedback(state, oracle, "lowpass", self.beta)
        places: list[Places] = []

        def told(worker: int, reader: BitReader) -> None:
            places.append(self._read(reader, d))

        leader = state.step % link.workers
        link.board(lambda worker: self._write(feedback.of(worker)), told, range(leader, leader + 1))
        here = coins.fold("step", state.step)
        sent = places[0]

        mean = self.exchange.mean(lambda worker: feedback.of(worker)[sent], sent.size, self.values, link, here, None)
        for worker in feedback.speakers():
            whole = np.zeros(d, np.float32)
            whole[sent] = feedback.of(worker)[sent]
            feedback.heard(worker, whole)
            state.on_paper(32 * sent.size)
        update = np.zeros(d, np.float32)
        update[sent] = mean
        rule.apply(state, update)

    def _write(self, p: Vector) -> Messages:
        """The places of the leader's largest coordinates."""
        d, k = p.size, self.size(p.size)
        if not self.chunks:
            return indices.message(largest(p, k), d)
        padded = np.full(k * self.chunk, -1, np.float32)
        padded[:d] = np.abs(p)
        at = padded.reshape(k, self.chunk).argmax(axis=1)
        data, n_bits = bitpack.pack(at.astype(np.uint64), np.full(k, self._width, np.uint8))
        return Messages(data, n_bits, 1, n_bits)

    def _read(self, reader: BitReader, d: int) -> Places:
        k = self.size(d)
        if not self.chunks:
            return indices.of_message(reader, k, d)
        parts = inside(reader)
        at = parts.fixed(k, self._width)[:, 0].astype(np.int64)
        parts.aside("places in their chunks", at)
        close(reader, parts)
        found: Places = np.arange(k) * self.chunk + at
        if int(at.max(initial=0)) >= self.chunk or int(found[-1]) >= d:
            raise WireError("a coordinate is said to be behind the end of its chunk")
        return found

    @property
    def _width(self) -> int:
        return max(1, (self.chunk - 1).bit_length())
