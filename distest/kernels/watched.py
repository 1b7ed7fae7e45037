"""Loops of one-bit counts: server i reports a bit of its count of each of `bits` coordinates from i * bits on.

Reports are numbered through: report k = i * bits + r is about coordinate k mod `asked` and is the visit k // `asked`
of it. Visit v asks question order[v mod cycle], a row of the bit table.
"""

import numpy as np
from numpy.typing import NDArray

from distest.kernels._lazy import jitted, worth_compiling

Flags = NDArray[np.uint8]
Ints = NDArray[np.int64]


def encode(samples: NDArray[np.int32], block: range, asked: int, bits: int, order: Ints, table: Flags) -> Flags:
    """The reports of a block of servers, uint8 (len(block), bits) of 0 and 1.

    samples int32 (len(block), s), of which those in 0..asked-1 are counted; 1 <= bits <= asked. order int64
    (cycle,): the question of each visit. table uint8 (questions, s + 1): its answer to each count.
    """
    if worth_compiling(samples.size):
        out = np.empty((len(block), bits), np.uint8)
        first, stride = block.start * bits, block.step * bits
        jitted("watched").encode(
            np.ascontiguousarray(samples), first, stride, asked, order, table, np.zeros(bits, np.int64), out
        )
        return out
    coordinate, question = _reports(block, asked, bits, order)
    from_first = (samples - coordinate[:, :1]) % asked
    server, which = np.nonzero((samples < asked) & (from_first < bits))
    counts = np.bincount(server * bits + from_first[server, which], minlength=len(block) * bits)
    return table[question, counts.reshape(-1, bits)]


def count(flags: Flags, block: range, asked: int, order: Ints, questions: int) -> Ints:
    """How many reports said 1, by coordinate and question, int64 (asked, questions); the mirror of encode."""
    tally = np.zeros((asked, questions), np.int64)
    bits = flags.shape[1]
    if worth_compiling(flags.size):
        first, stride = block.start * bits, block.step * bits
        jitted("watched").count(np.ascontiguousarray(flags), first, stride, asked, order, tally)
        return tally
    coordinate, question = _reports(block, asked, bits, order)
    np.add.at(tally, (coordinate, question), flags)
    return tally


def _reports(block: range, asked: int, bits: int, order: Ints) -> tuple[Ints, Ints]:
    """Coordinate and question of every report of a block, int64 (len(block), bits) each."""
    servers = block.start + block.step * np.arange(len(block))[:, None]
    visit, coordinate = np.divmod(servers * bits + np.arange(bits), asked)
    return coordinate, order[visit % order.size]
