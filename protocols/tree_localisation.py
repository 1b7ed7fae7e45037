"""Tree localisation: servers find the few symbols of a sparse p by their prefixes, the others count these alone."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analysis.bounds import risks
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, PublicCoins
from distest.errors import ModelError, UsageError
from distest.kernels import grouping
from distest.learning.fitting import one_sample, prefix_tree
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, Risk
from distest.learning.servers import Servers
from distest.learning.task import Family
from distest.watch import Watch
from distest.wire.channel import Model, Tally
from distest.wire.turn import Turn


@dataclass(frozen=True)
class Found:
    """What the board says. depth, active: the prefixes that may have mass, int64, rising, at most `support`.

    first: the first server of the next turn, or of the last one. named: how often each active symbol was named,
    once all have spoken.
    """

    depth: int
    active: Tally
    first: int = 0
    named: Tally | None = None


@dataclass(frozen=True)
class TreeLocalisation(Protocol[Found]):
    """Half of the servers walk down the tree of prefixes, one turn a level; the rest count what is left of it.

    Exactly `bits` bits a server, K = 2^bits, and no coins. A level has the children of the active prefixes, at most
    D = max(2 support, K - 1) of them; each of its servers watches K - 1, as in grouping, and says which of them its
    sample begins with, or that it is none. Children that were named stay active, the `support` most often named if
    there are more. There are at most 1 + ceil(log2 n) - floor(log2 D) levels. At the symbols the
    remaining servers, half or more, do grouping on the active ones; others are estimated as 0.

    p on at most `support` symbols, at whatever places: a prefix without mass is never named, so nothing is lost but
    symbols that no server of some level happened to see, for ever. With n_l and n_f watchers of a prefix and
    of a symbol at least, and L levels, the squared l2 risk is at most sum p_x (1-p_x)/n_f + sum p_x^2 L
    (1-p_x)^n_l, the first term up to rounding exact where nothing is lost; the second is at most L/(e n_l). So masses
    above a few (ln L)/n_l are found. Other p lose what lies outside of the `support` heaviest prefixes.

    Against sparse_hash: a symbol's noise is p_x (1-p_x) in place of a constant, so it is better where one symbol has
    most of the mass (2 to 3 times measured at n = 2^16, p = (.9, 7 times .1/7), b = 1 and 4); it needs no public
    coins, and but for the estimate itself nothing of size n is held. It is worse for p flat on its
    support, by a factor below 2 in the limit, for want of the first half of the servers, and by far where servers
    are too few to see every symbol on every level.

    bits: 1..8, 2^bits - 1 <= n. support: symbols p may have, 1..n. Where n <= D this is grouping.
    Raises UsageError where the servers are too few for the levels.

    Source: Chen, Kairouz, Ozgur, "Breaking the dimension dependence in sparse distribution estimation under
    communication constraints" (2021), the idea; docs/bounds.md, Proposition P15, the levels and the bound.
    """

    bits: int
    support: int
    model: ClassVar[Model] = "blackboard"
    family: ClassVar[Family] = "sparse"
    source: ClassVar[str] = "Chen, Kairouz, Ozgur 2021 (idea); docs/bounds.md P15 (bound)"

    def __post_init__(self) -> None:
        one_sample.require("tree_localisation", self.task, self.bits, (self.task.n + 1).bit_length() - 1)
        if not 1 <= self.support <= self.task.n:
            raise UsageError(
                f"tree_localisation finds a support of 1 to {self.task.n} symbols of n={self.task.n}, got "
                f"support={self.support}"
            )
        if self.task.m < self.plan.needed:
            raise UsageError(
                f"tree_localisation needs {self.plan.needed} servers for {self.plan.levels} levels of up to "
                f"{self.plan.most} prefixes and as many servers again, got m={self.task.m}; give more bits or servers"
            )

    @property
    def plan(self) -> prefix_tree.Plan:
        """How the servers are dealt out to levels."""
        return prefix_tree.Plan(self.task.n, self.support, (1 << self.bits) - 1, self.task.m)

    def start(self) -> Found:
        plan = self.plan
        return Found(plan.t, np.arange(plan.n)) if plan.levels == 0 else Found(0, np.zeros(1, np.int64))

    def next_turn(self, round: int, state: Found) -> Turn | None:
        if state.named is not None:
            return None
        last = self.task.m if self.plan.bottom(state.depth) else state.first + self.plan.each
        return Turn(round, range(state.first, last), "board")

    def speak(self, servers: Servers, state: Found, coins: Coins) -> Words | Messages:
        samples = one_sample.symbols(servers, self.task.n)
        depth, prefixes = self._watched(state)
        own: NDArray[np.int32] = samples >> (self.plan.t - depth)
        place = np.minimum(np.searchsorted(prefixes, own), prefixes.size - 1).astype(np.int32)
        codes = grouping.encode(place, _order(servers.parties, state), self._domain(prefixes), self.plan.size)
        codes[prefixes[place] != own] = 0
        return Messages.of_symbols(codes, self.bits)

    def hear(self, speakers: range, reader: BitReader, state: Found, coins: PublicCoins) -> Tally:
        _, prefixes = self._watched(state)
        codes = reader.symbols(len(speakers), self.bits)
        named = grouping.count(codes, _order(speakers, state), self._domain(prefixes), self.plan.size)
        return named[: prefixes.size]  # places behind them are watched where they are fewer than K - 1; nobody is there

    def fields(self, party: int, message: Watch, state: Found, coins: PublicCoins) -> None:
        depth, prefixes = self._watched(state)
        domain = self._domain(prefixes)
        first = _order(range(party, party + 1), state).start * self.plan.size
        places = [(first + place) % domain for place in range(self.plan.size)]
        watched = [int(prefixes[at]) if at < prefixes.size else None for at in places]
        one_sample.fields_of(message, self.bits, watched, "prefix" if depth < self.plan.t else "symbol")

    def fold(self, state: Found, tally: Tally) -> Found:
        if self.plan.bottom(state.depth):
            return replace(state, named=tally)
        depth, prefixes = self._watched(state)
        watchers = self._watchers(self.plan.each, prefixes)
        return Found(depth, prefix_tree.keep(prefixes, tally, watchers, self.support), state.first + self.plan.each)

    def estimate(self, state: Found) -> Pmf:
        if state.named is None:
            raise ModelError("tree_localisation has an estimate after its last turn, not before")
        estimate = np.zeros(self.task.n)
        estimate[state.active] = state.named / self._watchers(self.task.m - state.first, state.active)
        return estimate

    def risk(self, pmf: Pmf) -> Risk | None:
        plan = self.plan
        if plan.levels == 0:
            return Risk(risks.grouping_l2(pmf, plan.m, self.bits), risks.grouping_l1(pmf, plan.m, self.bits))
        found = np.flatnonzero(pmf)
        if found.size > self.support:
            return None
        levels = plan.levels_of(found)
        l2, l1 = risks.localised_at_most(pmf[found], levels, *self._least(levels, found.size))
        return Risk(l2, l1, exact=False, note="upper bounds; what remains if no symbol is lost, and the chance of that")

    def worst_risk(self) -> Risk:
        plan = self.plan
        if plan.levels == 0:
            each, rest = divmod(plan.m * plan.size, plan.n)
            return Risk((1 - 1 / plan.n) / each, exact=rest == 0, note="for every p, not only sparse ones")
        l2, l1 = risks.localised_worst(self.support, plan.levels, *self._least(plan.levels, self.support))
        return Risk(l2, l1, exact=False, note="upper bounds for p on at most `support` symbols")

    def payload_bits(self, pmf: Pmf) -> float:
        return self.task.m * self.bits

    def bits_per_server(self) -> int:
        return self.bits

    def _watched(self, state: Found) -> tuple[int, Tally]:
        """Depth and prefixes of the turn that follows a state."""
        if self.plan.bottom(state.depth):
            return state.depth, state.active
        return self.plan.children(state.depth, state.active)

    def _domain(self, prefixes: Tally) -> int:
        """Places a turn of grouping has: no fewer than a server watches."""
        return max(prefixes.size, self.plan.size)

    def _watchers(self, m: int, prefixes: Tally) -> Tally:
        """How many of m servers watch each prefix, int64."""
        return grouping.watchers(m, self._domain(prefixes), self.plan.size)[: prefixes.size]

    def _least(self, levels: int, symbols: int) -> tuple[int, int]:
        """The least watchers of a prefix on the way, and of a symbol at the end, where so many symbols are left."""
        plan = self.plan
        last = plan.m - levels * plan.each
        return plan.each * plan.size // plan.most, last * plan.size // max(symbols, plan.size)


def _order(parties: range, state: Found) -> range:
    """The places of servers among those of their turn."""
    return range(parties.start - state.first, parties.stop - state.first, parties.step)
