"""Scatter-reduce: every worker averages its part of the coordinates and tells all the others."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from distest.bits import BitReader, Messages
from distest.coins import Coins
from distest.sgd.compressor import Compressor
from distest.sgd.exchange import Exchange, Own, Sent
from distest.sgd.link import Link
from distest.sgd.problem import Vector

_NONE = Messages(np.zeros(0, np.uint8), 0, 0, 0)


@dataclass(frozen=True)
class ScatterReduce(Exchange):
    """Turn 1: worker w sends part o of its vector to worker o, the owner of about d/W coordinates, for every o but w.
    Turn 2: each owner codes the mean of its part anew and all read it; it uses what they read, not what it knows.

    2 (W-1)/W times the length of a message leave each worker, whatever W; in the books turn 2 is on the board, where
    each part counts once. Every coordinate is rounded twice, so more workers do not help beyond the
    second rounding. second: the compressor of turn 2, by default that of turn 1.

    Source: Alistarh, Grubic, Li, Tomioka, Vojnovic, "QSGD" (2017); Markov, Ramezanikebrya, Alistarh, "CGX" (2022).
    """

    second: Compressor | None = None

    def mean(self, own: Own, d: int, compressor: Compressor, link: Link, coins: Coins, sent: Sent) -> Vector:
        workers = link.workers
        ends = [d * worker // workers for worker in range(workers + 1)]
        parts = [slice(a, b) for a, b in pairwise(ends)]
        here = [coins.fold("part", owner) for owner in range(workers)]
        rows: dict[int, dict[int, Vector]] = {}  # owner, worker: what the worker says of the owner's part

        def speak(worker: int) -> list[Messages]:
            x = own(worker)
            said = np.array(x)
            rows.setdefault(worker, {})[worker] = x[parts[worker]]
            messages = []
            for owner, part in enumerate(parts):
                if owner == worker or part.start == part.stop:
                    messages.append(_NONE if owner == worker else Messages.of_symbols(np.zeros(1, np.uint8), 1))
                    continue
                message = compressor.encode(x[part], worker, here[owner])
                reader = BitReader(message.data, message.n_bits)
                said[part] = compressor.decode(reader, part.stop - part.start, worker, here[owner].public)
                messages.append(message)
            sent(worker, said)
            return messages

        def hear(worker: int, owner: int, reader: BitReader) -> None:
            size = parts[owner].stop - parts[owner].start
            if size == 0:
                reader.fixed(1, 1)  # a part without coordinates: one bit, as silence is no message
                return
            rows.setdefault(owner, {})[worker] = compressor.decode(reader, size, worker, here[owner].public)

        if workers > 1:
            link.swap(speak, hear)
        else:
            speak(0)
        return self._told(rows, parts, self.second or compressor, link, coins.fold("means"), d)

    def _told(
        self,
        rows: dict[int, dict[int, Vector]],
        parts: list[slice],
        code: Compressor,
        link: Link,
        coins: Coins,
        d: int,
    ) -> Vector:
        """Turn 2: the parts of the mean, as everybody reads them."""
        mean = np.zeros(d, np.float32)

        def encode(owner: int) -> Messages:
            if parts[owner].start == parts[owner].stop:
                return Messages.of_symbols(np.zeros(1, np.uint8), 1)
            said = rows[owner]
            total = sum((said[worker].astype(np.float64) for worker in sorted(said)), np.float64(0))
            return code.encode(np.asarray(total / len(said), np.float32), owner, coins)

        def decode(owner: int, reader: BitReader) -> None:
            size = parts[owner].stop - parts[owner].start
            if size == 0:
                reader.fixed(1, 1)
                return
            mean[parts[owner]] = code.decode(reader, size, owner, coins.public)

        link.board(encode, decode)
        return mean
