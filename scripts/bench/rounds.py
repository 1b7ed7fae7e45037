"""What a round costs beside its work: LAQ's against its gradients, the two-phase allreduce against the dense one.

    python scripts/bench/rounds.py [rounds] [d ...]      # 40 rounds each, d = 10^6, 10^7

Both sides of a ratio are run in turns, so that others on the machine disturb both; least and median of the rounds.
LAQ: softmax regression on the first 4,000 of the shipped pictures, d = 1,970, ten workers in one process, 4 bits,
seconds of the core, of one thread; gradients alone are of the same workers at a fixed x. Two-phase: `scatter_reduce`
with 4 bits over two MPI ranks, one worker a rank, the slowest rank's time.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from distest import catalog
from distest.coins import from_seed
from distest.launch import guarded, in_mpi, leave, one_thread, start
from distest.sgd.compressors.qsgd import Qsgd
from distest.sgd.exchanges.scatter_reduce import ScatterReduce
from distest.sgd.link import Link
from distest.sgd.methods.laq import Laq
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem
from distest.sgd.rule import Rule
from distest.sgd.shards import Shards
from distest.sgd.state import State
from distest.timing import slowest
from distest.wire.channel import Channel
from distest.wire.transport import Solo

WORKERS, ROWS, EARLY, TOGETHER = 10, 4000, 20, 10
LIMIT_S = 500.0


def tell(name: str, whole: list[float], part: list[float], what: str) -> None:
    """A line: least and median of the rounds, and how they compare."""
    least, middle = min(whole) / min(part), float(np.median(whole) / np.median(part))
    shown = "".join(f"{1e3 * value:10.3f}" for value in (min(whole), np.median(whole), min(part), np.median(part)))
    print(f"{name:32}{shown}{least:9.2f}{middle:9.2f}   {what}", flush=True)


def lazy(rounds: int) -> None:
    """LAQ's rounds and its gradients, some of each in turns."""
    problem: Problem = catalog.build("problem", {"name": "softmax", "l2": 0.01})
    coins, stream = from_seed(0)
    oracle = Oracle(problem, Shards(np.arange(ROWS), WORKERS), None, stream, "laq")
    method, link, state = (
        Laq(follow="sum", guard="off"),
        Link(Channel(WORKERS, Solo(), "blackboard")),
        State(problem.start(coins.public)),
    )
    rule = Rule(rate=0.01)

    def turn() -> None:
        method.round(state, rule, oracle, link, coins)

    def alone() -> None:
        for worker in range(WORKERS):
            oracle.gradient(worker, x, 0)

    x = state.x
    _timed(turn, EARLY)
    taken = [(_timed(turn, TOGETHER), _timed(alone, TOGETHER)) for _ in range(rounds)]
    tell("LAQ, its gradients", [a for a, _ in taken], [b for _, b in taken], "at most 1.5")


def _timed(call: Callable[[], None], times: int) -> float:
    """Seconds of the core a call."""
    begun = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begun) / times


def two_phases() -> None:
    """A rank: the two-phase allreduce and the dense one, in turns; the first one prints."""
    from distest.wire.mpi import Mpi

    transport = Mpi()
    coins, _ = from_seed(0)
    way, code = ScatterReduce(), Qsgd(bits=4, norm="max", bucket=512)
    for d in [int(float(size)) for size in sys.argv[2:]]:
        x = np.random.default_rng(transport.rank).standard_normal(d).astype(np.float32)
        link, out = Link(Channel(transport.size, transport, "blackboard")), np.empty_like(x)
        taken = []
        for step in range(int(sys.argv[1]) + 2):
            here = coins.fold("step", step)
            dense = slowest(transport, lambda: transport.total_floats(x, out))  # noqa: B023
            taken.append((dense, slowest(transport, lambda: way.mean(lambda w: x, d, code, link, here, None))))  # noqa: B023
        if transport.hosts_referee:
            tell(
                f"dense, two phases, d = {d:.0e}", [a for a, _ in taken[2:]], [b for _, b in taken[2:]], "times as fast"
            )


def main() -> int:
    """Print all of it; exit code of the ranks."""
    one_thread()
    rounds, *sizes = [*sys.argv[1:], "40"][: max(1, len(sys.argv) - 1)]
    print(f"{'':32}{'ms: least':>10}{'median':>10}{'least':>10}{'median':>10}{'ratio':>9}{'median':>9}")
    lazy(int(rounds))
    return start([__file__, rounds, *(sizes or ["1e6", "1e7"])], 2, LIMIT_S)


if __name__ == "__main__":
    if in_mpi():
        leave(guarded(two_phases))
    sys.exit(main())
