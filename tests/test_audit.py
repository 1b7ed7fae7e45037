"""The audit: bits, public coins and spec are enough, and no change of any of them goes unnoticed."""

import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from distest import records
from distest.coins import DataCoins, PrivateCoins
from distest.errors import UsageError
from distest.learning import sampling
from distest.records import RecordError
from distest.wire.board import Board, Post
from distest.wire.turn import Turn

Record = dict[str, Any]
PROTOCOLS = [
    "full_sample:code=truncated",
    "multiset",
    "grouping:bits=2",
    "balanced_hash:bits=2",
    "linear_hash:bits=2",
    "recursive_hadamard:bits=2",
    "simulate_infer:bits=2,split=true",
    "golomb_gaps",
    "sparse_hash:bits=2,support=3",
    "adaptive_entropy",
    "local_refinement:bits=2",
]


def command(*arguments: str) -> int:
    """`distest` in this process; the exit code, errors as they are raised."""
    code = importlib.import_module("distest.cli.main").run(list(arguments))
    return code if isinstance(code, int) else 0


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every protocol, two repeats each, and one with samples dealt from real data."""
    out = tmp_path_factory.mktemp("run") / "out"
    said = [argument for protocol in PROTOCOLS for argument in ("--protocol", protocol)]
    plain = ["--seed", "11", "--repeats", "2", "--out", str(out), "--json"]
    assert command("learn", *said, "--n", "9", "--m", "61", "--distribution", "zipf", *plain) == 0
    dealt = ["--data", "ages", "--m", "200", "--sampling", "dealt", "--estimator", "simplex"]
    assert command("learn", "--protocol", "grouping:bits=3", *dealt, *plain) == 0
    return out


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


def rewrite(run: Path, change: Callable[[Record], Record | None]) -> None:
    found = [change(record) for record in records.load(run)]
    (run / records.FILE).write_text("".join(records.canonical(r) + "\n" for r in found if r is not None))


def without(*keys: str) -> Callable[[Record], Record]:
    return lambda record: {k: v for k, v in record.items() if k not in keys}


def audit(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command("audit", str(run))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_every_transcript_is_verified(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = audit(run, capsys)
    assert (code, err) == (0, "")
    assert out == f"audit: {2 * len(PROTOCOLS) + 2} transcripts verified\n"


def test_the_seed_is_not_needed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(run, without("seed"))
    code, out, err = audit(run, capsys)
    assert (code, err) == (0, "")
    assert f"{2 * len(PROTOCOLS) + 2} transcripts verified; l1 and l2 recomputed for 0" in out


def test_nothing_else_than_bits_coins_and_spec_is_needed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a record says about the truth, the samples, the machine or the transport."""
    rewrite(run, without("seed", "truth", "truth_sha256", "transport", "ranks", "hearing", "versions", "wire_bytes"))
    rewrite(run, without("l1", "l2_squared", "seconds", "risk_l1", "risk_l2_squared", "n", "m", "s", "model", "coins"))
    assert audit(run, capsys)[0] == 0


