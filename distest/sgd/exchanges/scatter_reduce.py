"""Scatter-reduce: every worker averages its part of the coordinates and tells all the others."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.blend import Blend
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Length, Load, Own, Sent, flag, parts, read_flag, reread
from distest.sgd.link import Link
from distest.sgd.problem import Vector
from distest.wire.turn import Direction


@dataclass(frozen=True)
class ScatterReduce(Exchange):
    """Turn 1: worker w sends part o of its vector to worker o, the owner of about d/W coordinates, for every o but w.
    Turn 2: each owner codes the mean of its part anew and all read it; it uses what they read, not what it knows.

    With `identity` this is the dense allreduce by reduce-scatter and all-gather. 2 (W-1)/W times the length of a
    message leave each worker, whatever W; in the books turn 2 is on the board, where each part counts once. An owner
    adds 1/W of the others' vectors, in worker order, to 1/W of its own. Every coordinate is rounded twice, so more
    workers do not help beyond the second rounding, whose error is that of one message about the mean. What turn 2
    leaves out of the sum is for the owner to remember, where workers do.

    second: the compressor of turn 2, by default that of turn 1.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD" (2017); Markov, Ramezanikebrya, Alistarh, "CGX" (2022).
    """

    second: Compressor | None = None
    cuts: ClassVar[bool] = True

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent | None) -> Vector:
        workers = link.workers
        share = 1 / workers
        pieces = parts(d, workers)
        sizes = [part.stop - part.start for part in pieces]
        here = [coins.fold("part", owner) for owner in range(workers)]
        asked: dict[int, Vector] = {}
        said: dict[int, Vector] = {}
        blends: dict[int, Blend] = {}

        def begin(worker: int) -> Vector:
            x = asked[worker] = own(worker)
            if sent is not None:
                said[worker] = np.array(x)
            return x

        def speak(worker: int, owner: int) -> Messages:
            x = asked[worker] if worker in asked else begin(worker)
            if not sizes[owner]:
                return flag()
            message = compressor.encode(x[pieces[owner]], worker, here[owner])
            if sent is not None:
                said[worker][pieces[owner]] = reread(message, compressor, sizes[owner], worker, here[owner])
            return message

        def hear(worker: int, owner: int, reader: BitReader) -> None:
            if not sizes[owner]:
                read_flag(reader)
            elif owner in asked:
                if owner not in blends:
                    blends[owner] = Blend(asked[owner][pieces[owner]], share, link.vector)
                blends[owner].read(compressor, reader, worker, here[owner].public)
            else:  # a replay, where nobody has a vector
                compressor.decode(reader, sizes[owner], worker, here[owner].public)

        if workers > 1:
            link.swap(speak, hear)
        code, told = self.second or compressor, coins.fold("means")
        mean = link.vector(d)

        def encode(owner: int) -> Messages:
            if not sizes[owner]:
                return flag()
            if workers > 1 and sent is None:
                return code.encode_blend(blends[owner], owner, told)
            mine = begin(owner) if workers == 1 else blends[owner].vector()
            message = code.encode(mine, owner, told)
            if sent is not None:
                left = mine - reread(message, code, sizes[owner], owner, told)
                said[owner][pieces[owner]] -= np.float32(workers) * left
            return message

        def decode(owner: int, reader: BitReader) -> None:
            if sizes[owner]:
                code.fill(reader, owner, told.public, mean[pieces[owner]])
            else:
                read_flag(reader)

        link.board(encode, decode)
        if sent is not None:
            for worker in sorted(said):
                sent(worker, said[worker])
        return mean

    def expected(self, d: int, workers: int, compressor: Compressor, length: Length) -> dict[Direction, float]:
        sizes = [part.stop - part.start for part in parts(d, workers)]
        first = sum(length(compressor, n) if n else 1 for n in sizes)
        second = sum(length(self.second or compressor, n) if n else 1 for n in sizes)
        return {"peer": (workers - 1) * first, "board": second}

    def loads(self, d: int, workers: int, compressor: Compressor, length: Length) -> list[Load]:
        sizes = [part.stop - part.start for part in parts(d, workers)]
        first = [length(compressor, n) if n else 1.0 for n in sizes]
        second = [length(self.second or compressor, n) if n else 1.0 for n in sizes]
        return [
            Load("peer", workers - 1, sum(first) - min(first)),
            Load("board", workers - 1, sum(second) - min(second)),
        ]

    def work(self, d: int, workers: int) -> tuple[float, float]:
        """A worker codes d coordinates in all, its own part in turn 2; it decodes W - 1 parts, and then all of them."""
        return d, (workers - 1) * d / workers + d
