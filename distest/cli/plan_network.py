"""distest plan --model-size: what a step of training takes on a network."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from distest.cli import running, tables

if TYPE_CHECKING:
    from distest.network import Way
    from distest.sgd.problem import Tensor

_MOST_TIMED = 1 << 26  # parameters of steps that are timed here


def run(
    model_size: float | None, shapes: str | None, workers: int, link: float, latency: float, compute: float,
    nmse: float, ranks: int | None, limit: float | None, check: bool, given: list[str], as_json: bool,
) -> int:  # fmt: skip
    """Print every way to average gradients, the one to take, and with `check` what a step really takes."""
    from distest import launch, network, rehearsal

    tensors = _tensors(shapes)
    d = _size(model_size) if model_size is not None else sum(tensor.size for tensor in tensors)
    if not 0 <= nmse < float("inf"):
        raise click.UsageError(f"--nmse is a loss of at least 0, got {nmse:g}")
    if check:
        return _check(d, tensors, compute, nmse, ranks, limit, given, as_json)
    for name, value in (("--ranks", ranks), ("--limit", limit)):
        if value is not None:
            raise click.UsageError(f"{name} goes with --check")
    if launch.in_mpi():
        raise click.UsageError("only --check runs on ranks")
    links = network.Network.of_links(link, latency)
    found, _, left = rehearsal.planned(rehearsal.Task(d, workers, links, compute, tensors=tensors))
    where = f"links of {link:.4g} bit/s, {latency:.3g} s a message"
    _show(found, left, d, workers, nmse, where, as_json)
    if not as_json:
        click.echo("(predicted; 'distest plan --model-size ... --check --ranks 2' times steps on this machine)")
    return 0


def _size(model_size: float) -> int:
    """A number of parameters, which may be written as 1e7."""
    d = int(model_size) if abs(model_size) < 1 << 62 else -1
    if d != model_size or d < 1:
        raise click.UsageError(f"--model-size is a number of parameters from 1 on, got {model_size:g}")
    return d


def _tensors(shapes: str | None) -> tuple[Tensor, ...]:
    """The tensors of a model, "784x256,256" for a matrix and a vector."""
    from distest.sgd.problem import Tensor

    if shapes is None:
        return ()
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*(,[1-9]\d*(x[1-9]\d*)*)*", shapes):
        raise click.UsageError(f"--shapes are sizes with an x between them, such as 784x256,256, got {shapes!r}")
    return tuple(Tensor(shape, tuple(map(int, shape.split("x")))) for shape in shapes.split(","))


def _show(found: list[Way], left: list[str], d: int, workers: int, nmse: float, where: str, as_json: bool) -> None:
    from distest import network

    best, reason = network.recommended(found, nmse)
    if as_json:
        tables.json_lines([{**way.describe(), "recommended": way is best} for way in found])
        tables.json_lines([{"reason": reason, "steps": network.about_steps(best, workers), "left_out": left}])
        return
    rows = [
        {
            "": "<-" if way is best else "",
            "compressor, exchange, or method": way.label,
            "bits a coordinate": way.bits,
            "Mbit a link": way.link_bits / 1e6,
            "coding ms": 1e3 * way.coding_s,
            "network ms": 1e3 * way.network_s,
            "step ms": 1e3 * way.step_s,
            "vNMSE": way.nmse,
            "note": way.note,
        }
        for way in found
    ]
    title = f"d = {d:,}, {workers} workers, {where}, {1e3 * best.compute_s:.4g} ms a gradient"
    note = (
        "coding: kernels measured here and now on up to 2^20 coordinates; vNMSE: what one message loses of a Gaussian "
        "vector"
    )
    tables.show(title, rows, note)
    click.echo(f"recommended: {best.label}: {reason}")
    click.echo(f"steps: {network.about_steps(best, workers)}")
    for sentence in (*left, "other methods with turns of their own are not looked at"):
        click.echo(f"left out: {sentence}")


def _check(
    d: int, tensors: tuple[Tensor, ...], compute: float, nmse: float, ranks: int | None, limit: float | None,
    given: list[str], as_json: bool,
) -> int:  # fmt: skip
    """On ranks: measure the memory between them, plan for it, and time what is recommended, what is dense, and what
    codes by itself."""
    from distest import api, launch, network, rehearsal, timing

    for key in ("workers", "link", "latency"):
        if key in given:
            raise click.UsageError(f"--{key} describes a network; --check takes the one between ranks of this machine")
    if d > _MOST_TIMED:
        raise click.UsageError(f"steps are timed for up to 2^26 parameters, got {d}")
    if not launch.in_mpi():
        if ranks is None:
            raise click.UsageError("--check of a step is timed on --ranks, for example --ranks 2")
        timing.check_ranks(ranks)
        return launch.launch(running.without_ranks(sys.argv[1:]), ranks, limit, ranks)
    transport = api.transport_at_hand()
    timing.check_ranks(transport.size)
    launch.rank_started(transport.size)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    between = timing.between_ranks(transport)
    slower = max(1.0, transport.size / cores)
    found, own, left = rehearsal.planned(rehearsal.Task(d, transport.size, between, compute, slower, tensors))
    if d > rehearsal.MOST_WHOLE:
        own, left = [], [*left, f"what codes by itself is not timed beyond {rehearsal.MOST_WHOLE:,} parameters"]
    ways = [network.recommended(found, nmse)[0], next(way for way in found if way.nmse == 0)]
    ways = [way for number, way in enumerate([*ways, *own]) if way not in [*ways, *own][:number]]
    many = int(transport.total(np.array([len(ways) * transport.hosts_referee]))[0])
    seconds = [timing.timed(ways[k] if transport.hosts_referee else None, d, tensors, transport) for k in range(many)]
    if not transport.hosts_referee:
        return 0
    rate = 1 / between.bit_s["board"] if between.bit_s["board"] else float("inf")
    _show(found, left, d, transport.size, nmse, f"memory between ranks, {rate:.3g} bit/s on the board", as_json)
    rows: list[dict[str, Any]] = [
        {
            "": way.label,
            "predicted ms": 1e3 * (way.step_s - compute),
            "measured ms": 1e3 * taken,
            "ratio": taken / (way.step_s - compute),
        }
        for way, taken in zip(ways, seconds, strict=True)
    ]
    if as_json:
        tables.json_lines([{"check": row.pop(""), **row} for row in rows])
    else:
        tables.show(f"check on {transport.size} ranks and {cores} cores, gradients aside", rows)
    return 0
