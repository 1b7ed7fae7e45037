"""From a spec to records: builds what the spec names, runs it, and describes what came out."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from distest import candidates, catalog, records
from distest.coins import DataCoins, from_seed
from distest.errors import UsageError, unknown
from distest.learning import norms, sampling
from distest.learning.distributions.base import Distribution
from distest.learning.estimators.base import Estimator
from distest.learning.norms import Pmf
from distest.learning.protocol import Protocol
from distest.learning.roster import Roster
from distest.learning.run import Notice, Outcome, learn
from distest.learning.task import Task
from distest.spec import EVERY, LearnSpec
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.transport import Transport

_PRIORS = {"cos2_haar": ("n_sub", "a", "D"), "pairs": ("n_sub", "D")}


@dataclass(frozen=True, slots=True)
class Truth:
    """What the estimate is measured against, and how samples are drawn.

    n: domain size. rows: size of the population, None for a law. described: for the record.
    """

    n: int
    rows: int | None
    described: dict[str, Any]
    distribution: Distribution | None
    population: Any

    @property
    def random(self) -> bool:
        """Whether every repeat has a truth of its own."""
        return self.distribution is not None and type(self.distribution).random


def load_truth(spec: LearnSpec) -> Truth:
    """The law or the data a spec names. Raises UsageError where they contradict the spec."""
    if spec.data is not None:
        return _population(spec, dict(spec.data))
    if spec.n is None:
        raise UsageError("a distribution needs the size of its domain: give n")
    if spec.sampling == "dealt":
        raise UsageError("sampling 'dealt' deals out the rows of data; a distribution has none")
    if spec.distribution is None:
        raise UsageError("give either a distribution or data to learn")
    distribution: Distribution = catalog.build("distribution", spec.distribution)
    return Truth(spec.n, None, {"kind": "law"}, distribution, None)


def _population(spec: LearnSpec, data: dict[str, Any]) -> Truth:
    from distest.learning import population, user_file  # file readers: not for runs on a law

    if "file" in data:
        path = data.pop("file")
        column = data.pop("column", None)
        if data:
            raise UsageError(unknown("option of a data file", next(iter(data)), ("file", "column")))
        found = user_file.read_population(Path(str(path)), column)
    else:
        found = population.bundled(str(data.pop("name", "")), **data)
    if spec.n not in (None, found.n):
        raise UsageError(f"{found.name} has n={found.n} symbols, the spec says n={spec.n}; leave n out")
    kind = "held-out half of the data" if spec.sampling == "dealt" else "law of all the data"
    return Truth(found.n, found.rows, {"kind": kind, **found.describe()}, None, found)


def build_task(spec: LearnSpec, truth: Truth) -> Task:
    """The task of a spec: m defaults to one server a row (of the dealt half), up to ten million."""
    m = spec.m
    if m is None:
        if truth.rows is None:
            raise UsageError("a distribution is learned by m servers: give m")
        m = (truth.rows // 2 if spec.sampling == "dealt" else truth.rows) // max(1, spec.s)
        if not 1 <= m <= 10**7:
            raise UsageError(f"the data would make m={m} servers of {spec.s} samples; give m")
    return Task(truth.n, m, spec.s, spec.loss)


@dataclass(frozen=True, slots=True)
class Trial:
    """One protocol of a spec, built: what every one of its repeats shares."""

    protocol: Protocol[Any]
    truth: Truth
    estimator: Estimator
    roster: Roster
    spec: dict[str, Any]


def plan(spec: LearnSpec) -> list[Trial]:
    """Every protocol of a spec, built. Raises UsageError before anything has run."""
    prior = spec.distribution if (spec.distribution or {}).get("name") in _PRIORS else None
    everywhere = msgspec.structs.replace(spec, distribution={"name": "uniform"}) if prior else spec
    truth = load_truth(everywhere)
    task = build_task(spec, truth)
    estimator: Estimator = catalog.build("estimator", spec.estimator)
    roster = _roster(spec.servers)
    trials = []
    for table in expanded(spec, task):
        protocol: Protocol[Any] = catalog.build("protocol", table, task=task)
        if prior is not None:
            truth = load_truth(msgspec.structs.replace(spec, distribution=_prior(prior, protocol)))
        estimator.check(protocol)
        roster.check(protocol)
        trials.append(Trial(protocol, truth, estimator, roster, _described(spec, protocol, truth, estimator)))
    return trials


def _roster(table: dict[str, Any]) -> Roster:
    for key in table:
        if key not in Roster.__dataclass_fields__:
            raise UsageError(unknown("key of servers", key, Roster.__dataclass_fields__))
    try:
        return msgspec.convert(table, Roster)
    except msgspec.ValidationError as error:
        raise UsageError(f"servers: {error}") from None


def expanded(spec: LearnSpec, task: Task) -> list[dict[str, Any]]:
    """The protocols of a spec, `every` replaced by all that fit. Raises UsageError where none does."""
    out: list[dict[str, Any]] = []
    for table in spec.protocols:
        if table.get("name") == EVERY:
            out += [found.spec for found in candidates.some_fitting(candidates.Problem.of(table, task))]
        else:
            out.append(table)
    return out


def _prior(table: dict[str, Any], protocol: Protocol[Any]) -> dict[str, Any]:
    """A prior with the parameters at which the bound for this protocol's bits is best, where they are left out."""
    from analysis.bounds.total_bits_l1 import bits_for_l1, total_bits_l1
    from analysis.bounds.total_bits_l2 import bits_for_l2, total_bits_l2

    name = table["name"]
    if len(table) > 1:
        return table
    task = protocol.task
    uniform = np.full(task.n, 1 / task.n)
    risk = protocol.risk(uniform)
    error = None if risk is None else risk.l2_squared if name == "cos2_haar" else risk.l1
    if error is not None:
        bound = (bits_for_l2 if name == "cos2_haar" else bits_for_l1)(task.n, error)
    else:
        cap, bits = protocol.bits_per_server(), protocol.payload_bits(uniform)
        bound = (total_bits_l2 if name == "cos2_haar" else total_bits_l1)(task.n, task.m, bits, cap)
    values = {key: bound.constants[key] for key in _PRIORS[name]}
    return {"name": name, **{k: v if k == "D" else int(v) for k, v in values.items()}}


