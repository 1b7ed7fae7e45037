"""Training: specs to records, over any transport; and the same run once more from its kept bits."""

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from distest import catalog, records
from distest.coins import KEY_BITS, Coins, from_seed
from distest.errors import DivergedError, ModelError
from distest.sgd import checkpoint
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.shards import deal
from distest.sgd.state import State
from distest.train_spec import TrainSpec
from distest.wire.board import Board
from distest.wire.channel import Channel, Replay
from distest.wire.transport import Solo, Transport

Notice = Callable[[int], None]
Warn = Callable[[str], None]
Series = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One method of a spec, built. spec: complete, as a record keeps it."""

    method: Method
    problem: Problem
    rule: Rule
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Saving:
    """Checkpoints: in `folder`, every `every` steps. resume: go on from those that are there.

    finished: runs that have their record already, by name, and are not done again.
    """

    folder: Path
    every: int
    resume: bool
    finished: frozenset[str] = frozenset()


def plan(spec: TrainSpec) -> list[Trial]:
    """Every method of a spec, built. Raises UsageError before anything has run."""
    problem: Problem = catalog.build("problem", spec.problem)
    rule = _rule(msgspec.structs.asdict(spec))
    trials = []
    for table in spec.methods:
        method: Method = catalog.build("method", table)
        method.check(problem, spec.workers)
        trials.append(Trial(method, problem, rule, _described(spec, method, problem)))
    return trials


def _rule(spec: dict[str, Any]) -> Rule:
    """The rule that a spec, or what a record keeps of it, asks for."""
    return Rule(**{field.name: spec[field.name] for field in dataclasses.fields(Rule)})


def _described(spec: TrainSpec, method: Method, problem: Problem) -> dict[str, Any]:
    """What the hash of a run is taken of; seed and repeat stand beside it."""
    plain = msgspec.structs.asdict(spec)
    for key in ("methods", "seed", "repeats"):
        del plain[key]
    return {**plain, "method": catalog.describe(method), "problem": catalog.describe(problem)}


def run(
    spec: TrainSpec,
    trials: list[Trial],
    transport: Transport,
    keep_board: bool,
    done: Notice | None = None,
    saving: Saving | None = None,
    warn: Warn | None = None,
) -> Iterator[tuple[records.Record, Series, Board | None]]:
    """Train with every method `repeats` times; yields record, series and board, on the server's rank only.

    warn: told each warning of a run once, when it is known. saving: where and how often checkpoints are written, and
    whether runs go on from those there are. Raises PartyError or DivergedError, naming method, worker and step, where
    numbers are no longer finite, UsageError where a checkpoint cannot be read or written.
    """
    for trial in trials:
        for repeat in range(spec.repeats):
            if saving is not None and _named(trial, spec, repeat) in saving.finished:
                if done is not None:
                    done(spec.steps)
                continue
            yield from _train(spec, trial, repeat, transport, keep_board, done, saving, warn)


def _train(
    spec: TrainSpec,
    trial: Trial,
    repeat: int,
    transport: Transport,
    keep_board: bool,
    done: Notice | None,
    saving: Saving | None,
    warn: Warn | None,
) -> Iterator[tuple[records.Record, Series, Board | None]]:
    coins, data = from_seed(spec.seed, spec.generator)
    here = coins.fold("repeat", repeat)
    shards = deal(trial.problem, spec.workers, spec.shards, here.public)
    name = catalog.label(trial.method)
    oracle = Oracle(trial.problem, shards, spec.batch or None, data.fold("repeat", repeat), name)
    channel = Channel(spec.workers, transport, "blackboard", keep_board)
    channel.ledger.coin_bits = _coin_bits(trial.method)
    link = Link(channel)
    state = State(trial.problem.start(here.public.fold("start")), tensors=trial.problem.tensors)
    every = spec.evaluate or max(1, spec.steps // 10)
    series: Series = []
    seconds = 0.0
    folder = None if saving is None else saving.folder / _named(trial, spec, repeat)
    earlier, on_paper = 0, None
    for sentence in trial.method.warnings(trial.problem, spec.workers):
        state.warn(sentence, sentence)
    if saving is not None and saving.resume and folder is not None:
        middle = checkpoint.load(folder, trial.problem.d, channel.hosted)
        if middle is not None:
            state, link.round = middle.state, len(middle.turns)
            state.tensors = trial.problem.tensors
            channel.restore(middle.books, middle.turns)
            series, seconds = middle.plain["series"], middle.plain["seconds"]
            earlier, on_paper = middle.plain["evaluations"], middle.plain.get("paper_bits")
            state.warnings = middle.plain.get("warnings", {})
            if done is not None:
                done(state.step)
    begun, warned = state.step, 0
    transport.barrier()
    while state.step < spec.steps:
        if saving is not None and folder is not None and state.step > begun and state.step % saving.every == 0:
            so_far, on_paper_so_far = _counted(oracle, state, transport, earlier, on_paper)
            kept = {"series": series, "seconds": seconds, "evaluations": so_far}
            kept |= {"paper_bits": on_paper_so_far, "warnings": state.warnings}
            checkpoint.save(folder, state, channel, transport, kept)
        if state.step % every == 0 and transport.hosts_referee:
            series.append(_point(name, trial.problem, state, channel, seconds))
        start = time.perf_counter()
        with np.errstate(over="ignore", invalid="ignore"):  # the oracle and the loss say what has gone wrong
            trial.method.round(state, trial.rule, oracle, link, here)
        seconds += time.perf_counter() - start
        if warn is not None and len(state.warnings) > warned:
            for sentence in list(state.warnings.values())[warned:]:
                warn(f"{name}: {sentence}")
        warned = len(state.warnings)
        if done is not None:
            done(1)
    evaluations, on_paper = _counted(oracle, state, transport, earlier, on_paper)
    if not transport.hosts_referee:
        return
    series.append(_point(name, trial.problem, state, channel, seconds))
    record = _record(spec, trial, repeat, state, channel, transport, series[-1], seconds)
    record |= {"paper_bits": on_paper, "warnings": list(state.warnings.values())}
    record |= {"gradient_evaluations": evaluations, "public_key": here.public.key, "coin_path": list(here.public.path)}
    yield record, series, channel.board
    if folder is not None:
        checkpoint.remove(folder)  # the record is written


def replay(record: records.Record, board: Board, coins: Coins) -> dict[str, Any]:
    """What the bits of a kept board say of a run: its digest, its ledger and its model; without gradients."""
    spec = record["spec"]
    problem: Problem = catalog.build("problem", spec["problem"])
    method: Method = catalog.build("method", spec["method"])
    rule = _rule(spec)
    if board.parties != spec["workers"]:
        raise ModelError(f"the board has {board.parties} parties, the run {spec['workers']} workers")
    channel = Replay(board, Solo(), "blackboard")
    channel.ledger.coin_bits = _coin_bits(method)
    link = Link(channel)
    state = State(problem.start(coins.public.fold("start")), tensors=problem.tensors)
    while state.step < rule.steps:
        method.round(state, rule, None, link, coins)
    if channel.left():
        raise ModelError(f"the board goes on for {channel.left()} turns after the run has ended")
    totals = {key: value for key, value in channel.ledger.totals().items() if key != "wire_bytes"}
    return {**totals, "digest": channel.digest(), "model_sha256": model_digest(state.x)}


def _coin_bits(part: Any) -> int:
    """Bits of the public key where a method, or a part of it, has readers who need public coins."""
    parts = [getattr(part, option.name) for option in fields(part)]
    if getattr(part, "coin_use", "none") == "public":
        return KEY_BITS
    return max((_coin_bits(inner) for inner in parts if is_dataclass(inner)), default=0)


def _named(trial: Trial, spec: TrainSpec, repeat: int) -> str:
    """The name of a run in files."""
    return records.run_name({"spec_hash": records.spec_hash(trial.spec), "seed": spec.seed, "repeat": repeat})


def model_digest(x: Vector) -> str:
    """SHA-256 of the parameters, float32 little-endian, hex."""
    return hashlib.sha256(x.astype("<f4").tobytes()).hexdigest()


def _point(name: str, problem: Problem, state: State, channel: Channel, seconds: float) -> dict[str, Any]:
    """One line of a series. Raises DivergedError where the loss is no longer finite."""
    ledger = channel.ledger
    with np.errstate(over="ignore", invalid="ignore"):
        loss = problem.loss(state.x)
    if not math.isfinite(loss):
        raise DivergedError(f"{name}: after {state.step} steps the loss is no finite number; try a smaller --rate")
    return {
        "step": state.step,
        "loss": loss,
        **problem.evaluate(state.x),
        "payload_bits": ledger.payload_bits,
        "payload_bits_up": ledger.payload("up") + ledger.payload("board"),
        "payload_bits_down": ledger.payload("down_broadcast") + ledger.payload("down_unicast"),
        "seconds": seconds,
    }


def _record(
    spec: TrainSpec,
    trial: Trial,
    repeat: int,
    state: State,
    channel: Channel,
    transport: Transport,
    last: dict[str, Any],
    seconds: float,
) -> records.Record:
    optimum = trial.problem.optimum() if trial.problem.convex else None
    return {
        "schema": records.SCHEMA,
        "kind": spec.kind,
        "method": trial.spec["method"]["name"],
        "label": catalog.label(trial.method),
        "spec": trial.spec,
        "spec_hash": records.spec_hash(trial.spec),
        "seed": spec.seed,
        "repeat": repeat,
        "d": trial.problem.d,
        "workers": spec.workers,
        "steps": state.step,
        "ranks": transport.size,
        "transport": transport.name,
        **channel.ledger.totals(),
        **{
            key: value
            for key, value in last.items()
            if not key.startswith("payload") and key not in ("step", "seconds")
        },
        "optimum": optimum,
        "bits_per_coordinate": channel.ledger.payload_bits / (state.step * spec.workers * trial.problem.d),
        "digest": channel.digest(),
        "model_sha256": model_digest(state.x),
        "seconds": seconds,
        "versions": records.versions(),
    }


def _counted(
    oracle: Oracle, state: State, transport: Transport, earlier: int, on_paper: int | None
) -> tuple[int, int | None]:
    """Gradients, and bits by the rule of a paper if there is one, on all ranks, with those before a checkpoint."""
    here = [oracle.evaluations, state.paper_bits or 0, state.paper_bits is not None]
    evaluations, n_bits, told = map(int, transport.total(np.array(here, np.int64)))
    return earlier + evaluations, n_bits + (on_paper or 0) if told or on_paper is not None else None
