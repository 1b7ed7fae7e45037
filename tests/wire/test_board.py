"""The board's file: a round trip, and no damage that goes unnoticed."""

import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distest.bits import BitReader, Messages
from distest.coins import Coins, PublicCoins, from_seed
from distest.errors import DistestError, UsageError, WireError
from distest.learning.protocol import Protocol
from distest.learning.run import learn, replay
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.wire.board import MAGIC, Board, Chunk, Post, block_digest
from distest.wire.channel import Channel, Tally
from distest.wire.transport import Solo
from distest.wire.turn import Readers, Turn, blocks_of

TASK = Task(4, 7)


class Toy(Protocol[Tally]):
    """Odd servers write their sample in two bits to the board, then server 2 its parity to the referee."""

    model = "blackboard"
    source = "this test"

    def start(self) -> Tally:
        return np.zeros(TASK.n, np.int64)

    def next_turn(self, round: int, state: Tally) -> Turn | None:
        return (Turn(0, range(1, 7, 2), "board"), Turn(1, range(2, 3), "referee"), None)[round]

    def width(self, speakers: range) -> int:
        """Two bits on the board, one to the referee."""
        return 1 if speakers.start == 2 else 2

    def speak(self, servers: Servers, state: Tally, coins: Coins) -> Messages:
        width = self.width(servers.parties)
        return Messages.of_symbols((servers.samples[:, 0] % (1 << width)).astype(np.uint8), width)

    def hear(self, speakers: range, reader: BitReader, state: Tally, coins: PublicCoins) -> Tally:
        return np.bincount(reader.symbols(len(speakers), self.width(speakers)), minlength=TASK.n)

    def fold(self, state: Tally, tally: Tally) -> Tally:
        return state + tally

    def estimate(self, state: Tally) -> Any:
        return state / state.sum()


def transcript() -> tuple[Toy, Board, str | None]:
    toy = Toy(TASK)
    samples = np.array([[3], [2], [1], [3], [0], [1], [2]], np.int32)
    channel = Channel(TASK.m, Solo(), "blackboard", keep_board=True)
    outcome = learn(toy, lambda block: samples[block.start : block.stop : block.step], channel, from_seed(0)[0])
    assert outcome is not None
    assert outcome.board is not None
    return toy, outcome.board, outcome.digest


def saved(folder: Path) -> tuple[Path, bytes]:
    path = folder / "small.board"
    transcript()[1].save(path)
    return path, path.read_bytes()