def test_side_information_is_counted_anew_and_older_records_say_nothing_of_it(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [key for key in records.load(run)[0] if key.startswith("side_bits")]
    assert len(said) == 7
    rewrite(run, lambda r: {**r, "side_bits_up": r["side_bits_up"] + 1} if r["model"] == "referee" else r)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert err.count("the bits say side_bits_up = ") == sum(r["model"] == "referee" for r in records.load(run)) > 0
    rewrite(run, without(*said))
    assert audit(run, capsys)[0] == 0


def test_samples_and_private_coins_are_never_touched(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> NoReturn:
        raise AssertionError("an audit saw samples or private coins")

    for owner, name in ((sampling.Independent, "draw"), (sampling.Dealt, "draw"), (PrivateCoins, "words")):
        monkeypatch.setattr(owner, name, refuse)
    for path in ("distest.learning.run.learn", "distest.experiment.learn"):
        monkeypatch.setattr(path, refuse)
    assert audit(run, capsys)[0] == 0
    monkeypatch.setattr(DataCoins, "words", refuse)  # without the seed not even the truth is drawn again
    monkeypatch.setattr(sampling, "deal", refuse)
    monkeypatch.setattr(sampling, "independent", refuse)
    rewrite(run, without("seed"))
    assert audit(run, capsys)[0] == 0


def flip(path: Path, bit_from_the_end: int) -> None:
    """Flip a bit that was said, counted from the last one of the file."""
    board = Board.load(path)
    used = board.posts[-1].chunks[-1].n_bits % 8 or 8
    place = 8 * path.stat().st_size - 1 - (8 - used) - bit_from_the_end
    data = bytearray(path.read_bytes())
    data[place // 8] ^= 128 >> place % 8
    path.write_bytes(data)


@pytest.mark.parametrize("number", range(1, 2 * len(PROTOCOLS) + 3))
def test_a_flipped_bit_is_found_and_the_record_named(
    run: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    record = records.load(run)[number - 1]
    flip(run / "boards" / record["board"], 0)
    code, out, err = audit(run, capsys)
    assert code == 1
    assert err.startswith(f"audit: record {number} ({record['protocol']}, seed 11, repeat {record['repeat']}): ")
    assert err.count("\n") == 1
    assert out == f"audit: 1 of {2 * len(PROTOCOLS) + 2} transcripts differ from their records\n"


@pytest.mark.parametrize("number", range(1, 2 * len(PROTOCOLS) + 3, 2))
def test_a_flipped_bit_with_its_digest_recomputed_is_still_found(
    run: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    record = records.load(run)[number - 1]
    path = run / "boards" / record["board"]
    flip(path, 0)
    digest = Board.load(path).digest()
    rewrite(run, lambda r: {**r, "digest": digest} if r["board"] == record["board"] else r)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert err.startswith(f"audit: record {number} (")


def test_every_bit_of_a_board_counts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any one bit of a whole file, each tried alone: header, lengths, content and the unused bits at the end."""
    audit_one = importlib.import_module("distest.audit").audit
    number, record = next((i, r) for i, r in enumerate(records.load(run), 1) if r["protocol"] == "local_refinement")
    path = run / "boards" / record["board"]
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        data = bytearray(good)
        data[bit // 8] ^= 128 >> bit % 8
        path.write_bytes(data)
        assert audit_one(run, record, number).wrong is not None, f"bit {bit}"
    path.write_bytes(good)
    assert audit_one(run, record, number).wrong is None


def test_a_cut_board_and_a_missing_board_are_found(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boards = [run / "boards" / record["board"] for record in records.load(run)]
    boards[0].unlink()
    boards[1].write_bytes(boards[1].read_bytes()[:-1])
    boards[2].write_bytes(b"")
    code, out, err = audit(run, capsys)
    assert code == 1
    assert [line.split(" (")[0] for line in err.splitlines()] == [f"audit: record {i}" for i in (1, 2, 3)]
    assert "cannot be read (No such file or directory)" in err
    assert "3 of" in out


def test_a_turn_too_many_or_too_few_is_found(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where everything the protocol asks for is on the board, and more."""
    for number, change in ((1, "more"), (14, "less")):
        board = Board.load(run / "boards" / records.load(run)[number - 1]["board"])
        if change == "more":
            last = board.posts[-1]
            turn = Turn(last.turn.round + 1, last.turn.speakers, last.turn.readers)
            board.posts.append(Post(turn, last.chunks))
        else:
            board.posts.pop()
        board.save(run / "boards" / records.load(run)[number - 1]["board"])
    code, _, err = audit(run, capsys)
    assert code == 1
    assert [line.split(" (")[0] for line in err.splitlines()] == ["audit: record 1", "audit: record 14"]
    assert "the board goes on for 1 turns after the protocol has ended" in err
    assert "the board has the end" in err


def test_a_spec_that_does_not_have_its_hash_is_found_where_the_bits_say_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The law of the samples is in no transcript; without the seed only the hash tells."""
    law = {"name": "zipf", "exponent": 2.0}
    rewrite(run, lambda r: {**r, "seed": None, "spec": {**r["spec"], "distribution": law}} if r["n"] == 9 else r)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert err.count("the spec does not have the hash beside it") == 2 * len(PROTOCOLS)


def test_boards_of_two_records_cannot_be_swapped(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (run / "boards" / records.load(run)[i]["board"] for i in (0, 1))
    keep = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(keep)
    assert audit(run, capsys)[0] == 1


@pytest.mark.parametrize("rehashed", [False, True])
@pytest.mark.parametrize(
    ("protocol", "change"),
    [
        ("grouping", lambda spec: {**spec, "protocol": {**spec["protocol"], "shift": True}}),
        ("grouping", lambda spec: {**spec, "protocol": {**spec["protocol"], "bits": 1}}),
        ("grouping", lambda spec: {**spec, "m": spec["m"] + 1}),
        ("grouping", lambda spec: {**spec, "n": spec["n"] - 1}),
        ("grouping", lambda spec: {**spec, "protocol": {"name": "full_sample"}}),
        ("grouping", lambda spec: {**spec, "protocol": {"name": "no_such"}}),
        ("grouping", lambda spec: {**spec, "protocol": 3}),
        ("grouping", lambda spec: {}),
        ("balanced_hash", lambda spec: {**spec, "generator": "philox"}),
        ("balanced_hash", lambda spec: {**spec, "generator": "none"}),
        ("local_refinement", lambda spec: {**spec, "loss": "l1"}),
        ("balanced_hash", lambda spec: {**spec, "estimator": {"name": "simplex"}}),
    ],
)
def test_a_changed_spec_is_found_even_with_its_hash_recomputed(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    protocol: str,
    change: Callable[[Any], Any],
    rehashed: bool,
) -> None:
    def altered(record: Record) -> Record:
        if record["protocol"] != protocol:
            return record
        spec = change(record["spec"])
        return {**record, "spec": spec, "spec_hash": records.spec_hash(spec) if rehashed else record["spec_hash"]}

    rewrite(run, altered)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert f"({protocol}, " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("digest", "0" * 64),
        ("estimate_sha256", "0" * 64),
        ("payload_bits", 1),
        ("payload_bits_up", 1),
        ("payload_bits_board", 1),
        ("payload_bits_down", 1),
        ("messages", 1),
        ("rounds", 7),
        ("coin_bits", 1),
        ("l1", 0.0),
        ("l2_squared", 0.0),
        ("public_key", "0" * 32),
        ("public_key", "short"),
        ("coin_path", ["repeat", "5"]),
        ("coin_path", None),
        ("board", 3),
        ("board", "../records.jsonl"),
    ],
)
def test_a_changed_number_of_the_record_is_found(
    run: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any
) -> None:
    rewrite(run, lambda r: {**r, key: value} if (r["protocol"], r["repeat"]) == ("linear_hash", 1) else r)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert err.startswith("audit: record 10 (linear_hash, seed 11, repeat 1): ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("key", ["digest", "estimate_sha256", "payload_bits", "coin_bits", "spec", "public_key"])
def test_a_record_that_lacks_what_is_compared_fails(run: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    rewrite(run, without(key))
    code, _, err = audit(run, capsys)
    assert code == 1
    assert f"lacks '{key}'" in err


def test_another_seed_does_not_explain_the_errors(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The held-out half of dealt data depends on the seed, and l1 and l2 are measured against it."""
    rewrite(run, lambda r: {**r, "seed": 12} if r["spec"]["sampling"] == "dealt" else r)
    code, _, err = audit(run, capsys)
    assert code == 1
    assert "the bits say l" in err


def test_a_folder_without_boards_has_nothing_to_audit(run: Path) -> None:
    rewrite(run, without("board"))
    with pytest.raises(UsageError, match="keeps no transcripts"):
        command("audit", str(run))


def test_a_folder_without_records_has_nothing_to_audit(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RecordError, match="not a readable records file"):
            command("audit", str(folder))


def test_an_audit_writes_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> list[tuple[str, bytes]]:
        return [(str(p), p.read_bytes()) for p in sorted(run.rglob("*")) if p.is_file()]

    before = state()
    for path in run.rglob("*"):
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    assert audit(run, capsys)[0] == 0
    assert state() == before


def test_a_record_holds_neither_samples_nor_private_keys(run: Path) -> None:
    text = (run / records.FILE).read_text()
    coins = importlib.import_module("distest.coins").from_seed(11)
    assert coins[0].public.key in text
    assert coins[0].private.key not in text
    assert coins[1].key not in text
    lists = [v for r in map(json.loads, text.splitlines()) for v in r.values() if isinstance(v, list)]
    assert all(np.size(v) < 61 for v in lists)
