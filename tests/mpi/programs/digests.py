"""Every protocol in every variant, on the ranks at hand: digest, estimate and ledger as one JSON object."""

import hashlib
import json

import numpy as np

from distest import coins
from distest.api import transport_at_hand
from distest.learning import sampling
from distest.learning.run import learn
from distest.learning.task import Task
from distest.rank import guarded, leave
from distest.warming import variants
from distest.wire.channel import Channel

# 1003 servers: 8 blocks, which neither 3 ranks nor 1003 divides evenly. 3 servers: with 4 ranks one hosts nobody.
TASKS = (Task(16, 1003), Task(16, 1003, 3), Task(4, 3))


def work() -> None:
    transport = transport_at_hand()
    key, data = coins.from_seed(11)
    found = {}
    for task in TASKS:
        law = np.arange(task.n, 0, -1) / (task.n * (task.n + 1) / 2)
        draw = sampling.independent(law, task.s, data).draw
        for spec, protocol in variants(task):
            for hearing in ("central", "spread"):
                channel = Channel(task.m, transport, protocol.model, hearing=hearing)
                outcome = learn(protocol, draw, channel, key)
                if outcome is not None and transport.rank == 0:
                    name = f"{task.m} {task.s} {' '.join(map(str, spec.values()))}, {hearing}"
                    found[name] = {
                        "digest": outcome.digest,
                        "estimate": hashlib.sha256(outcome.estimate.tobytes()).hexdigest(),
                        "rounds": outcome.ledger.by_round(),
                        "coin_bits": outcome.ledger.coin_bits,
                    }
    if transport.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    leave(guarded(work))
