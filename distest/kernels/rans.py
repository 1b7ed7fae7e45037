"""Loops of range asymmetric numeral systems (rANS): symbols 0..255 at their entropy under tables of 12-bit frequencies.

A stream of n symbols is shared by `lanes(n)` interleaved coders: symbol i belongs to coder i mod lanes. A coder is a
32-bit number x that starts at 2^16. To write a symbol of frequency f and first slot c out of 4096, the low 16 bits of x
move into the stream if x >= f 2^20, and x becomes 4096 (x div f) + c + (x mod f). The reader goes the other way, so
symbols are written last to first; the stream is the final numbers, 32 bits each, then 16-bit words in the order of
reading. A reader that ends has every x at 2^16 again; else the bits were no stream. Integers throughout.

Each symbol may have its own table: contexts[i] says which. How many symbols there are, the reader knows.

Source: Duda, "Asymmetric numeral systems" (2013); Giesen, "Interleaved entropy coders" (2014).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distest.kernels import bitpack
from distest.kernels._lazy import jitted, worth_compiling
from distest.kernels.prefix import ENDED, INVALID

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

PRECISION = 12
SLOTS = 1 << PRECISION
START = 1 << 16
LANES = 32  # of the longest streams, which machines with wide vectors read eight coders at a time
LONG, LONGEST = 1 << 12, 1 << 21  # streams of so many symbols are worth 8 and 32 coders: some 20 bits each
ALPHABET = 256
PYTHON = 16  # a symbol in the Python loop costs about as much as this many in a numpy pass


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Tables of the symbols, one a context, made by `model`.

    pushes: uint64 (256 * 2^shift, 2), for symbol x of a context in row 2^shift x + context, so that what is used lies
    together: floor(2^44 / f) + 1, by which the writer divides exactly, and 65536 c + f for the frequency f and the
    first slot c. slots: uint32 (contexts * 4096,): 8 bits symbol, then 12 bits f - 1, then 12 bits place within the
    symbol's slots.
    """

    contexts: int
    pushes: NDArray[np.uint64]
    slots: NDArray[np.uint32]

    @property
    def shift(self) -> int:
        """Bits of a context."""
        return (self.contexts - 1).bit_length()


def counts(symbols: Bytes) -> Ints:
    """How often each of 0..255 occurs, int64 (256,)."""
    if not worth_compiling(symbols.size):
        return np.bincount(symbols, minlength=ALPHABET)
    tables = np.zeros((8, ALPHABET), np.int64)
    jitted("rans").counts(symbols, tables)
    found: Ints = tables.sum(axis=0)
    return found


