"""The command: what it prints, what it keeps, and one sentence and the right exit code for all that is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from distest import catalog, launch, records
from distest.cli import tables
from distest.cli.main import RESERVED
from distest.learning import population
from tests import command
from tests.command import Ended

ROOT = Path(launch.__file__).parents[1]
KEYS = {
    *("schema", "kind", "protocol", "spec", "spec_hash", "seed", "n", "m", "s", "ranks", "transport"),
    *("payload_bits_up", "payload_bits_down", "payload_bits_board", "payload_bits_peer"),
    *("payload_bits_down_broadcast", "payload_bits_down_unicast", "coin_bits", "wire_bytes", "messages", "rounds"),
    *("l1", "l2_squared", "digest", "seconds", "versions"),
}
SMALL = ["--n", "9", "--m", "60", "--distribution", "zipf"]


@pytest.fixture
def distest(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """`python -m distest ...` in this process."""
    return partial(command.here, monkeypatch, capfd)


def process(*arguments: str, **settings: str) -> Ended:
    """The same in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **settings}
    done = subprocess.run(
        [sys.executable, "-m", "distest", *arguments], capture_output=True, text=True, timeout=120, env=environment
    )
    return Ended(done.returncode, done.stdout, done.stderr)


Command = Callable[..., Ended]


# ---- bad input


def learn(*arguments: str) -> list[str]:
    return ["learn", *SMALL, *arguments]


