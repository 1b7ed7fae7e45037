"""Compressor: a gradient as one message, and back."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins
from distest.sgd.blend import Blend, Held
from distest.sgd.news import News, squares
from distest.sgd.problem import Vector

CoinUse = Literal["none", "public"]
Matrix = NDArray[np.float32]


class Compressor(ABC):
    """A code for vectors of d float32 coordinates; implementations are frozen dataclasses of plain values.

    The reader knows d, the public coins and the compressor; all else is in the bits, norms and indices included. A
    vector has finite coordinates: who calls `encode` has checked that.

    Laws: decode(encode(x)) has d finite coordinates and reads the whole message; the same on every rank; an unbiased
    compressor is right on average over its coins; |decode(encode(x)) - x|^2 is on average at most distortion(d) |x|^2;
    any bits give a vector or a WireError.

    coin_use: whether a reader needs public coins.
    """

    unbiased: ClassVar[bool] = False
    coin_use: ClassVar[CoinUse] = "none"

    def check(self, d: int) -> None:
        """Raise UsageError where vectors of d coordinates cannot be coded."""
        return

    @abstractmethod
    def encode(self, x: Vector, worker: int, coins: Coins) -> Messages:
        """One message. worker: whose words of the private and public coins are used."""

    @abstractmethod
    def decode(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Vector:
        """Read one message of a worker, float32 (d,), and book its bits. Raises WireError."""

    def encode_blend(self, blend: Blend, worker: int, coins: Coins) -> Messages:
        """As `encode` of the sum, to the same bits, perhaps sooner; the sum is asked for nowhere else."""
        return self.encode(blend.vector(), worker, coins)

    def news(self, new: Sequence[Vector], memory: Matrix, workers: range, coins: Coins) -> News:
        """What the messages of new[i] - memory[i] will say to readers with these memories: for who may yet be silent.

        new: of each worker, n in all. memory: (n, d).
        """
        said = [self.encode(x - known, w, coins) for x, known, w in zip(new, memory, workers, strict=True)]
        read = [
            self.decode(BitReader(message.data, message.n_bits), x.size, w, coins.public)
            for message, x, w in zip(said, new, workers, strict=True)
        ]
        after = [known + told for known, told in zip(memory, read, strict=True)]
        lost = squares([x - vector for x, vector in zip(new, after, strict=True)])
        return News(squares(read), lost, after.__getitem__, said.__getitem__)

    def fill(self, reader: BitReader, worker: int, coins: PublicCoins, out: Vector) -> None:
        """Read one message as `decode` does; out = what it says about so many coordinates, perhaps sooner."""
        out[...] = self.decode(reader, out.size, worker, coins)

    def add(self, reader: BitReader, d: int, worker: int, coins: PublicCoins, out: Vector, scale: float = 1.0) -> None:
        """Read one message as `decode` does; out += float32(scale) * what it says, to the same bits, perhaps sooner."""
        out += np.float32(scale) * self.decode(reader, d, worker, coins)

    def blend(
        self, reader: BitReader, worker: int, coins: PublicCoins, share: float, base: Vector, out: Vector
    ) -> None:
        """out = float32(share) * base, and then as `add` with this scale, to the same bits, perhaps sooner.

        out and base are two arrays.
        """
        np.multiply(base, np.float32(share), out=out)
        self.add(reader, out.size, worker, coins, out, share)

    def hold(self, reader: BitReader, d: int, worker: int, coins: PublicCoins) -> Held | None:
        """Read one message as `decode` does, but decode it later; None where it has to be decoded to be read."""
        return None

    def distortion(self, d: int) -> float:
        """A bound on E |decode(encode(x)) - x|^2 / |x|^2 for every x of d coordinates; inf where none is known."""
        return math.inf

    def least_distortion(self, d: int) -> float:
        """What E |decode(encode(x)) - x|^2 / |x|^2 is at least for every x but 0, of all or some of the coordinates."""
        return 0.0

    def paper_bits(self, x: Vector) -> float | None:
        """Bits of the message of x by the rule of the source; None where it has none, or counts what is sent here."""
        return None