def frequencies(counts: Ints) -> Ints:
    """Frequencies int64 (n,) that sum to 4096 for counts int64 (n,) of at least 0 that sum below 2^50.

    Symbols that occur get 1 or more, others 0. From the rounded-down shares, the slots left go one by one to the symbol
    with the largest counts / (2 f + 1), or come from the one with the least counts / (2 f - 1): nearly the shortest
    stream, and the same on every machine, as IEEE division is. Raises ValueError for counts that are all 0.
    """
    total = int(counts.sum())
    if total < 1:
        raise ValueError("frequencies need at least one symbol that occurs")
    out = np.maximum(counts * SLOTS // total, counts > 0)
    for _ in range(SLOTS - int(out.sum())):
        out[np.argmax(counts / (2 * out + 1))] += 1
    for _ in range(int(out.sum()) - SLOTS):
        out[np.argmin(np.where(out > 1, counts / np.maximum(2 * out - 1, 1), np.inf))] -= 1
    return out


def model(tables: Ints) -> Model:
    """Tables for frequencies int64 (contexts, n), n <= 256, each row of sum 4096."""
    contexts, n = tables.shape
    frequency, start = np.zeros((2, contexts, ALPHABET), np.uint64)
    frequency[:, :n] = tables
    start[:, 1:] = np.cumsum(frequency, axis=1)[:, :-1]
    owner = np.repeat(np.arange(contexts * ALPHABET), frequency.ravel().astype(np.int64))
    inside = np.tile(np.arange(SLOTS, dtype=np.uint64), contexts) - start.ravel()[owner]
    entries = (inside << np.uint64(20)) | ((frequency.ravel()[owner] - np.uint64(1)) << np.uint64(8))
    slots = (entries | (owner % ALPHABET).astype(np.uint64)).astype(np.uint32)
    inverse = np.uint64(1 << 44) // np.maximum(frequency, np.uint64(1)) + np.uint64(1)
    pushes = np.zeros((ALPHABET, 1 << (contexts - 1).bit_length(), 2), np.uint64)
    pushes[:, :contexts] = np.stack((inverse.T, (start << np.uint64(16) | frequency).T), axis=-1)
    return Model(contexts, pushes.reshape(-1, 2), slots)


def lanes(n: int) -> int:
    """How many coders share a stream of n symbols."""
    return LANES if n >= LONGEST else 8 if n >= LONG else min(n, 1)


def write(symbols: Bytes, tables: Model, contexts: Bytes | None = None) -> tuple[Bytes, int]:
    """The stream of symbols uint8 (n,), from bit 0 on with bitpack.SPARE bytes behind, and its number of bits.

    contexts: uint8 (n,), or None for table 0. Every symbol has a frequency of at least 1 in its table.
    """
    which = _checked(symbols, tables, contexts)
    states = np.full(lanes(symbols.size), START, np.uint32)
    whole = symbols.size - symbols.size % LANES if _has_vectors(states, symbols) else 0
    sent = _written(symbols[whole:], which[whole:], tables, states)  # the last symbols first
    n_bits = 32 * states.size + 16 * sent.size
    if whole:
        words = np.empty(whole + LANES, np.uint16)
        vectors = jitted("rans_vectors").encode
        used = int(vectors(symbols[:whole], which[:whole], tables.shift, tables.pushes.ravel(), states, words))
        n_bits += 16 * used
    out = bitpack.room(n_bits)
    out[: 4 * states.size] = states.astype(">u4").view(np.uint8)
    body = out[4 * states.size : n_bits // 8].view(">u2")
    if whole:
        body[:used] = words[:used][::-1]
    body[body.size - sent.size :] = sent
    return out, n_bits


def _written(symbols: Bytes, which: Bytes, tables: Model, states: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """The words of symbols, in the order of reading; states: the numbers before and behind."""
    words = np.empty(symbols.size + 1, np.uint16)
    if worth_compiling(PYTHON * symbols.size):
        return words[int(jitted("rans").encode(symbols, which, tables.shift, tables.pushes.ravel(), states, words)) :]
    return words[_encode(symbols, which, tables, states, words) :]


def read(
    data: Bytes, at: int, limit: int, n: int, tables: Model, contexts: Bytes | None = None
) -> tuple[Bytes, int, int]:
    """n symbols from bit `at` on, uint8 (n,); the bit behind the stream; and 0, prefix.ENDED or prefix.INVALID.

    Bits from `limit` on are not seen; data has bitpack.SPARE bytes behind.
    """
    many = lanes(n)
    first = at + 32 * many
    if first > limit:  # before memory is asked for
        return np.empty(0, np.uint8), at, ENDED
    out = np.empty(n, np.uint8)
    which = _checked(out, tables, contexts)
    states = bitpack.unpack(data, at, 32, many).astype(np.uint32)
    if bool((states < START).any()):
        return out, at, INVALID
    count = min((limit - first) // 16, n)
    stream = bitpack.cut(data, first, 16 * count)
    done, used = 0, 0
    if _has_vectors(states, out):
        vectors, whole = jitted("rans_vectors").decode, out[: n - n % LANES]  # as far as 32 words are there
        done, used = map(int, vectors(stream, count, which, tables.slots, states, whole))
    left = min(count - used, n - done)
    words = np.zeros(left + many, np.uint16)
    words[:left] = stream[2 * used : 2 * (used + left)].view(">u2")
    if worth_compiling(PYTHON * (n - done)):
        used += int(jitted("rans").decode(words, left, which[done:], tables.slots, states, out[done:]))
    else:
        used += _decode(words, left, which[done:], tables, states, out[done:])
    if used > count:
        return out, at, ENDED
    return out, first + 16 * used, INVALID if bool((states != START).any()) else 0


def _has_vectors(states: NDArray[np.uint32], symbols: Bytes) -> bool:
    """Whether the stream has the coders and this machine the vectors for the fastest road."""
    return states.size == LANES and worth_compiling(symbols.size) and bool(jitted("rans_vectors").HERE)


def _checked(symbols: Bytes, tables: Model, contexts: Bytes | None) -> Bytes:
    """The contexts, or an empty array where there is one table."""
    if contexts is None:
        return np.empty(0, np.uint8)
    if contexts.shape != symbols.shape or (contexts.size and int(contexts.max()) >= tables.contexts):
        raise ValueError(f"one context below {tables.contexts} a symbol")
    return contexts


def _encode(symbols: Bytes, which: Bytes, tables: Model, states: NDArray[np.uint32], words: NDArray[np.uint16]) -> int:
    place = (symbols.astype(np.int64) << tables.shift) + (which if which.size else 0)
    pairs = tables.pushes[place, 1]
    frequency, start = (pairs & np.uint64(0xFFFF)).tolist(), (pairs >> np.uint64(16)).tolist()
    x, p = states.tolist(), words.size
    for i in range(symbols.size - 1, -1, -1):
        k, f = i % len(x), frequency[i]
        if x[k] >> 20 >= f:
            p -= 1
            words[p] = x[k] & 0xFFFF
            x[k] >>= 16
        x[k] = (x[k] // f << PRECISION) + start[i] + x[k] % f
    states[:] = x
    return p


def _decode(
    words: NDArray[np.uint16], count: int, which: Bytes, tables: Model, states: NDArray[np.uint32], out: Bytes
) -> int:
    base = which.tolist() if which.size else [0] * out.size
    sent, x, p = words.tolist(), states.tolist(), 0
    for i in range(out.size):
        k = i % len(x)
        entry = int(tables.slots[(base[i] << PRECISION) + (x[k] & (SLOTS - 1))])
        out[i] = entry & 255
        x[k] = ((entry >> 8 & 4095) + 1) * (x[k] >> PRECISION) + (entry >> 20)
        if x[k] < START:
            x[k] = x[k] << 16 | sent[p]
            p += 1
            if p > count:
                return p
    states[:] = x
    return p
