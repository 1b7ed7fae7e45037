"""Showing: a kept transcript, round by round, message by message, field by field.

Like an audit from bits, public coins and spec alone. No turn behind the last one that is asked for is read, and of that
one only the blocks that are shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from distest import audit, records, training
from distest.bits import BitReader
from distest.coins import NO_PRIVATE, Coins
from distest.errors import ModelError, UsageError
from distest.learning.protocol import Protocol
from distest.watch import Part, Watch
from distest.wire.board import Board, Chunk, Post
from distest.wire.transport import Solo
from distest.wire.turn import Turn, blocks_of
from distest.wire.watching import EnoughError, Seen, Watching

REFEREE = -1
_BITS = 64  # bits of a field that are shown
_READ_BY = {
    "referee": "referee",
    "board": "board",
    "servers": "all",
    "each": "each",
    "peers": "peer",
    "below": "peer",
    "neighbours": "its neighbours",
}


@dataclass(frozen=True, slots=True)
class Field:
    """Bits start..stop-1 of a turn, by name. bits: the first 64 digits; the others as in `watch.Part`."""

    name: str
    start: int
    stop: int
    bits: str
    values: tuple[Any, ...]
    count: int
    says: str
    side: int


@dataclass(frozen=True, slots=True)
class Message:
    """What one party wrote. party: REFEREE for the referee. to: who reads it, in words."""

    party: int
    to: str
    start: int
    stop: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: `messages` in all of `n_bits` together, and those that are shown."""

    turn: Turn
    messages: int
    n_bits: int
    shown: tuple[Message, ...]


