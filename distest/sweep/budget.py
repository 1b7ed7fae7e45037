"""Equal bits: how a budget becomes the options of a protocol or method, or its number of servers or steps.

What the spec sets stays as it is. Of a protocol, what is open is chosen by what it promises (`candidates`); where m is
left out of a budget in total, the number of servers follows. Of a method, bits are measured in short runs without a
record, and its dial is turned to the most bits that fit; where neither steps nor epochs are given with a budget in
total, the number of steps follows.
"""

from collections.abc import Generator
from typing import Any

import msgspec

from distest import experiment, spec, train_spec, training
from distest.candidates import Problem, best
from distest.catalog import find
from distest.errors import UsageError
from distest.learning.protocol import Protocol
from distest.learning.task import Task
from distest.spec import Table
from distest.sweep.aim import Budget
from distest.sweep.asked import Case, Kind
from distest.sweep.dial import Dial, dial_of
from distest.sweep.trial import COLUMNS, Trial

Asking = Generator[list[Trial], list[list[float]], Any]
FEW = (4, 8, 12)  # steps of the runs that tell whether every step has the same bits
CLOSE = 0.99  # of a budget: near enough
CORRECTIONS = 4
MOST = 1 << 26  # servers, steps


class UnmetError(UsageError):
    """A budget that a protocol or method cannot keep to."""


def planned(case: Case) -> Asking:
    """The table of a case within its budget and its plan, as (table, plan). Raises UnmetError where nothing fits."""
    if case.kind == "learn":
        return (yield from _protocol(case))
    return (yield from _method(case))


def plan_of(case: Case, chosen: Table, why: str, **more: Any) -> Table:
    """A plan as a record keeps it."""
    assert case.aim is not None
    return {**case.aim.described(), "chosen": chosen, "why": why, **more}


# ---- protocols


