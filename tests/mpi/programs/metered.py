"""One run whose ranks talk through the wire and nothing else, its ledger as JSON: metered.py PROTOCOL BITS."""

import json
import sys

import numpy as np

from distest import catalog, coins
from distest.learning import sampling
from distest.learning.run import learn
from distest.learning.task import Task
from distest.rank import guarded, leave
from distest.wire.channel import Channel
from distest.wire.mpi import Mpi

TASK = Task(16, 1003)


def work() -> None:
    transport = Mpi()
    key, data = coins.from_seed(11)
    protocol = catalog.build("protocol", {"name": sys.argv[1], "bits": int(sys.argv[2])}, task=TASK)
    draw = sampling.independent(np.full(TASK.n, 1 / TASK.n), 1, data).draw
    outcome = learn(protocol, draw, Channel(TASK.m, transport, protocol.model), key)
    if transport.rank == 0:
        assert outcome is not None
        print(json.dumps({**outcome.ledger.totals(), "turns": outcome.ledger.by_round()}))


if __name__ == "__main__":
    leave(guarded(work))
