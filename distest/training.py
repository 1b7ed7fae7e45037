"""Training: specs to records, over any transport; and the same run once more from its kept bits."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import msgspec
import numpy as np

from distest import catalog, records
from distest.coins import KEY_BITS, Coins, from_seed
from distest.errors import DivergedError, ModelError, UsageError
from distest.sgd import theory
from distest.sgd.link import Link
from distest.sgd.method import Method
from distest.sgd.optima import NoSolverError
from distest.sgd.oracle import Oracle
from distest.sgd.problem import Problem, Vector
from distest.sgd.rule import Rule
from distest.sgd.saving import Checkpoints, Saving
from distest.sgd.shards import Shards, deal
from distest.sgd.state import State
from distest.train_spec import TrainSpec
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.ledger import Ledger
from distest.wire.replay import Replay
from distest.wire.transport import Solo, Transport

Notice = Callable[[int], None]
Warn = Callable[[str], None]
Series = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One method of a spec, built. rule: its rate is that of all rows where theory says it, which hangs on the deal.
    spec: complete, as a record keeps it."""

    method: Method
    problem: Problem
    rule: Rule
    spec: dict[str, Any]

    @property
    def label(self) -> str:
        """The method with the options that are not the usual."""
        return catalog.label(catalog.build("method", self.spec["method"]))

    def dealt(self, shards: Shards) -> Rule:
        """The rule for rows that are dealt like this."""
        if self.spec["rate"] != "theory":
            return self.rule
        return replace(self.rule, rate=_promised(self.method, self.problem, theory.measured(self.problem, shards)))


def plan(spec: TrainSpec) -> list[Trial]:
    """Every method of a spec, built. Raises UsageError before anything has run."""
    problem: Problem = catalog.build("problem", spec.problem)
    trials = []
    for table in spec.methods:
        method: Method = catalog.build("method", table)
        method.check(problem, spec.workers)
        described = _described(spec, method, problem)
        rate = spec.rate if spec.rate != "theory" else _of_theory(spec, method, problem)
        rule = _rule({**described, "rate": rate})
        method.check_rule(rule)
        trials.append(Trial(_fast(method) if spec.fast else method, problem, rule, described))
    return trials


def _fast(method: Method) -> Method:
    """A method with sums that are not booked. Raises UsageError for one that says more than whole vectors."""
    found = method.fast()
    if found is None:
        raise UsageError(
            f"fast=true adds up whole vectors, {catalog.label(method)} sends other messages; use fast=false"
        )
    return found


def _rule(spec: dict[str, Any]) -> Rule:
    """The rule that a spec, or what a record keeps of it, asks for."""
    given: dict[str, Any] = {option.name: spec[option.name] for option in fields(Rule) if option.name in spec}
    return Rule(**{**given, "milestones": tuple(given.get("milestones", ()))})


def usual_rate(spec: TrainSpec, trial: Trial) -> float:
    """The step size of the first repeat."""
    here = from_seed(spec.seed, spec.generator)[0].fold("repeat", 0)
    return trial.dealt(deal(trial.problem, spec.workers, spec.shards, here.public)).rate


def _of_theory(spec: TrainSpec, method: Method, problem: Problem) -> float:
    """The step size that theory promises before rows are dealt. Raises UsageError where it promises none."""
    if spec.momentum or spec.nesterov or spec.optimiser != "sgd":
        raise UsageError("rate=theory is the step of plain gradients; leave out momentum and optimiser, or give a rate")
    return _promised(method, problem, theory.unshared(problem, spec.workers))


def _promised(method: Method, problem: Problem, smooth: theory.Smoothness) -> float:
    return theory.rounded(method.theory(problem, smooth))


def _steps(spec: TrainSpec, method: Method, problem: Problem) -> int:
    """The steps that a spec asks for, by their number or in epochs."""
    if not spec.epochs:
        return spec.steps
    return max(1, math.ceil(spec.epochs * problem.rows / method.looked_at(problem.rows, spec.workers, spec.batch)))


def _described(spec: TrainSpec, method: Method, problem: Problem) -> dict[str, Any]:
    """What the hash of a run is taken of; seed and repeat stand beside it."""
    plain = msgspec.structs.asdict(spec)
    for key in ("methods", "seed", "repeats", "tuning", "digest"):
        del plain[key]
    plain["steps"] = _steps(spec, method, problem)
    return {**plain, "method": catalog.describe(method), "problem": catalog.describe(problem)}


