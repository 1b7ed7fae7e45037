"""Every method, and every compressor over every exchange, on the ranks at hand: models, digests, ledgers as JSON.

Methods run with 8 workers and with 7, of whom somebody stands alone; means, of which there are many, with 7. Where
"methods" is asked for, they run with 8 workers and nothing else does.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from distest import catalog, training, warming
from distest.api import transport_at_hand
from distest.errors import UsageError
from distest.rank import guarded, leave
from distest.sgd.asynchronous import Asynchronous
from distest.train_spec import check, normalise

WORKERS = (8, 7)  # four ranks host two workers each of 8
VECTOR, MATRIX = "logistic:data=ionosphere", "softmax"
COMPOSITE = "logistic:data=ionosphere,l1=0.01"
SHORT: dict[str, dict[str, Any]] = {  # seen whole in three steps
    "gspar_svrg": {"inner": 2},
    "dgc": {"warmup": 2, "clip": 1.0, "density": 0.1},
    "diana": {"inner": 2},
    "marina": {"p": 0.5},
    **{name: {"inner": 2} for name in ("local_sgd", "fedpaq", "qsparse_local_sgd", "diloco", "sparseloco")},
    "one_bit_adam": {"freeze": 1},
    "zero_one_adam": {"freeze": 1, "meet": 1},
}


def runs(workers: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every method by name, those for matrices and of whole shards for a matrix; and the means."""
    for name in catalog.names("method"):
        rounds = {"inner": 12} if issubclass(catalog.find("method", name), Asynchronous) else {}
        short = {**rounds, **SHORT.get(name, {})}
        yield MATRIX if name in ("power_sgd", "gspar_svrg") else VECTOR, {"name": name, **short}
    links = {"name": "virtual", "latency": 0.1, "bandwidth": 2000.0}  # times hang on lengths, which vary
    yield VECTOR, {"name": "sparse_asy_lpg", "inner": 12, "clock": links, "mode": "paper"}
    for graph in ("complete", {"name": "edge_list", "edges": [[0, 6], [6, 3], [3, 1], [1, 5], [5, 4], [4, 2]]}):
        yield VECTOR, {"name": "choco_sgd", "graph": graph}  # the list is no graph of 8
    yield COMPOSITE, {"name": "qcmd_adagrad", "downlink": "model", "feedback": True}
    yield COMPOSITE, {"name": "qrda_adagrad", "exchange": "common_scale:bits=2", "ridge": "step"}
    for method in means() if workers % 2 else ():
        yield VECTOR, method


def means() -> Iterator[dict[str, Any]]:
    """The mean of every compressor, over every exchange, with and without feedback, and of some with other kinds."""
    usual = {spec["name"]: spec for spec in map(catalog.describe, reversed(list(warming.compressors())))}
    yield {"name": "mean", "exchange": "common_scale"}
    yield {"name": "mean", "exchange": "common_scale:bits=8", "feedback": True}
    yield {"name": "mean", "exchange": "common_scale:bits=2", "compressor": "ternary", "feedback": True}
    for name in ("scalecom", "sketched_sgd", "true_top_k"):
        for exchange in catalog.names("exchange"):
            yield {"name": name, "exchange": exchange}
    for exchange in catalog.names("exchange"):
        for spec in usual.values():
            kinds: tuple[Any, ...] = (True,) if exchange == "tree" else (False, True)  # a tree is rarely run without
            for feedback in (*kinds, "lowpass", "ef21") if spec["name"] == "sign" else kinds:
                yield {"name": "mean", "compressor": spec, "exchange": exchange, "feedback": feedback}


def work() -> None:
    transport = transport_at_hand()
    found = {}
    for workers in WORKERS[:1] if "methods" in sys.argv else WORKERS:
        for problem, method in runs(workers):
            table = {
                "method": method,
                "problem": problem,
                "workers": workers,
                "steps": 3,
                "batch": 8,
            }
            spec = check(normalise(table))
            try:
                trials = training.plan(spec)
            except UsageError:  # not for this problem, compressor or exchange
                continue
            for record, _, _ in training.run(spec, trials, transport, keep_board=False):
                keys = (
                    *("model_sha256", "digest", "payload_bits", "payload_bits_up", "payload_bits_down", "paper_bits"),
                    *("warnings", "gradient_evaluations", "edge_bits", "loss", "side_bits", "side_bits_down"),
                )
                found[f"{workers} {problem} {record['label']}"] = {key: record[key] for key in keys}
    if transport.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    leave(guarded(work))
