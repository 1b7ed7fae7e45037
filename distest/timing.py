"""Timing: the network between the ranks that are running, and means over it, in place of a link that is only described.

Between ranks of one machine bytes go through memory, and what takes time is to copy, hash and book them.
"""

import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from distest import catalog, coding_loss
from distest.bits import Messages
from distest.coins import from_seed
from distest.errors import UsageError
from distest.kernels import bitpack
from distest.network import Network, Parts, Way
from distest.rehearsal import stepper
from distest.sgd.compressors.identity import Identity
from distest.sgd.link import Link
from distest.sgd.problem import Tensor
from distest.wire.board import Chunk
from distest.wire.channel import Channel
from distest.wire.transport import Transport
from distest.wire.turn import Direction, hosted

_SMALL, _LARGE = 8, 1 << 24  # bits of the messages that a turn is timed with
_ROUNDS = 7


def slowest(transport: Transport, job: Callable[[], object]) -> float:
    """Seconds of a job on the rank where it takes longest, the same on all."""
    transport.barrier()
    begin = time.perf_counter()
    job()
    mine = np.zeros(transport.size, np.int64)
    mine[transport.rank] = round((time.perf_counter() - begin) * 1e9)
    return float(transport.total(mine).max()) / 1e9


def check_ranks(ranks: int) -> None:
    """Raise UsageError unless each rank hosts one of as many workers."""
    if ranks < 2 or any(len(hosted(ranks, rank, ranks)) != 1 for rank in range(ranks)):
        raise UsageError(f"steps are timed with a worker on every rank, which 2 to 7 ranks can have, got {ranks}")


def between_ranks(transport: Transport) -> Network:
    """Turns on the board and among peers through the channel, timed with messages of a byte and of 2 MiB."""
    link = Link(Channel(transport.size, transport, "blackboard"))

    def board(message: Messages) -> None:
        link.board(lambda worker: message, lambda worker, reader: reader.took(1, message.n_bits))

    def peer(message: Messages) -> None:
        link.swap(lambda worker, owner: message, lambda worker, owner, reader: reader.took(1, message.n_bits))

    turns: dict[Direction, Callable[[Messages], None]] = {"board": board, "peer": peer}
    message_s: dict[Direction, float] = {}
    bit_s: dict[Direction, float] = {}
    others = transport.size - 1
    for direction, turn in turns.items():
        taken = {n_bits: _median(transport, lambda turn=turn, n_bits=n_bits: turn(_blank(n_bits)))  # type: ignore[misc]
                 for n_bits in (_SMALL, _LARGE)}  # fmt: skip
        message_s[direction] = taken[_SMALL] / others
        bit_s[direction] = max(0.0, taken[_LARGE] - taken[_SMALL]) / (others * (_LARGE - _SMALL))
    return Network(message_s, bit_s)


def timed(way: Way | None, d: int, tensors: tuple[Tensor, ...], transport: Transport) -> float:
    """Seconds of one step with gradients of d coordinates, median of the slowest rank's, gradients aside.

    way: that of rank 0 counts, and the others learn it. tensors: parts of x, for methods that ask for them.
    """
    coins, data = from_seed(0)
    x = coding_loss.gaussian(d, data)(0, transport.rank)
    link = Link(Channel(transport.size, transport, "blackboard"))
    return _median(transport, stepper(_agreed(way, transport), tensors, x, link, coins))


def _agreed(way: Way | None, transport: Transport) -> Parts:
    """The parts of rank 0's way."""
    told = None
    if transport.hosts_referee and way is not None:
        message = Messages.of_bytes(json.dumps(way.parts.describe()).encode())
        told = Chunk(message.data, message.n_bits)
    found = {
        kind: catalog.build(kind, spec)
        for kind, spec in json.loads(transport.broadcast(told).payload.tobytes()).items()
    }
    method = found.get("method")
    return Parts(Identity(), method.exchange, method) if method else Parts(**found)


def _blank(n_bits: int) -> Messages:
    return Messages(bitpack.room(n_bits), n_bits, 1, n_bits)


def _median(transport: Transport, job: Callable[[], object]) -> float:
    """Seconds of a job that every rank does, once it has been done twice."""
    taken = [slowest(transport, job) for _ in range(_ROUNDS + 2)]
    return statistics.median(taken[2:])
