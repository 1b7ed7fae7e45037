"""Protocols side by side: bits against error against bound, from records alone."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from analysis.bounds.applicable import best_lower, best_lower_bits
from analysis.bounds.total_bits_l2 import bits_under_prior
from analysis.statistics import bits_to_target, median_arrival
from distest.records import run_name

Row = dict[str, Any]


def groups(records: Iterable[Row]) -> list[list[Row]]:
    """Records of one spec together, in order of first appearance; repeats of one seed are counted once."""
    found: dict[str, dict[tuple[Any, Any], Row]] = {}
    for record in records:
        found.setdefault(record["spec_hash"], {})[record["seed"], record["repeat"]] = record
    return [list(group.values()) for group in found.values()]


def law(record: Row) -> str:
    """What a record's samples come from, in a few words: "zipf exponent=1.2", "departures (source)"."""
    table = record["spec"].get("distribution")
    if table is None:
        return f"{record['truth']['name']} ({record['truth']['source']})"
    return _shown(table)


def _shown(table: Row) -> str:
    """A table of a spec in a few words."""
    words = [str(table["name"])] if "name" in table else []
    for key, value in table.items():
        if key != "name":
            words.append(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}")
    return " ".join(words)


_PLACES: dict[str, Callable[[Row], Any]] = {
    "law": law,
    "n": lambda record: record["n"],
    "m": lambda record: record["m"],
    "s": lambda record: record["s"],
    "loss": lambda record: record["spec"]["loss"],
    "estimator": lambda record: _shown(record["spec"]["estimator"]),
    "servers": lambda record: _shown(record["spec"].get("servers", {})),
}


def varied(records: Iterable[Row]) -> list[Row]:
    """Of law, n, m, s, loss, estimator and servers those in which specs differ, one row a spec, as in `summary`."""
    rows = [{key: place(group[0]) for key, place in _PLACES.items()} for group in groups(records)]
    changing = [key for key in _PLACES if len({str(row[key]) for row in rows}) > 1]
    return [{key: row[key] for key in changing} for row in rows]


def mean(values: Sequence[float]) -> float:
    """The average."""
    return math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the average, None for a single value."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1) / len(values))


def summary(records: Iterable[Row]) -> list[Row]:
    """One row a spec: means over repeats, and the bits that are provably needed.

    lower_bound_bits is for the worst p at this l2 error: no ratio is formed, since p was not the worst. Under the
    prior of the bound itself (cos2_haar) it is for that prior, and measured/provable is bits over it. With several
    samples per server there is the l1 error instead that is provable for the worst p at these bits.
    """
    rows = []
    for group in groups(records):
        first = group[0]
        bits = mean([r["payload_bits"] for r in group])
        l2_squared = mean([r["l2_squared"] for r in group])
        prior = first["spec"].get("distribution", {})
        under_prior = prior.get("name") == "cos2_haar"
        row: Row = {
            "protocol": first["label"],
            "runs": len(group),
            "bits/server": bits / first["m"],
            "payload bits": round(bits),
            "l1": mean([r["l1"] for r in group]),
            "l2^2": l2_squared,
            "l2^2 s.e.": standard_error([r["l2_squared"] for r in group]),
            "predicted": predicted(group),
            "lower bound, bits": None,
            "lower bound, l1": None,
        }
        if under_prior and l2_squared > 0:
            needed = bits_under_prior(l2_squared, prior["n_sub"], prior["a"], prior["D"])
            row["lower bound, bits"] = round(needed)
            row["measured/provable"] = bits / needed if needed > 0 else None
            row["prior"] = f"n'={prior['n_sub']} a={prior['a']} D={prior['D']:g}"
        elif (promised := class_of(first)) is not None and first["s"] == 1 and l2_squared > 0:
            bound = best_lower_bits(first["n"], first["m"], "l2_squared", l2_squared, **promised)
            row["lower bound, bits"] = round(bound.value)
        elif promised is not None and first["s"] > 1:
            row["lower bound, l1"] = _least_l1(first, bits, promised)
        row["seconds"] = mean([r["seconds"] for r in group])
        row["padded n"] = first["padded_n"]
        rows.append(row)
    return rows


def training(
    records: Iterable[Row],
    series: Mapping[str, Sequence[Row]] | None = None,
    target: float | None = None,
    key: str = "loss",
) -> list[Row]:
    """One row a spec of training runs: means over repeats, and with a target the median bits at which it was reached.

    series: the points of each run, by its name (`records.run_name`), needed for a target; key: the column it is for.
    Runs that never reached it count as not there yet at all the bits they wrote (`statistics.median_arrival`).
    """
    rows = []
    for group in groups(records):
        first = group[0]
        booked = first.get("ledger") != "none"
        up = [r["payload_bits_up"] + r["payload_bits_board"] + r["payload_bits_peer"] for r in group]
        row: Row = {
            "method": first["label"],
            "runs": len(group),
            "bits up": mean(up) if booked else None,
            "bits down": mean([r["payload_bits_down"] for r in group]) if booked else None,
            "bits a coordinate": mean([r["bits_per_coordinate"] for r in group]) if booked else None,
            "loss": mean([r["loss"] for r in group]),
            "loss s.e.": standard_error([r["loss"] for r in group]),
            "accuracy": mean([r["accuracy"] for r in group]) if all("accuracy" in r for r in group) else None,
        }
        if target is not None:
            told = [points for r in group if (points := (series or {}).get(run_name(r)))]
            row["runs at target"], row["bits at target"] = None, None
            if booked and len(told) == len(group):
                reached = [bits_to_target(points, key, target) for points in told]
                median = median_arrival(reached)
                row["runs at target"] = sum(not run.censored for run in reached)
                row["bits at target"] = median if math.isfinite(median) else None
        row["seconds"] = mean([r["seconds"] for r in group])
        rows.append(row)
    return rows


def class_of(record: Row) -> Row | None:
    """The class of p for which a protocol is made, as the bounds name it; None where no bound is stated for it."""
    family, options = record["family"], record["spec"]["protocol"]
    if family == "all":
        return {}
    if family == "histogram" and options["pieces"] >= 3:
        return {"family": family, "pieces": options["pieces"]}
    if family == "sparse" and options["support"] >= 2:
        return {"family": family, "support": options["support"]}
    return None


def _least_l1(record: Row, bits: float, promised: Row) -> float:
    """The l1 error provable for the worst p with several samples per server, at the cap of a server or these bits."""
    cap = record["bits_per_server"]
    total = bits if cap is None else None
    return best_lower(record["n"], record["m"], record["s"], "l1", total, cap, **promised).value


def predicted(group: Sequence[Row]) -> float | None:
    """The mean of the protocol's own exact predictions of its l2 error, None where it makes none."""
    values = [r["risk_l2_squared"] for r in group if r["risk_l2_squared"] is not None and r["risk_exact"]]
    return mean(values) if values else None
