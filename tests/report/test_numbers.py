"""Every number of a page equals what the records give, worked out here once more and in another way."""

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from analysis.bounds.applicable import best_lower_bits
from analysis.bounds.total_bits_l2 import bits_under_prior
from distest import records
from distest.cli.main import run
from tests.report.reading import Reader, ReadTable, read

Record = dict[str, Any]


def made(folder: Path, path: Path, *options: str) -> Reader:
    run(["report", str(folder), "-o", str(path), *options])
    return read(path.read_text("utf-8"))


def table(reader: Reader, caption: str) -> ReadTable:
    return next(t for t in reader.tables if t.caption.startswith(caption))


def by_spec(folder: Path) -> list[list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records.load(folder):
        found.setdefault(record["spec_hash"], []).append(record)
    return list(found.values())


def average(rows: list[Record], key: str) -> float:
    return statistics.fmean(float(row[key]) for row in rows)


def shown(cell: Any) -> float:
    return float(cell.value)


def test_the_verdict_of_learning_is_that_of_the_records(learned: Path, tmp_path: Path) -> None:
    target = 0.02
    verdict = table(made(learned, tmp_path / "r.html", "--target", f"l2_squared={target}"), "Bits to reach")
    wanted: dict[str, tuple[float, list[Record]]] = {}
    for group in by_spec(learned):
        name, error = group[0]["protocol"], average(group, "l2_squared")
        bits = average(group, "payload_bits") if error <= target else math.inf
        if name not in wanted or (bits, error) < (wanted[name][0], average(wanted[name][1], "l2_squared")):
            wanted[name] = bits, group
    expected = sorted(wanted.items(), key=lambda item: (item[1][0], average(item[1][1], "l2_squared")))
    assert [cell.text for cell in verdict.column("method")] == [name for name, _ in expected]
    fewest = expected[0][1][0]
    assert any(math.isfinite(bits) for _, (bits, _) in expected)
    for row, (_, (bits, group)) in zip(verdict.rows, expected, strict=True):
        cells = dict(zip(verdict.heads, row, strict=True))
        if math.isinf(bits):
            assert cells["bits at target"].value is None
            assert cells["bits at target"].text == "not reached"
        else:
            assert shown(cells["bits at target"]) == pytest.approx(bits, rel=1e-12)
            assert shown(cells["× fewest"]) == pytest.approx(bits / fewest, rel=1e-12)
        first = group[0]
        assert shown(cells["bits a server"]) == pytest.approx(average(group, "payload_bits") / first["m"], rel=1e-12)
        error = average(group, "l2_squared")
        assert shown(cells["squared l2 error"]) == pytest.approx(error, rel=1e-12)
        reached = sum(record["l2_squared"] <= target for record in group)
        assert cells["runs that reach it"].text == f"{reached} of {len(group)}"
        least = best_lower_bits(first["n"], first["m"], "l2_squared", error).value
        assert shown(cells["provably needed"]) == round(least)


def test_the_verdict_of_training_is_that_of_the_series(trained: Path, tmp_path: Path) -> None:
    series: dict[str, list[Record]] = {}
    for line in (trained / "series.jsonl").read_text().splitlines():
        point = json.loads(line)
        series.setdefault(point["run"], []).append(point)
    groups = by_spec(trained)
    ends = sorted(statistics.median(min(p["loss"] for p in series[records.run_name(r)]) for r in g) for g in groups)
    target = ends[1]
    verdict = table(made(trained, tmp_path / "r.html", "--target", f"loss={target!r}"), "Bits to reach")
    wanted = {}
    for group in groups:
        arrivals = [
            next((p["payload_bits"] for p in series[records.run_name(r)] if p["loss"] <= target), math.inf)
            for r in group
        ]
        wanted[group[0]["method"]] = statistics.median(arrivals), sum(map(math.isfinite, arrivals)), group
    assert len(verdict.rows) == len(wanted) == 3
    assert {row[0].text for row in verdict.rows} == set(wanted)
    order = [wanted[row[0].text][0] for row in verdict.rows]
    assert order == sorted(order)
    assert math.isinf(order[-1])
    for row in verdict.rows:
        cells = dict(zip(verdict.heads, row, strict=True))
        bits, reached, group = wanted[cells["method"].text]
        assert (cells["bits at target"].value is None) == math.isinf(bits)
        if math.isfinite(bits):
            assert shown(cells["bits at target"]) == bits
        assert cells["runs that reach it"].text == f"{reached} of 3"
        assert shown(cells["loss at the end"]) == pytest.approx(average(group, "loss"), rel=1e-12)
        assert shown(cells["bits a coordinate"]) == pytest.approx(average(group, "bits_per_coordinate"), rel=1e-12)


def test_the_target_of_a_sweep_is_that_of_its_report(tmp_path: Path) -> None:
    spec = tmp_path / "sweep.toml"
    spec.write_text(
        '[[learn]]\nn = 8\ndistribution = "zipf"\nrepeats = 2\ntarget = { l2 = 0.1 }\nprotocols = ["full_sample"]\n'
    )
    run(["compare", str(spec), "--out", str(tmp_path / "out")])
    verdict = table(made(tmp_path / "out", tmp_path / "r.html"), "Bits to reach")
    assert verdict.caption == "Bits to reach squared l2 error 0.01"
    met = [average(g, "payload_bits") for g in by_spec(tmp_path / "out") if average(g, "l2_squared") <= 0.1**2]
    assert shown(verdict.column("bits at target")[0]) == pytest.approx(min(met), rel=1e-12)


def test_the_target_of_a_search_for_rates_is_that_of_its_report(tmp_path: Path) -> None:
    for target, far in (("0.4", True), ("1.0", False)):  # the second is met where all begin, with 0 bits
        out = tmp_path / target
        words = f"--problem least_squares --method mean --method qsgd --steps 10 --target {target} --trials 3"
        run(["tune", *words.split(), "--knob", "none", "--out", str(out)])
        verdict = table(made(out, tmp_path / "r.html"), "Bits to reach")
        assert verdict.caption == f"Bits to reach loss {float(target):g}"
        assert "as the search for step sizes asked" in (tmp_path / "r.html").read_text("utf-8")
        fewest = min(found for found in map(shown, verdict.column("bits at target")) if found is not None)
        assert (fewest > 0) is far


def test_bits_by_direction_add_up_to_the_payload(trained: Path, tmp_path: Path) -> None:
    split = table(made(trained, tmp_path / "r.html"), "Bits by direction")
    directions = [name for name in ("up", "down, to all", "down, to each", "board", "peers") if name in split.heads]
    whole = {group[0]["method"]: average(group, "payload_bits") for group in by_spec(trained)}
    for row in split.rows:
        cells = dict(zip(split.heads, row, strict=True))
        assert sum(shown(cells[name]) for name in directions) == pytest.approx(whole[cells["method"].text], rel=1e-12)


def test_side_information_is_that_of_the_records_and_of_older_ones_nothing_is_said(
    trained: Path, tmp_path: Path
) -> None:
    split = table(made(trained, tmp_path / "r.html"), "Bits by direction")
    groups = {group[0]["method"]: group for group in by_spec(trained)}
    for row in split.rows:
        cells = dict(zip(split.heads, row, strict=True))
        group = groups[cells["method"].text]
        assert shown(cells["side: board"]) == pytest.approx(average(group, "side_bits_board"), rel=1e-12)
        share = average(group, "side_bits") / average(group, "payload_bits")
        assert shown(cells["side, in all"]) == pytest.approx(100 * share, rel=1e-12)
    assert "did not tell values" not in (tmp_path / "r.html").read_text("utf-8")
    older = tmp_path / "older"
    older.mkdir()
    with open(older / records.FILE, "w") as file:
        for record in records.load(trained):
            kept = {key: value for key, value in record.items() if not key.startswith(("side_bits", "machine"))}
            file.write(records.canonical(kept) + "\n")
    path = tmp_path / "older.html"
    split = table(made(older, path), "Bits by direction")
    assert {(cell.value, cell.text) for cell in split.column("side, in all")} == {(None, "–")}
    assert "side: board" not in split.heads
    page = path.read_text("utf-8")
    assert "did not tell values and side information apart" in page
    assert "9 runs by a version that did not record the machine" in page


def test_the_machine_is_told_once(trained: Path, tmp_path: Path) -> None:
    made(trained, tmp_path / "r.html")
    said = records.machine()
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count(f"{said['processor']}, ") == page.count(f"{said['system']}</p>") == 1


def test_slopes_are_least_squares_of_the_records(learned: Path, tmp_path: Path) -> None:
    exponents = table(made(learned, tmp_path / "r.html"), "Exponents")
    assert {cell.text for cell in exponents.column("axis")} == {"m"}
    assert len(exponents.rows) == 4  # two protocols at two budgets
    for row in exponents.rows:
        cells = dict(zip(exponents.heads, row, strict=True))
        groups = [
            g
            for g in by_spec(learned)
            if g[0]["protocol"] == cells["method"].text and f"b={g[0]['bits_per_server']}" == cells["all else"].text
        ]
        at = sorted((math.log(g[0]["m"]), math.log(average(g, "l2_squared"))) for g in groups)
        slope, _ = statistics.linear_regression([x for x, _ in at], [y for _, y in at])
        assert shown(cells["slope"]) == pytest.approx(slope, rel=1e-9)
        formula = sorted((math.log(g[0]["m"]), math.log(average(g, "risk_l2_squared"))) for g in groups)
        theory, _ = statistics.linear_regression([x for x, _ in formula], [y for _, y in formula])
        assert shown(cells["theory"]) == pytest.approx(theory, rel=1e-9)


def test_points_that_are_drawn_are_those_of_the_records(learned: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    made(learned, path)
    text = path.read_text("utf-8")
    marker = '<script type="application/json" id="figures">'
    figures = json.loads(text.partition(marker)[2].partition("</script>")[0])
    view = figures["figures"]["error-1"]["views"][0]
    drawn = {
        (x, y) for trace in view["traces"] if "commands" in trace for x, y in zip(trace["x"], trace["y"], strict=True)
    }
    wanted = [(average(g, "payload_bits"), average(g, "l2_squared")) for g in by_spec(learned)]
    assert len(drawn) == len(wanted)
    for x, y in wanted:
        assert any(math.isclose(x, a) and math.isclose(y, b, rel_tol=1e-12) for a, b in drawn)
    bound = next(trace for trace in view["traces"] if trace.get("dash") == "dash")
    assert len(bound["x"]) == len(bound["y"]) > 5
    assert sorted(bound["y"], reverse=True) == bound["y"]


def test_measured_over_provable_is_formed_under_the_prior_alone(learned: Path, tmp_path: Path) -> None:
    out = tmp_path / "prior"
    words = "learn --protocol full_sample --n 16 --m 300 --distribution cos2_haar --repeats 4 --no-boards --no-figures"
    run([*words.split(), "--out", str(out)])
    found = records.load(out)
    prior = found[0]["spec"]["distribution"]
    reader = made(out, tmp_path / "p.html")
    ratios = table(reader, "Measured over provable")
    needed = bits_under_prior(average(found, "l2_squared"), prior["n_sub"], prior["a"], prior["D"])
    cells = dict(zip(ratios.heads, ratios.rows[0], strict=True))
    ratio = shown(cells["bits, measured / provable"])
    assert ratio == pytest.approx(average(found, "payload_bits") / needed, rel=1e-9)
    assert ratio >= 1
    assert not any(t.caption.startswith("Bits to reach") for t in reader.tables)
    assert not any(t.caption.startswith("Measured") for t in made(learned, tmp_path / "l.html").tables)