def run(
    spec: TrainSpec,
    trials: list[Trial],
    transport: Transport,
    keep_board: bool,
    done: Notice | None = None,
    saving: Saving | None = None,
    warn: Warn | None = None,
    repeats: Sequence[int] | None = None,
) -> Iterator[tuple[records.Record, Series, Board | None]]:
    """Train with every method `repeats` times; yields record, series and board, on the server's rank only.

    repeats: only these, by number.
    warn: told each warning of a run once, when it is known. saving: where and how often checkpoints are written, and
    whether runs go on from those there are. Raises PartyError or DivergedError, naming method, worker and step, where
    numbers are no longer finite, UsageError where a checkpoint cannot be read or written.
    """
    if spec.fast and keep_board:
        raise UsageError("fast=true says nothing that a board could keep; leave out --boards, or use fast=false")
    if not spec.digest and keep_board:
        raise UsageError("a board is held against its digest, and digest=false; leave out --boards, or use digest=true")
    for trial in trials:
        for repeat in range(spec.repeats) if repeats is None else repeats:
            if saving is not None and _named(trial, spec, repeat) in saving.finished:
                if done is not None:
                    done(trial.rule.steps)
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
    rule = trial.dealt(shards)
    name = trial.label
    oracle = Oracle(trial.problem, shards, spec.batch or None, data.fold("repeat", repeat), name)
    channel = Channel(spec.workers, transport, "blackboard", keep_board, digest=spec.digest)
    channel.ledger.coin_bits = _coin_bits(trial.method)
    link = Link(channel)
    state = State(trial.problem.start(here.public.fold("start")), tensors=trial.problem.tensors)
    every = spec.evaluate or max(1, rule.steps // 10)
    series: Series = []
    seconds = 0.0
    kept = Checkpoints(saving, _named(trial, spec, repeat), trial.problem, channel, transport)
    earlier, on_paper = 0, None
    for sentence in [*trial.problem.remarks(), *trial.method.warnings(trial.problem, spec.workers)]:
        state.warn(sentence, sentence)
    if spec.rate == "theory" and spec.batch:
        state.warn(
            "theory", "the step size of theory is that of whole shards (batch=0); noise may ask for a smaller one"
        )
    middle = kept.last()
    if middle is not None:
        state, link.round = middle.state, middle.turns
        series, seconds = middle.plain["series"], middle.plain["seconds"]
        earlier, on_paper = middle.plain["evaluations"], middle.plain["paper_bits"]
        state.warnings = middle.plain["warnings"]
        if done is not None:
            done(state.step)
    warned = 0
    transport.barrier()
    state.l1, state.l2 = trial.problem.l1, trial.problem.l2
    while state.step < rule.steps:
        with kept.named():
            if kept.due(state.step):
                _finite(name, state)
                so_far, on_paper_so_far = _counted(oracle, state, transport, earlier, on_paper)
                plain = {"series": series, "seconds": seconds, "evaluations": so_far}
                kept.save(state, {**plain, "paper_bits": on_paper_so_far, "warnings": state.warnings})
            if state.step % every == 0:
                x = trial.method.seen(state, link)
                if transport.hosts_referee:
                    series.append(_point(name, trial.problem, state.step, x, channel, seconds))
            start = time.perf_counter()
            with np.errstate(over="ignore", invalid="ignore"):  # the oracle and the loss say what has gone wrong
                trial.method.round(state, rule, oracle, link, here)
            seconds += time.perf_counter() - start
        if warn is not None:
            for sentence in list(state.warnings.values())[warned:]:
                warn(f"{name}: {sentence}")
        warned = len(state.warnings)
        if done is not None:
            done(1)
    with kept.named():
        trial.method.finish(state, link, here)
    evaluations, on_paper = _counted(oracle, state, transport, earlier, on_paper)
    figures = trial.method.figures(state, transport.total)
    if not transport.hosts_referee:
        return
    with kept.named():
        series.append(_point(name, trial.problem, state.step, state.x, channel, seconds))
    record = _record(spec, trial, rule, repeat, state, channel, transport, series[-1], seconds)
    record |= {"optimum": _optimum(trial.problem, warn), "paper_bits": on_paper}
    record |= {"warnings": list(state.warnings.values())}
    record |= {"gradient_evaluations": evaluations, "public_key": here.public.key, "coin_path": list(here.public.path)}
    yield record | figures, series, channel.board
    kept.remove()  # the record is written


def _finite(name: str, state: State) -> None:
    """Raises DivergedError for an x that no checkpoint should keep."""
    if not np.isfinite(state.x).all():
        raise DivergedError(f"{name}: after {state.step} steps x has left the finite numbers; try a smaller --rate")


def replay(record: records.Record, board: Board, coins: Coins, channel: Replay | None = None) -> dict[str, Any]:
    """What the bits of a kept board say of a run: its digest, its ledger and its model; without gradients.

    channel: what replays the board, for who wants to watch.
    """
    spec = record["spec"]
    problem: Problem = catalog.build("problem", spec["problem"])
    method: Method = catalog.build("method", spec["method"])
    rule = _rule(spec if spec["rate"] != "theory" else {**spec, "rate": record["rate"]})
    if board.parties != spec["workers"]:
        raise ModelError(f"the board has {board.parties} parties, the run {spec['workers']} workers")
    channel = channel or Replay(board, Solo(), "blackboard")
    channel.ledger.coin_bits = _coin_bits(method)
    link = Link(channel)
    start = problem.start(coins.public.fold("start"))
    state = State(start, tensors=problem.tensors, l1=problem.l1, l2=problem.l2)
    while state.step < rule.steps:
        method.round(state, rule, None, link, coins)
    method.finish(state, link, coins)
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


def _point(name: str, problem: Problem, step: int, x: Vector, channel: Channel, seconds: float) -> dict[str, Any]:
    """One line of a series: x after so many steps. Raises DivergedError where the loss is no longer finite."""
    ledger = channel.ledger
    with np.errstate(over="ignore", invalid="ignore"):
        loss = problem.loss(x)
    if not math.isfinite(loss):
        raise DivergedError(f"{name}: after {step} steps the loss is no finite number; try a smaller --rate")
    return {
        "step": step,
        "loss": loss,
        **problem.evaluate(x),
        "payload_bits": ledger.payload_bits,
        "payload_bits_up": ledger.payload("up"),
        "payload_bits_board": ledger.payload("board"),
        "payload_bits_peer": ledger.payload("peer"),
        "payload_bits_down": ledger.payload("down_broadcast") + ledger.payload("down_unicast"),
        "seconds": seconds,
    }


def _record(
    spec: TrainSpec,
    trial: Trial,
    rule: Rule,
    repeat: int,
    state: State,
    channel: Channel,
    transport: Transport,
    last: dict[str, Any],
    seconds: float,
) -> records.Record:
    rows = trial.problem.rows
    return {
        "schema": records.SCHEMA,
        "kind": spec.kind,
        "method": trial.spec["method"]["name"],
        "label": trial.label,
        "spec": trial.spec,
        "spec_hash": records.spec_hash(trial.spec),
        "seed": spec.seed,
        "repeat": repeat,
        "d": trial.problem.d,
        "workers": spec.workers,
        "steps": state.step,
        "epochs": state.step * trial.method.looked_at(rows, spec.workers, spec.batch) / rows,
        "rate": rule.rate,
        "step": "tuned" if spec.tuning else "theory" if spec.rate == "theory" else "given",
        "tuning": spec.tuning or None,
        "ranks": transport.size,
        "transport": transport.name,
        "ledger": "none" if spec.fast else "bits",
        **channel.ledger.totals(),
        "link_bits": None if spec.fast else _link_bits(channel.ledger, spec.workers),
        **{
            key: value
            for key, value in last.items()
            if not key.startswith("payload") and key not in ("step", "seconds")
        },
        "edge_bits": max(channel.ledger.edges.values(), default=None),
        "bits_per_coordinate": channel.ledger.payload_bits / (state.step * spec.workers * trial.problem.d),
        "digest": channel.digest(),
        "model_sha256": model_digest(state.x),
        "seconds": seconds,
        "versions": records.versions(),
        "machine": records.machine(),
    }


def _optimum(problem: Problem, warn: Warn | None) -> float | None:
    """The least loss of a convex problem, None where it is not known; a run is none the worse for that."""
    try:
        return problem.optimum() if problem.convex else None
    except NoSolverError as error:  # a matter of this machine, so it is said and not kept in the record
        if warn is not None:
            warn(str(error))
        return None


def _link_bits(ledger: Ledger, workers: int) -> int | None:
    """The most bits that left the link of a worker; None where the ledger has too many messages to tell."""
    try:
        return int(ledger.by_link(workers)[:-1].max())
    except ValueError:
        return None


def _counted(
    oracle: Oracle, state: State, transport: Transport, earlier: int, on_paper: int | None
) -> tuple[int, int | None]:
    """Gradients, and bits by the rule of a paper if there is one, on all ranks, with those before a checkpoint."""
    here = [oracle.evaluations, state.paper_bits or 0, state.paper_bits is not None]
    evaluations, n_bits, told = map(int, transport.total(np.array(here, np.int64)))
    return earlier + evaluations, n_bits + (on_paper or 0) if told or on_paper is not None else None