BAD: dict[str, tuple[list[str], str]] = {
    "unknown command": (["lern"], "did you mean 'learn'?"),
    "unknown option": (learn("--protocl", "grouping"), "no option --protocl"),
    "option without value": (["learn", "--protocol"], "--protocol"),
    "option of another type": (learn("--seed", "x"), "'x' is not a valid integer"),
    "no protocol": (["learn", *SMALL], "no protocol was named; known: adaptive_entropy"),
    "unknown protocol": (learn("--protocol", "groping"), "no protocol 'groping' (did you mean 'grouping'?); known:"),
    "unknown option of a protocol": (learn("--protocol", "grouping:bit=2"), "did you mean 'bits'?"),
    "missing option of a protocol": (learn("--protocol", "grouping"), "grouping needs option 'bits'"),
    "option without equals": (learn("--protocol", "grouping:2"), "options are written key=value"),
    "unknown distribution": (
        ["learn", "--protocol", "full_sample", "--n", "9", "--m", "60", "--distribution", "zip"],
        "did you mean 'zipf'?",
    ),
    "n too small": (learn("--protocol", "full_sample", "--n", "1"), "2 <= n < 2^31 symbols, got n=1"),
    "n negative": (learn("--protocol", "full_sample", "--n", "-5"), "got n=-5"),
    "n missing": (["learn", "--protocol", "full_sample", "--m", "60", "--distribution", "zipf"], "give n"),
    "m missing": (["learn", "--protocol", "full_sample", "--n", "60", "--distribution", "zipf"], "give m"),
    "m too small": (learn("--protocol", "full_sample", "--m", "0"), "1 <= m < 2^32 servers, got m=0"),
    "s too small": (learn("--protocol", "full_sample", "--s", "0"), "1 <= s < 2^31 samples, got s=0"),
    "s too large for the protocol": (learn("--protocol", "grouping:bits=1", "--s", "2"), "one sample per server"),
    "b too small": (learn("--protocol", "grouping", "--bits", "0"), "takes 1 to 3 bits, got bits=0"),
    "b too large": (learn("--protocol", "grouping", "--bits", "4"), "takes 1 to 3 bits, got bits=4"),
    "b too large for a hash": (learn("--protocol", "balanced_hash", "--bits", "5"), "takes 1 to 4 bits, got bits=5"),
    "b for nobody": (learn("--protocol", "full_sample", "--bits", "3"), "have no option 'bits'"),
    "m too small to cover": (learn("--protocol", "grouping:bits=1", "--m", "8"), "m(2^bits - 1) >= n"),
    "m too small for two turns": (learn("--protocol", "local_refinement:bits=1", "--m", "16"), "m(2^bits - 1) >= n"),
    "exponent out of range": (learn("--protocol", "full_sample", "--distribution", "zipf:exponent=99"), "0 to 50"),
    "support larger than n": (
        learn("--protocol", "full_sample", "--distribution", "sparse:support=99"),
        "sparse puts mass on support=99 symbols, there are only n=",
    ),
    "law at a negative distance": (
        learn("--protocol", "full_sample", "--distribution", "perturbed:distance=-1"),
        "an l1 distance in (0, 0.5], got distance=-1.0",
    ),
    "prior outside its box": (
        learn("--protocol", "full_sample", "--distribution", "pairs:n_sub=4,D=1.5"),
        "pairs: the box size must lie in (0, 1), got D=1.5",
    ),
    "neither law nor data": (["learn", "--protocol", "full_sample", "--n", "9", "--m", "60"], "give either"),
    "both law and data": (learn("--protocol", "full_sample", "--data", "ages"), "and not both"),
    "unknown data": (["learn", "--protocol", "full_sample", "--data", "departurs"], "did you mean 'departures'"),
    "unknown option of data": (["learn", "--protocol", "full_sample", "--data", "departures:slots=5"], "'slot'"),
    "n beside data": (["learn", "--protocol", "full_sample", "--data", "ages", "--n", "9"], "leave n out"),
    "dealt from a law": (learn("--protocol", "full_sample", "--sampling", "dealt"), "a distribution has none"),
    "dealt too often": (
        ["learn", "--protocol", "full_sample", "--data", "ages", "--m", "20000", "--sampling", "dealt"],
        "half of ages is 16280 rows",
    ),
    "too many servers by default": (["learn", "--protocol", "full_sample", "--data", "words"], "give m"),
    "unknown sampling": (learn("--protocol", "full_sample", "--sampling", "all"), "Invalid enum value 'all'"),
    "unknown generator": (learn("--protocol", "full_sample", "--generator", "dice"), "Invalid enum value 'dice'"),
    "unknown estimator": (
        learn("--protocol", "full_sample", "--estimator", "best"),
        "no estimator 'best'; known: isotonic",
    ),
    "unknown loss": (learn("--protocol", "full_sample", "--loss", "l0"), "Invalid enum value 'l0'"),
    "no repeats": (learn("--protocol", "full_sample", "--repeats", "0"), "at least one repeat"),
    "seed out of range": (learn("--protocol", "full_sample", "--seed", "-1"), "0 to 2^64 - 1"),
    "misspelt key": (learn("--protocol", "full_sample", "--set", "repeat=3"), "did you mean 'repeats'?"),
    "setting without equals": (learn("--protocol", "full_sample", "--set", "n"), "--set takes key=value"),
    "setting of protocols": (learn("--set", "protocols=3"), "a protocol is a name or a table, got 3"),
    "no ranks": (learn("--protocol", "full_sample", "--ranks", "0"), "at least 1 rank"),
    "column without data": (learn("--protocol", "full_sample", "--column", "x"), "--column goes with --data"),
    "missing spec": (["learn", "nowhere.toml"], "nowhere.toml cannot be read (No such file"),
    "audit of nothing": (["audit"], "FOLDER"),
    "audit of a missing folder": (["audit", "nowhere"], "is not a readable records file"),
    "bounds without n": (["bounds", "--m", "3"], "--n"),
    "bounds with n too small": (["bounds", "--n", "1", "--m", "3"], "2 <= n < 2^31 symbols, got n=1"),
    "bounds with no bits": (["bounds", "--n", "4", "--m", "3", "--bits", "0"], "at least one bit"),
    "bounds with a negative error": (["bounds", "--n", "4", "--m", "3", "--error", "-1"], "a risk is positive"),
    "bounds with more pieces than symbols": (
        ["bounds", "--n", "16", "--m", "3", "--family", "histogram", "--pieces", "17"],
        "pieces is 1 to n=16",
    ),
    "bounds with more support than symbols": (
        ["bounds", "--n", "16", "--m", "3", "--family", "sparse", "--support", "17"],
        "support is 1 to n=16",
    ),
    "bounds with pieces of nothing": (
        ["bounds", "--n", "16", "--m", "3", "--pieces", "3"],
        "with the family 'histogram'",
    ),
    "bounds without support": (["bounds", "--n", "16", "--m", "3", "--family", "sparse"], "with the family 'sparse'"),
    "bounds for one symbol": (
        ["bounds", "--n", "16", "--m", "3", "--family", "sparse", "--support", "1"],
        "support of at least 2",
    ),
    "bounds of an unknown family": (["bounds", "--n", "16", "--m", "3", "--family", "falling"], "'falling'"),
    "every with no bits": (learn("--protocol", "every", "--bits", "0"), "at least one bit, got bits=0"),
    "every below all minima": (
        learn("--protocol", "every", "--bits", "1", "--s", "5"),
        "keeps to 1 bits a server; the least is 11, of multiset",
    ),
    "every of an unknown family": (learn("--protocol", "every", "--family", "monotne"), "did you mean 'monotone'?"),
    "every with more pieces than symbols": (
        learn("--protocol", "every", "--family", "histogram", "--pieces", "10"),
        "pieces is 1 to n=9, got pieces=10",
    ),
    "every with more support than symbols": (
        learn("--protocol", "every", "--family", "sparse", "--support", "10"),
        "support is 1 to n=9, got support=10",
    ),
    "every sparse without support": (
        learn("--protocol", "every", "--family", "sparse"),
        "support goes with the family",
    ),
    "every with a misspelt option": (
        learn("--protocol", "every:bit=3"),
        "no option of every 'bit' (did you mean 'bits'?)",
    ),
    "every with bits of another type": (learn("--protocol", "every:bits=x"), "every: option bits='x' does not fit"),
    "family for one protocol": (learn("--protocol", "full_sample", "--family", "all"), "have no option 'family'"),
    "support for nobody": (learn("--protocol", "full_sample", "--support", "2"), "have no option 'support'"),
    "more support than symbols": (learn("--protocol", "sparse_hash:bits=2", "--support", "10"), "support of 1 to 9"),
    "a prior outside its box": (
        [
            "learn",
            "--protocol",
            "full_sample",
            "--n",
            "16",
            "--m",
            "60",
            "--distribution",
            "cos2_haar:n_sub=16,a=2,D=1.5",
        ],
        "box size must lie in (0, 1), got D=1.5",
    ),
    "a prior of pairs outside its box": (
        ["learn", "--protocol", "full_sample", "--n", "16", "--m", "60", "--distribution", "pairs:n_sub=16,D=-0.1"],
        "box size must lie in (0, 1), got D=-0.1",
    ),
    "a prior on too many symbols": (
        ["learn", "--protocol", "full_sample", "--n", "16", "--m", "60", "--distribution", "pairs:n_sub=18,D=0.5"],
        "n_sub=18",
    ),
    "a budget in all that leaves no bit": (
        ["learn", "--protocol", "every:total_bits=50", "--n", "9", "--m", "60"],
        "keeps to 0 bits a server; the least is 1",
    ),
    "unknown list": (["list", "protocol"], "protocols"),
}


