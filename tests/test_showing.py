"""Transcripts shown: every bit of a protocol or compressor is in one named field, and fields say what was meant."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import catalog, records, showing, train_spec, training
from distest.bits import BitReader
from distest.coins import NO_PRIVATE, Coins, PublicCoins, from_seed
from distest.errors import ModelError, UsageError, WireError
from distest.learning import sampling
from distest.learning.protocol import Protocol
from distest.learning.task import Task
from distest.showing import REFEREE, Said, Wanted
from distest.watch import Watch
from distest.wire.board import Board
from distest.wire.transport import Solo
from distest.wire.turn import DIRECTIONS, Turn
from distest.wire.watching import Seen, Watching
from tests import laws
from tests.mpi.programs import models
from tests.protocols.test_laws import cases, truth
from tests.sgd.test_compressor_laws import ALL, KEY, VECTORS, fits

NAMELESS = ("without a name", "message")


def kept(folder: Path, board: Board, record: dict[str, Any]) -> dict[str, Any]:
    """The record of a board that is kept in a folder."""
    (folder / "boards").mkdir()
    board.save(folder / "boards" / "one")
    return {"schema": records.SCHEMA, **record, "board": "one"}


def learned(folder: Path, protocol: Protocol[Any], support: int, seed: int = 7) -> tuple[dict[str, Any], Any]:
    """The record of a run that is kept, and the samples of its servers."""
    task = protocol.task
    coins, data = from_seed(seed)
    outcome = laws.run(protocol, truth(task.n, support), coins, data)
    assert outcome.board is not None
    spec = {"n": task.n, "m": task.m, "s": task.s, "loss": task.loss, "protocol": catalog.describe(protocol)}
    record = {"kind": "learn", "spec": {**spec, "generator": "splitmix"}, "public_key": coins.public.key}
    record |= outcome.ledger.totals()
    samples = sampling.independent(truth(task.n, support), task.s, data).draw(range(task.m))
    return kept(folder, outcome.board, {**record, "coin_path": list(coins.public.path)}), samples


def told(folder: Path, record: dict[str, Any], wanted: Wanted) -> list[Said]:
    said: list[Said] = []
    showing.show(folder, record, wanted, said.append)
    return said


def tiled(said: Said) -> None:
    """Assert that fields follow each other from the first bit of a turn, to the last where all messages are shown."""
    at = 0
    for message in said.shown:
        assert message.start == at
        for field in message.fields:
            assert field.start == at < field.stop
            assert field.name not in NAMELESS
            at = field.stop
        assert message.stop == at
    assert at == said.n_bits or len(said.shown) < said.messages


@pytest.mark.parametrize(("name", "options", "task"), cases(), ids=str)
def test_every_bit_of_a_protocol_is_in_one_named_field_that_says_what_the_server_saw(
    name: str, options: dict[str, Any], task: Task, tmp_path: Path
) -> None:
    protocol = catalog.build("protocol", {"name": name, **options}, task=task)
    record, samples = learned(tmp_path, protocol, options.get("support", task.n))
    turns = told(tmp_path, record, Wanted(limit=0 if task.s < 100 else 6))
    if task.s < 100:  # all messages are shown
        assert record["side_bits"] == sum(field.side for said in turns for m in said.shown for field in m.fields)
        assert (record["side_bits"] > 0) == (name in ("uneven_samples", "haar_wavelet"))
    for said in turns:
        tiled(said)
        for message in said.shown:
            seen = samples[message.party]
            for field in message.fields:
                if found := re.fullmatch(r"symbol (\d+)|symbols (\d+) to (\d+)", field.says):
                    first = int(found[1] or found[2])
                    assert ((seen >= first) & (seen <= int(found[3] or first))).any(), (message, seen)
                if field.name == "sample" and field.count == 1:
                    assert field.values[0] in seen
                if field.name.startswith("samples, in order"):
                    assert list(field.values) == sorted(seen)[: len(field.values)]


@pytest.mark.parametrize("compressor", ALL, ids=catalog.label)
def test_every_bit_of_a_compressor_is_in_one_named_part(compressor: Any) -> None:
    for x in (VECTORS["gauss"], VECTORS["odd"], VECTORS["zero"]):
        if not fits(compressor, x):
            continue
        message = compressor.encode(x, 0, KEY)
        watch = Watch(message.data, message.n_bits)
        compressor.decode(watch, x.size, 0, KEY.public)
        for add in (False, True):
            reader = BitReader(message.data, message.n_bits)
            if add:
                compressor.add(reader, x.size, 0, KEY.public, np.zeros_like(x), 0.5)
            else:
                compressor.fill(reader, 0, KEY.public, np.zeros_like(x))
            assert reader.side_bits == watch.side_bits == sum(part.side for part in watch.parts)
        assert watch.ends == [message.n_bits]
        assert watch.parts[0].start == 0
        assert watch.parts[-1].stop == message.n_bits
        assert all(left.stop == right.start for left, right in pairwise(watch.parts))


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"name": "identity"}, 32 * 1300),
        ({"name": "natural"}, 9 * 1300),
        ({"name": "sign", "bucket": 64}, 1300),
        ({"name": "qsgd", "bits": 4, "bucket": 512}, 4 * 1300),
        ({"name": "top_k", "k": 20}, 20 * 32),
        ({"name": "top_k", "k": 20, "values": "float16"}, 20 * 16),
        ({"name": "random_k", "k": 20}, 20 * 32),
        ({"name": "twos_complement", "bits": 5}, 5 * 1300),
        ({"name": "correlated", "bits": 2}, 2 * 1300),
    ],
    ids=str,
)
def test_what_is_not_a_value_is_side_information(spec: dict[str, Any], values: int) -> None:
    compressor, x = catalog.build("compressor", spec), VECTORS["gauss"]
    message = compressor.encode(x, 0, KEY)
    reader = BitReader(message.data, message.n_bits)
    compressor.decode(reader, x.size, 0, KEY.public)
    assert message.n_bits - reader.side_bits == values


METHODS: tuple[dict[str, Any], ...] = (
    {"name": "mean", "compressor": {"name": "top_k"}, "exchange": {"name": "parameter_server"}},
    {"name": "mean", "compressor": {"name": "qsgd", "bits": 4}, "exchange": {"name": "scatter_reduce"}},
    {"name": "mean", "exchange": {"name": "tree"}},
    {"name": "mean", "exchange": {"name": "common_scale"}},
    {"name": "lag_ps"},
    {"name": "laq"},
    {"name": "asy_lpg"},
    {"name": "choco_sgd"},
    {"name": "sketched_sgd"},
)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method["name"]))
def test_every_bit_of_a_training_run_is_in_one_named_part(method: dict[str, Any], tmp_path: Path) -> None:
    problem = {"name": "quadratic"} if method["name"] == "mean" else {"name": "softmax"}
    spec = train_spec.check({"methods": [method], "problem": problem, "workers": 3, "steps": 2, "rate": 0.01})
    record, _, board = next(training.run(spec, training.plan(spec), Solo(), True))
    assert board is not None
    said = told(tmp_path, kept(tmp_path, board, json.loads(records.canonical(record))), Wanted(limit=0))
    assert len(said) == len(board.posts)
    assert sum(turn.n_bits for turn in said) == board.n_bits
    for turn in said:
        tiled(turn)


@pytest.mark.parametrize("kind", ["methods", "means"])
def test_side_information_is_booked_as_the_parts_of_a_replay_say_it(kind: str) -> None:
    """Every method, and the mean of every compressor over every exchange; in each direction, and once for each reader
    where a message is charged for each."""
    table = {"workers": 3, "steps": 3, "batch": 8}
    for problem, method in models.runs(3):
        again = bool(method.get("feedback")) and method.get("exchange") != "tree"  # which is not run without
        if (kind == "means") != (method["name"] == "mean") or (kind == "means" and again):
            continue
        spec = train_spec.check(train_spec.normalise({**table, "problem": problem, "method": method}))
        try:
            trials = training.plan(spec)
        except UsageError:  # not for this compressor or exchange
            continue
        record, _, board = next(training.run(spec, trials, Solo(), True))
        assert board is not None
        sums: Counter[str] = Counter()

        def watched(turn: Turn, seen: list[Seen], sums: Counter[str] = sums) -> None:
            for here in seen:
                times = len(turn.edges.readers.get(here.block[0], ())) if turn.readers == "neighbours" else 1
                if turn.readers == "each" and not turn.speakers and len(here.watch.ends) == 1:
                    times = 3
                parts = here.watch.parts
                assert all(one.stop == two.start for one, two in pairwise(parts)), turn
                sums[f"payload_bits_{turn.direction}"] += times * (parts[-1].stop - parts[0].start)
                sums[f"side_bits_{turn.direction}"] += times * sum(part.side for part in parts)

        public = PublicCoins(record["public_key"], "splitmix", tuple(record["coin_path"]))
        channel = Watching(board, Solo(), "blackboard", watched)
        training.replay(record, board, Coins(public, NO_PRIVATE), channel)
        for direction in DIRECTIONS:
            for key in (f"payload_bits_{direction}", f"side_bits_{direction}"):
                assert record[key] == sums[key], (record["label"], key)
        assert record["side_bits"] == sum(record[f"side_bits_{direction}"] for direction in DIRECTIONS)


def grouping(folder: Path) -> dict[str, Any]:
    protocol = catalog.build("protocol", {"name": "local_refinement", "bits": 3}, task=Task(16, 203))
    return learned(folder, protocol, 16)[0]


def test_only_what_is_asked_for_is_told(tmp_path: Path) -> None:
    record = grouping(tmp_path)
    (said,) = told(tmp_path, record, Wanted(party=17, limit=2))
    assert (said.turn.round, said.messages, len(said.shown)) == (1, 101, 1)
    (message,) = said.shown
    assert (message.party, message.to, message.start, message.stop) == (17, "board", 24, 27)
    assert [len(turn.shown) for turn in told(tmp_path, record, Wanted(limit=2))] == [2, 2]
    assert [turn.turn.round for turn in told(tmp_path, record, Wanted(turns=1))] == [0]
    assert [turn.turn.round for turn in told(tmp_path, record, Wanted(turn=1))] == [1]


def test_the_digits_are_those_of_the_board(tmp_path: Path) -> None:
    record = grouping(tmp_path)
    board = Board.load(tmp_path / "boards" / "one")
    for said, post in zip(told(tmp_path, record, Wanted(limit=0)), board.posts, strict=True):
        whole = "".join("".join(map(str, np.unpackbits(c.payload)[: c.n_bits])) for c in post.chunks)
        assert "".join(field.bits for message in said.shown for field in message.fields) == whole


def test_a_turn_behind_the_shown_one_is_not_read(tmp_path: Path) -> None:
    record = grouping(tmp_path)
    path = tmp_path / "boards" / "one"
    board = Board.load(path)
    later = board.posts[1].chunks[0].payload
    whole = bytearray(path.read_bytes())
    at = whole.find(later.tobytes())
    whole[at : at + later.size] = bytes(b ^ 255 for b in later.tobytes())
    path.write_bytes(whole)
    assert len(told(tmp_path, record, Wanted(turn=0))) == 1


def test_a_board_left_in_its_file_is_the_one_that_is_loaded(tmp_path: Path) -> None:
    grouping(tmp_path)
    path = tmp_path / "boards" / "one"
    assert Board.mapped(path).digest() == Board.load(path).digest()
    (tmp_path / "empty").touch()
    with pytest.raises(WireError, match="ends at byte 0"):
        Board.mapped(tmp_path / "empty")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Wanted(party=203), "parties of this transcript are 0 to 202, there is no 203"),
        (Wanted(turn=2), "turns of this transcript are 0 to 1, there is no 2"),
        (Wanted(turn=0, party=1), "party 1 does not speak in turn 0"),
        (Wanted(party=REFEREE), "the referee does not speak in this transcript"),
    ],
)
def test_who_or_what_is_not_there_is_a_sentence(wanted: Wanted, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        told(tmp_path, grouping(tmp_path), wanted)


def test_a_damaged_board_or_that_of_another_protocol_is_refused(tmp_path: Path) -> None:
    record = grouping(tmp_path)
    other = {**record, "spec": {**record["spec"], "protocol": {"name": "grouping", "bits": 3}}}
    with pytest.raises(ModelError, match="next turn is"):
        told(tmp_path, other, Wanted())
    path = tmp_path / "boards" / "one"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(WireError, match="the board ends at byte"):
        told(tmp_path, record, Wanted())


def distest(*arguments: object) -> tuple[int, str, str]:
    """Exit code, what was printed, and the sentence that was complained with."""
    command = [sys.executable, "-m", "distest", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def test_the_command_prints_who_said_what_and_how_much_more_there_is(tmp_path: Path) -> None:
    run = ("--protocol", "grouping:bits=3", "--n", 16, "--m", 90, "--distribution", "zipf", "--out", tmp_path)
    assert distest("learn", *run, "--no-figures")[0] == 0
    code, out, _ = distest("show", tmp_path, "--messages", 2)
    assert code == 0
    assert out.splitlines() == [
        "transcript 1: grouping b=3; n = 16, m = 90, s = 1, seed 0, repeat 0",
        "round 0: 90 messages, 270 bits",
        "  server 0 -> referee  bits 0-2  place among those watched, from 1  = 101 (5)  symbol 4",
        "  server 1 -> referee  bits 3-5  place among those watched, from 1  = 000 (0)  none of those watched",
        "  ... 88 more messages",
        "shown: 6 bits of values, 0 of side information",
        "booked in all: 270 bits of values, 0 of side information",
    ]
    code, out, _ = distest("show", tmp_path, "--party", 17, "--json")
    assert (code, len(out.splitlines())) == (0, 1)
    assert json.loads(out)["fields"][0]["start"] == 51
    assert distest("show", tmp_path, "--transcript", 2)[::2] == (
        2,
        f"distest: there is no transcript 2 in {tmp_path}; the numbers are 1 to 1\n",
    )
    (board,) = (tmp_path / "boards").iterdir()
    board.write_bytes(board.read_bytes()[:60])
    code, _, complaint = distest("show", tmp_path)
    assert code == 1
    assert re.fullmatch(r"distest: .* the board ends at byte 60, .*\n", complaint)


def test_folders_without_transcripts_are_refused(tmp_path: Path) -> None:
    run = ("--protocol", "grouping:bits=3", "--n", 16, "--m", 90, "--distribution", "zipf", "--out", tmp_path)
    assert distest("learn", *run, "--no-figures", "--no-boards")[0] == 0
    code, _, complaint = distest("show", tmp_path)
    assert (code, complaint.count("\n")) == (2, 1)
    assert "keeps no transcripts" in complaint
    assert distest("show", tmp_path / "nowhere")[0] == 2
