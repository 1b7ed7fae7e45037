"""Randomness as a function of (seed, path, round, party, index): addressed, never consumed.

One secret seed gives three keys by one-way hashing: the public coins everybody shares, the private coins of the
parties, and the samples. Knowing the public key says nothing of the other two, so a transcript can be audited by
somebody who holds the public key and no more. Encoders get `Coins`; decoders get `PublicCoins`, which has no private
side at all.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError, unknown
from distest.kernels import philox, splitmix

GENERATORS = ("splitmix", "philox")
KEY_BITS = 128
PARTY_LIMIT = 1 << 32


@dataclass(frozen=True, slots=True)
class Stream:
    """One family of words, addressed by a path, a party and an index.

    key: 32 hex digits. generator: "splitmix" (default) or "philox" (strict). path: the purposes folded in so far.
    """

    key: str
    generator: str = "splitmix"
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.generator not in GENERATORS:
            raise UsageError(unknown("generator", self.generator, GENERATORS))
        if not _is_key(self.key):
            raise UsageError(f"a key has {KEY_BITS // 4} lower-case hex digits, got {self.key!r}")

    def fold(self, *purpose: str | int) -> Self:
        """The same stream for another purpose: a turn, a stage, a repeat. One purpose, one path."""
        return type(self)(self.key, self.generator, (*self.path, *map(str, purpose)))

    def words(self, parties: range, count: int = 1) -> NDArray[np.uint64]:
        """`count` uniform 64-bit words for each party, uint64 (len(parties), count).

        Word (party, index) does not depend on which other parties are asked for. Raises UsageError for a party
        or an index of 2^32 or more.
        """
        if count > PARTY_LIMIT or (parties and not 0 <= parties[0] <= parties[-1] < PARTY_LIMIT):
            raise UsageError(f"parties and indices of coins are below 2^32, got {parties} and {count} words")
        first, second = self._keys()
        if self.generator == "philox":
            strict: NDArray[np.uint64] = philox.words((first, second), parties, count)
            return strict
        return splitmix.words(first, parties, count)

    def splitmix_key(self) -> int | None:
        """The key of `splitmix.words`, for kernels that make their words themselves; None for other generators."""
        return self._keys()[0] if self.generator == "splitmix" else None

    def _keys(self) -> tuple[int, int]:
        digest = hashlib.sha256("\x1f".join((self.key, *self.path)).encode()).digest()
        return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")

    def common(self, count: int) -> NDArray[np.uint64]:
        """`count` words that belong to nobody in particular, uint64 (count,)."""
        row: NDArray[np.uint64] = self.fold("common").words(range(1), count)[0]
        return row


@lru_cache(maxsize=64)
def _is_key(key: str) -> bool:
    """Kept, because streams are folded all the time, and under the same few keys."""
    return len(key) * 4 == KEY_BITS and set(key) <= set("0123456789abcdef")


class PublicCoins(Stream):
    """Words that everyone may read: servers, referee, auditor."""

    __slots__ = ()


class PrivateCoins(Stream):
    """Words that only the party itself may read; they exist on the speaking side alone."""

    __slots__ = ()


class DataCoins(Stream):
    """Words that draw the samples; no protocol ever sees them."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Coins:
    """What a speaker holds: the public coins and its own private ones."""

    public: PublicCoins
    private: PrivateCoins

    def fold(self, *purpose: str | int) -> "Coins":
        """Both sides for another purpose."""
        return Coins(self.public.fold(*purpose), self.private.fold(*purpose))


NO_PRIVATE = PrivateCoins("0" * (KEY_BITS // 4))
"""In the place of private coins where nobody speaks."""


def _derived(seed: int, purpose: str) -> str:
    return hashlib.sha256(f"distest {purpose} {seed}".encode()).hexdigest()[: KEY_BITS // 4]


def from_seed(seed: int, generator: str = "splitmix") -> tuple[Coins, DataCoins]:
    """The coins of a run and the coins that draw its samples."""
    public = PublicCoins(_derived(seed, "public"), generator)
    private = PrivateCoins(_derived(seed, "private"), generator)
    return Coins(public, private), DataCoins(_derived(seed, "data"), generator)


def below(words: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """Integers in range(n), one a word, for 1 <= n <= 2^32: the high part of a product with the upper 32 bits.

    Each value has probability within 2^-32 of 1 / n.
    """
    if not 1 <= n <= 1 << 32:
        raise UsageError(f"integers are drawn below n with 1 <= n <= 2^32, got n={n}")
    return ((words >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)