@st.composite
def boards(draw: st.DrawFn) -> Board:
    parties = draw(st.integers(1, 70))
    board = Board(parties)
    for number in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, parties - 1))
        speakers = range(start, draw(st.integers(start + 1, parties)), draw(st.integers(1, 5)))
        readers: Readers = draw(st.sampled_from(("referee", "board")))
        chunks = []
        for _ in blocks_of(speakers, range(parties), parties):
            n_bits = draw(st.integers(0, 40))
            value = draw(st.integers(0, (1 << n_bits) - 1)) << -n_bits % 8
            chunks.append(Chunk(np.frombuffer(value.to_bytes((n_bits + 7) // 8, "big"), np.uint8), n_bits))
        board.posts.append(Post(Turn(number, speakers, readers), tuple(chunks)))
    return board


def plain(board: Board) -> list[Any]:
    posts = [(p.turn, [(c.n_bits, c.payload.tobytes()) for c in p.chunks]) for p in board.posts]
    return [board.parties, posts]


@given(board=boards())
def test_a_board_comes_back_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, board: Board) -> None:
    path = tmp_path_factory.mktemp("board") / "x.board"
    board.save(path)
    again = Board.load(path)
    assert plain(again) == plain(board)
    assert again.digest() == board.digest()
    assert again.n_bits == board.n_bits
    assert os.listdir(path.parent) == ["x.board"]


def test_the_digest_is_that_of_the_run_and_of_the_replay(tmp_path: Path) -> None:
    toy, board, digest = transcript()
    assert board.digest() == digest
    path, _ = saved(tmp_path)
    outcome = replay(toy, Board.load(path), from_seed(0)[0].public)
    assert outcome.digest == digest
    assert outcome.ledger.payload_bits == board.n_bits == 7


def test_a_digest_tells_speakers_lengths_and_bits_apart() -> None:
    zeros, one = np.zeros(2, np.uint8), np.array([128, 0], np.uint8)
    cases = [(range(3), zeros, 9), (range(3), zeros, 10), (range(3), one, 9), (range(4), zeros, 9)]
    cases += [(range(1, 4), zeros, 9), (range(0, 6, 2), zeros, 9), (range(3), zeros, 8)]
    digests = [block_digest(parties, Chunk(data, n_bits)) for parties, data, n_bits in cases]
    assert len(set(digests)) == len(digests)


def test_ranges_of_the_same_parties_have_one_digest_and_one_file(tmp_path: Path) -> None:
    files = []
    for speakers in (range(2, 3), range(2, 3, 5), range(2, 4, 2)):
        board = Board(7, [Post(Turn(0, speakers, "referee"), (Chunk(np.zeros(1, np.uint8), 3),))])
        board.save(tmp_path / "x.board")
        files.append((board.digest(), (tmp_path / "x.board").read_bytes()))
    assert len(set(files)) == 1


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path, data = saved(tmp_path)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(WireError, match=r"small\.board"):
            Board.load(path)


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 8, b"\0" * 60, MAGIC])
def test_bytes_behind_the_last_turn_are_refused(tmp_path: Path, tail: bytes) -> None:
    path, data = saved(tmp_path)
    path.write_bytes(data + tail)
    with pytest.raises(WireError, match="follow the last turn"):
        Board.load(path)


def test_every_flipped_bit_is_refused_or_is_another_transcript(tmp_path: Path) -> None:
    toy, _, digest = transcript()
    path, data = saved(tmp_path)
    public = from_seed(0)[0].public
    loaded = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 128 >> bit % 8
        path.write_bytes(flipped)
        try:
            board = Board.load(path)
        except WireError:
            continue
        loaded += 1
        assert plain(board) != plain(transcript()[1]), f"bit {bit} is no part of the transcript"
        try:
            assert replay(toy, board, public).digest != digest, f"bit {bit} is not in the digest"
        except DistestError:
            continue
    assert 7 <= loaded < 8 * len(data) // 2  # the seven bits that were said load, and little else


def test_bits_behind_the_end_of_a_block_are_refused(tmp_path: Path) -> None:
    """Six bits are said in the first block and one in the last: nothing may hide in the rest of their bytes."""
    path, data = saved(tmp_path)
    for bit in range(7):
        path.write_bytes(data[:-1] + bytes([data[-1] | 1 << bit]))
        with pytest.raises(WireError, match="round 1 has bits set behind the end of a block of 1 bits"):
            Board.load(path)


def test_random_bytes_are_refused_and_cost_no_memory(tmp_path: Path) -> None:
    """2000 seeded files: noise, noise behind a good head, and a good file with noise inside."""
    path, good = saved(tmp_path)
    random = np.random.Generator(np.random.Philox(2000))
    head = struct.Struct("<8sQQ")
    refused = 0
    tracemalloc.start()
    for case in range(2000):
        noise = random.bytes(int(random.integers(0, 200)))
        if case % 4 == 1:
            noise = head.pack(MAGIC, int(random.integers(1, 1 << 33)), int(random.integers(0, 4))) + noise
        elif case % 4 == 2:
            start = int(random.integers(0, len(good)))
            noise = good[:start] + noise[:3] + good[start + len(noise[:3]) :]
        elif case % 4 == 3:
            turn = struct.pack("<QBqqqQ", 0, case % 3, 0, case, 1, int(random.integers(0, 6)))
            noise = head.pack(MAGIC, case, 1) + turn + struct.pack("<Q", int(random.integers(0, 300))) + noise
        path.write_bytes(noise)
        try:
            Board.load(path)
        except WireError:
            refused += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 1500
    assert peak < 1 << 20


@pytest.mark.parametrize(("parties", "turns"), [(0, 0), ((1 << 32) + 1, 0), (5, 1 << 40)])
def test_a_head_that_cannot_be_is_refused(tmp_path: Path, parties: int, turns: int) -> None:
    path = tmp_path / "x.board"
    path.write_bytes(struct.pack("<8sQQ", MAGIC, parties, turns))
    with pytest.raises(WireError, match="cannot be"):
        Board.load(path)


@pytest.mark.parametrize(
    "bounds",
    [(-1, 3, 1), (0, 8, 1), (3, 2, 1), (0, 3, 0), (0, 3, -1), (0, 6, 2), (0, 1, 4), (2, 2, 1), (0, 1 << 62, 1)],
)
def test_speakers_that_no_turn_has_are_refused(tmp_path: Path, bounds: tuple[int, int, int]) -> None:
    path = tmp_path / "x.board"
    path.write_bytes(struct.pack("<8sQQ", MAGIC, 7, 1) + struct.pack("<QBqqqQ", 0, 0, *bounds, 0))
    with pytest.raises(WireError, match="which cannot be"):
        Board.load(path)


def test_a_huge_announced_block_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.board"
    head = struct.pack("<8sQQ", MAGIC, 1, 1) + struct.pack("<QBqqqQ", 0, 0, 0, 1, 1, 1)
    path.write_bytes(head + struct.pack("<Q", (1 << 64) - 1))
    with pytest.raises(WireError, match="inside a block"):
        Board.load(path)


def test_a_missing_file_or_a_folder_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.board", tmp_path):
        with pytest.raises(WireError, match="cannot be read"):
            Board.load(path)


def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, before = saved(tmp_path)

    def interrupted(*args: object) -> NoReturn:
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                Board(3).save(path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["small.board"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = saved(tmp_path)

    def full(*args: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"small\.board cannot be written \(No space left"):
        Board(3).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["small.board"]
