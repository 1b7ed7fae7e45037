"""Every file of protocols/ obeys every law, and every law catches a protocol made to break it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.bits import BitReader, Messages, Words
from distest.coins import Coins, DataCoins, PublicCoins, from_seed
from distest.errors import ModelError, PartyError, UsageError
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol, RefereeProtocol
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.wire.channel import Tally
from tests import laws

CASES: dict[str, list[dict[str, Any]]] = {
    "full_sample": [{}, {"code": "truncated"}, {"code": "block"}, {"estimator": "minimax"}],
    "grouping": [{"bits": 1}, {"bits": 3}, {"bits": 2, "shift": True}],
    "balanced_hash": [{"bits": 1}, {"bits": 3}],
    "linear_hash": [{"bits": 3}, {"bits": 1, "design": "cycle"}, {"bits": 2, "design": "cycle"}],
    "recursive_hadamard": [{"bits": 1}, {"bits": 3}],
    "simulate_infer": [{"bits": 2}, {"bits": 3, "split": True}, {"bits": 3}],
    "golomb_gaps": [{}],
    "arithmetic_counts": [{}, {"law": "multiset"}],
    "sparse_hash": [{"bits": 1, "support": 3}, {"bits": 3, "support": 8}],
    "local_refinement": [{"bits": 2}, {"bits": 3}],
    "adaptive_entropy": [{}, {"growth": 1.0}],
    "monotone_cells": [
        {},
        {"tau": 0.05, "isotonic": False},
        {"tau": 0.2, "partition": "birge"},
        {"tau": 0.003, "direction": "rising", "isotonic": False},  # 300 cells: right for a falling p as well
    ],
    "monotone_l2": [{}, {"eps": 0.02}],
    "uneven_samples": [{}, {"referee": "median"}],
    "tree_localisation": [{"bits": 1, "support": 2}, {"bits": 3, "support": 3}],
    "haar_wavelet": [{}, {"lam": 0.1, "threshold": True}],
    "one_bit_counts": [{}],
    "one_bit_adaptive": [{}],
    "dense_counts": [{"bits": 2}, {"bits": 11}],
    "two_stage_histogram": [{"pieces": 4}, {"pieces": 8, "first": 0.3, "per_cell": 1}],
    "two_stage_histogram_l2": [{"pieces": 4}, {"pieces": 8, "first": 0.3}],
    "rank_sampling": [{"pieces": 4, "eps": 0.001}, {"pieces": 4, "every": 2}, {"pieces": 4, "every": 3}],
    "tight_budget": [{"bits": 4}, {"bits": 9}],
    "block_refinement": [{"bits": 2}, {"bits": 3}],
    "adaptive_refinement": [{"bits": 2}, {"bits": 3}],
}
TASKS = [
    Task(16, 203),
    Task(11, 150),
    Task(300, 640),
    Task(16, 90, s=3),
    Task(16, 203, loss="l1"),
    Task(4, 90, s=400),
    Task(5, 120, s=3),
]


def zipf(n: int) -> Pmf:
    pmf: Pmf = catalog.build("distribution", {"name": "zipf"}).pmf(n, DataCoins("0" * 32))
    return pmf


def truth(n: int, support: int) -> Pmf:
    """Zipf's law; on symbols far apart where a protocol is for few of them."""
    pmf = np.zeros(n)
    pmf[np.arange(support) * n // support] = zipf(support)
    return pmf


def cases() -> list[tuple[str, dict[str, Any], Task]]:
    """Every protocol with every option and task of above that it takes; two bits where it needs a budget."""
    out = []
    for name in catalog.names("protocol"):
        for options in CASES.get(name, [{}, {"bits": 2}]):
            for task in TASKS:
                try:
                    catalog.build("protocol", {"name": name, **options}, task=task)
                except UsageError:
                    continue
                out.append((name, options, task))
    return out


def test_every_protocol_has_a_case() -> None:
    assert {name for name, _, _ in cases()} == set(catalog.names("protocol"))


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("name", "options", "task"), cases(), ids=str)
def test_protocols_obey(name: str, options: dict[str, Any], task: Task, law: laws.Law) -> None:
    protocol = catalog.build("protocol", {"name": name, **options}, task=task)
    law(protocol, truth(task.n, options.get("support", task.n)), 7)


@pytest.mark.parametrize("law", [law for law in laws.LAWS if law is not laws.sanity], ids=lambda law: law.__name__)
def test_one_server_a_turn_obeys(law: laws.Law) -> None:
    law(catalog.build("protocol", {"name": "adaptive_entropy", "growth": 0.0}, task=Task(11, 60)), zipf(11), 7)


@dataclass(frozen=True)
class Plain(RefereeProtocol):
    """Four bits a server, its sample: what the cheats below bend. Obeys every law."""

    source: ClassVar[str] = "test"

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return fixed(servers.samples[:, :1], np.full((len(servers), 1), 4))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        return histogram(reader.fixed(len(speakers), 4)[:, 0])

    def decide(self, tally: Tally) -> Pmf:
        return tally / self.task.m


def fixed(codes: NDArray[Any], widths: NDArray[Any]) -> Words:
    return Words(codes.astype(np.uint64), widths.astype(np.uint8))


def histogram(symbols: NDArray[Any]) -> Tally:
    return np.bincount(symbols.astype(np.int64), minlength=16)


