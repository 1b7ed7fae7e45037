"""Streaming DiLoCo: its parent with one fragment, even bits, models that are merged late, kept bits, checkpoints."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import audit, training
from distest.errors import UsageError
from distest.sgd.compressors.identity import Identity
from distest.sgd.methods.streaming_diloco import StreamingDiloco
from distest.sgd.rule import Rule
from distest.sgd.saving import Saving
from distest.train_spec import check, normalise
from distest.wire.transport import Solo
from tests.sgd.stepping import Given, stepped

SMALL: dict[str, Any] = {
    "problem": "logistic:data=ionosphere", "workers": 3, "steps": 30, "batch": 8, "rate": 0.01, "evaluate": 2,
}  # fmt: skip


def trained(method: str, keep: bool = False, **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    asked = check(normalise({**SMALL, "method": method}))
    return next(training.run(asked, training.plan(asked), Solo(), keep, **more))


def test_with_one_fragment_and_no_compression_it_is_diloco() -> None:
    parent, _, _ = trained("diloco:inner=7,decay=0.1")
    same, _, _ = trained("streaming_diloco:inner=7,fragments=1,decay=0.1,compressor=identity")
    assert same["model_sha256"] == parent["model_sha256"]
    assert same["payload_bits"] == parent["payload_bits"]


def test_a_turn_has_a_fragment_of_the_bits_and_the_last_step_all() -> None:
    record, series, _ = trained("streaming_diloco:inner=8,fragments=4,compressor=identity")
    bits, d = [point["payload_bits"] for point in series], record["d"]
    sizes = [d * (f + 1) // 4 - d * f // 4 for f in range(4)]
    moved = np.diff(bits) / (32 * 3)
    assert moved[:-1].tolist() == [sizes[turn % 4] for turn in range(14)]
    assert moved[-1] == d  # step 30
    assert record["gradient_evaluations"] == 90


def test_fragments_that_nobody_has_spoken_of_stay_and_are_merged_late() -> None:
    """A gradient of 1 everywhere: AdamW goes down by the rate a step, so everything can be said by hand."""
    rows = np.ones((1, 4), np.float32)
    method = StreamingDiloco(compressor=Identity(), outer_rate=1.0, outer_momentum=0.0, fragments=2, inner=4)
    state, _ = stepped(method, rows, 2, oracle=Given(rows), rule=Rule(rate=0.5, steps=100))
    np.testing.assert_allclose(state.x, [-1, -1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(state.own["local"][0], [-1, -1, -1, -1], atol=1e-5)
    state, _ = stepped(method, rows, 4, oracle=Given(rows), rule=Rule(rate=0.5, steps=100))
    np.testing.assert_allclose(state.x, [-1, -1, -2, -2], atol=1e-5)
    two = np.array([[1] * 4, [-1] * 4], np.float32)  # the common model stays at 0, workers drift apart
    for mix in (0.0, 0.5, 1.0):
        late = replace(method, overlap=1, mix=mix)
        state, _ = stepped(late, two, 4, oracle=Given(two), rule=Rule(rate=0.5, steps=100))
        assert not state.x.any()
        first = mix * -1.5 - 0.5  # after step 3 it hears of fragment 0, told at step 2
        np.testing.assert_allclose(state.own["local"][0], [first, first, -2, -2], atol=1e-5)


@pytest.mark.parametrize("method", ["streaming_diloco:inner=8", "streaming_diloco:inner=12,fragments=3,overlap=2"])
def test_the_bits_alone_give_the_model_and_a_checkpoint_goes_on(method: str, tmp_path: Path) -> None:
    record, _, board = trained(method, keep=True)
    (tmp_path / "boards").mkdir()
    board.save(tmp_path / "boards" / "kept")
    assert audit.audit(tmp_path, {**record, "board": "kept"}, 1).wrong is None

    class _StopError(Exception):
        pass

    done = 0

    def stop(steps: int) -> None:
        nonlocal done
        done += steps
        if done == 23:
            raise _StopError

    with pytest.raises(_StopError):
        trained(method, saving=Saving(tmp_path, 7, False), done=stop)
    resumed, _, _ = trained(method, saving=Saving(tmp_path, 7, True))
    assert resumed["model_sha256"] == record["model_sha256"]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("streaming_diloco:inner=10,fragments=4", "a multiple of fragments"),
        ("streaming_diloco:inner=8,fragments=4,overlap=2", "0 <= overlap < inner / fragments = 2"),
        ("streaming_diloco:mix=2", "0 <= mix <= 1"),
        ("streaming_diloco:inner=60,fragments=60", "35 coordinates cannot be cut in fragments=60"),
    ],
)
def test_what_cannot_be_is_one_sentence(method: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trained(method)
