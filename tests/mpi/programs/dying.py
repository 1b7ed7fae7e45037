"""One rank does something bad while the others wait for it: dying.py HOW RANK."""

import os
import signal
import sys
import time

from distest.errors import PartyError, UsageError
from distest.rank import guarded, leave, rank_started

PARTIES = 400
how, who = sys.argv[1], int(sys.argv[2])


def work() -> int:
    if how == "before MPI" and who == int(os.environ.get("PMIX_RANK") or os.environ["PMI_RANK"]):
        raise OSError("something is wrong before MPI is up")
    from distest.wire.mpi import Mpi

    transport = Mpi()
    rank_started(PARTIES)
    if transport.rank == 0:
        print("hello from rank 0", flush=True)
    transport.barrier()
    if how == "all are told off":
        raise UsageError("m is too small for this")
    if transport.rank == who:
        misbehave(transport.rank)
    transport.barrier()
    return int(how == "finds a fault" and transport.rank == 0)


def misbehave(rank: int) -> None:
    if how == "raises":
        raise ZeroDivisionError("division by zero")
    if how == "breaks the model":
        raise PartyError(f"round 3, servers 200-299 on rank {rank}: a server wrote nothing")
    if how == "is told off":
        raise UsageError("this file has no such column")
    if how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "leaves":
        os._exit(0)
    if how == "hangs":
        time.sleep(1000)


if __name__ == "__main__":
    leave(guarded(work))