@dataclass(frozen=True)
class ReadsLengths(Plain):
    """The last server of a block drops its lowest bit when it is 0: the reader sees it from where the bits end."""

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        samples, widths = servers.samples[:, :1].copy(), np.full((len(servers), 1), 4)
        if samples[-1, 0] % 2 == 0:
            samples[-1], widths[-1] = samples[-1] // 2, 3
        return fixed(samples, widths)

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        short = reader.unread() < 4 * len(speakers)
        symbols = reader.fixed(len(speakers) - short, 4)[:, 0]
        if short:
            symbols = np.append(symbols, 2 * reader.fixed(1, 3)[:, 0])
        return histogram(symbols)


@dataclass(frozen=True)
class PeeksAtNeighbours(Plain):
    """Every server says the larger of its own sample and its neighbour's."""

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        own = servers.samples[:, :1]
        return fixed(np.maximum(own, np.roll(own, 1)), np.full((len(servers), 1), 4))


@dataclass(frozen=True)
class PeeksAtTheBoard(Plain):
    """Servers read what earlier blocks of the same turn have said, by way of an attribute of the class."""

    heard: ClassVar[list[int]] = []

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        return fixed((servers.samples[:, :1] + sum(self.heard)) % 16, np.full((len(servers), 1), 4))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        tally = super().read(speakers, reader, coins)
        self.heard.append(int(tally.argmax()))
        return tally


@dataclass(frozen=True)
class SaysZeroBySilence(Plain):
    """Symbol 0 is no bit at all; blocks are led by nobody, so a reader would have to look who has spoken."""

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        samples = servers.samples[:, :1]
        return fixed(samples, np.where(samples == 0, 0, 4))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        spoken = reader.unread() // 4
        tally = histogram(reader.fixed(spoken, 4)[:, 0])
        tally[0] += len(speakers) - spoken
        return tally


@dataclass(frozen=True)
class StashesPrivateCoins(Plain):
    """Messages are masked with private coins, which the decoder finds in a drawer under the public key."""

    drawer: ClassVar[dict[str, Coins]] = {}

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        self.drawer[coins.public.key] = coins
        return fixed(servers.samples[:, :1] ^ self.mask(servers.parties, coins)[:, None], np.full((len(servers), 1), 4))

    def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
        codes = reader.fixed(len(speakers), 4)[:, 0].astype(np.int64)
        return histogram(codes ^ self.mask(speakers, self.drawer[coins.key]))

    def mask(self, parties: range, coins: Coins) -> NDArray[np.int64]:
        return (coins.private.words(parties)[:, 0] >> np.uint64(60)).astype(np.int64)


@dataclass(frozen=True)
class StashesSamples(Plain):
    """The estimate comes from a drawer that the servers have filled, not from the bits."""

    drawer: ClassVar[dict[int, Tally]] = {}

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        self.drawer[servers.parties.start] = histogram(servers.samples[:, 0])
        return super().message(servers, coins)

    def decide(self, tally: Tally) -> Pmf:
        return np.asarray(sum(self.drawer.values()), np.float64) / self.task.m


@dataclass(frozen=True)
class LeavesBits(Plain):
    """The last message of a block ends in a bit that nobody reads."""

    def message(self, servers: Servers, coins: Coins) -> Words | Messages:
        widths = np.full((len(servers), 1), 4)
        widths[-1] = 5
        codes = servers.samples[:, :1].copy()
        codes[-1] *= 2
        return fixed(codes, widths)


@dataclass(frozen=True)
class LearnsNothing(Plain):
    """The estimate is uniform, whatever was said."""

    def decide(self, tally: Tally) -> Pmf:
        return np.full(16, 1 / 16)


CHEATS: list[tuple[type[Plain], laws.Law]] = [
    (ReadsLengths, laws.honesty),
    (PeeksAtNeighbours, laws.locality),
    (PeeksAtTheBoard, laws.locality),
    (SaysZeroBySilence, laws.silence),
    (StashesPrivateCoins, laws.replay),
    (StashesSamples, laws.replay),
    (LeavesBits, laws.completeness),
    (LearnsNothing, laws.sanity),
]


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_the_plain_protocol_obeys(law: laws.Law) -> None:
    law(Plain(Task(16, 203)), zipf(16), 7)


@pytest.mark.parametrize(("cheat", "law"), CHEATS, ids=lambda thing: thing.__name__)
def test_laws_catch(cheat: type[Plain], law: laws.Law) -> None:
    with pytest.raises((AssertionError, ModelError)):
        law(cheat(Task(16, 203)), zipf(16), 7)


def test_every_law_has_a_cheat() -> None:
    assert {law for _, law in CHEATS} == set(laws.LAWS)


@pytest.mark.parametrize("cheat", [LeavesBits, SaysZeroBySilence], ids=lambda thing: thing.__name__)
def test_the_channel_itself_refuses(cheat: type[Plain]) -> None:
    coins, data = from_seed(7)
    with pytest.raises(ModelError):
        laws.run(cheat(Task(16, 203)), zipf(16), coins, data)


def test_a_decoder_that_asks_for_private_coins_fails() -> None:
    """PublicCoins have no private side, so the attempt is an error that names round, servers and rank."""

    @dataclass(frozen=True)
    class Asks(Plain):
        def read(self, speakers: range, reader: BitReader, coins: PublicCoins) -> Tally:
            coins.private  # type: ignore[attr-defined]  # noqa: B018  # the point of the test
            return super().read(speakers, reader, coins)

    coins, data = from_seed(7)
    with pytest.raises(PartyError, match=r"round 0, servers 0-\d+ on rank 0: AttributeError"):
        laws.run(Asks(Task(16, 203)), zipf(16), coins, data)


def test_protocols_are_protocols() -> None:
    for name in catalog.names("protocol"):
        cls = catalog.find("protocol", name)
        assert issubclass(cls, Protocol)
        assert cls.source
        assert cls.__doc__
        assert "Source:" in cls.__doc__
