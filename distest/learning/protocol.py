"""Protocol: how servers speak and how their listeners understand them. Pure: no I/O, no randomness of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np

from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.learning.norms import Pmf
from distest.learning.servers import Servers
from distest.learning.task import Family, Loss, Task
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn

State = TypeVar("State")
CoinUse = Literal["none", "private", "public"]


@dataclass(frozen=True, slots=True)
class Risk:
    """Expected error of a protocol for one p, predicted by its own formula.

    l2_squared, l1: expected value, None where no formula is known. exact: False where it is an approximation or a
    bound; note says which. trusted: False for an approximation outside of the sizes at which measured errors were
    within a quarter of it, so that nothing is planned by it.
    """

    l2_squared: float | None
    l1: float | None = None
    exact: bool = True
    note: str = ""
    trusted: bool = True


@dataclass(frozen=True)
class Protocol(ABC, Generic[State]):
    """A protocol for one task; implementations are frozen dataclasses whose fields are plain values.

    `state` is a fold over the public transcript and over nothing else. `speak` and `hear` mirror each other. What a
    block of speakers told is a tally, an int64 array; the tallies of a turn add up.

    Laws, run on every file of `protocols/`: locality (the message of server i does not change with other servers'
    samples, given the same state), completeness (hear reads every bit), honesty (hear does not depend on where the
    bits end, on lengths or on private coins), replay (same digest for any number of ranks; same estimate from a
    kept board), sanity (the error falls with m).

    family: the class of p it is made for; on others it runs, and errs by as much as its docstring says. losses: the
    losses for which something is claimed.
    """

    task: Task
    model: ClassVar[Model]
    coin_use: ClassVar[CoinUse] = "none"
    family: ClassVar[Family] = "all"
    losses: ClassVar[tuple[Loss, ...]] = ("l2", "l1")
    source: ClassVar[str]
    uneven: ClassVar[bool] = False  # whether servers may hold fewer than s samples, their rows ending in -1

    @abstractmethod
    def start(self) -> State:
        """The state before anything was said."""

    @abstractmethod
    def next_turn(self, round: int, state: State) -> Turn | None:
        """Who speaks now; None when all has been said."""

    @abstractmethod
    def speak(self, servers: Servers, state: State, coins: Coins) -> Words | Messages:
        """One message per server of the block."""

    @abstractmethod
    def hear(self, speakers: range, reader: BitReader, state: State, coins: PublicCoins) -> Tally:
        """Decode the messages of a block of speakers into its tally, int64."""

    @abstractmethod
    def fold(self, state: State, tally: Tally) -> State:
        """The state after a turn whose blocks told `tally` in all."""

    @abstractmethod
    def estimate(self, state: State) -> Pmf:
        """The estimate, float64 (n,); unbiased estimators need not be non-negative or sum to 1."""

    def fields(self, party: int, message: Watch, state: State, coins: PublicCoins) -> None:
        """Read one message of a party field by field, with a name for each: what `distest show` prints.

        As `hear` does, from bits, public coins and the state before the turn. By default all of it is one field.
        """
        message.rest("message")

    def risk(self, pmf: Pmf) -> Risk | None:
        """The expected error for this p by the protocol's own formula, None where there is none."""
        return None

    def worst_risk(self) -> Risk | None:
        """The largest expected error over all p of the family, or a bound on it (then not exact); None if unknown."""
        return None

    def payload_bits(self, pmf: Pmf) -> float | None:
        """The expected payload bits of a run for this p by formula, None where there is none."""
        return None

    def bits_per_server(self) -> int | None:
        """The most bits a server can write during a run, None where there is no such cap."""
        return None

    def padded_n(self) -> int:
        """The domain size the messages really work on: n, or what n is padded to."""
        return self.task.n


@dataclass(frozen=True)
class RefereeProtocol(Protocol[Tally | None]):
    """One simultaneous turn that the referee alone reads. No state argument: a server cannot peek."""

    model: ClassVar[Model] = "referee"

    @abstractmethod
    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        """One message per server of the block."""

    @abstractmethod
    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        """The mirror of `message`: decode a block into its tally, int64."""

    @abstractmethod
    def decide(self, tally: Tally) -> Pmf:
        """The estimate from the tally of all servers, float64 (n,)."""

    def start(self) -> Tally | None:
        return None

    def next_turn(self, round: int, state: Tally | None) -> Turn | None:
        return Turn(0, range(self.task.m), "referee") if round == 0 else None

    def speak(self, servers: Servers, state: Tally | None, coins: Coins) -> Words | Messages:
        return self.message(servers, coins)

    def hear(self, speakers: range, reader: BitReader, state: Tally | None, coins: PublicCoins) -> Tally:
        return self.read(speakers, reader, coins)

    def fold(self, state: Tally | None, tally: Tally) -> Tally | None:
        return tally

    def estimate(self, state: Tally | None) -> Pmf:
        return self.decide(state if state is not None else np.zeros(0, np.int64))
