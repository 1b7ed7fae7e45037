"""ScaleCom: what is sent, what is remembered, and that on average all of a gradient arrives."""

from typing import Any

import numpy as np
import pytest

from distest import training
from distest.errors import UsageError
from distest.sgd.methods.scalecom import Scalecom
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import stepped


def test_the_leader_chooses_and_the_mean_at_its_places_is_followed() -> None:
    rows = [[5, 1, 0, 0, 0, 4], [1, 9, 2, 8, 1, 1]]
    state, channel = stepped(Scalecom(density=1 / 3, chunks=True), rows, 1)  # worker 0 leads; stretches of three
    assert state.x.tolist() == [-3, 0, 0, 0, 0, -2.5]
    assert state.own["memory"][1].tolist() == [0, 9, 2, 8, 1, 0]
    assert channel.ledger.by_party(2).tolist() == [2 * 2 + 2 * 32, 2 * 32]  # places, and two values each
    state, _ = stepped(Scalecom(density=1 / 3, chunks=False), rows, 2)  # then worker 1, with what is left of both
    assert state.x.tolist() == [-3, -10, 0, -8, 0, -2.5]


@pytest.mark.parametrize("beta", [1.0, 0.3, 0.1])
def test_on_places_sent_a_part_of_the_old_memory_stays(beta: float) -> None:
    method = Scalecom(density=0.5, chunks=True, beta=beta)
    state, _ = stepped(method, [[1.0, 2.0]], 1)
    first = state.own["memory"][0].copy()
    assert first.tolist() == pytest.approx([beta, 0])
    state, _ = stepped(method, [[1.0, 2.0]], 2)
    p = first + np.array([1, 2], np.float32)
    sent = int(np.argmax(np.abs(p)))
    expected = (1 - beta) * first + beta * np.where(np.arange(2) == sent, 0, p)
    assert state.own["memory"][0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("beta", "within"), [(1.0, 0.01), (0.3, 0.03), (0.1, 0.08)])
def test_all_of_a_constant_gradient_arrives_in_the_long_run(beta: float, within: float) -> None:
    """Unit gain at frequency zero; a memory that is cleared where values were sent would lose a part for beta < 1."""
    row = np.random.default_rng(1).uniform(0.5, 2, 64)
    steps = 4000
    state, _ = stepped(Scalecom(density=1 / 64, chunks=False, beta=beta), [row], steps, noise=1.0)
    assert np.linalg.norm(-state.x / steps - row) / np.linalg.norm(row) < within + 4 / steps**0.5


def trained(workers: int, method: Any) -> dict[str, Any]:
    spec = check(normalise({"problem": "softmax", "workers": workers, "steps": 40, "batch": 8, "method": method}))
    return next(training.run(spec, training.plan(spec), Solo(), False))[0]


def test_traffic_of_a_worker_does_not_grow_with_their_number() -> None:
    """Values: 20 coordinates of 1,970 in single precision each; places: 7 bits each, once a step."""
    for workers in (4, 16):
        record = trained(workers, {"name": "scalecom", "density": 0.01})
        assert record["payload_bits"] == 40 * 20 * (32 * workers + 7)
        assert record["loss"] < 2.0


@pytest.mark.parametrize("options", [{"density": 0.0}, {"density": 2.0}, {"beta": 0.0}, {"beta": 1.5}])
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="scalecom"):
        trained(4, {"name": "scalecom", **options})
