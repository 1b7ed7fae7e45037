"""Checkpoint: a training run in the middle, on disk; whole or not at all, without pickle, for any number of ranks.

A folder holds `server.npz` (x, the arrays that all ranks share, the books, and plain values as JSON) and a file of each
rank with the arrays of its workers. The folder takes its name only once all files are there. Where boards are kept it
holds `posts` as well: a file that only grows, so that no post is written twice. All checkpoints of a run share it, and
each says how many of its bytes it means; the digests of the turns in `server.npz` prove them.
"""

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distest.errors import UsageError, WireError
from distest.sgd.problem import Vector
from distest.sgd.state import State
from distest.wire.board import Board
from distest.wire.channel import Channel
from distest.wire.transport import Transport

_SERVER, _POSTS, _NOTE, _NEAR = "server.npz", "posts", "note ", "near/"


@dataclass(frozen=True, slots=True)
class Written:
    """How much of a kept board is on disk: bytes of the file, and posts."""

    n_bytes: int = 0
    posts: int = 0


@dataclass(frozen=True, slots=True)
class Middle:
    """What a checkpoint says besides the channel: the state, plain values of the run, and what it has of a board."""

    state: State
    plain: dict[str, Any]
    turns: int
    written: Written


def save(
    folder: Path,
    state: State,
    channel: Channel,
    transport: Transport,
    plain: dict[str, Any],
    written: Written | None = None,
) -> Written:
    """Write a checkpoint; every rank takes part. Raises UsageError where the folder cannot be written.

    written: of the board, by the checkpoint before in this folder; returned is what it is now.
    """
    written = written or Written()
    last = _last(folder)
    partial = folder.with_name(folder.name + ".partial")
    if transport.hosts_referee:
        shutil.rmtree(partial, ignore_errors=True)
        _make(partial)
    transport.barrier()
    own: dict[str, NDArray[Any]] = {
        f"{name}/{worker}": array for name, kept in state.own.items() for worker, array in kept.items()
    }
    own |= {f"{_NOTE}{name}/{worker}": array for name, kept in state.notes.items() for worker, array in kept.items()}
    for name, kept in state.near.items():
        own |= {f"{_NEAR}{name}/{worker}": array for worker, array in kept.items() if worker in channel.hosted}
    _write(partial / f"workers-{transport.rank}.npz", own)
    transport.barrier()
    if transport.hosts_referee:
        books, turns = channel.snapshot()
        told = {"step": state.step, "books": books, "plain": plain}
        if channel.board is not None:
            written = _grow(channel.board, last / _POSTS, partial / _POSTS, written)
            told["board"] = [written.n_bytes, written.posts]
        text = json.dumps(told, allow_nan=False).encode()
        arrays = {f"shared/{name}": array for name, array in state.shared.items()}
        _write(partial / _SERVER, {"x": state.x, "turns": turns, "text": np.frombuffer(text, np.uint8), **arrays})
        old = folder.with_name(folder.name + ".old")
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
        os.replace(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    transport.barrier()
    return written


def load(folder: Path, d: int, channel: Channel) -> Middle | None:
    """The checkpoint in a folder, with the arrays of the workers that live here; None where there is none.

    What is `near` comes with it for all workers: who goes on keeps what it needs. The channel goes on where it was.
    Raises UsageError where the files are damaged or not those of a run with d coordinates, and where this run keeps its
    board and that one did not.
    """
    folder = _last(folder)
    if not folder.exists():
        return None
    server = _read(folder / _SERVER)
    try:
        told = json.loads(bytes(server.pop("text")).decode())
        x, turns = server.pop("x"), server.pop("turns")
        shared = {name.removeprefix("shared/"): array for name, array in server.items()}
        step, books, plain = int(told["step"]), dict(told["books"]), dict(told["plain"])
        written = Written(*map(int, told.get("board", ())))
        has_board = "board" in told
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError(f"{folder / _SERVER} is no checkpoint ({type(error).__name__}: {error})") from None
    own: dict[str, dict[int, Vector]] = {}
    notes: dict[str, dict[int, NDArray[np.float64]]] = {}
    near: dict[str, dict[int, Vector]] = {}
    for path in sorted(folder.glob("workers-*.npz")):
        for name, array in _read(path).items():
            what, _, worker = name.rpartition("/")
            note = what.startswith(_NOTE)
            fits = array.ndim == 1 if note else array.shape == (d,)
            if not worker.isdecimal() or array.dtype != (np.float64 if note else np.float32) or not fits:
                raise UsageError(f"{path} is no checkpoint of a run with {d} coordinates")
            if int(worker) in channel.hosted and note:
                notes.setdefault(what.removeprefix(_NOTE), {})[int(worker)] = array
            elif what.startswith(_NEAR):
                near.setdefault(what.removeprefix(_NEAR), {})[int(worker)] = array
            elif int(worker) in channel.hosted:
                own.setdefault(what, {})[int(worker)] = array
    if x.dtype != np.float32 or x.shape != (d,) or turns.dtype != np.uint8 or turns.shape[1:] != (32,):
        raise UsageError(f"{folder / _SERVER} is no checkpoint of a run with {d} coordinates")
    board = None
    if channel.board is not None and not has_board:
        raise UsageError(f"the checkpoint {folder} keeps no board: resume without --boards, or begin again")
    try:
        if channel.board is not None and channel.hosts_referee:
            board = Board.grown(folder / _POSTS, channel.parties, written.n_bytes, written.posts)
        channel.restore(books, turns, board)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, WireError) as error:
        raise UsageError(f"{folder} is no checkpoint that one can go on from ({error})") from None
    return Middle(State(x, step, shared, own, notes, near), plain, len(turns), written)


def remove(folder: Path) -> None:
    """Take a checkpoint away: the run has ended."""
    for name in (folder.name, folder.name + ".partial", folder.name + ".old"):
        shutil.rmtree(folder.with_name(name), ignore_errors=True)


def _last(folder: Path) -> Path:
    """Where the last checkpoint is, if there is any: a save may have been cut off between two renamings."""
    old = folder.with_name(folder.name + ".old")
    return folder if folder.exists() or not old.exists() else old


def _grow(board: Board, old: Path, new: Path, written: Written) -> Written:
    """The posts of the checkpoint before under their new name, and those that came since behind them."""
    if written.posts:
        try:
            os.link(old, new)
        except OSError:  # not every file system has links
            with contextlib.suppress(OSError):
                shutil.copyfile(old, new)
    try:
        return Written(board.grow(new, written.n_bytes, written.posts), len(board.posts))
    except OSError as error:
        raise UsageError(f"{new} cannot be written ({error.strerror})") from None


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