def _described(spec: LearnSpec, protocol: Protocol[Any], truth: Truth, estimator: Estimator) -> dict[str, Any]:
    """The spec of one trial, complete: what its hash is taken of. Seed and repeat stand beside it."""
    task = protocol.task
    source = (
        {"distribution": catalog.describe(truth.distribution)}
        if truth.distribution is not None
        else {"data": spec.data, "data_sha256": truth.described["sha256"]}
    )
    return {
        "kind": spec.kind,
        "protocol": catalog.describe(protocol),
        "n": task.n,
        "m": task.m,
        "s": task.s,
        "loss": task.loss,
        **source,
        "sampling": spec.sampling,
        "estimator": catalog.describe(estimator),
        **({"servers": spec.servers} if spec.servers else {}),
        "generator": spec.generator,
    }


@dataclass(frozen=True, slots=True)
class Samples:
    """The truth of one repeat and the draws from it."""

    truth: Pmf
    draw: Callable[[range], Any]


def sampler(trial: Trial, spec: LearnSpec, coins: DataCoins) -> Callable[[int], Samples]:
    """The samples of a repeat, as a function of its number; what repeats share is made once."""
    truth, task = trial.truth, trial.protocol.task

    def fresh(repeat: int) -> Samples:
        here = coins.fold("repeat", repeat)
        if spec.sampling == "dealt":
            dealt, held_out = sampling.deal(truth.population, task.m, task.s, here)
            return Samples(held_out, dealt.draw)
        assert truth.distribution is not None  # a population that is not dealt has a fixed law
        pmf = truth.distribution.pmf(task.n, here)
        return Samples(pmf, sampling.independent(pmf, task.s, here).draw)

    if truth.random or spec.sampling == "dealt":
        return fresh
    pmf = truth.population.pmf if truth.distribution is None else truth.distribution.pmf(task.n, coins)
    table = sampling.independent(norms.checked_pmf(pmf, "the truth"), task.s, coins).table

    def fixed(repeat: int) -> Samples:
        here = coins.fold("repeat", repeat).fold("samples")
        return Samples(pmf, sampling.Independent(table, task.s, here).draw)

    return fixed


