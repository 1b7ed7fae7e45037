"""Dense allreduce of MPI against every exchange, over MPI ranks in shared memory, one worker a rank.

    python scripts/bench/exchanges.py [ranks] [rounds] [d ...]      # 2 ranks, 9 rounds, d = 10^5, 10^6, 10^7

Times are medians of interleaved rounds, each the slowest rank's, in milliseconds; every exchange runs through the
channel, its bits are read, hashed (but where it says "no digest", with 4 bits) and booked, its mean is the same on
every rank. "dense" is MPI_Allreduce of float32 between two arrays that are there already. What each would take on a
network is modelled from the ledger: turn after turn, ALPHA_S a message that leaves a link, and the bits of the busiest
link over its rate. Dense is modelled as a ring.
"""

import sys
from itertools import groupby

import numpy as np

from distest.coins import from_seed
from distest.launch import guarded, in_mpi, leave, start
from distest.sgd.compressor import Compressor
from distest.sgd.compressors.identity import Identity
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.compressors.top_k import TopK
from distest.sgd.exchange import Exchange
from distest.sgd.exchanges.all_gather import AllGather
from distest.sgd.exchanges.common_scale import CommonScale
from distest.sgd.exchanges.parameter_server import ParameterServer
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.exchanges.tree import Tree
from distest.sgd.link import Link
from distest.timing import slowest
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger
from distest.wire.transport import Transport

ALPHA_S = 50e-6
RATES = {"0.1": 1e8, "1": 1e9, "10": 1e10}
LIMIT_S = 500.0
FOUR = Qsgd(bits=4, norm="max", bucket=512)
WAYS: dict[str, tuple[Exchange, Compressor]] = {
    "scatter_reduce, 4 bits": (ScatterReduce(), FOUR),
    "all_gather, 4 bits": (AllGather(), FOUR),
    "common_scale, 4 bits": (CommonScale(4), Identity()),
    "parameter_server, 4 bits": (ParameterServer(), FOUR),
    "scatter_reduce, no digest": (ScatterReduce(), FOUR),
    "scatter_reduce, float32": (ScatterReduce(), Identity()),
    "all_gather, top 1 %": (AllGather(), TopK(density=0.01)),
    "tree, top 1 %": (Tree(), TopK(density=0.01)),
}


def modelled(ledger: Ledger, workers: int, rate: float) -> float:
    """Seconds of all turns, one after the other."""
    seconds = 0.0
    for _, turn in groupby(ledger.entries, key=lambda entry: entry.round):
        entries = list(turn)
        everybody = sum(entry.messages for entry in entries) == workers
        many = entries[0].direction in ("board", "down_unicast") or (entries[0].direction == "peer" and everybody)
        messages = workers - 1 if many else 1
        seconds += ALPHA_S * messages + int(Ledger(entries=entries).by_link(workers).max()) / rate
    return seconds


def dense(d: int, workers: int, rate: float) -> float:
    """Seconds of a ring of reduce-scatter and all-gather."""
    return 2 * (workers - 1) * (ALPHA_S + 32 * d / workers / rate)


def measured(transport: Transport, d: int, rounds: int) -> tuple[dict[str, float], dict[str, Ledger]]:
    """Median seconds of each way, and the books of one mean."""
    coins, _ = from_seed(0)
    x = np.random.default_rng(transport.rank).standard_normal(d).astype(np.float32)
    out = np.empty_like(x)
    links = {
        name: Link(Channel(transport.size, transport, "blackboard", digest="no digest" not in name)) for name in WAYS
    }
    seconds: dict[str, list[float]] = {"dense": [], **{name: [] for name in WAYS}}
    ledgers: dict[str, Ledger] = {}
    for step in range(-2, rounds):  # two rounds that are not timed
        here = coins.fold("step", step + 2)
        for name, taken in seconds.items():
            if name == "dense":
                found = slowest(transport, lambda: transport.total_floats(x, out))
            else:
                way, code = WAYS[name]
                link = links[name]
                found = slowest(
                    transport,
                    lambda way=way, code=code, link=link, here=here: way.mean(lambda w: x, d, code, link, here, None),  # type: ignore[misc]
                )
                ledgers.setdefault(name, Ledger(entries=list(link.channel.ledger.entries)))
            if step >= 0:
                taken.append(found)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}, ledgers


def work() -> None:
    """A rank: measure; the first one prints."""
    from distest.wire.mpi import Mpi

    transport = Mpi()
    rounds, sizes = int(sys.argv[2]), [int(float(size)) for size in sys.argv[3:]]
    for d in sizes:
        taken, ledgers = measured(transport, d, rounds)
        if transport.rank:
            continue
        print(f"d = {d:,}, {transport.size} ranks and workers, {rounds} rounds; {transport.library()}")
        head = "".join(f"{rate + ' Gbit/s':>12}" for rate in RATES)
        print(f"{'':26}{'ms':>9}{'x dense':>9}{'bits/link/d':>13}   modelled, ms:{head}")
        for name, seconds in taken.items():
            if name == "dense":
                links = 2 * (transport.size - 1) / transport.size * 32
                model = [dense(d, transport.size, rate) for rate in RATES.values()]
            else:
                links = float(ledgers[name].by_link(transport.size).max()) / d
                model = [modelled(ledgers[name], transport.size, rate) for rate in RATES.values()]
            shown = "".join(f"{1e3 * value:12.2f}" for value in model)
            print(
                f"{name:26}{1e3 * seconds:9.2f}{taken['dense'] / seconds:9.2f}{links:13.3f}{'':17}{shown}", flush=True
            )


def main() -> int:
    """Start the ranks."""
    ranks, rounds, *sizes = [*sys.argv[1:], *["2", "9"][len(sys.argv) - 1 :]]
    return start([__file__, ranks, rounds, *(sizes or ["1e5", "1e6", "1e7"])], int(ranks), LIMIT_S)


if __name__ == "__main__":
    if in_mpi():
        leave(guarded(work))
    sys.exit(main())
