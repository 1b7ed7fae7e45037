"""Ledger: bits by round, direction and party. Booked from what was decoded, and from nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.bits import Lengths
from distest.wire.turn import DIRECTIONS, Direction, Edges, Turn

DETAIL_MAX = 1 << 22  # parties whose single messages of varying length are remembered


def per_link(bits: Mapping[Direction, float], parties: int) -> float:
    """Bits that leave the link of a party, on average over the parties: `Ledger.by_link` from totals by direction."""
    written = bits.get("up", 0) + bits.get("peer", 0) + (parties - 1) * bits.get("board", 0)
    return written / parties


@dataclass(frozen=True, slots=True)
class Entry:
    """Messages of neighbouring parties in one turn.

    n_bits: all of them together. n_bits_max: the longest. lengths: bits of each; one integer where all are equal,
    an array where they vary, None where only totals are kept. side: how many of n_bits are side information, as who
    decoded them said; None where that was not booked yet.
    """

    round: int
    direction: Direction
    parties: range
    n_bits: int
    n_bits_max: int
    lengths: int | NDArray[np.int32 | np.int64] | None
    side: int | None = 0

    @property
    def messages(self) -> int:
        """One a party."""
        return len(self.parties)


@dataclass
class Ledger:
    """What a run cost. Written by the channel alone.

    payload bits: what theory counts. coin_bits: public randomness, if it has to be announced. wire_bytes: what the
    transport handed to MPI, headers included; each copy of a broadcast counts. edges: of turns to neighbours, the bits
    that each speaker sent to each reader.
    """

    entries: list[Entry] = field(default_factory=list)
    coin_bits: int = 0
    wire_bytes: int = 0
    edges: dict[tuple[int, int], int] = field(default_factory=dict)
    _detail: int = 0
    _summed: set[int] = field(default_factory=set)  # rounds booked without the lengths of single messages

    def book(
        self, turn: Turn, parties: range, lengths: Lengths | None, n_bits: int, n_bits_max: int, side: int = 0
    ) -> None:
        """Book one message of each of `parties`, in party order; equal neighbours merge into one entry.

        lengths: bits of each; None where they vary and only their sum is known here, as after spread hearing. side: how
        many of the n_bits are side information.
        """
        kept: int | NDArray[np.int32 | np.int64] | None
        if isinstance(lengths, np.ndarray):
            self._detail += len(lengths)
            kept = _small(lengths) if self._detail <= DETAIL_MAX else None
        else:
            kept = lengths
            if lengths is None:
                self._summed.add(turn.round)
        direction = turn.direction
        last = self.entries[-1] if self.entries and isinstance(kept, int) else None
        if (
            last is not None
            and last.round == turn.round
            and isinstance(last.lengths, int)  # an array may not be compared
            and last.lengths == kept
            and last.side is not None
            and last.direction == direction
            and last.parties.step == parties.step
            and last.parties[-1] + parties.step == parties.start
        ):
            parties = range(last.parties.start, parties.stop, parties.step)
            n_bits += last.n_bits
            side += last.side
            self.entries.pop()
        self.entries.append(Entry(turn.round, direction, parties, n_bits, n_bits_max, kept, side))

    def book_edges(self, edges: Edges, bits: dict[int, int]) -> None:
        """Add what each edge of a turn has carried. bits: of the message of each speaker."""
        for pair in edges.pairs:
            self.edges[pair] = self.edges.get(pair, 0) + bits[pair[0]]

    def plain(self) -> dict[str, Any]:
        """All of it as plain values."""
        rows = [
            [
                *(e.round, e.direction, e.parties.start, e.parties.stop, e.parties.step, e.n_bits, e.n_bits_max),
                e.lengths.tolist() if isinstance(e.lengths, np.ndarray) else e.lengths,
                e.side,
            ]
            for e in self.entries
        ]
        counts = {"coin_bits": self.coin_bits, "wire_bytes": self.wire_bytes, "detail": self._detail}
        edges = [[*pair, n_bits] for pair, n_bits in self.edges.items()]
        return {"entries": rows, "edges": edges, **counts}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> "Ledger":
        """The ledger that `plain` describes, perhaps of a version that knew nothing of side information.

        Raises ValueError, KeyError or TypeError for what describes none.
        """
        ledger = cls(coin_bits=int(plain["coin_bits"]), wire_bytes=int(plain["wire_bytes"]))
        ledger._detail = int(plain["detail"])
        for round, direction, start, stop, step, n_bits, n_bits_max, lengths, *rest in plain["entries"]:
            if direction not in DIRECTIONS:
                raise ValueError(f"no direction {direction!r}")
            kept = _small(np.array(lengths, np.int64)) if isinstance(lengths, list) else lengths
            side = int(rest[0]) if rest and rest[0] is not None else None
            ledger.entries.append(Entry(round, direction, range(start, stop, step), n_bits, n_bits_max, kept, side))
        ledger.edges = {(int(a), int(b)): int(n_bits) for a, b, n_bits in plain.get("edges", ())}
        return ledger

    def payload(self, direction: Direction) -> int:
        """Bits sent in one direction."""
        return sum(entry.n_bits for entry in self.entries if entry.direction == direction)

    @property
    def payload_bits(self) -> int:
        """Bits sent in all directions."""
        return sum(entry.n_bits for entry in self.entries)

    def side_bits(self, *directions: Direction) -> int | None:
        """Those of the bits sent in some directions that are side information; None where that was not booked."""
        counts = [entry.side for entry in self.entries if entry.direction in directions]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def messages(self) -> int:
        """Messages sent."""
        return sum(entry.messages for entry in self.entries)

    @property
    def rounds(self) -> int:
        """Turns in which somebody spoke."""
        return len({entry.round for entry in self.entries})

    def by_round(self) -> list[dict[str, int | str]]:
        """One row a round and direction: messages, n_bits, n_bits_max and, where it was booked, how much of n_bits is
        side information; plain values, comparable between runs."""
        rows: dict[tuple[int, str], dict[str, int | str]] = {}
        for e in self.entries:
            row = rows.setdefault(
                (e.round, e.direction),
                {"round": e.round, "direction": e.direction, "messages": 0, "n_bits": 0, "n_bits_max": 0, "side": 0},
            )
            row["messages"] = int(row["messages"]) + e.messages
            row["n_bits"] = int(row["n_bits"]) + e.n_bits
            row["n_bits_max"] = max(int(row["n_bits_max"]), e.n_bits_max)
            if e.side is None:
                row.pop("side", None)
            elif "side" in row:
                row["side"] = int(row["side"]) + e.side
        return list(rows.values())

    def by_party(self, parties: int, direction: Direction | None = None) -> NDArray[np.int64]:
        """Bits written by each party, int64 (parties,); what the referee says to each is booked with who receives it.

        Without a direction: all that the parties wrote themselves. Raises ValueError where only totals were kept.
        """
        bits = np.zeros(parties, np.int64)
        for e in self.entries:
            if direction != e.direction and (direction is not None or e.direction.startswith("down")):
                continue
            if e.lengths is None and e.round in self._summed:
                raise ValueError(
                    f"round {e.round} was heard spread over ranks, which add up messages of varying length block by "
                    "block; hear it centrally, or see `entries`"
                )
            if e.lengths is None:
                raise ValueError(
                    f"round {e.round} has messages of varying length from more than {DETAIL_MAX} parties, so the "
                    "ledger kept totals by block; see `entries`"
                )
            bits[e.parties.start : e.parties.stop : e.parties.step] += e.lengths
        return bits

    def by_link(self, parties: int) -> NDArray[np.int64]:
        """Bits that leave the link of each party and, last, of the referee, int64 (parties + 1,): who has one a link.

        What is on the board goes around a ring of the parties: each passes on every message but those of the next, so
        that a message, which the books hold once, takes m - 1 links. Raises ValueError as `by_party` does.
        """
        board = self.by_party(parties, "board")
        links = np.zeros(parties + 1, np.int64)
        links[:-1] = self.by_party(parties, "up") + self.by_party(parties, "peer") + board.sum() - np.roll(board, -1)
        links[-1] = self.payload("down_broadcast") + self.payload("down_unicast")
        return links

    def totals(self) -> dict[str, Any]:
        """The flat numbers of a record; side_bits are those of the payload_bits that are side information."""
        by = {f"payload_bits_{direction}": self.payload(direction) for direction in DIRECTIONS}
        down = by["payload_bits_down_broadcast"] + by["payload_bits_down_unicast"]
        return {
            "payload_bits": self.payload_bits,
            **by,
            "payload_bits_down": down,
            "payload_bits_max": max((e.n_bits_max for e in self.entries), default=0),
            "side_bits": self.side_bits(*DIRECTIONS),
            **{f"side_bits_{direction}": self.side_bits(direction) for direction in DIRECTIONS},
            "side_bits_down": self.side_bits("down_broadcast", "down_unicast"),
            "coin_bits": self.coin_bits,
            "wire_bytes": self.wire_bytes,
            "messages": self.messages,
            "rounds": self.rounds,
        }


def _small(lengths: NDArray[np.int64]) -> NDArray[np.int32 | np.int64]:
    """The same in half the room, where they fit."""
    return lengths.astype(np.int32) if int(lengths.max(initial=0)) < 1 << 31 else lengths
