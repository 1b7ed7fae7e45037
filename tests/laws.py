"""The laws of a protocol, as functions that run on any protocol object and fail with a sentence.

Each takes a protocol, a pmf its samples come from, and a seed. A protocol that breaks the model in a way the channel
notices fails with the channel's ModelError, any other with an AssertionError.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, DataCoins, from_seed
from distest.learning import norms, sampling
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol
from distest.learning.run import Outcome, learn
from distest.learning.run import replay as replay_board
from distest.learning.servers import Servers
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.transport import Solo
from distest.wire.turn import Turn, blocks_of

AnyProtocol = Protocol[Any]
Law = Callable[[AnyProtocol, Pmf, int], None]
JUNK_BITS = (1, 7, 8, 64, 333)


@dataclass
class Said:
    """One block of a run: its turn, the state everybody had before it, coins, samples, messages and what was heard."""

    turn: Turn
    block: range
    state: Any
    coins: Coins
    samples: NDArray[np.int32]
    messages: Messages
    tally: NDArray[np.int64]
    n_bits: int


def fresh(protocol: AnyProtocol) -> AnyProtocol:
    """An equal protocol that nobody has run."""
    return replace(protocol)


def run(protocol: AnyProtocol, pmf: Pmf, coins: Coins, data: DataCoins) -> Outcome:
    """One run with its board kept."""
    task = protocol.task
    channel = Channel(task.m, Solo(), protocol.model, keep_board=True)
    outcome = learn(protocol, sampling.independent(pmf, task.s, data).draw, channel, coins)
    assert outcome is not None, "one process hosts the referee"
    return outcome


def packed(protocol: AnyProtocol, block: range, samples: NDArray[np.int32], state: Any, coins: Coins) -> Messages:
    """What a block of servers says, as it travels."""
    spoken = protocol.speak(Servers(block, samples), state, coins)
    return spoken if isinstance(spoken, Messages) else spoken.pack()


def bit_strings(messages: Messages) -> list[str]:
    """The messages one by one, in zeros and ones."""
    bits = "".join(map(str, np.unpackbits(messages.data)[: messages.n_bits]))
    ends = np.cumsum(np.broadcast_to(np.asarray(messages.lengths, np.int64), messages.count))
    return [bits[a:b] for a, b in zip((0, *ends[:-1].tolist()), ends.tolist(), strict=True)]


def story(protocol: AnyProtocol, pmf: Pmf, seed: int) -> list[Said]:
    """Every block of a run in the order in which one process would run it: speak, hear, next block."""
    task = protocol.task
    coins, data = from_seed(seed)
    source = sampling.independent(pmf, task.s, data)
    state, round, out = protocol.start(), 0, []
    while (turn := protocol.next_turn(round, state)) is not None:
        here = coins.fold("turn", round)
        told: NDArray[np.int64] | None = None
        for _, block in blocks_of(turn.speakers, range(task.m), task.m):
            samples = source.draw(block)
            messages = packed(protocol, block, samples, state, here)
            assert messages.count == len(block), f"{messages.count} messages from {len(block)} servers"
            reader = BitReader(messages.data, messages.n_bits)
            tally = protocol.hear(block, reader, state, here.public)
            said = Said(turn, block, state, here, samples, messages, tally, messages.n_bits - reader.unread())
            out.append(said)
            told = tally if told is None else told + tally
        assert told is not None, f"nobody speaks in round {round}"
        state, round = protocol.fold(state, told), round + 1
    return out


def locality(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """The message of server i is a function of its samples, the state and the coins, whatever else is going on.

    After the run, and from an equal object that has heard nothing: the same bits when i speaks alone, and when the
    samples of the others in its block have changed.
    """
    n = protocol.task.n
    for said in reversed(story(protocol, pmf, seed)):
        strings = bit_strings(said.messages)
        for speaker in (protocol, fresh(protocol)):
            for k in sorted({0, len(said.block) // 2, len(said.block) - 1}):
                party = said.block[k : k + 1]
                alone = packed(speaker, party, said.samples[k : k + 1], said.state, said.coins)
                where = f"round {said.turn.round}: the message of server {party[0]}"
                assert bit_strings(alone) == [strings[k]], f"{where} changes when it speaks alone"
                shift = 1 + np.arange(said.samples.size, dtype=np.int32).reshape(said.samples.shape)
                others = (said.samples + shift) % np.int32(n)
                others[k] = said.samples[k]
                among = bit_strings(packed(speaker, said.block, others, said.state, said.coins))
                assert among[k] == strings[k], f"{where} changes with the samples of other servers"


def completeness(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """hear reads every bit, and one message of every speaker."""
    for said in story(protocol, pmf, seed):
        left = said.messages.n_bits - said.n_bits
        assert left == 0, f"round {said.turn.round}: {left} of {said.messages.n_bits} bits are never read"
    coins, data = from_seed(seed)
    outcome = run(protocol, pmf, coins, data)
    speakers = sum(len(said.block) for said in story(protocol, pmf, seed))
    assert outcome.ledger.messages == speakers, "not every message was booked"


def honesty(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """hear is a function of the bits it reads: with other bits behind the block it hears the same and stops there.

    It is given public coins, which have no private side.
    """
    noise = np.random.default_rng(seed)
    for said in story(protocol, pmf, seed):
        bits = np.unpackbits(said.messages.data)[: said.messages.n_bits]
        for count in JUNK_BITS:
            for junk in (np.zeros(count, np.uint8), np.ones(count, np.uint8), noise.integers(0, 2, count, np.uint8)):
                reader = BitReader(np.packbits(np.concatenate((bits, junk))), bits.size + count)
                public = said.coins.public
                assert not hasattr(public, "private"), "a decoder sees private coins"
                tally = fresh(protocol).hear(said.block, reader, said.state, public)
                where = f"round {said.turn.round}, {count} bits behind the block"
                assert np.array_equal(tally, said.tally), f"{where}: hear tells something else"
                assert reader.unread() == count, f"{where}: hear stops {count - reader.unread()} bits late"


def replay(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """A kept board, saved and loaded, gives the same digest, ledger and estimate: from bits and public coins alone.

    Two runs share their public coins but neither samples nor private coins, and both boards are replayed after
    both runs, so nothing that a run leaves behind in memory fits both.
    """
    (coins, data), (other, other_data) = from_seed(seed), from_seed(seed + 1)
    first = run(protocol, pmf, coins, data)
    second = run(protocol, pmf, Coins(coins.public, other.private), other_data)
    for outcome in (first, second):
        assert outcome.board is not None, "the board was kept"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "board"
            outcome.board.save(path)
            again = replay_board(fresh(protocol), Board.load(path), coins.public)
        assert again.digest == outcome.digest == outcome.board.digest(), "a replay has another digest"
        assert again.ledger.by_round() == outcome.ledger.by_round(), "a replay books other bits"
        assert np.array_equal(again.estimate, outcome.estimate), "a replay gives another estimate"


def silence(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """Every server that has the turn writes at least one bit."""
    for said in story(protocol, pmf, seed):
        shortest = min(len(string) for string in bit_strings(said.messages))
        assert shortest >= 1, f"round {said.turn.round}: a server says something by saying nothing"


def sanity(protocol: AnyProtocol, pmf: Pmf, seed: int) -> None:
    """The estimate is finite, its sum within noise of 1, and 16 times the servers have at most a third of the error.

    For risks that go like 1/m the ratio is 1/16 on average; six runs at each size leave a wide margin. The sum of
    an estimate has a standard deviation of at most sqrt(2 n / m) in all protocols here, and eight of it are allowed.
    """
    errors = []
    for factor in (1, 16):
        task = replace(protocol.task, m=factor * protocol.task.m)
        larger = replace(protocol, task=task)
        losses = []
        for k in range(6):
            coins, data = from_seed(seed + 100 * k)
            estimate = run(larger, pmf, coins, data).estimate
            assert np.isfinite(estimate).all(), "an estimate is not finite"
            slack = 8 * np.sqrt(2 * task.n / task.m)
            assert abs(estimate.sum() - 1) <= slack, f"an estimate sums to {estimate.sum()}"
            losses.append(norms.l2_squared(estimate, pmf))
        errors.append(float(np.mean(losses)))
    assert errors[1] < errors[0] / 3, f"16 times the servers take the error from {errors[0]:.3g} to {errors[1]:.3g}"


LAWS: tuple[Law, ...] = (locality, completeness, honesty, replay, silence, sanity)
