"""Blend: a vector of one's own and what messages about the same coordinates say, added up where it is coded anew."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from distest.bits import BitReader
from distest.coins import PublicCoins
from distest.sgd.problem import Vector

if TYPE_CHECKING:
    from distest.sgd.compressor import Compressor


class Held(ABC):
    """A message that is read and booked, and decoded later: once, from the first coordinate to the last.

    grain: whoever takes a stretch of the coordinates takes a multiple of it, or all that are left.
    """

    grain: int

    @abstractmethod
    def add(self, scale: float, share: float, base: Vector, out: Vector) -> None:
        """out = float32(share) * base + float32(scale) * what is said of the next out.size coordinates.

        base may be out, with a share of 1.
        """


class Blend:
    """float32(share) times a base, and then as much of what each message says, in the order in which they are read.

    room: gives vectors of a size. Messages that can be held are decoded when the sum is asked for, which is once.
    """

    def __init__(self, base: Vector, share: float, room: Callable[[int], Vector]):
        self.base, self.share = base, share
        self.held: list[Held] = []
        self._room = room
        self._sum: Vector | None = None

    def read(self, code: "Compressor", reader: BitReader, worker: int, coins: PublicCoins) -> None:
        """One message; all are of one compressor."""
        held = code.hold(reader, self.base.size, worker, coins)
        if held is not None:
            self.held.append(held)
        elif self._sum is None:
            self._sum = self._room(self.base.size)
            code.blend(reader, worker, coins, self.share, self.base, self._sum)
        else:
            code.add(reader, self.base.size, worker, coins, self._sum, self.share)

    def vector(self) -> Vector:
        """The whole sum."""
        if self.held:
            self._sum = self._room(self.base.size)
            self._add(self.held, self.base, self._sum)
        assert self._sum is not None  # a message was read
        return self._sum

    def stretches(self, each: int) -> Iterator[tuple[float, Vector]]:
        """The sum without the last held message, as a share times a vector, in stretches of `each` coordinates.

        Each is good until the next is asked for, so that it stays in the cache; the last has what is left as well.
        """
        d = self.base.size
        if len(self.held) == 1:
            yield self.share, self.base
            return
        begins = range(0, max(1, d - each + 1), each)
        room = self._room(d - begins[-1])
        for begin in begins:
            base = self.base[begin : d if begin == begins[-1] else begin + each]
            out = room[: base.size]
            self._add(self.held[:-1], base, out)
            yield 1.0, out

    def _add(self, held: list[Held], base: Vector, out: Vector) -> None:
        held[0].add(self.share, self.share, base, out)
        for other in held[1:]:
            other.add(self.share, 1.0, out, out)
