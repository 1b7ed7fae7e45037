"""The command of a point repeats it: the same spec, the same bits, the same result."""

import shlex
from pathlib import Path

import msgspec
import pytest

from analysis.report.commands import _USUAL, command_of
from distest import records
from distest.cli.main import run
from distest.spec import LearnSpec
from distest.train_spec import TrainSpec

CASES = [
    "learn --protocol grouping:bits=2,shift=true --n 8 --m 60 --distribution zipf:exponent=1.2 --loss l1 --repeats 2",
    "learn --protocol full_sample --data departures:slot=60 --m 50 --estimator merge:pieces=3 --seed 7",
    "learn --protocol full_sample --n 8 --m 60 --s 3 --distribution uniform --generator philox --set servers.lying=2",
    "train --problem quadratic:points=40 --method qsgd --compressor qsgd:bits=3,bucket=4 --steps 3 --workers 2",
    "train --problem quadratic:points=40,columns=6 --method local_top_k --epochs 2 --rate 0.02 --momentum 0.5 "
    "--schedule steps --milestones 0.5,0.75 --shards sorted --set nesterov=true --repeats 2 --evaluate 2",
]


@pytest.mark.parametrize("words", CASES)
def test_the_command_of_a_point_gives_its_records_again(words: str, tmp_path: Path) -> None:
    options = ["--no-figures", "--no-boards"] if words.startswith("learn") else []
    run([*shlex.split(words), *options, "--out", str(tmp_path / "a")])
    first = records.load(tmp_path / "a")
    command = shlex.split(command_of(first))
    assert command[0] == "distest"
    run([*command[1:], *options, "--out", str(tmp_path / "b")])
    again = records.load(tmp_path / "b")
    same = ("spec", "spec_hash", "seed", "repeat", "digest", "payload_bits")
    assert [[record[key] for key in same] for record in again] == [[record[key] for key in same] for record in first]


def test_what_a_command_leaves_out_is_what_specs_take_as_usual() -> None:
    for spec in (LearnSpec, TrainSpec):
        defaults = {field.name: field.default for field in msgspec.structs.fields(spec)} | {"milestones": []}
        told = {key: value for key, value in _USUAL.items() if key in defaults}
        assert len(told) > 3
        assert told == {key: defaults[key] for key in told}
