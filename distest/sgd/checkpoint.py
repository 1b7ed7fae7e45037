"""Checkpoint: a training run in the middle, on disk; whole or not at all, without pickle, for any number of ranks.

A folder holds `server.npz` (x, the arrays that all ranks share, the books, and plain values as JSON) and a file of each
rank with the arrays of its workers. The folder takes its name only once all files are there.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError
from distest.sgd.problem import Vector
from distest.sgd.state import State
from distest.wire.channel import Channel
from distest.wire.transport import Transport

_SERVER = "server.npz"


@dataclass(frozen=True, slots=True)
class Middle:
    """What a checkpoint says besides the state: the books of the channel and plain values of the run."""

    state: State
    books: dict[str, Any]
    turns: NDArray[np.uint8]
    plain: dict[str, Any]


def save(folder: Path, state: State, channel: Channel, transport: Transport, plain: dict[str, Any]) -> None:
    """Write a checkpoint; every rank takes part. Raises UsageError where the folder cannot be written."""
    partial = folder.with_name(folder.name + ".partial")
    if transport.hosts_referee:
        shutil.rmtree(partial, ignore_errors=True)
        _make(partial)
    transport.barrier()
    own = {f"{name}/{worker}": array for name, kept in state.own.items() for worker, array in kept.items()}
    _write(partial / f"workers-{transport.rank}.npz", own)
    transport.barrier()
    if transport.hosts_referee:
        books, turns = channel.snapshot()
        text = json.dumps({"step": state.step, "books": books, "plain": plain}, allow_nan=False).encode()
        arrays = {f"shared/{name}": array for name, array in state.shared.items()}
        _write(partial / _SERVER, {"x": state.x, "turns": turns, "text": np.frombuffer(text, np.uint8), **arrays})
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    transport.barrier()


def load(folder: Path, d: int, hosted: range) -> Middle | None:
    """The checkpoint in a folder, with the arrays of the workers that live here; None where there is none.

    Raises UsageError where the files are damaged or not those of a run with d coordinates.
    """
    if not folder.exists():
        folder = folder.with_name(folder.name + ".old")  # a save was cut off between two renamings
        if not folder.exists():
            return None
    server = _read(folder / _SERVER)
    try:
        told = json.loads(bytes(server.pop("text")).decode())
        x, turns = server.pop("x"), server.pop("turns")
        shared = {name.removeprefix("shared/"): array for name, array in server.items()}
        step, books, plain = int(told["step"]), dict(told["books"]), dict(told["plain"])
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError(f"{folder / _SERVER} is no checkpoint ({type(error).__name__}: {error})") from None
    own: dict[str, dict[int, Vector]] = {}
    for path in sorted(folder.glob("workers-*.npz")):
        for name, array in _read(path).items():
            what, _, worker = name.rpartition("/")
            if not worker.isdecimal() or array.dtype != np.float32 or array.shape != (d,):
                raise UsageError(f"{path} is no checkpoint of a run with {d} coordinates")
            if int(worker) in hosted:
                own.setdefault(what, {})[int(worker)] = array
    if x.dtype != np.float32 or x.shape != (d,) or turns.dtype != np.uint8 or turns.shape[1:] != (32,):
        raise UsageError(f"{folder / _SERVER} is no checkpoint of a run with {d} coordinates")
    return Middle(State(x, step, shared, own), books, turns, plain)


def remove(folder: Path) -> None:
    """Take a checkpoint away: the run has ended."""
    for name in (folder.name, folder.name + ".partial", folder.name + ".old"):
        shutil.rmtree(folder.with_name(name), ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})") from None


def _write(path: Path, arrays: dict[str, Any]) -> None:
    try:
        with open(path, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # of a damaged archive zipfile, zlib and numpy raise almost anything
        raise UsageError(f"{path} cannot be read as a checkpoint ({type(error).__name__})") from None
