"""Pkk: each worker names its P k largest coordinates, all send what was named, x follows the k largest of the mean."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from distest.bits import BitReader
from distest.coins import Coins
from distest.errors import UsageError
from distest.kernels.largest import largest
from distest.sgd import indices
from distest.sgd.compressors.identity import Identity
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.link import Link
from distest.sgd.memories import Memories, check_momentum
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.rule import Rule
from distest.sgd.state import State


@dataclass(frozen=True)
class Pkk(Method):
    """Local top-k with an exact second round: the places of each worker's P k largest |v| go on the board, then all
    send v at every place that anybody named, by an exchange in single precision, and x follows the k largest of the
    mean, where u and v become 0 on every worker.

    Memories as in `sketched_sgd`, whose candidates this finds without a sketch; but there are up to W P k of them, so
    traffic of a worker grows with their number unless the workers agree.

    density: share k / d of the coordinates that a step moves. candidates: P, with P k capped at d. momentum, exchange:
    as in `sketched_sgd`.

    Source: Ivkin et al., "Communication-efficient distributed SGD with sketching" (2019), its baseline "Pkk".
    """

    density: float = 0.01
    candidates: int = 4
    momentum: float = 0.0
    exchange: Exchange = field(default_factory=AllGather)
    source: ClassVar[str] = "Ivkin et al. 2019, baseline"

    def __post_init__(self) -> None:
        indices.check_size("pkk", 0, self.density)
        check_momentum("pkk", self.momentum)
        if self.candidates < 1:
            raise UsageError(f"pkk asks for candidates >= 1 times the k coordinates, got {self.candidates}")

    def round(self, state: State, rule: Rule, oracle: Oracle | None, link: Link, coins: Coins) -> None:
        d = state.x.size
        k = indices.size("pkk", d, 0, self.density)
        likely = min(d, self.candidates * k)
        here = coins.fold("step", state.step)
        memories = Memories(state, oracle, self.momentum, "pkk")
        named = np.zeros(d, np.bool_)

        def hear(worker: int, reader: BitReader) -> None:
            named[indices.of_message(reader, likely, d)] = True

        link.board(lambda worker: indices.message(largest(memories.of(worker), likely), d), hear)
        asked = np.flatnonzero(named)
        mean = self.exchange.mean(lambda worker: memories.of(worker)[asked], asked.size, Identity(), link, here, None)
        kept = largest(mean, k)
        memories.follow(rule, asked[kept], mean[kept])
