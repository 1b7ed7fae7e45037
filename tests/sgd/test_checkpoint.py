"""A run that is cut off anywhere and goes on ends as if nothing had happened; damaged checkpoints are refused."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, records, training
from distest.errors import DistestError, DivergedError, PartyError, UsageError
from distest.sgd import checkpoint, saving
from distest.train_spec import TrainSpec, check, normalise
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger
from distest.wire.transport import Solo

STEPS = 24
KEYS = ("digest", "model_sha256", "loss", "payload_bits", "messages", "rounds", "gradient_evaluations", "steps")


def spec(optimiser: str = "sgd", exchange: str = "parameter_server") -> TrainSpec:
    method = {
        "name": "mean",
        "compressor": {"name": "identity", "precision": "bfloat16"},
        "exchange": exchange,
        "feedback": True,
    }
    table = {"problem": "logistic:data=ionosphere", "workers": 3, "steps": STEPS, "batch": 8, "momentum": 0.9}
    return check(normalise({**table, "method": method, "evaluate": 5, "optimiser": optimiser, "rate": 0.05}))


class CutOffError(Exception):
    """In the place of a power failure."""


def run(asked: TrainSpec, keep: saving.Saving | None = None, stop: int | None = None, boards: bool = False) -> Any:
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps
        if stop is not None and done >= stop:
            raise CutOffError

    return list(training.run(asked, training.plan(asked), Solo(), boards, count, keep))


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("stop", [1, 7, 8, 16, 23])
def test_a_run_that_was_cut_off_ends_like_one_that_was_not(tmp_path: Path, stop: int, optimiser: str) -> None:
    asked = spec(optimiser)
    whole, series, _ = run(asked)[0]
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), stop)
    assert bool(list(tmp_path.glob("*-0-0"))) == (stop > 4)
    record, again, _ = run(asked, saving.Saving(tmp_path, 4, True))[0]
    assert {key: record[key] for key in KEYS} == {key: whole[key] for key in KEYS}
    times = [{**point, "seconds": 0} for point in series]
    assert [{**point, "seconds": 0} for point in again] == times
    assert list(tmp_path.iterdir()) == []  # nothing is left once the record is there


def test_it_can_be_cut_off_again_and_again(tmp_path: Path) -> None:
    asked = spec()
    whole = run(asked)[0][0]
    for _ in range(4):
        with pytest.raises(CutOffError):
            run(asked, saving.Saving(tmp_path, 3, True), stop=_steps_done(tmp_path) + 5)
    record = run(asked, saving.Saving(tmp_path, 3, True))[0][0]
    assert {key: record[key] for key in KEYS} == {key: whole[key] for key in KEYS}


def _steps_done(folder: Path) -> int:
    found = list(folder.glob("*-0-0"))
    channel = Channel(3, Solo(), "blackboard")
    middle = checkpoint.load(found[0], training.plan(spec())[0].problem.d, channel) if found else None
    return 0 if middle is None else middle.state.step


def test_a_save_that_was_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    asked = spec()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), 9)
    folder = next(tmp_path.glob("*-0-0"))
    whole = run(asked)[0][0]
    (folder.with_name(folder.name + ".partial")).mkdir()  # cut off while it wrote
    shutil.copytree(folder, tmp_path / "keep")
    for name in (folder.name, folder.name + ".old"):  # or between two renamings
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "keep", folder.with_name(name))
        assert run(asked, saving.Saving(tmp_path, 4, True))[0][0]["model_sha256"] == whole["model_sha256"]


@pytest.mark.parametrize("file", ["server.npz", "workers-0.npz"])
def test_damaged_checkpoints_are_refused_with_a_sentence(tmp_path: Path, file: str) -> None:
    asked = spec()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), 9)
    path = next(tmp_path.glob("*-0-0")) / file
    whole = path.read_bytes()
    version = whole.index(b"PK\x01\x02") + 6
    newer = whole[:version] + b"\xad" + whole[version + 1 :]  # a version of zip that is not there yet
    for data in (b"", whole[: len(whole) // 2], b"\x80\x04\x95" + whole, whole[: len(whole) - 30], newer):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="checkpoint") as caught:
            run(asked, saving.Saving(tmp_path, 4, True))
        assert "\n" not in str(caught.value)
    np.savez(path, x=np.zeros(3), text=np.zeros(3, np.uint8), turns=np.zeros((1, 32), np.uint8))
    with pytest.raises(UsageError, match="checkpoint"):
        run(asked, saving.Saving(tmp_path, 4, True))
    np.savez(path, x=np.array([{}], dtype=object))  # needs pickle, which is not read
    with pytest.raises(UsageError, match="checkpoint"):
        run(asked, saving.Saving(tmp_path, 4, True))


def test_a_run_that_has_its_record_is_not_done_again(tmp_path: Path) -> None:
    asked = spec()
    record = run(asked)[0][0]
    assert run(asked, saving.Saving(tmp_path, 4, True, frozenset({records.run_name(record)}))) == []


def test_a_ledger_survives_its_plain_form() -> None:
    from distest.wire.turn import Turn

    ledger = Ledger(coin_bits=128)
    ledger.book(Turn(0, range(4), "referee"), range(4), np.array([3, 1, 4, 1]), 9, 4)
    ledger.book(Turn(1, range(0), "each"), range(4), 7, 28, 7, 8)
    again = Ledger.of_plain(ledger.plain())
    assert again.by_round() == ledger.by_round()
    assert again.totals() == ledger.totals()
    assert again.by_party(4).tolist() == [3, 1, 4, 1]
    earlier = ledger.plain()  # as before side information was booked
    earlier["entries"] = [row[:-1] for row in earlier["entries"]]
    old = Ledger.of_plain(earlier)
    old.book(Turn(2, range(4), "board"), range(4), 2, 8, 2, 3)
    assert Ledger.of_plain(old.plain()).totals() == old.totals()
    assert old.totals()["payload_bits"] == ledger.payload_bits + 8
    found = {key: count for key, count in old.totals().items() if key.startswith("side_bits")}
    assert found["side_bits"] is found["side_bits_up"] is found["side_bits_down"] is None
    assert (found["side_bits_board"], found["side_bits_peer"]) == (3, 0)
    assert ["side" in row for row in old.by_round()] == [False, False, True]
    with pytest.raises(ValueError, match="no direction"):
        Ledger.of_plain({**ledger.plain(), "entries": [[0, "sideways", 0, 1, 1, 3, 3, 3]]})


def audited(folder: Path, record: dict[str, Any], board: Any) -> str | None:
    """What the audit of a record finds wrong with its board."""
    (folder / "boards").mkdir()
    board.save(folder / "boards" / "kept")
    return audit.audit(folder, {**record, "board": "kept"}, 1).wrong


@pytest.mark.parametrize("exchange", ["all_gather", "parameter_server", "scatter_reduce"])
@pytest.mark.parametrize("stop", [7, 16])
def test_a_board_is_kept_across_a_cut(tmp_path: Path, stop: int, exchange: str) -> None:
    asked = spec(exchange=exchange)
    whole, _, board = run(asked, boards=True)[0]
    for cut in (stop, stop + 3):
        with pytest.raises(CutOffError):
            run(asked, saving.Saving(tmp_path, 4, True), cut, boards=True)
    record, _, again = run(asked, saving.Saving(tmp_path, 4, True), boards=True)[0]
    assert {key: record[key] for key in KEYS} == {key: whole[key] for key in KEYS}
    assert again.digest() == board.digest() == record["digest"]
    assert list(tmp_path.iterdir()) == []
    assert audited(tmp_path, record, again) is None


def test_posts_are_written_once_and_an_older_checkpoint_stays_good(tmp_path: Path) -> None:
    asked = spec()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), 9, boards=True)
    folder = next(tmp_path.glob("*-0-0"))
    older = folder.with_name(folder.name + ".old")
    for file in folder.iterdir():
        older.mkdir(exist_ok=True)
        os.link(file, older / file.name)
    first = (folder / "posts").read_bytes()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path / "other", 4, False), 17, boards=True)
    longer = (next((tmp_path / "other").glob("*-0-0")) / "posts").read_bytes()
    assert longer.startswith(first)
    assert 2 * len(first) == len(longer)
    (folder / "posts").write_bytes(longer + b"cut off while it wrote")  # seen through the link, too
    shutil.rmtree(folder)
    record = run(asked, saving.Saving(tmp_path, 4, True), boards=True)[0][0]
    assert record["model_sha256"] == run(asked)[0][0]["model_sha256"]


def test_damaged_boards_of_checkpoints_are_refused_with_a_sentence(tmp_path: Path) -> None:
    asked = spec()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), 9, boards=True)
    path = next(tmp_path.glob("*-0-0")) / "posts"
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :] for at in range(3, len(whole), len(whole) // 40)]
    for data in (b"", whole[:-1], whole[: len(whole) // 2], *flipped):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="checkpoint") as caught:
            run(asked, saving.Saving(tmp_path, 4, True), boards=True)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        run(asked, saving.Saving(tmp_path, 4, True), boards=True)
    path.write_bytes(whole)  # nothing was lost
    assert run(asked, saving.Saving(tmp_path, 4, True), boards=True)[0][0]["steps"] == STEPS


def test_a_checkpoint_without_a_board_is_no_start_for_one(tmp_path: Path) -> None:
    asked = spec()
    with pytest.raises(CutOffError):
        run(asked, saving.Saving(tmp_path, 4, False), 9)
    with pytest.raises(UsageError, match="keeps no board: resume without --boards"):
        run(asked, saving.Saving(tmp_path, 4, True), boards=True)


def test_what_diverges_names_the_checkpoint_that_is_left(tmp_path: Path) -> None:
    table = {"problem": "least_squares:data=abalone", "workers": 2, "steps": 60, "batch": 8, "rate": 1e3}
    asked = check(normalise({**table, "method": "mean", "evaluate": 60}))
    with pytest.raises(DistestError, match="no finite numbers; try a smaller --rate; there is no checkpoint yet"):
        run(asked, saving.Saving(tmp_path, 50, False))
    kind: type[DistestError]
    for every, evaluate, kind in ((4, 60, PartyError), (4, 1, DivergedError)):
        asked = check(normalise({**table, "method": "mean", "evaluate": evaluate}))
        with pytest.raises(kind, match=r"; the checkpoint of step \d+ stays in .*, and --resume goes on") as caught:
            run(asked, saving.Saving(tmp_path, every, False))
        assert "\n" not in str(caught.value)
        folder = next(path for path in tmp_path.glob("*-0-0") if f"{path}," in str(caught.value))
        middle = checkpoint.load(folder, training.plan(asked)[0].problem.d, Channel(2, Solo(), "blackboard"))
        assert middle is not None
        assert f"the checkpoint of step {middle.state.step} " in str(caught.value)
        assert np.isfinite(middle.state.x).all()
        with pytest.raises(kind, match=f"the checkpoint of step {middle.state.step} "):
            run(asked, saving.Saving(tmp_path, every, True))