Told = Callable[[Said], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown. turn, party: None for all of them; party REFEREE is the referee. limit: messages a turn, the
    first ones; 0 for all. turns: the first so many in which anybody who is wanted speaks; 0 for all."""

    turn: int | None = None
    party: int | None = None
    limit: int = 4
    turns: int = 0

    def of(self, party: int) -> bool:
        """Whether a party's messages are wanted."""
        return self.party in (None, party)

    def speaks(self, turn: Turn) -> bool:
        """Whether anybody who is wanted speaks in a turn."""
        if self.turn not in (None, turn.round):
            return False
        return self.party is None or (self.party == REFEREE if turn.from_referee else self.party in turn.speakers)

    def last(self, board: Board) -> int | None:
        """The last turn that is shown, None where there is none."""
        turns = (post.turn.round for post in board.posts if self.speaks(post.turn))
        return max(islice(turns, self.turns or None), default=None)


def transcripts(folder: Path) -> list[tuple[int, records.Record]]:
    """The records of a folder that keep their boards, by number, as `distest audit` counts them. Raises UsageError."""
    found = records.load(folder)
    kept = [(number, record) for number, record in enumerate(found, 1) if "board" in record]
    if not kept:
        raise UsageError(f"{folder} keeps no transcripts: run 'distest learn --out', or 'distest train --out --boards'")
    return kept


def show(folder: Path, record: records.Record, wanted: Wanted, told: Told) -> Board:
    """Tell the turns of a kept transcript that are wanted, in order; its board.

    Raises UsageError where nobody speaks as is wanted, WireError or ModelError for a board that is damaged or not that
    of the record.
    """
    board = Board.mapped(audit.board_path(folder, record))
    if wanted.party is not None and not REFEREE <= wanted.party < board.parties:
        raise UsageError(f"parties of this transcript are 0 to {board.parties - 1}, there is no {wanted.party}")
    if wanted.turn is not None and not 0 <= wanted.turn < len(board.posts):
        raise UsageError(f"turns of this transcript are 0 to {len(board.posts) - 1}, there is no {wanted.turn}")
    last = wanted.last(board)
    if last is None:
        who = "the referee" if wanted.party == REFEREE else f"party {wanted.party}"
        where = "this transcript" if wanted.turn is None else f"turn {wanted.turn}"
        raise UsageError(f"{who} does not speak in {where}")
    if record["kind"] == "train":
        _training(record, board, wanted, last, told)
    else:
        _learning(record, board, wanted, last, told)
    return board


def _learning(record: records.Record, board: Board, wanted: Wanted, last: int, told: Told) -> None:
    protocol, public = audit.protocol_of(record)
    if board.parties != protocol.task.m:
        raise ModelError(f"the board has {board.parties} parties, the protocol {protocol.task.m}")
    coins, state = Coins(public, NO_PRIVATE), protocol.start()
    for post in board.posts[: last + 1]:
        round = post.turn.round
        if (due := protocol.next_turn(round, state)) != post.turn:
            raise ModelError(f"the protocol's next turn is {due}, the board has {post.turn}")
        here = coins.fold("turn", round)
        heard = _Hearing(protocol, state, here, board.parties, post)
        if wanted.speaks(post.turn):
            everyone = len(post.turn.speakers)
            shown = _chosen(post.turn.speakers, wanted)
            told(Said(post.turn, everyone, _bits(post.chunks), tuple(heard.messages(shown))))
        if round < last:
            state = protocol.fold(state, heard.tally())


def _chosen(speakers: range, wanted: Wanted) -> range:
    """The speakers that are shown."""
    if wanted.party is not None:
        return range(wanted.party, wanted.party + 1)
    return speakers[: wanted.limit or None]


class _Hearing:
    """One turn of a protocol from its bits; a block is heard once, when it is asked for."""

    def __init__(self, protocol: Protocol[Any], state: Any, coins: Coins, parties: int, post: Post):
        self._protocol, self._state, self._coins, self._post = protocol, state, coins, post
        self._blocks = [block for _, block in blocks_of(post.turn.speakers, range(parties), parties)]
        self._tallies: dict[int, Any] = {}
        self._lengths: dict[int, Any] = {}

    def tally(self) -> Any:
        """What all blocks told."""
        for number in range(len(self._blocks)):
            self._hear(number)
        return sum(self._tallies.values())

    def messages(self, parties: range) -> Iterator[Message]:
        """The messages of some of the speakers."""
        before = 0
        for number, (block, chunk) in enumerate(zip(self._blocks, self._post.chunks, strict=True)):
            here = [party for party in parties if party in block]
            if here:
                self._hear(number)
                lengths = self._lengths[number]
                starts = np.cumsum(lengths) - lengths
                for party in here:
                    place = block.index(party)
                    at, stop = int(starts[place]), int(starts[place] + lengths[place])
                    watch = Watch(chunk.data, stop, at)
                    self._protocol.fields(party, watch, self._state, self._coins.public)
                    to = _READ_BY[self._post.turn.readers]
                    yield _message(party, to, at, stop, before, chunk, watch.parts)
            before += chunk.n_bits

    def _hear(self, number: int) -> None:
        if number in self._tallies:
            return
        block, chunk = self._blocks[number], self._post.chunks[number]
        reader = BitReader(chunk.data, chunk.n_bits)
        where = f"round {self._post.turn.round}, servers {block.start}-{block[-1]}"
        tally = self._protocol.hear(block, reader, self._state, self._coins.public)
        count, lengths = reader.booked()
        if reader.unread() or count != len(block):
            raise ModelError(f"{where}: {count} messages were read, {reader.unread()} bits are left")
        self._tallies[number], self._lengths[number] = tally, np.broadcast_to(np.asarray(lengths, np.int64), count)


def _training(record: records.Record, board: Board, wanted: Wanted, last: int, told: Told) -> None:
    def watched(turn: Turn, seen: list[Seen]) -> None:
        if wanted.speaks(turn):
            everything = list(_messages(turn, seen, board.parties, wanted))
            shown = [message for message in everything if message is not None]
            told(Said(turn, len(everything), _bits([one.chunk for one in seen]), tuple(shown)))

    channel = Watching(board, Solo(), "blackboard", watched, last)
    try:
        training.replay(record, board, Coins(audit.coins_of(record), NO_PRIVATE), channel)
    except EnoughError:
        return


def _messages(turn: Turn, seen: list[Seen], parties: int, wanted: Wanted) -> Iterator[Message | None]:
    """Each message of a turn in order, None in place of one that is not shown."""
    before = shown = 0
    pairs = turn.pairs()
    for number, here in enumerate(seen):
        at = 0
        for place, stop in enumerate(here.watch.ends):
            party = REFEREE if turn.from_referee else here.block[place]
            if wanted.of(party) and (not wanted.limit or shown < wanted.limit):
                shown += 1
                parts = [part for part in here.watch.parts if at <= part.start < stop]
                to = _reader(turn, pairs[number][1] if pairs else None, place, len(here.watch.ends))
                yield _message(party, to, at, stop, before, here.chunk, parts)
            else:
                yield None
            at = stop
        before += here.chunk.n_bits


def _reader(turn: Turn, owner: int | None, place: int, messages: int) -> str:
    """Who reads a message."""
    if turn.readers in ("peers", "below"):
        return f"worker {owner}"
    if turn.readers == "each" and (turn.speakers or messages > 1):
        return f"worker {turn.speakers.start if turn.speakers else place}"
    return "each worker" if turn.readers == "each" else _READ_BY[turn.readers]


def _message(party: int, to: str, at: int, stop: int, before: int, chunk: Chunk, parts: list[Part]) -> Message:
    """A message from bit `at` on of a block with `before` bits of the turn in front; gaps have a name of their own."""
    fields = []
    done = at
    for part in [*parts, Part("", stop, stop)]:
        if part.start > done:
            fields.append(_field(Part("without a name", done, part.start), before, chunk))
        if part.stop > part.start:
            fields.append(_field(part, before, chunk))
        done = part.stop
    if done != stop or any(left.stop != right.start for left, right in pairwise(fields)):
        raise ModelError(f"the fields of a message of {stop - at} bits end at its bit {done - at}")
    return Message(party, to, before + at, before + stop, tuple(fields))


def _field(part: Part, before: int, chunk: Chunk) -> Field:
    first, many = part.start, min(_BITS, part.stop - part.start)
    digits = np.unpackbits(chunk.data[first // 8 : (first + many + 7) // 8])[first % 8 :][:many]
    bits = "".join(map(str, digits.tolist()))
    return Field(
        part.name, before + part.start, before + part.stop, bits, part.values, part.count, part.says, part.side
    )


def _bits(chunks: Any) -> int:
    return sum(chunk.n_bits for chunk in chunks)
