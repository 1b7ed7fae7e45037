"""learn: run one protocol over one channel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, Words
from distest.coins import KEY_BITS, NO_PRIVATE, Coins, PublicCoins
from distest.errors import ModelError
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol
from distest.learning.servers import Servers
from distest.wire.board import Board
from distest.wire.channel import Channel, Tally
from distest.wire.ledger import Ledger
from distest.wire.replay import Replay
from distest.wire.transport import Solo

Draw = Callable[[range], NDArray[np.int32]]
Notice = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave. estimate: float64 (n,). digest: SHA-256 of the transcript, hex; None where it was not hashed."""

    estimate: Pmf
    ledger: Ledger
    digest: str | None
    board: Board | None


def learn(
    protocol: Protocol[Any], draw: Draw, channel: Channel, coins: Coins, heard: Notice | None = None
) -> Outcome | None:
    """Run a protocol to its end; the outcome on the referee's rank, None on ranks that may not read.

    draw(block) gives the samples int32 (len(block), s) of a block of servers. heard(count) is told how many servers
    have been heard, for progress. Raises ModelError, WireError or PartyError with round, servers and rank.
    """

    def speak(state: Any, here: Coins, block: range) -> Words | Messages:
        return protocol.speak(Servers(block, draw(block)), state, here)

    return _follow(protocol, channel, coins, speak, heard)


def replay(protocol: Protocol[Any], board: Board, public: PublicCoins) -> Outcome:
    """What the bits of a kept board say: from bits, public coins and protocol alone.

    Raises ModelError or WireError where the board is not a transcript of this protocol.
    """

    def silent(state: Any, here: Coins, block: range) -> Words | Messages:
        raise ModelError("nobody speaks in a replay")

    if board.parties != protocol.task.m:
        raise ModelError(f"the board has {board.parties} parties, the protocol {protocol.task.m}")
    channel = Replay(board, Solo(), protocol.model)
    outcome = _follow(protocol, channel, Coins(public, NO_PRIVATE), silent, None)
    if channel.left():
        raise ModelError(f"the board goes on for {channel.left()} turns after the protocol has ended")
    assert outcome is not None  # a Solo channel hosts the referee
    return outcome


def _follow(
    protocol: Protocol[Any],
    channel: Channel,
    coins: Coins,
    speak: Callable[[Any, Coins, range], Words | Messages],
    heard: Notice | None,
) -> Outcome | None:
    if channel.model != protocol.model or channel.parties != protocol.task.m:
        raise ModelError(
            f"{type(protocol).__name__} is a {protocol.model} protocol for {protocol.task.m} servers, the channel "
            f"is {channel.model} with {channel.parties}"
        )
    if protocol.coin_use == "public":
        channel.ledger.coin_bits = KEY_BITS
    state = protocol.start()
    round = 0
    while (turn := protocol.next_turn(round, state)) is not None:
        here = coins.fold("turn", round)

        def hear(block: range, reader: BitReader, state: Any = state, here: Coins = here) -> Tally:
            tally = protocol.hear(block, reader, state, here.public)
            if heard is not None:
                heard(len(block))
            return tally

        tally = channel.exchange(turn, lambda b, state=state, here=here: speak(state, here, b), hear)  # type: ignore[misc]
        if tally is not None:
            state = protocol.fold(state, tally)
        round += 1
    if not channel.hosts_referee:
        return None
    estimate = np.ascontiguousarray(protocol.estimate(state), np.float64)
    if estimate.shape != (protocol.task.n,) or not np.isfinite(estimate).all():
        raise ModelError(f"{type(protocol).__name__} gave no finite estimate of shape ({protocol.task.n},)")
    return Outcome(estimate, channel.ledger, channel.digest(), channel.board)
