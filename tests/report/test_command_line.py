"""distest report: one file, written whole or not at all, and a sentence for what cannot be reported on."""

import json
import shutil
from pathlib import Path

import pytest

from distest import records
from distest.cli.main import run
from distest.errors import UsageError
from tests.report.reading import read


def test_learning_and_training_have_sections_of_their_own(learned: Path, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "both.html"
    run(["report", str(learned), str(trained), "-o", str(path)])
    assert [p.name for p in path.parent.iterdir()] == ["both.html"]
    text = path.read_text("utf-8")
    reader = read(text)
    assert "zipf exponent=1.2" in reader.title
    assert "least_squares" in reader.title
    assert sum(t.caption.startswith("Bits to reach") for t in reader.tables) == 2
    assert "Who said how much" in text
    assert "Alistarh" in text  # sources of methods are told
    hashes = {record["spec_hash"] for folder in (learned, trained) for record in records.load(folder)}
    assert all(one in text for one in hashes)


def test_a_page_asks_no_network(learned: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    run(["report", str(learned), "-o", str(path)])
    text = path.read_text("utf-8")
    assert "default-src 'none'" in text
    assert all(address.startswith(("#", "data:")) for address in read(text).addresses)
    assert text.count("plotly.js v") == 1


def test_the_title_is_text_whatever_is_in_it(learned: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    run(["report", str(learned), "-o", str(path), "--title", "<script>alert(1)</script> & more"])
    text = path.read_text("utf-8")
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text


def test_two_results_of_one_run_are_an_alarm(learned: Path, tmp_path: Path) -> None:
    found = records.load(learned)
    twice = {**found[0], "l1": found[0]["l1"] * 2, "estimate_sha256": "0" * 64}
    for record in [*found, found[1], twice]:
        records.append(tmp_path / "records.jsonl", record)
    assert run(["report", str(tmp_path), "-o", str(tmp_path / "r.html")]) == 1
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "nothing below should be trusted" in text
    assert text.count("one run, two results") == 1
    assert found[0]["spec_hash"] in text.partition("one run, two results")[2].partition("</li>")[0]
    run(["report", str(learned), "-o", str(tmp_path / "r.html")])
    assert "nothing below should be trusted" not in (tmp_path / "r.html").read_text("utf-8")


def test_a_failed_audit_is_an_alarm(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(trained, tmp_path / "run")
    board = tmp_path / "run" / "boards" / records.load(trained)[4]["board"]
    data = bytearray(board.read_bytes())
    data[-40] ^= 4
    board.write_bytes(data)
    assert run(["report", str(tmp_path / "run"), "-o", str(tmp_path / "r.html"), "--audit"]) == 1
    assert capsys.readouterr().err.startswith(f"distest: {tmp_path / 'run'}, record 5 (")
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "Alarms" in text
    assert text.count("<li>The audit of") == 1
    assert "record 5 (" in text
    assert run(["report", str(trained), "-o", str(tmp_path / "r.html"), "--audit"]) == 0
    assert "9 transcripts replayed" in (tmp_path / "r.html").read_text("utf-8").replace("\n", " ")


def test_other_formats_hold_the_same_numbers(learned: Path, trained: Path, tmp_path: Path) -> None:
    run(["report", str(learned), str(trained), "-o", str(tmp_path / "r.md")])
    text = (tmp_path / "r.md").read_text("utf-8")
    assert text.startswith("# zipf exponent=1.2 and least_squares")
    assert "| method | setting | bits at target |" in text
    assert "**Would it pay on my network?**" in text
    every = records.load(learned)
    run(["report", str(learned), "-o", str(tmp_path / "r.csv")])
    assert (tmp_path / "r.csv").read_text("utf-8").count("\n") == len(every) + 1
    run(["report", str(learned), "--format", "parquet", "-o", str(tmp_path / "deep" / "records")])
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(tmp_path / "deep" / "records")
    assert table["payload_bits"].to_pylist() == [record["payload_bits"] for record in every]


def test_figures_for_a_paper_and_its_sources(learned: Path, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folder = tmp_path / "figures"
    run(["report", str(learned), str(trained), "-o", str(tmp_path / "r.html"), "--figures", str(folder)])
    assert {path.suffix for path in folder.iterdir()} == {".svg", ".pdf"}
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"error", "loss"}
    assert "BibTeX" in (tmp_path / "r.html").read_text("utf-8")


def test_a_target_that_is_met_before_a_bit_is_sent_has_no_ratios(trained: Path, tmp_path: Path) -> None:
    for name in ("r.html", "r.md"):
        assert run(["report", str(trained), "-o", str(tmp_path / name), "--target", "loss=1000"]) == 0
    assert " with 0 bit." in (tmp_path / "r.md").read_text("utf-8")


def test_a_folder_for_figures_that_is_a_file_is_one_sentence(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file cannot be written \(File exists\)"):
        run(["report", str(trained), "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "file")])


def test_runs_of_which_nothing_was_booked_are_shown_without_bits(tmp_path: Path) -> None:
    out = tmp_path / "fast"
    run(["train", "--problem", "quadratic:points=40,columns=6", "--steps", "4", "--fast", "--out", str(out)])
    run(["report", str(out), "-o", str(tmp_path / "r.html")])
    assert "Nothing was booked" in (tmp_path / "r.html").read_text("utf-8")


def test_a_series_is_no_file_of_records(trained: Path) -> None:
    with pytest.raises(UsageError, match=r"series\.jsonl holds no records of runs; name its folder"):
        run(["report", str(trained / "series.jsonl")])


def test_bad_input_is_one_sentence(learned: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "records.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"empty.* holds no record"):
        run(["report", str(tmp_path / "empty")])
    with pytest.raises(UsageError, match=r"nowhere.* is not a readable records file"):
        run(["report", str(tmp_path / "nowhere")])
    old = tmp_path / "old.jsonl"
    old.write_text(json.dumps({**records.load(learned)[0], "schema": 0}) + "\n")
    with pytest.raises(UsageError, match="has schema 0"):
        run(["report", str(old)])
    for target, why in (("0.1", "a value's name and a number"), ("los=1", "did you mean 'loss'"), ("l1=-1", "above 0")):
        with pytest.raises(UsageError, match=why):
            run(["report", str(learned), "--target", target])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        run(["report", str(learned), "-o", str(tmp_path / "file" / "r.html")])
