"""worst_risk() against risk(p): no p of the class exceeds it, and where it is called exact it is met at the p named."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distest import catalog
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol
from distest.learning.task import Task

CASES: list[tuple[dict[str, Any], Task]] = [
    ({"name": "full_sample"}, Task(16, 120)),
    ({"name": "full_sample", "estimator": "minimax"}, Task(11, 120)),
    ({"name": "full_sample", "code": "block"}, Task(11, 40, s=3)),
    ({"name": "multiset"}, Task(11, 30, s=4)),
    ({"name": "golomb_gaps"}, Task(11, 30, s=4)),
    ({"name": "arithmetic_counts"}, Task(11, 30, s=4)),
    ({"name": "adaptive_entropy"}, Task(12, 100)),
    ({"name": "grouping", "bits": 1}, Task(16, 320)),
    ({"name": "grouping", "bits": 2}, Task(16, 9)),
    ({"name": "grouping", "bits": 1}, Task(16, 20)),
    ({"name": "grouping", "bits": 1, "shift": True}, Task(16, 320)),
    ({"name": "grouping", "bits": 2, "shift": True}, Task(9, 30)),
    ({"name": "grouping", "bits": 2, "shift": True}, Task(16, 173)),
    ({"name": "balanced_hash", "bits": 2}, Task(11, 300)),
    ({"name": "linear_hash", "bits": 3}, Task(16, 200)),
    ({"name": "linear_hash", "bits": 1, "design": "cycle"}, Task(16, 300)),
    ({"name": "linear_hash", "bits": 1, "design": "cycle"}, Task(11, 300)),
    ({"name": "linear_hash", "bits": 2, "design": "cycle"}, Task(16, 303)),
    ({"name": "linear_hash", "bits": 2, "design": "cycle"}, Task(11, 300)),
    ({"name": "recursive_hadamard", "bits": 2}, Task(16, 320)),
    ({"name": "recursive_hadamard", "bits": 2}, Task(11, 173)),
    ({"name": "simulate_infer", "bits": 2}, Task(16, 300)),
    ({"name": "simulate_infer", "bits": 2, "split": True}, Task(16, 300)),
    ({"name": "simulate_infer", "bits": 1, "split": True}, Task(5, 20)),
    ({"name": "sparse_hash", "bits": 2, "support": 3}, Task(64, 3000)),
    ({"name": "monotone_cells"}, Task(300, 500)),
    ({"name": "monotone_cells", "direction": "rising"}, Task(300, 500)),
    ({"name": "monotone_l2"}, Task(300, 500)),
]


def drawn(protocol: Protocol[Any], count: int, seed: int) -> list[Pmf]:
    """Laws of the class: spread, crowded, point masses, uniform on a few symbols and on all."""
    n, rng = protocol.task.n, np.random.default_rng(seed)
    laws: list[NDArray[np.float64]] = [np.full(n, 1 / n), np.eye(n)[0], np.eye(n)[n // 2]]
    for _ in range(count):
        laws.append(rng.dirichlet(np.full(n, np.exp(rng.uniform(-4, 3)))))
        few = np.zeros(n)
        few[rng.choice(n, int(rng.integers(1, n)), replace=False)] = 1
        laws.append(few / few.sum())
    if protocol.family == "sparse":
        support: int = protocol.support  # type: ignore[attr-defined]  # the option of the class
        for law in laws:
            law[np.argsort(law)[: n - support]] = 0
            law /= law.sum()
    if protocol.family == "monotone":
        step = 1 if getattr(protocol, "direction", "falling") == "rising" else -1
        prefixes = [np.where(np.arange(n) < k, 1 / k, 0.0) for k in range(1, n + 1)]
        laws = [np.sort(law)[::step] for law in [*laws, *prefixes]]
    return laws


@pytest.mark.parametrize(("spec", "task"), CASES, ids=str)
def test_no_p_of_the_class_has_a_larger_risk(spec: dict[str, Any], task: Task) -> None:
    protocol = catalog.build("protocol", spec, task=task)
    worst = protocol.worst_risk()
    assert worst is not None
    assert worst.note
    largest = {"l2": 0.0, "l1": 0.0}
    for law in drawn(protocol, 150, seed=task.n):
        risk = protocol.risk(law)
        for loss, here, most in (("l2", risk.l2_squared, worst.l2_squared), ("l1", risk.l1, worst.l1)):
            if here is not None and most is not None:
                assert here <= most * (1 + 1e-9)
                largest[loss] = max(largest[loss], here / most)
    assert all((value is not None) == (loss in protocol.losses) or loss not in protocol.losses
               for loss, value in (("l2", worst.l2_squared), ("l1", worst.l1)))  # fmt: skip
    if "l2 exact, at" in worst.note:
        assert largest["l2"] == pytest.approx(1, rel=1e-9)
    elif protocol.family == "all" and worst.l2_squared is not None:
        assert largest["l2"] > 0.3  # a bound, and not an empty one


def test_nothing_is_promised_where_nothing_is_known() -> None:
    """The sets of local refinement depend on its first turn."""
    protocol = catalog.build("protocol", {"name": "local_refinement", "bits": 2}, task=Task(16, 100))
    assert protocol.worst_risk() is None
