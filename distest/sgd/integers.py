"""Integers as messages, and the exact sum of all workers' integers, which everybody reads.

A message is a width, in 7 bits, and integers in two's complement of this width, the least that holds them. Sums of
integers do not depend on their order, so whatever is decided from them is decided alike on every rank.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Messages, close, inside
from distest.errors import WireError
from distest.kernels import bitpack
from distest.sgd.exchange import flag, parts, read_flag
from distest.sgd.link import Link

Ints = NDArray[np.int64]
WIDTH_BITS = 7


def write(numbers: Ints) -> Messages:
    """One message of int64 numbers, any shape."""
    width = 0 if not numbers.any() else 1 + max(int(numbers.max()), ~int(numbers.min())).bit_length()
    code = np.concatenate(([width], numbers.ravel())).astype(np.int64).view(np.uint64)
    widths = np.full(code.size, width, np.uint8)
    widths[0] = WIDTH_BITS
    if width < 64:
        code[1:] &= np.uint64((1 << width) - 1)
    data, n_bits = bitpack.pack(code, widths)
    return Messages(data, n_bits, 1, n_bits)


def read(reader: BitReader, count: int, most: int) -> Ints:
    """What `write` wrote, int64 (count,). Raises WireError for a number beyond -most..most."""
    inner = inside(reader)
    width = int(inner.fixed(1, WIDTH_BITS)[0, 0])
    if width > 64:
        raise WireError(f"numbers of {width} bits are announced; 64 are the most")
    inner.aside("width of a number", [width])
    numbers = inner.fixed(count, width)[:, 0].view(np.int64)
    inner.note(f"numbers of {width} bits, two's complement")
    close(reader, inner)
    if width:
        numbers = numbers << (64 - width) >> (64 - width)
    if int(numbers.max(initial=0)) > most or int(numbers.min(initial=0)) < -most:
        raise WireError(f"a number is beyond {most}, which none of those who may be sent is")
    return numbers


def total(own: Callable[[int], Ints], count: int, most: int, link: Link, by_parts: bool) -> Ints:
    """The sum of the vectors of all workers, int64 (count,), which everybody reads.

    own(worker): of a worker that lives here, with numbers of -most..most; asked for once, while it speaks. by_parts:
    each worker adds its part up and tells all, so that twice (W-1)/W of a message leave a worker, those of turn 2 some
    bits wider, in W^2 messages with a width each; else each tells all in one message, which a ring passes on W-1 times.
    """
    return _by_parts(own, count, most, link) if by_parts else _on_the_board(own, count, most, link)


def _on_the_board(own: Callable[[int], Ints], count: int, most: int, link: Link) -> Ints:
    found = np.zeros(count, np.int64)

    def listen(worker: int, reader: BitReader) -> None:
        np.add(found, read(reader, count, most), out=found)

    link.board(lambda worker: write(own(worker)), listen)
    return found


def _by_parts(own: Callable[[int], Ints], count: int, most: int, link: Link) -> Ints:
    workers = link.workers
    pieces = parts(count, workers)
    sums = [np.zeros(part.stop - part.start, np.int64) for part in pieces]
    asked: dict[int, Ints] = {}
    found = np.zeros(count, np.int64)

    def begin(worker: int) -> Ints:
        if worker not in asked:
            asked[worker] = own(worker)
            sums[worker] += asked[worker][pieces[worker]]
        return asked[worker]

    def speak(worker: int, owner: int) -> Messages:
        part = begin(worker)[pieces[owner]]
        return write(part) if part.size else flag()

    def hear(worker: int, owner: int, reader: BitReader) -> None:
        if sums[owner].size:
            sums[owner] += read(reader, sums[owner].size, most)
        else:
            read_flag(reader)

    if workers > 1:
        link.swap(speak, hear)

    def tell(owner: int) -> Messages:
        begin(owner)
        return write(sums[owner]) if sums[owner].size else flag()

    def listen(owner: int, reader: BitReader) -> None:
        if sums[owner].size:
            found[pieces[owner]] = read(reader, sums[owner].size, workers * most)
        else:
            read_flag(reader)

    link.board(tell, listen)
    return found
