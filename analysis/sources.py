"""The papers behind what records name, from `sources.bib`: one entry a paper, with what comes from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

OURS = frozenset(
    {
        "protocol/monotone_l2",
        *("distribution/cos2_haar", "distribution/pairs"),  # docs/bounds.md
        *("exchange/all_gather", "exchange/parameter_server"),  # folklore
        *("estimator/raw", "estimator/simplex", "estimator/isotonic", "compressor/identity"),
        *(f"distribution/{law}" for law in ("geometric", "monotone", "perturbed", "pieces", "sparse", "two_step")),
        *("distribution/uniform", "distribution/zipf"),
        *("clock/live", "clock/recorded", "clock/virtual"),
        *(f"graph/{graph}" for graph in ("complete", "edge_list", "matrix", "ring", "torus")),
        *(f"problem/{problem}" for problem in ("least_squares", "logistic", "mlp", "quadratic", "residual")),
        *("problem/shard_sums", "problem/softmax", "problem/unit_logistic", "method/supersgd"),
    }
)
"""What has no paper of its own: ours, or folklore."""

_KINDS = ("protocol", "method", "estimator", "distribution", "problem", "exchange", "clock", "graph")
_ENTRY = re.compile(r"^@\w+\{(\w+),\n(?:.*\n)*?\}$", re.MULTILINE)
_NAMES = re.compile(r"^  distest = \{(.*)\},\n", re.MULTILINE)


@cache
def entries() -> dict[str, tuple[str, frozenset[str]]]:
    """Every entry by its key: BibTeX as others read it, and what comes from the paper, such as "method/qsgd"."""
    text = Path(__file__).with_name("sources.bib").read_text(encoding="utf-8")
    found = {}
    for entry in _ENTRY.finditer(text):
        names = _NAMES.search(entry[0])
        of = frozenset(names[1].split(", ")) if names else frozenset()
        found[entry[1]] = (_NAMES.sub("", entry[0]), of)
    return found


def named(records: Iterable[dict[str, Any]]) -> set[str]:
    """What the specs of records name, by kind: "protocol/grouping", "compressor/qsgd"."""
    found: set[str] = set()
    seen: set[int] = set()
    for record in records:
        if id(record["spec"]) not in seen:  # records share their specs
            seen.add(id(record["spec"]))
            found |= set(_named(record["spec"]))
    return found


def _named(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            if "name" in value and key != "data":
                yield f"{key if key in _KINDS else 'compressor'}/{value['name']}"
            yield from _named(value)


def bibtex(records: Iterable[dict[str, Any]]) -> str:
    """The entries of all papers behind what the specs of records name, in the order of their keys."""
    wanted = named(records)
    return "\n\n".join(text for _, (text, of) in sorted(entries().items()) if of & wanted) + "\n"
