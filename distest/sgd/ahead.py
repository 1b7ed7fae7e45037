"""Ahead: messages of several workers that live here, made together when the first of them speaks."""

from collections.abc import Callable

from distest.bits import Messages
from distest.errors import DistestError

Said = Messages | None

TOGETHER = 1 << 16  # coordinates: what is made of so many gradients stays in the cache


def ahead(made: Callable[[range], list[Said]], hosted: range, d: int) -> Callable[[int], Said]:
    """What each worker says, for `Link.up` or `Link.lazily`: made(workers) gives that of neighbours among the `hosted`.

    So many at a time that their vectors of d coordinates, of d = 2,000 a few dozen, fit in the cache together. What is
    done once for all of them is sooner done than once for each, and gradients are made one right after the other.
    """
    messages: dict[int, Said] = {}

    def encode(worker: int) -> Said:
        if worker not in messages:
            some = range(worker, min(worker + max(1, TOGETHER // d), hosted.stop))
            try:
                messages.update(zip(some, made(some), strict=True))
            except DistestError:  # whoever fails says so when it is its turn
                messages[worker] = made(some[:1])[0]
        return messages.pop(worker)

    return encode