def refused(ended: Ended, said: str, code: int = 2) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert ended.code == code
    assert ended.out == ""
    assert ended.err.startswith("distest: ")
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_code_2_and_leaves_nothing(
    distest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, said = BAD[case]
    keeping = ["--out", "kept"] if arguments[0] == "learn" and case != "option without value" else []
    refused(distest(*arguments, *keeping), said)
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert left == []


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("a,b\n1,2\n3,4\n", ["--column", "c"], "no column of data.csv 'c'"),
        ("a,b\n1,2\n3,4\n", [], "has 2 columns, name one of them: a, b"),
        ("a,b\n,2\n,4\n", ["--column", "a"], "has no values, only 2 empty cells"),
        ("a,b\n7,2\n7,4\n", ["--column", "a"], "one category only"),
        ("a,b\n", ["--column", "a"], "has no values"),
        ("", ["--column", "a"], "is empty"),
        ("a,b\n1\n", ["--column", "a"], "line 2"),
        (None, ["--column", "a"], "data.csv cannot be read"),
        (None, [], "data.csv cannot be read"),
    ],
)
def test_a_bad_data_file_is_one_sentence(
    distest: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "data.csv").write_text(content)
    refused(distest("learn", "--protocol", "full_sample", "--data", "data.csv", *arguments, "--out", "kept"), said)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n = ", "is not TOML"),
        ("sede = 3", "did you mean 'seed'?"),
        ("protocols = [3]", "a protocol is a name or a table"),
        ("protocol = 'grouping'\nbits = 3", "no key of a learn spec 'bits'"),
        ("[protocol]\nname = 'grouping'\nbits = 'two'\n[distribution]\nname = 'zipf'\n", "does not fit"),
        ("protocol = 'full_sample'\nn = 9\nm = 60\n[distribution]\nnam = 'zipf'\n", "a distribution needs a name"),
    ],
)
def test_a_bad_spec_is_one_sentence(distest: Command, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    flags = [] if "protocol =" in text or "protocols" in text else ["--protocol", "full_sample"]
    extra = ["--n", "9", "--m", "60"] if "[protocol]" in text else []
    refused(distest("learn", str(path), *(flags if "[protocol]" not in text else []), *extra), said)


def test_samples_outside_the_domain_are_one_sentence(
    distest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distest.learning import sampling

    whole = sampling.Independent.draw
    monkeypatch.setattr(sampling.Independent, "draw", lambda self, block: whole(self, block) + 9)
    ended = distest(*learn("--protocol", "grouping:bits=2", "--out", str(tmp_path / "kept")))
    refused(ended, "round 0, servers 0-", code=1)
    assert "samples are symbols from 0 to 8" in ended.err
    assert not (tmp_path / "kept" / records.FILE).exists()


@pytest.mark.parametrize("taken", [".", "boards", "figures", records.FILE])
def test_an_output_folder_that_cannot_be_written_is_one_sentence(distest: Command, tmp_path: Path, taken: str) -> None:
    """Something else stands in the place of the folder, of a folder in it, or of the records."""
    out = tmp_path / "out"
    place = out / taken
    place.parent.mkdir(exist_ok=True)
    if taken == records.FILE:
        place.mkdir()
    else:
        place.write_text("mine")
    ended = distest(*learn("--protocol", "full_sample", "--json", "--out", str(out)))
    assert ended.code == 2
    assert ended.err.startswith("distest: ")
    assert "cannot be written" in ended.err
    assert ended.err.count("\n") == 1
    assert not list(out.glob("**/*.partial"))
    if taken != "figures":  # found before anything has run
        assert not list(out.glob("boards/*"))
        assert ended.out == ""
    if taken != records.FILE:
        assert place.read_text() == "mine"


def test_ranks_without_mpi_are_one_sentence(distest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_mpirun", lambda: None)
    ended = distest(*learn("--protocol", "full_sample", "--ranks", "2", "--out", str(tmp_path / "out")))
    refused(ended, "several ranks need MPI")
    assert 'pip install "distest[mpi]"' in ended.err
    assert "leave out --ranks" in ended.err
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_bug_keeps_its_traceback(distest: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from distest.learning.task import Task

    def broken(self: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Task, "__post_init__", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        distest(*learn("--protocol", "full_sample"))


def test_a_failed_audit_is_code_1(distest: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert distest(*learn("--protocol", "full_sample", "--json", "--out", str(out))).code == 0
    board = next((out / "boards").iterdir())
    data = bytearray(board.read_bytes())
    data[-2] ^= 1
    board.write_bytes(data)
    ended = distest("audit", str(out))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "record 1 (full_sample, seed 0, repeat 0)" in ended.err


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_later_commands_are_reserved(distest: Command, name: str) -> None:
    refused(distest(name, "--anything"), f"'distest {name}' is reserved for a later version")


def test_a_refusal_of_a_real_process_is_the_same() -> None:
    refused(process(*learn("--protocol", "groping")), "did you mean 'grouping'?")


# ---- what is printed


def test_json_is_one_object_a_line_and_nothing_else(distest: Command) -> None:
    ended = distest(*learn("--protocol", "full_sample", "--protocol", "grouping:bits=2", "--repeats", "2", "--json"))
    assert (ended.code, ended.err) == (0, "")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [(r["protocol"], r["repeat"]) for r in found] == [
        ("full_sample", 0), ("full_sample", 1), ("grouping", 0), ("grouping", 1),
    ]  # fmt: skip
    for record in found:
        assert set(record) >= KEYS
        assert (
            record["payload_bits_down"] == record["payload_bits_down_broadcast"] + record["payload_bits_down_unicast"]
        )
        assert record["spec_hash"] == records.spec_hash(record["spec"])
        assert (record["schema"], record["kind"], record["transport"], record["ranks"]) == (1, "learn", "solo", 1)


def test_json_of_a_real_process_is_that_of_this_one_and_of_its_file(distest: Command, tmp_path: Path) -> None:
    arguments = learn("--protocol", "linear_hash:bits=2", "--seed", "5", "--json", "--out", str(tmp_path / "out"))
    there = process(*arguments)
    assert there.code == 0
    assert there.err.startswith("picture: ") or there.err.startswith("no picture: ")
    (record,) = (json.loads(line) for line in there.out.splitlines())
    kept = records.load(tmp_path / "out")
    assert kept == [record]
    here = json.loads(distest(*learn("--protocol", "linear_hash:bits=2", "--seed", "5", "--json")).out)
    different = {key for key in record if key != "board" and record[key] != here[key]}
    assert different <= {"seconds"}
    assert (tmp_path / "out" / "boards" / record["board"]).exists()


def test_without_boards_none_is_kept(distest: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert distest(*learn("--protocol", "full_sample", "--json", "--no-boards", "--out", str(out))).code == 0
    assert "board" not in records.load(out)[0]
    assert not any(out.rglob("*.board"))
    refused(distest("audit", str(out)), "keeps no transcripts")


def test_a_second_run_adds_its_records_and_changes_no_other(distest: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for seed in ("0", "1", "0"):
        assert distest(*learn("--protocol", "full_sample", "--json", "--seed", seed, "--out", str(out))).code == 0
    found = records.load(out)
    assert [r["seed"] for r in found] == [0, 1, 0]
    assert found[0]["digest"] == found[2]["digest"] != found[1]["digest"]
    assert distest("audit", str(out)).code == 0


def test_the_table_names_data_n_m_ranks_and_the_padding_of_hashes(distest: Command) -> None:
    both = ["--protocol", "full_sample", "--protocol", "balanced_hash:bits=2", "--protocol", "grouping:bits=2"]
    ended = distest(*learn(*both))
    assert (ended.code, ended.err) == (0, "")
    text = " ".join(ended.out.split())
    assert "zipf: n = 9, m = 60 servers, one sample a server, 1 rank" in text
    assert "the hashes pad n = 9 to 16, the next power of two" in text
    for column in ("protocol", "bits/server", "payload bits", "l1", "l2^2", "lower bound, bits", "seconds"):
        assert column in text
    for row in ("full_sample", "balanced_hash b=2", "grouping b=2"):
        assert row in text
    assert "no ratio is formed" in text
    assert "measured/provable" not in text


def test_nothing_is_said_about_padding_where_there_is_none(distest: Command) -> None:
    ended = distest(*learn("--protocol", "balanced_hash:bits=2", "--n", "16"))
    assert ended.code == 0
    assert "pad" not in ended.out


def test_under_the_prior_of_a_bound_the_ratio_is_formed(distest: Command) -> None:
    ended = distest("learn", "--protocol", "grouping:bits=2", "--n", "16", "--m", "500", "--distribution", "cos2_haar")
    text = " ".join(ended.out.split())
    assert ended.code == 0
    assert "measured/provable" in text
    assert "no ratio" not in text


def test_real_data_say_what_was_measured_against(distest: Command) -> None:
    ended = distest("learn", "--protocol", "full_sample", "--data", "ages", "--m", "100", "--sampling", "dealt")
    assert ended.code == 0
    assert "ages (bundled with distest" in ended.out
    assert "measured against: held-out half of the data (32,561 rows)" in ended.out


def test_an_estimate_without_error_has_a_row_and_no_bound(distest: Command) -> None:
    """A point mass is learned exactly; no finite number of bits is provable for no error at all."""
    ended = distest(*learn("--protocol", "full_sample", "--distribution", "geometric:ratio=1e-300"))
    assert (ended.code, ended.err) == (0, "")
    assert "full_sample" in ended.out


def test_a_file_of_ones_own_is_learned_and_its_mapping_kept(
    distest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ages").mkdir()  # a folder of that name does not hide the bundle
    (tmp_path / "sales.csv").write_text("region,x\n" + "north,1\nsouth,2\nnorth,3\nwest,4\n" * 30)
    ended = distest("learn", "--protocol", "full_sample", "--data", "sales.csv", "--column", "region", "--json")
    assert ended.code == 0
    record = json.loads(ended.out)
    assert (record["n"], record["m"]) == (3, 120)
    assert record["truth"]["labels"] == ["north", "south", "west"]
    assert json.loads(distest("learn", "--protocol", "full_sample", "--data", "ages", "--json").out)["n"] == 74


def test_settings_flags_and_a_spec_mean_the_same(distest: Command, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("protocol = 'grouping:bits=2'\nn = 9\nm = 60\ndistribution = 'uniform'\nseed = 1\n")
    found = [
        distest("learn", str(path), "--seed", "4", "--distribution", "zipf", "--json"),
        distest("learn", str(path), "--set", "seed=4", "--set", "distribution=zipf", "--json"),
        distest(*learn("--protocol", "grouping:bits=1", "--set", "protocol.bits=2", "--seed", "4", "--json")),
        distest(*learn("--protocol", "grouping", "--bits", "2", "--seed", "4", "--json")),
    ]
    assert {ended.code for ended in found} == {0}
    assert len({json.loads(ended.out)["digest"] for ended in found}) == 1
    assert len({json.loads(ended.out)["spec_hash"] for ended in found}) == 1


def test_list_mentions_every_protocol_distribution_and_data_set(distest: Command) -> None:
    ended = distest("list")
    assert (ended.code, ended.err) == (0, "")
    for name in (*catalog.names("protocol"), *catalog.names("distribution"), *population.names()):
        assert name in ended.out
    rows = [json.loads(line) for line in distest("list", "protocols", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == list(catalog.names("protocol"))
    assert all(row["model"] and row["source"] and row["what"] for row in rows)


def test_bounds_print_what_is_provable(distest: Command) -> None:
    ended = distest("bounds", "--n", "256", "--m", "25600", "--bits", "3", "--json")
    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert {row["unit"] for row in rows} >= {"l1", "l2_squared"}
    assert sum(row["binds"] for row in rows) >= 2
    assert all(row["sense"] != "asymptotic" for row in rows if row["binds"])
    assert distest("bounds", "--n", "256", "--m", "25600", "--error", "1e-4").code == 0


def test_bounds_print_what_protocols_promise_and_mark_the_best_of_both(distest: Command) -> None:
    ended = distest("bounds", "--n", "256", "--m", "25600", "--bits", "3", "--loss", "l2", "--json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert {row["kind"] for row in rows} == {"lower", "risk"}
    lower, upper = (next(row for row in rows if row["binds"] and row["kind"] == kind) for kind in ("lower", "risk"))
    assert sum(row["binds"] for row in rows) == 2
    assert upper["value"] == min(row["value"] for row in rows if row["kind"] == "risk")
    assert lower["value"] <= upper["value"] == pytest.approx(255**2 / (256 * 25600 * 7))
    assert upper["constants"]["bits per server"] == 3
    several = distest(
        "bounds", "--n", "16", "--m", "500", "--s", "64", "--total-bits", "90000", "--loss", "l1", "--json"
    )
    rows = [json.loads(line) for line in several.out.splitlines()]
    assert {"6.5b", "multiset"} <= {row["name"].split(" ")[0] for row in rows}
    monotone = distest("bounds", "--n", "4096", "--m", "9000", "--family", "monotone", "--bits", "7")
    assert (monotone.code, monotone.err) == (0, "")
    assert "no lower bound is stated for monotone p in l2" in " ".join(monotone.out.split())


def test_every_runs_what_fits_and_says_what_is_provable(distest: Command) -> None:
    """Without a law it takes one of the class; the table has a row for each protocol that fits."""
    sizes = ["--n", "64", "--m", "900", "--bits", "4", "--loss", "l1"]
    ended = distest("learn", "--protocol", "every", "--family", "monotone", *sizes, "--json")
    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert {"monotone_cells", "grouping", "balanced_hash"} <= {row["protocol"] for row in rows}
    assert "monotone_l2" not in {row["protocol"] for row in rows}
    assert all(row["bits_per_server"] <= 4 for row in rows)
    assert {row["spec"]["distribution"]["name"] for row in rows} == {"monotone"}
    shown = " ".join(distest("learn", "--protocol", "every", "--family", "monotone", *sizes).out.split())
    assert "for the worst of monotone p, l1: at least" in shown
    assert "is promised, by monotone_cells tau=" in shown
    many = " ".join(distest("learn", "--protocol", "every", "--n", "16", "--m", "50", "--s", "20").out.split())
    assert "lower bound, l1" in many


def test_help_names_every_command_and_no_argument_is_help(distest: Command) -> None:
    ended, bare = distest("--help"), distest()
    assert (ended.code, ended.err) == (0, "")
    assert bare == ended
    for name in ("list", "learn", "bounds", "audit", "doctor"):
        assert name in ended.out
        assert distest(name, "--help").code == 0


def test_the_version_is_one_line_even_where_nothing_is_installed(
    distest: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    def missing(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3")
    assert distest("--version") == Ended(0, "distest, version 1.2.3\n", "")
    monkeypatch.setattr(metadata, "version", missing)
    assert "not installed" in distest("--version").out


def test_a_reader_that_stops_listening_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "distest", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
        running.wait(60)
    assert b"Traceback" not in said


SWEEP = """
n = 16
repeats = 2
distribution = "uniform"
protocols = ["grouping", "balanced_hash"]

[[grid]]
m = [160, 640]
s = [1, 1]

[[grid]]
"protocol.bits" = [1, 2]
"""


def test_a_sweep_is_one_command_and_one_table(distest: Command, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP)
    ended = distest("learn", str(path), "--out", str(tmp_path / "out"), "--no-figures")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("a sweep of 4 specs")
    rows = [line.split() for line in ended.out.splitlines() if "grouping" in line or "balanced_hash" in line]
    assert [(row[0], row[2]) for row in rows] == [(m, f"b={b}") for m in ("160", "640") for b in (1, 1, 2, 2)]
    kept = records.load(tmp_path / "out")
    assert len(kept) == 16
    assert {(r["m"], r["spec"]["protocol"]["bits"]) for r in kept} == {(m, b) for m in (160, 640) for b in (1, 2)}
    assert distest("audit", str(tmp_path / "out")).code == 0


def test_a_sweep_runs_each_case_as_if_it_stood_alone(distest: Command, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP)
    lines = distest("learn", str(path), "--json").out.splitlines()
    alone = ("--n", "16", "--m", "640", "--distribution", "uniform", "--repeats", "2", "--bits", "2")
    single = distest("learn", "--protocol", "grouping", *alone, "--json").out.splitlines()
    digests = [json.loads(line)["digest"] for line in single]
    assert digests == [json.loads(line)["digest"] for line in lines[12:14]]


def test_a_case_that_does_not_fit_ends_a_sweep_before_it_starts(distest: Command, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.replace("[1, 2]", "[1, 20]"))
    refused(distest("learn", str(path), "--out", str(tmp_path / "out")), "bits")
    assert not (tmp_path / "out").exists()


def test_brackets_in_titles_and_notes_of_tables_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show("of [sales]", [{"a[b]": "c[d]"}], 'pip install "distest[train]"')
    said = capsys.readouterr().out
    for text in ("of [sales]", "a[b]", "c[d]", '(pip install "distest[train]")'):
        assert text in said