Done = tuple[records.Record, Board | None]


def run(
    spec: LearnSpec, trials: list[Trial], transport: Transport, keep_board: bool, heard: Notice | None = None
) -> Iterator[Done]:
    """Run every trial of a plan `repeats` times; yields record and board as they come, on the referee's rank only."""
    for trial in trials:
        one = runner(spec, trial, transport, keep_board, heard)
        for repeat in range(spec.repeats):
            done = one(repeat)
            if done is not None:
                yield done


def runner(
    spec: LearnSpec, trial: Trial, transport: Transport, keep_board: bool, heard: Notice | None = None
) -> Callable[[int], Done | None]:
    """A function that runs one repeat of a trial: record and board, on the referee's rank only."""
    coins, data = from_seed(spec.seed, spec.generator)
    protocol, samples_of = trial.protocol, sampler(trial, spec, data)

    def one(repeat: int) -> Done | None:
        samples = samples_of(repeat)
        channel = Channel(protocol.task.m, transport, protocol.model, keep_board, spec.hearing)
        here = coins.fold("repeat", repeat)
        transport.barrier()
        start = time.perf_counter()
        apart = data.fold("repeat", repeat).fold("roster")
        draw = trial.roster.apart(samples.draw, protocol.task, apart)
        outcome = learn(protocol, draw, channel, here, heard)
        seconds = time.perf_counter() - start
        if outcome is None:
            return None
        record = _record(spec, trial, samples.truth, outcome, repeat, transport, seconds)
        return record | {"public_key": here.public.key, "coin_path": list(here.public.path)}, outcome.board

    return one


def estimate_digest(estimate: Pmf) -> str:
    """SHA-256 of an estimate, float64 little-endian, hex."""
    return hashlib.sha256(estimate.astype("<f8").tobytes()).hexdigest()


def errors(estimate: Pmf, truth: Pmf) -> dict[str, float]:
    """The two errors of a record."""
    return {"l1": norms.l1(estimate, truth), "l2_squared": norms.l2_squared(estimate, truth)}


def _record(
    spec: LearnSpec,
    trial: Trial,
    truth: Pmf,
    outcome: Outcome,
    repeat: int,
    transport: Transport,
    seconds: float,
) -> records.Record:
    protocol = trial.protocol
    task = protocol.task
    estimate = trial.estimator.apply(outcome.estimate, protocol)
    risk = trial.estimator.risk(truth, protocol) if trial.roster.plain else None
    return {
        "schema": records.SCHEMA,
        "kind": spec.kind,
        "protocol": trial.spec["protocol"]["name"],
        "label": catalog.label(protocol),
        "spec": trial.spec,
        "spec_hash": records.spec_hash(trial.spec),
        "seed": spec.seed,
        "repeat": repeat,
        "n": task.n,
        "m": task.m,
        "s": task.s,
        "padded_n": protocol.padded_n(),
        "model": protocol.model,
        "family": protocol.family,
        "coins": protocol.coin_use,
        "bits_per_server": protocol.bits_per_server(),
        "truth": trial.truth.described,
        "truth_sha256": estimate_digest(truth),
        "ranks": transport.size,
        "transport": transport.name,
        "hearing": spec.hearing,
        **outcome.ledger.totals(),
        **errors(estimate, truth),
        "risk_l2_squared": None if risk is None else risk.l2_squared,
        "risk_l1": None if risk is None else risk.l1,
        "risk_exact": None if risk is None else risk.exact,
        "digest": outcome.digest,
        "estimate_sha256": estimate_digest(estimate),
        "seconds": seconds,
        "versions": records.versions(),
        "machine": records.machine(),
    }