def _protocol(case: Case) -> Asking:
    budget = _budget(case)
    name = str(case.part.get("name"))
    if budget.per == "total" and "m" not in case.table and case.table.get("distribution") is not None:
        return (yield from _servers(case, budget))
    asked = spec.check(case.table)
    task = experiment.build_task(asked, experiment.load_truth(asked))
    share = int(budget.bits) if budget.per == "server" else int(budget.bits // task.m)
    found = best(_problem(case.part, task, share), case.part) if share >= 1 else None
    if found is not None:
        chosen = {key: value for key, value in found.spec.items() if key not in case.part}
        why = f"the options of {name} that promise least at no more than {share} bits a server"
        return case.changed({**case.part, **found.spec}), plan_of(case, chosen, why)
    if budget.per == "server":
        raise UnmetError(
            f"{name} does not keep to {share} bits a server at n={task.n}; raise the budget or leave it out"
        )
    (numbers,) = yield [_probe(case, {**case.table, "m": task.m})]
    n_bits = numbers[COLUMNS.index("payload_bits")]
    if n_bits > budget.bits:
        raise UnmetError(
            f"{name} sends {n_bits:,.0f} bits with m={task.m}, the budget is {budget.bits:,.0f} in total; leave m out, "
            "and the number of servers follows"
        )
    return case.table, plan_of(case, {}, f"{name} as it is: it sent {n_bits:,.0f} bits in a trial run")


def _problem(part: Table, task: Task, share: int | None) -> Problem:
    cls: type[Protocol[Any]] = find("protocol", str(part.get("name")))
    sizes = {"sparse": ("support",), "histogram": ("pieces",)}.get(cls.family, ())
    given = {key: part[key] for key in sizes if key in part}
    return Problem(task, cls.family if len(given) == len(sizes) else "all", bits=share, **given)


def _servers(case: Case, budget: Budget) -> Asking:
    """As many servers as the budget pays for."""
    name = str(case.part.get("name"))
    least, high = 0, max(1, min(int(budget.bits), MOST))
    if _built(case, high).bits_per_server() is not None:  # a search without runs
        while least < high:
            m = (least + high + 1) // 2
            least, high = (m, high) if _most_bits(case, m) <= budget.bits else (least, m - 1)
        if not least:
            raise UnmetError(f"{name}: {budget.bits:,.0f} bits in total do not pay for a server; raise the budget")
        _built(case, least)  # raises where so few cannot play
        why = f"the most servers that write no more than {budget.bits:,.0f} bits together, whatever p is"
        return {**case.table, "m": least}, plan_of(case, {"m": least}, why)
    m, most, found = max(1, min(1000, int(budget.bits))), MOST, 0
    for _ in range(3 * CORRECTIONS):
        _built(case, m)
        (numbers,) = yield [_probe(case, {**case.table, "m": m})]
        n_bits = numbers[COLUMNS.index("payload_bits")]
        if n_bits <= budget.bits:
            found = max(found, m)
        else:
            most = min(most, m - 1)
        if found == m and n_bits >= CLOSE * budget.bits:
            break
        m = min(most, max(found, 1, int(m * budget.bits / n_bits)))
        if m == found:
            break
    if not found:
        raise UnmetError(f"{name}: {budget.bits:,.0f} bits in total do not pay for a server; raise the budget")
    why = f"the most servers that sent no more than {budget.bits:,.0f} bits in runs with the coins of repeat 0"
    return {**case.table, "m": found}, plan_of(case, {"m": found}, why)


def _built(case: Case, m: int) -> Protocol[Any]:
    (trial,) = experiment.plan(spec.check({**case.table, "m": m}))
    return trial.protocol


def _most_bits(case: Case, m: int) -> int:
    """Bits of m servers that write all they may; 0 where so few cannot play."""
    try:
        return (_built(case, m).bits_per_server() or 0) * m
    except UsageError:
        return 0


# ---- methods


def _method(case: Case) -> Asking:
    budget = _budget(case)
    name = str(case.part.get("name"))
    paid = "steps" in case.table or "epochs" in case.table or budget.per in ("coordinate", "step")
    dial = dial_of(case)
    asked, d = _trained(case.table if dial is None or not paid else complete(case, dial))
    unit = {
        "total": 1.0,
        "server": float(asked.workers),
        "step": float(asked.steps),
        "coordinate": float(asked.steps * asked.workers * d),
    }[budget.per]
    if not paid:
        return (yield from _steps(case, budget.bits * unit))
    if dial is None:
        n_bits = yield from _cost(case, case.table, asked.steps)
        if n_bits > budget.bits * unit:
            raise UnmetError(
                f"{name} sends {n_bits / unit:.4g} bits ({_per(budget)}), the budget is {budget.bits:g}, and no option "
                "that is left open makes them fewer"
            )
        why = f"{name} as it is: nothing of it is open"
        return case.table, plan_of(case, {}, why, expected_bits=n_bits)
    return (yield from _turned(case, dial, budget, unit, asked.steps))


def _turned(case: Case, dial: Dial, budget: Budget, unit: float, steps: int) -> Asking:
    """The most that a dial may say: bits grow with it."""
    tables = [(value, case.changed(dial.put(case.part, value))) for value in dial.values]
    if len(tables) <= 64:
        tables = [(value, table) for value, table in tables if _possible(case.kind, table)]
    if not tables:
        _trained(case.changed(dial.put(case.part, dial.values[0])))  # raises what is wrong
    low, high, sent = -1, len(tables), 0.0
    least = 0.0
    while high - low > 1:
        middle = (low + high) // 2
        n_bits = yield from _cost(case, tables[middle][1], steps)
        if n_bits <= budget.bits * unit:
            low, sent = middle, n_bits
        else:
            high, least = middle, n_bits
    if low < 0:
        raise UnmetError(
            f"{case.part.get('name')} sends at least {least / unit:.4g} bits ({_per(budget)}; {dial.name}="
            f"{tables[0][0]:g}), over the budget of {budget.bits:g}"
        )
    value, table = tables[low]
    why = f"the most of {dial.name} within the budget, measured in runs with the coins of repeat 0"
    return table, plan_of(case, {dial.name: value}, why, expected_bits=sent)


def _steps(case: Case, bits: float) -> Asking:
    """As many steps as the budget pays for."""
    runs = yield [_probe(case, {**case.table, "steps": steps, "evaluate": steps}) for steps in FEW]
    sent = [numbers[COLUMNS.index("payload_bits")] for numbers in runs]
    even = sent[2] - sent[1] == sent[1] - sent[0]
    rate = (sent[2] - sent[0]) / (FEW[2] - FEW[0])
    if rate <= 0 or bits < sent[0] / FEW[0]:
        raise UnmetError(f"{case.part.get('name')}: {bits:,.0f} bits in total do not pay for a step; raise the budget")
    steps = min(MOST, max(1, int(FEW[0] + (bits - sent[0]) / rate)))
    found, expected = steps, sent[0] + (steps - FEW[0]) * rate
    if not even:
        found, most = 0, MOST
        for _ in range(CORRECTIONS):
            (numbers,) = yield [_probe(case, {**case.table, "steps": steps, "evaluate": steps})]
            n_bits = numbers[COLUMNS.index("payload_bits")]
            if n_bits <= bits and steps > found:
                found, expected = steps, n_bits
            elif n_bits > bits:
                most = min(most, steps - 1)
            if CLOSE * bits <= n_bits <= bits:
                break
            steps = min(most, max(found, 1, int(steps * bits / n_bits)))
            if steps == found:
                break
        if not found:
            raise UnmetError(f"{case.part.get('name')}: no number of steps was found for {bits:,.0f} bits in total")
    why = f"the most steps that {bits:,.0f} bits pay for" + ("" if even else ", found with the coins of repeat 0")
    return {**case.table, "steps": found}, plan_of(case, {"steps": found}, why, expected_bits=expected)


def _cost(case: Case, table: Table, steps: int) -> Asking:
    """Bits of a run of so many steps: on a line through short ones where they lie on one, else measured in full."""
    few = [count for count in FEW if count < steps]
    if len(few) == len(FEW):
        runs = yield [_probe(case, {**_without_length(table), "steps": count, "evaluate": count}) for count in few]
        sent = [numbers[COLUMNS.index("payload_bits")] for numbers in runs]
        if sent[2] - sent[1] == sent[1] - sent[0]:
            return sent[0] + (steps - FEW[0]) * (sent[1] - sent[0]) / (FEW[1] - FEW[0])
    (numbers,) = yield [_probe(case, {**_without_length(table), "steps": steps, "evaluate": steps})]
    return numbers[COLUMNS.index("payload_bits")]


def _without_length(table: Table) -> Table:
    return {key: value for key, value in table.items() if key not in ("steps", "epochs")}


def _trained(table: Table) -> tuple[train_spec.TrainSpec, int]:
    """The spec with its steps, and d."""
    asked = train_spec.check(train_spec.normalise(table))
    (trial,) = training.plan(asked)
    return msgspec.structs.replace(asked, steps=trial.rule.steps), trial.problem.d


def complete(case: Case, dial: Dial) -> Table:
    """The table with its dial where it usually is, or the first place where a run is possible."""
    tables = [case.changed(dial.put(case.part, value)) for value in dial.values]
    usual = [] if dial.usual is None else [case.changed(dial.put(case.part, dial.usual))]
    return next((table for table in (*usual, *tables) if _possible(case.kind, table)), tables[0])


def _possible(kind: Kind, table: Table) -> bool:
    try:
        if kind == "learn":
            experiment.plan(spec.check(table))
        else:
            _trained(table)
    except UsageError:
        return False
    return True


# ---- both


def _probe(case: Case, table: Table) -> Trial:
    """A run that tells bits and has no record."""
    number = int(table["m" if case.kind == "learn" else "steps"])
    return Trial((*case.place, number, 0), case.kind, {**table, "repeats": 1}, kept=False)


def _budget(case: Case) -> Budget:
    assert isinstance(case.aim, Budget)
    return case.aim


def _per(budget: Budget) -> str:
    return "in total" if budget.per == "total" else f"a {budget.per}"
