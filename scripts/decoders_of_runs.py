"""Decoders of runs and files with something valid to damage: protocols, boards, training, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from decoders import Bytes, Decoder, Target, target
from numpy.typing import NDArray

from distest import catalog, coins, train_spec, training, warming
from distest.bits import BitReader, Messages
from distest.errors import UsageError
from distest.learning import sampling
from distest.learning.protocol import Protocol
from distest.learning.run import learn, replay
from distest.learning.servers import Servers
from distest.learning.task import Task
from distest.sgd import checkpoint
from distest.sgd.link import Link
from distest.sgd.state import State
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.transport import Solo
from distest.wire.turn import Turn, blocks_of

TASKS = (Task(16, 64), Task(16, 64, 3), Task(300, 40), Task(8, 20, 60), Task(16, 40, 3, loss="l1"), Task(5, 120, 3))
PROBLEMS = ("logistic:data=ionosphere", "softmax", "mlp:hidden=4")


# ---- protocols


def protocols() -> Iterator[Target]:
    """What a block of servers says in each turn of each protocol, and what is made of it."""
    key, data = coins.from_seed(3)
    for task in TASKS:
        source = sampling.independent(np.arange(task.n, 0, -1) / (task.n * (task.n + 1) / 2), task.s, data)
        for spec, protocol in warming.variants(task):
            state, round = protocol.start(), 0
            while (turn := protocol.next_turn(round, state)) is not None:
                here = key.fold("turn", round)
                told: NDArray[np.int64] | None = None
                for _, block in blocks_of(turn.speakers, range(task.m), task.m):
                    spoken = protocol.speak(Servers(block, source.draw(block)), state, here)
                    messages = spoken if isinstance(spoken, Messages) else spoken.pack()
                    tally = protocol.hear(block, BitReader(messages.data, messages.n_bits), state, here.public)
                    name = f"{spec} for {task}, round {round}, servers {block}"
                    if messages.n_bits and round < 4:
                        yield target(
                            f"protocol {spec['name']}",
                            name,
                            messages,
                            _heard(protocol, block, state, here.public, tally, round),
                        )
                    told = tally if told is None else told + tally
                assert told is not None, "nobody speaks"
                state, round = protocol.fold(state, told), round + 1


def _heard(
    protocol: Protocol[Any], block: range, state: Any, public: coins.PublicCoins, right: NDArray[np.int64], round: int
) -> Decoder:
    def decode(data: Bytes, n_bits: int) -> None:
        tally = protocol.hear(block, BitReader(data, n_bits), state, public)
        assert tally.dtype == np.int64, f"a tally of type {tally.dtype}"
        assert tally.shape == right.shape, f"a tally of shape {tally.shape} and not {right.shape}"
        after = protocol.fold(state, tally)
        turn: Turn | None = protocol.next_turn(round + 1, after)
        if turn is None:
            estimate = protocol.estimate(after)
            assert estimate.shape == (protocol.task.n,), f"an estimate of shape {estimate.shape}"
            assert np.isfinite(estimate).all(), "an estimate that is not finite"

    return decode


# ---- files


def boards(folder: Path) -> Iterator[Target]:
    """Files of boards; what loads is saved to the same bytes, and replayed."""
    key, data = coins.from_seed(4)
    task = Task(16, 20)
    path, again = folder / "board", folder / "again"
    draw = sampling.independent(np.full(16, 1 / 16), 1, data).draw
    for name in ("golomb_gaps", "local_refinement", "adaptive_entropy"):
        spec = {"name": name, **({"bits": 2} if "bits" in catalog.options("protocol", name) else {})}
        protocol = catalog.build("protocol", spec, task=task)
        outcome = learn(protocol, draw, Channel(task.m, Solo(), protocol.model, keep_board=True), key)
        assert outcome is not None
        assert outcome.board is not None
        outcome.board.save(path)

        def decode(data: Bytes, n_bits: int, protocol: Protocol[Any] = protocol) -> None:
            path.write_bytes(data[: n_bits // 8].tobytes())
            board = Board.load(path)
            board.digest()
            board.save(again)
            assert again.read_bytes() == path.read_bytes(), "saved again, the board is another"
            replay(protocol, board, key.public)

        whole = np.frombuffer(path.read_bytes(), np.uint8)
        yield Target("board", f"board of {name}", whole.copy(), 8 * whole.size, decode)


def runs(folder: Path) -> Iterator[Target]:
    """Boards of training, of every method and of every exchange; what loads is replayed to a model."""
    key = coins.from_seed(0)[0].fold("repeat", 0)
    path = folder / "run"
    methods: dict[str, Any] = {f"method {name}": {"name": name} for name in catalog.names("method")}
    for name in catalog.names("exchange"):
        code = "identity" if name == "common_scale" else "eden:bits=1"  # which rounds by itself
        methods[f"exchange {name}"] = {"name": "mean", "compressor": code, "exchange": name}
    for of, method in methods.items():
        record, board = _trained(method)
        board.save(path)

        def decode(data: Bytes, n_bits: int, record: dict[str, Any] = record) -> None:
            path.write_bytes(data[: n_bits // 8].tobytes())
            found = training.replay(record, Board.load(path), coins.Coins(key.public, coins.NO_PRIVATE))
            assert len(found["model_sha256"]) == 64, "no digest of a model"

        whole = np.frombuffer(path.read_bytes(), np.uint8)
        yield Target(of, f"{of}, board", whole.copy(), 8 * whole.size, decode)


def _trained(method: dict[str, Any]) -> tuple[dict[str, Any], Board]:
    """Record and board of two steps with a method, on the first problem that it serves."""
    for problem in PROBLEMS:
        asked = {"method": method, "problem": problem, "workers": 3, "steps": 2, "batch": 4}
        spec = train_spec.check(train_spec.normalise(asked))
        try:
            trials = training.plan(spec)
        except UsageError:
            continue
        record, _, board = next(training.run(spec, trials, Solo(), True))
        assert board is not None
        return record, board
    raise AssertionError(f"none of {PROBLEMS} is for the method {method}")


def checkpoints(folder: Path) -> Iterator[Target]:
    """All files of a checkpoint with a board, each beside the others."""
    d, home = 50, folder / "checkpoint"
    x = np.arange(d, dtype=np.float32)
    state = State(x, 3, {"momentum": x + 1}, {"error": {0: x + 2, 1: x + 3}}, {"estimate": {0: x + 4, 1: x + 5}})
    channel = Channel(2, Solo(), "blackboard", keep_board=True)
    link = Link(channel)
    for _ in range(3):
        link.board(lambda worker: Messages.of_symbols(np.array([5], np.uint8), 7), _read_one)
    checkpoint.save(home, state, channel, Solo(), {"seconds": 1.5, "series": [{"step": 0}]})
    for file in ("server.npz", "workers-0.npz", "posts"):
        whole = (home / file).read_bytes()

        def decode(data: Bytes, n_bits: int, path: Path = home / file, whole: bytes = whole) -> None:
            path.write_bytes(data[: n_bits // 8].tobytes())
            try:
                middle = checkpoint.load(home, d, Channel(2, Solo(), "blackboard", True))
                assert middle is not None
                assert middle.state.x.shape == (d,)
            finally:
                path.write_bytes(whole)

        yield Target("checkpoint", f"checkpoint, {file}", np.frombuffer(whole, np.uint8).copy(), 8 * len(whole), decode)


def _read_one(worker: int, reader: BitReader) -> None:
    reader.symbols(1, 7)
