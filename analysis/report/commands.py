"""The command that repeats a point: flags of `distest learn` or `distest train` from the spec of a record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from distest import toml

Row = dict[str, Any]

_LEARN = ("n", "m", "s", "loss", "sampling", "generator")
_TRAIN = ("workers", "batch", "shards", "rate", "momentum", "optimiser", "schedule", "warmup", "evaluate")
_TRAIN_SET = ("nesterov", "decay", "factor", "milestones", "generator")
_USUAL = {
    "s": 1,
    "loss": "l2",
    "sampling": "iid",
    "generator": "splitmix",
    "workers": 4,
    "batch": 32,
    "shards": "iid",
    "rate": 0.1,
    "momentum": 0.0,
    "optimiser": "sgd",
    "schedule": "constant",
    "warmup": 0,
    "evaluate": 0,
    "nesterov": False,
    "decay": 100.0,
    "factor": 0.1,
    "milestones": [],
}


def command_of(group: Sequence[Row]) -> str:
    """The command whose runs have the records of a group: one spec, one seed, as many repeats as there were."""
    first = min(group, key=lambda record: (_seed(record), record["repeat"]))
    spec = first["spec"]
    words = ["distest", first["kind"], *(_learn(spec) if first["kind"] == "learn" else _train(spec))]
    if _seed(first):
        words += ["--seed", str(_seed(first))]
    repeats = 1 + max(record["repeat"] for record in group if _seed(record) == _seed(first))
    if repeats > 1:
        words += ["--repeats", str(repeats)]
    return shlex.join(words)


def _seed(record: Row) -> int:
    return int(record.get("seed") or 0)


def _learn(spec: Row) -> list[str]:
    words = ["--protocol", _short(spec["protocol"])]
    if "distribution" in spec:
        words += ["--distribution", _short(spec["distribution"])]
    elif "file" in spec["data"]:
        words += ["--data", str(spec["data"]["file"])]
        words += ["--column", str(spec["data"]["column"])] if "column" in spec["data"] else []
    else:
        words += ["--data", _short(spec["data"])]
    sizes = spec if "distribution" in spec else {key: value for key, value in spec.items() if key != "n"}
    words += _flags(sizes, _LEARN)
    if spec["estimator"] != {"name": "raw"}:
        words += ["--estimator", _short(spec["estimator"])]
    for key, value in spec.get("servers", {}).items():
        words += ["--set", f"servers.{key}={_toml(value)}"]
    return words


def _train(spec: Row) -> list[str]:
    plain = {key: value for key, value in spec["method"].items() if not isinstance(value, dict | None)}
    words = ["--problem", _short(spec["problem"]), "--method", _short(plain)]
    for key, value in spec["method"].items():
        if isinstance(value, dict):
            words += ["--set", f"method.{key}={_toml(value)}"]
    length = ("epochs",) if spec.get("epochs") else ("steps",)
    words += _flags(spec, (*length, *_TRAIN))
    for key in _TRAIN_SET:
        if key in spec and spec[key] != _USUAL[key]:
            words += ["--set", f"{key}={_toml(spec[key])}"]
    return [*words, *(["--fast"] if spec.get("fast") else [])]


def _flags(spec: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Flags for what is not as usual."""
    said = [(key, spec[key]) for key in keys if spec.get(key) is not None and spec[key] != _USUAL.get(key)]
    return [word for key, value in said for word in (f"--{key}", _text(value))]


def _short(table: Mapping[str, Any]) -> str:
    """A table in its short form: "grouping:bits=3,shift=true"; values that are nothing are left out."""
    options = [f"{key}={_toml(value)}" for key, value in table.items() if key != "name" and value is not None]
    return ":".join([str(table["name"]), ",".join(options)] if options else [str(table["name"])])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _toml(value)


def _toml(value: Any) -> str:
    """A value as TOML has it; a bare word for a string that is one."""
    return value if isinstance(value, str) else toml.inline(toml.given(value))
