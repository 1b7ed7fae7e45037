"""Audit: replay kept boards from bits, public coins and spec alone, and compare with what the records say.

This module never sees a sample, a declared length or a private coin; the seed may be missing from the records.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from distest import catalog, experiment, records, training
from distest.coins import NO_PRIVATE, Coins, PublicCoins, from_seed
from distest.errors import DistestError
from distest.learning.protocol import Protocol
from distest.learning.run import replay
from distest.learning.task import Task
from distest.spec import LearnSpec
from distest.wire.board import Board


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit of one record found. wrong: a sentence, None where all agrees. errors_checked: whether the truth
    could be rebuilt, so that l1 and l2 were recomputed too."""

    which: str
    wrong: str | None
    errors_checked: bool


def audit(folder: Path, record: records.Record, number: int) -> Verdict:
    """Check one record that kept its board."""
    name = record.get("protocol") or record.get("method")
    which = f"record {number} ({name}, seed {record.get('seed')}, repeat {record.get('repeat')})"
    try:
        wrong, checked = _compare(folder, record)
    except (DistestError, KeyError, TypeError, ValueError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        return Verdict(which, said, False)
    return Verdict(which, wrong, checked)


def _compare(folder: Path, record: records.Record) -> tuple[str | None, bool]:
    spec = record["spec"]
    if records.spec_hash(spec) != record["spec_hash"]:
        return "the spec does not have the hash beside it", False
    if record["kind"] == "train":
        return _compare_training(folder, record), True
    protocol, public = protocol_of(record)
    outcome = replay(protocol, Board.load(board_path(folder, record)), public)
    estimator = catalog.build("estimator", spec["estimator"])
    estimate = estimator.apply(outcome.estimate, protocol)
    found: dict[str, Any] = {
        "digest": outcome.digest,
        "estimate_sha256": experiment.estimate_digest(estimate),
        **{key: value for key, value in outcome.ledger.totals().items() if key != "wire_bytes"},
    }
    truth = _truth(record, spec)
    if truth is not None:
        found |= experiment.errors(estimate, truth)
    return _differs(found, record), truth is not None


def _compare_training(folder: Path, record: records.Record) -> str | None:
    """A run of training once more from its bits: its ledger, its digest, its model and the loss of that."""
    if record.get("ledger") == "none":
        return "a run with fast=true has said nothing that could be audited; train with fast=false"
    board = Board.load(board_path(folder, record))
    found = training.replay(record, board, Coins(coins_of(record), NO_PRIVATE))
    return _differs(found, record)


def _differs(found: dict[str, Any], record: records.Record) -> str | None:
    """What a record says otherwise than its bits; nothing is asked of what older versions did not book."""
    for key, value in found.items():
        if key.startswith("side_bits") and record.get(key) is None:
            continue
        if record[key] != value:
            return f"the bits say {key} = {value}, the record says {record[key]}"
    return None


def board_path(folder: Path, record: records.Record) -> Path:
    """Where the board of a record is kept."""
    return folder / "boards" / Path(str(record["board"])).name


def coins_of(record: records.Record) -> PublicCoins:
    """The public coins of a run."""
    return PublicCoins(record["public_key"], record["spec"]["generator"], tuple(record["coin_path"]))


def protocol_of(record: records.Record) -> tuple[Protocol[Any], PublicCoins]:
    """The protocol of a record, and its public coins."""
    spec = record["spec"]
    task = Task(spec["n"], spec["m"], spec["s"], spec["loss"])
    return catalog.build("protocol", spec["protocol"], task=task), coins_of(record)


def _truth(record: records.Record, spec: dict[str, Any]) -> Any:
    """The pmf the errors were measured against, where spec (and seed, if it is random) still tell; else None."""
    if record.get("seed") is None:
        return None
    wanted = {key: spec[key] for key in LearnSpec.__struct_fields__ if key in spec}
    whole = msgspec.convert({**wanted, "protocols": [spec["protocol"]], "seed": record["seed"]}, LearnSpec)
    try:
        trial = experiment.plan(whole)[0]
        if spec.get("data_sha256") != trial.spec.get("data_sha256"):
            return None  # the file has changed since
        _, data = from_seed(whole.seed, whole.generator)
        return experiment.sampler(trial, whole, data)(record["repeat"]).truth
    except DistestError:
        return None
