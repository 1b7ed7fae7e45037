"""Every method, and every compressor over every exchange, on the ranks at hand: models, digests, ledgers as JSON."""

import json
from collections.abc import Iterator
from typing import Any

from distest import catalog, training, warming
from distest.cli.running import transport_at_hand
from distest.errors import UsageError
from distest.rank import guarded, leave
from distest.train_spec import check, normalise

WORKERS = (8, 7)  # four ranks host two workers each of 8; 7 leaves somebody with one


def methods() -> Iterator[dict[str, Any]]:
    """Every method by name; and the mean of every compressor, over every exchange, with and without feedback."""
    for name in catalog.names("method"):
        yield {"name": name}
    usual = {spec["name"]: spec for spec in map(catalog.describe, reversed(list(warming.compressors())))}
    yield {"name": "mean", "exchange": "common_scale"}
    yield {"name": "mean", "exchange": "common_scale:bits=8", "feedback": True}
    for name in ("scalecom", "sketched_sgd", "true_top_k"):
        for exchange in catalog.names("exchange"):
            yield {"name": name, "exchange": exchange}
    for exchange in catalog.names("exchange"):
        for spec in usual.values():
            for feedback in (False, True) if exchange != "tree" else (True,):  # a tree is rarely run without
                yield {"name": "mean", "compressor": spec, "exchange": exchange, "feedback": feedback}


def work() -> None:
    transport = transport_at_hand()
    found = {}
    for workers in WORKERS:
        for method in methods():
            table = {
                "method": method,
                "problem": "logistic:data=ionosphere",
                "workers": workers,
                "steps": 3,
                "batch": 8,
            }
            spec = check(normalise(table))
            try:
                trials = training.plan(spec)
            except UsageError:  # error feedback is not for this compressor
                continue
            for record, _, _ in training.run(spec, trials, transport, keep_board=False):
                keys = ("model_sha256", "digest", "payload_bits", "payload_bits_up", "payload_bits_down")
                found[f"{workers} {record['label']}"] = {key: record[key] for key in keys}
    if transport.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    leave(guarded(work))
