"""Tree: sums go down a binary tree, coded anew at every worker, and the first worker tells the mean."""

from dataclasses import dataclass

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Length, Load, Own, Sent, reread
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction


@dataclass(frozen=True)
class Tree(Exchange):
    """In level r = 0, 1, ... worker w sends to w - 2^r, for w = 2^r (mod 2^(r+1)), a message about all that it holds:
    its own vector, and after it what it was told, in the order of levels. After ceil(log2 W) levels worker 0 holds the
    sum, codes its mean, and all read that message.

    With `top_k` this is gTop-k: k coordinates on every link, whatever W. What a worker's last message leaves out of all
    it holds goes into its own memory, where workers remember: so nothing is lost, though what a merge drops is kept by
    the one who merges, not by those it came from, who do not know of it. A worker's own vector is not cut down to k
    before it is merged: messages have the same length, and say more. At most two messages leave a worker, the second to
    pass the mean on; worker 0 reads ceil(log2 W). Codes that round at random are rounded once a level.

    Source: Shi, Wang, Zhao, Wang, Huang, Chu, "A distributed synchronous SGD algorithm with global top-k sparsification
    for low bandwidth networks" (2019), Algorithm 2.
    """

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        told: dict[int, Vector] = {}

        def held(worker: int) -> Vector:
            x = own(worker)
            return x + told[worker] if worker in told else x

        def speak(worker: int, x: Vector, here: Coins, scale: np.float32) -> Messages:
            """A message about scale times x; what it says is remembered in units of x."""
            message = compressor.encode(x if scale == 1 else scale * x, worker, here)
            if sent is not None:
                said = reread(message, compressor, d, worker, here) / scale
                sent(worker, said - told[worker] if worker in told else said)
            return message

        def hear(owner: int, reader: BitReader) -> None:
            place = coins.fold("level", step)
            if owner in told:
                compressor.add(reader, d, owner + step, place.public, told[owner])
            else:
                told[owner] = compressor.decode(reader, d, owner + step, place.public)

        step = 1
        while step < link.workers:
            here = coins.fold("level", step)
            link.below(step, lambda worker, here=here: speak(worker, held(worker), here, np.float32(1)), hear)  # type: ignore[misc]
            step *= 2
        means: list[Vector] = []
        root, share = coins.fold("mean"), np.float32(1 / link.workers)
        link.board(
            lambda worker: speak(worker, held(worker), root, share),
            lambda worker, reader: means.append(compressor.decode(reader, d, worker, root.public)),
            range(1),
        )
        return means[0]

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        return {"peer": (workers - 1) * length(compressor, d), "board": length(compressor, d)}

    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        """A level after the other; the mean is passed on while it comes."""
        bits = length(compressor, d)
        levels = (workers - 1).bit_length()
        return [*[Load("peer", 1, bits)] * levels, Load("board", max(1, workers - 1), bits)]

    def work(self, d: int, workers: int) -> tuple[float, float]:
        levels = (workers - 1).bit_length()
        return (levels + 1) * d, (levels + 1) * d
