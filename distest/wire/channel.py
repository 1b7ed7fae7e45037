"""Channel: the one place where messages are sent, read and booked."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distest.bits import BitReader, Lengths, Messages, Words
from distest.errors import DistestError, ModelError, PartyError
from distest.wire.board import Board, Chunk, Post, block_digest, transcript_digest, turn_digest
from distest.wire.heard import ROW_BITS, Heard, Row, as_rows, by_owner, packed, unpacked
from distest.wire.ledger import Ledger
from distest.wire.routes import routes
from distest.wire.rules import Rules
from distest.wire.transport import HEADER_BYTES, Transport
from distest.wire.turn import Turn, blocks_of, hosted

Model = Literal["referee", "one-way", "blackboard"]
Hearing = Literal["central", "spread"]
Tally: TypeAlias = NDArray[np.int64]
Speak = Callable[[range], Words | Messages]
Hear = Callable[[range, BitReader], Tally]
_NOTHING = Chunk(np.zeros(0, np.uint8), 0)
_UNTOLD = bytes(32)  # in the place of a digest that nobody asked for
_SHARED_BITS = 1 << 20  # blocks on the board from this size on are hashed by one rank each


class Channel:
    """Parties 0..m-1 and a referee, spread over the ranks of a transport, under the rules of a model.

    parties: m. model: "referee" (one simultaneous turn that the referee alone reads), "one-way" (everyone speaks
    at most once, in party order, and reads what was said before) or "blackboard" (anything goes). keep_board: keep
    every bit for an audit. hearing: "central" moves every referee message to rank 0, which decodes it; "spread"
    lets each rank play the referee for the servers it hosts and adds up the tallies: same digest, same ledger, no
    message crosses ranks. digest: whether what is said is hashed, which takes as long as to code it; a kept board is
    held against its digest, so it takes one.
    """

    def __init__(
        self,
        parties: int,
        transport: Transport,
        model: Model,
        keep_board: bool = False,
        hearing: Hearing = "central",
        digest: bool = True,
    ):
        if keep_board and not digest:
            raise ModelError("a board is held against its digest; keep no board, or digest=true")
        self.parties, self.model, self.hearing = parties, model, hearing
        self.hosted = hosted(parties, transport.rank, transport.size)
        self.hosts_referee = transport.hosts_referee
        self.ledger = Ledger()
        self.board = Board(parties) if keep_board else None
        self._transport = transport
        self._wire_before = transport.wire_bytes
        self._turns: list[bytes] = []
        self._digests = digest
        self._reads: Callable[[NDArray[np.uint8], int], BitReader] = BitReader  # what blocks are heard by
        self._rules = Rules(model, parties)

    def exchange(self, turn: Turn, speak: Speak, hear: Hear) -> Tally | None:
        """Run one turn: speakers write block by block, whoever may read hears, all is booked.

        speak(block) gives one message a party of a block hosted here; hear(block, reader) gives the block's tally.
        Returns the sum of all tallies where the turn may be read: everywhere for a board turn, on the referee's
        rank for a referee turn, None elsewhere. Raises ModelError where the protocol breaks the model.
        """
        self._admit(turn)
        spread = self._spread(turn)
        tally: Tally | None = None
        heard: list[Heard] = []
        for number, block, chunk in self._chunks(turn, speak, spread):
            part, entry = self._hear(turn, number, block, chunk, hear)
            tally = part if tally is None else tally + part if part.size else tally
            heard.append(entry)
        if spread:
            heard = self._collect(turn, heard)
            tally = self._transport.total(np.zeros(0, np.int64) if tally is None else tally)
        if not (self.hosts_referee or turn.readers == "board"):
            return None
        heard.sort(key=lambda entry: entry.number)
        heard = self._hashed(turn, heard)
        for entry in heard:
            self.ledger.book(turn, entry.parties, entry.lengths, entry.n_bits, entry.n_bits_max, entry.side)
        self._close(turn, [entry.digest for entry in heard], tuple(e.chunk for e in heard if e.chunk is not None))
        return tally

    def announce(
        self,
        turn: Turn,
        speak: Callable[[], Words | Messages],
        hear: Callable[[BitReader], None],
        differ: bool = False,
    ) -> None:
        """Run a turn of the referee: it writes one message, every server reads it, the ledger books it.

        speak() is called on the referee's rank; hear(reader) on every rank that hosts servers or the referee. A
        message to "each" is booked once for every server, one to "servers" once. differ: there is one message for each
        server, in party order, and each is booked with the server it is for. Raises as `exchange` does.
        """
        self._admit(turn)
        messages = range(self.parties if differ else 1)
        self._book_one(turn, self._announced(turn, speak, messages), hear, messages)

    def compose(self, turn: Turn, speak: Callable[[], Words | Messages]) -> Chunk:
        """The message of a turn to or from one party, on the rank of who writes it: for a mailbox, which moves it."""
        return self._say(turn, turn.speakers, lambda block: speak())

    def deliver(self, turn: Turn, chunk: Chunk, hear: Callable[[BitReader], None]) -> None:
        """Hear and book a message to or from one party that a mailbox has moved, on the referee's rank."""
        self._admit(turn)
        self._book_one(turn, chunk, hear)

    def swap(
        self, turn: Turn, speak: Callable[[int, int], Messages], hear: Callable[[int, int, BitReader], None]
    ) -> None:
        """Run a turn of messages from party to party: those of `turn.pairs`.

        speak(party, owner) gives the message of a party that lives here, whose owners come in rising order;
        hear(party, owner, reader) reads the message of a party to an owner that lives here, after those of lower
        parties. All that a party writes is booked as one message of its. In a turn to neighbours the owner is the party
        itself: it writes one message, which is heard once on every rank where it or a reader of its lives, and booked
        once for each of its edges, so that one without readers costs nothing.
        """
        self._admit(turn)
        rows: list[Row] = []
        told: list[Chunk] = []
        for party, owner, chunk in self._swapped(turn, speak):
            _, entry = self._hear(turn, 0, range(party, party + 1), chunk, _untold(partial(hear, party, owner)))
            if owner in self.hosted:
                rows.append(Row(party, owner, entry.n_bits, entry.side, entry.digest))
                told.append(chunk)
        self._book_peers(turn, rows, told)

    @property
    def turns(self) -> int:
        """Turns so far, as this rank has seen them."""
        return len(self._turns)

    @property
    def transport(self) -> Transport:
        """What moves the bytes: for a mailbox."""
        return self._transport

    def unbooked_total(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """out = the sum of float32 arrays of all ranks by the transport itself, which is no turn and in no book.

        Raises ModelError where the board is kept, which it could not be read from.
        """
        if self.board is not None:
            raise ModelError("sums that are not booked are in no board; leave out the board, or fast=true")
        self._transport.total_floats(x, out)
        self.ledger.wire_bytes = self._transport.wire_bytes - self._wire_before

    def watched(self, rows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]] | None:
        """A vector of each party that lives here, of all parties in order on the referee's rank: for who measures a run
        from outside. It is no turn, and in no book; its bytes are not counted. No party may act on what it finds.
        """
        mine = np.concatenate([np.zeros(0, np.float32), *rows]).view(np.uint8)
        before = self._transport.wire_bytes
        gathered = self._transport.gather(Chunk(mine, 8 * mine.size))
        self._wire_before += self._transport.wire_bytes - before
        if gathered is None:
            return None
        everything = np.concatenate([chunk.payload for chunk in gathered]).view(np.float32)
        return list(everything.reshape(self.parties, -1))

    def digest(self) -> str | None:
        """SHA-256 of the transcript so far, hex; the same for any number of ranks. None where a turn was not hashed."""
        return None if _UNTOLD in self._turns else transcript_digest(self._turns)

    def snapshot(self) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """The books so far, as plain values, and the digest of each turn, uint8 (turns, 32): for a checkpoint.

        A kept board is not among them: who takes the snapshot keeps it beside.
        """
        digests = np.frombuffer(b"".join(self._turns), np.uint8).reshape(-1, 32)
        return self.ledger.plain(), digests

    def restore(self, books: dict[str, Any], turns: NDArray[np.uint8], board: Board | None = None) -> None:
        """Go on where a snapshot was taken.

        board: all posts so far, where boards are kept, on the referee's rank. Raises ValueError, KeyError or TypeError
        for books that are none, ValueError for a board whose bits are not those of the turns.
        """
        if self.board is not None and board is not None:
            if board.parties != self.parties or board.turn_digests() != [bytes(row) for row in turns]:
                raise ValueError("the bits of its board are not those that were sent")
            self.board.posts[:] = board.posts
        self.ledger = Ledger.of_plain(books)
        self._turns = [bytes(row) for row in turns]
        self._wire_before = self._transport.wire_bytes - self.ledger.wire_bytes

    def _book_one(
        self, turn: Turn, chunk: Chunk, hear: Callable[[BitReader], None], messages: range = range(1)
    ) -> None:
        """A turn of one message, or of one to each party."""
        writer = messages if turn.from_referee else turn.speakers
        _, entry = self._hear(turn, 0, writer, chunk, _untold(hear))
        parties = (turn.speakers or range(self.parties)) if turn.readers == "each" else writer
        if len(messages) > 1:
            self.ledger.book(turn, parties, entry.lengths, entry.n_bits, entry.n_bits_max, entry.side)
        else:
            n_bits, readers = entry.n_bits, len(parties)
            self.ledger.book(turn, parties, n_bits, readers * n_bits, n_bits, readers * entry.side)
        self._close(turn, [entry.digest], (chunk,))

    def _close(self, turn: Turn, digests: list[bytes], chunks: tuple[Chunk, ...]) -> None:
        """What follows once a turn is booked. chunks: all of it, where the board is kept."""
        self.ledger.wire_bytes = self._transport.wire_bytes - self._wire_before
        self._turns.append(turn_digest(turn, digests) if self._digests else _UNTOLD)
        if self.board is not None:
            self.board.posts.append(Post(turn, chunks))

    def _spread(self, turn: Turn) -> bool:
        """Whether each rank hears its own servers: asked for, allowed, and every rank has somebody to hear."""
        if self.hearing == "central" or turn.readers == "board" or self.board is not None:
            return False
        size = self._transport.size
        homes = (hosted(self.parties, rank, size) for rank in range(size))
        return all(any(blocks_of(turn.speakers, home, self.parties)) for home in homes)

    def _admit(self, turn: Turn) -> None:
        """The rules of the model, before anybody speaks."""
        if turn.round != len(self._turns) and self.hosts_referee:
            raise ModelError(f"turns are numbered in order: round {len(self._turns)} is due, not {turn.round}")
        self._rules.admit(turn)

    def _chunks(self, turn: Turn, speak: Speak, spread: bool) -> Iterator[tuple[int, range, Chunk]]:
        """Every block that may be read here, as it arrives: one block of each rank a step."""
        parties, transport = self.parties, self._transport
        if spread or transport.size == 1:
            for number, block in blocks_of(turn.speakers, self.hosted, parties):
                yield number, block, self._say(turn, block, speak)
            return
        everyone = [
            blocks_of(turn.speakers, hosted(parties, rank, transport.size), parties) for rank in range(transport.size)
        ]
        mine = everyone[transport.rank]
        for step in range(max(map(len, everyone))):
            chunk = self._say(turn, mine[step][1], speak) if step < len(mine) else _NOTHING
            if turn.readers == "board":
                arrived: list[Chunk] | None = transport.allgather(chunk)
            else:
                arrived = transport.gather(chunk)
            for rank, blocks in enumerate(everyone if arrived is not None else []):
                if step < len(blocks) and arrived is not None:
                    yield *blocks[step], arrived[rank]

    def _swapped(self, turn: Turn, speak: Callable[[int, int], Messages]) -> Iterator[tuple[int, int, Chunk]]:
        """Every message that is read here, with its party and owner; of each pair of ranks in one piece."""
        size, here = self._transport.size, self._transport.rank
        said: list[list[Chunk]] = [[] for _ in range(size)]
        expected, where = [0] * size, routes(turn, self.parties, size)
        home, ranks = where.home, where.ranks
        for (party, owner), there in ranks.items():
            if home[party] == here:
                chunk = self._say(turn, range(party, party + 1), lambda block, owner=owner: speak(block[0], owner))  # type: ignore[misc]
                for rank in there:
                    said[rank].append(chunk)
            expected[home[party]] += here in there
        arrived = [iter(chunks) for chunks in self._transport.swap(said, expected)]
        for (party, owner), there in ranks.items():
            if here in there:
                yield party, owner, next(arrived[home[party]])

    def _book_peers(self, turn: Turn, rows: list[Row], told: list[Chunk]) -> None:
        """Lengths and digests of all messages, and their bits if they are kept, on the referee's rank."""
        where = routes(turn, self.parties, self._transport.size)
        gathered = self._transport.gather(as_rows(rows), [ROW_BITS * count for count in where.owned])
        kept: list[list[Chunk]] = []
        if self.board is not None:
            cuts = [len(by_owner([chunk])) for chunk in gathered or []]
            elsewhere: list[list[Chunk]] = [[] for _ in range(self._transport.size - 1)]
            kept = self._transport.swap([told, *elsewhere], cuts or [0] * self._transport.size)
        if gathered is None:
            return
        found = by_owner(gathered)
        table = [found[i] for i in where.order]
        self._transport.wire_bytes += sum(
            ((row.n_bits + 7) // 8 + HEADER_BYTES) * ranks for row, ranks in zip(table, where.travels, strict=True)
        )
        if turn.readers == "neighbours":
            self.ledger.book_edges(turn.edges, {row.party: row.n_bits for row in table})
        lengths, side = dict.fromkeys(turn.speakers, 0), 0
        for row in table:
            readers = len(turn.edges.readers.get(row.party, ())) if turn.readers == "neighbours" else 1
            lengths[row.party] += readers * row.n_bits
            side += readers * row.side
        each, longest = np.array([*lengths.values()], np.int64), max((row.n_bits for row in table), default=0)
        self.ledger.book(turn, turn.speakers, each, sum(lengths.values()), longest, side)
        pieces = [chunk for chunks in kept for chunk in chunks]
        self._close(turn, [row.digest for row in table], tuple(pieces[i] for i in where.order) if pieces else ())

    def _announced(self, turn: Turn, speak: Callable[[], Words | Messages], messages: range) -> Chunk:
        """What the referee says, on every rank."""
        said = self._say(turn, messages, lambda block: speak()) if self.hosts_referee else None
        return self._transport.broadcast(said)

    def _say(self, turn: Turn, block: range, speak: Speak) -> Chunk:
        """The messages of one block, checked against the model."""
        try:
            spoken = speak(block)
            messages = spoken.pack() if isinstance(spoken, Words) else spoken
        except Exception as error:
            raise PartyError(f"{self._where(turn, block)}: {_named(error)}") from error
        if messages.count != len(block):
            raise ModelError(f"{self._where(turn, block)}: {messages.count} messages from {len(block)} servers")
        if _least(messages.lengths) < 1:
            raise ModelError(
                f"{self._where(turn, block)}: a server wrote nothing on its turn; silence is information and costs "
                "a flag of 1 bit"
            )
        used = messages.n_bits % 8
        if used and messages.data[messages.n_bits // 8] & (0xFF >> used):
            raise ModelError(f"{self._where(turn, block)}: bits are set behind the end of the messages")
        return Chunk(messages.data, messages.n_bits)

    def _hear(self, turn: Turn, number: int, block: range, chunk: Chunk, hear: Hear) -> tuple[Tally, Heard]:
        """Decode one block and measure what was read."""
        reader = self._reads(chunk.data, chunk.n_bits)
        try:
            tally = hear(block, reader)
        except DistestError as error:
            raise type(error)(f"{self._where(turn, block)}: {error}") from error
        except Exception as error:
            raise PartyError(f"{self._where(turn, block)}: {_named(error)}") from error
        if reader.unread():
            raise ModelError(f"{self._where(turn, block)}: {reader.unread()} of {chunk.n_bits} bits were never read")
        count, lengths = reader.booked()
        if count != len(block):
            raise ModelError(f"{self._where(turn, block)}: {count} messages were read from {len(block)} servers")
        if _least(lengths) < 1:
            raise ModelError(f"{self._where(turn, block)}: a message was read from no bits; silence is information")
        longest = lengths if isinstance(lengths, int) else int(lengths.max())
        digest = b"" if self._digests else _UNTOLD
        if not digest and (
            number % self._transport.size == self._transport.rank or not self._is_shared(turn, chunk.n_bits)
        ):
            digest = block_digest(range(0) if turn.from_referee else block, chunk)
        kept = None if self.board is None else chunk
        side = reader.side_bits
        return tally, Heard(number, block, lengths, chunk.n_bits, longest, side, digest, kept)  # all its bits were read

    def _hashed(self, turn: Turn, heard: list[Heard]) -> list[Heard]:
        """The same, each with its digest: those of large blocks on the board were made on one rank each."""
        if self._transport.size == 1 or not any(self._is_shared(turn, entry.n_bits) for entry in heard):
            return heard
        rows = np.zeros((len(heard), 4), np.int64)
        for row, entry in zip(rows, heard, strict=True):
            if entry.digest and self._is_shared(turn, entry.n_bits):
                row[:] = np.frombuffer(entry.digest, np.int64)
        found = self._transport.total(rows)
        return [e._replace(digest=e.digest or row.tobytes()) for e, row in zip(heard, found, strict=True)]

    def _is_shared(self, turn: Turn, n_bits: int) -> bool:
        """Whether every rank reads a block that is long enough to be hashed by one of them alone."""
        return self._digests and turn.readers == "board" and self._transport.size > 1 and n_bits >= _SHARED_BITS

    def _collect(self, turn: Turn, heard: list[Heard]) -> list[Heard]:
        """Spread hearing: the sizes and digests of all blocks, on the referee's rank."""
        arrived = self._transport.gather(packed(heard))
        parties = dict(blocks_of(turn.speakers, range(self.parties), self.parties))
        return [entry for chunk in arrived or [] for entry in unpacked(chunk, parties)]

    def _where(self, turn: Turn, block: range) -> str:
        return f"round {turn.round}, servers {block.start}-{block[-1]} on rank {self._transport.rank}"


def _untold(hear: Callable[[BitReader], None]) -> Hear:
    """To hear one message that no tally is made of."""

    def heard(block: range, reader: BitReader) -> Tally:
        hear(reader)
        return np.zeros(0, np.int64)

    return heard


def _least(lengths: Lengths) -> int:
    """The shortest of some messages."""
    return lengths if isinstance(lengths, int) else int(lengths.min())


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, DistestError) else f"{type(error).__name__}: {error}"
