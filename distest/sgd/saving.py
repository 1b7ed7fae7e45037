"""Saving: when a training run writes checkpoints, which of them is left, and what it says of that when it breaks."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distest.errors import DivergedError, PartyError
from distest.sgd import checkpoint
from distest.sgd.problem import Problem
from distest.sgd.state import State
from distest.wire.channel import Channel
from distest.wire.transport import Transport


@dataclass(frozen=True, slots=True)
class Saving:
    """Checkpoints: in `folder`, every `every` steps. resume: go on from those that are there.

    finished: runs that have their record already, by name, and are not done again.
    """

    folder: Path
    every: int
    resume: bool
    finished: frozenset[str] = frozenset()


@dataclass
class Checkpoints:
    """The checkpoints of one run, of which the last is kept; none at all without `saving`.

    step: of the last one, None where there is none yet. written: what it has of the board.
    """

    saving: Saving | None
    name: str
    problem: Problem
    channel: Channel
    transport: Transport
    step: int | None = None
    written: checkpoint.Written = field(default_factory=checkpoint.Written)

    def last(self) -> checkpoint.Middle | None:
        """The one to go on from, where that is asked for; the channel goes on where it was."""
        if self.saving is None or not self.saving.resume:
            return None
        middle = checkpoint.load(self._folder, self.problem.d, self.channel)
        if middle is not None:
            self.step, self.written = middle.state.step, middle.written
            middle.state.tensors = self.problem.tensors
        return middle

    def due(self, step: int) -> bool:
        """Whether one is to be written before this step."""
        return self.saving is not None and step not in (0, self.step) and step % self.saving.every == 0

    def save(self, state: State, plain: dict[str, Any]) -> None:
        """Write one. Raises UsageError where it cannot be written."""
        self.written = checkpoint.save(self._folder, state, self.channel, self.transport, plain, self.written)
        self.step = state.step

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """What breaks a run says which checkpoint is left."""
        try:
            yield
        except (DivergedError, PartyError) as error:
            if self.saving is None:
                raise
            left = "there is no checkpoint yet"
            if self.step is not None:
                left = f"the checkpoint of step {self.step} stays in {self._folder}, and --resume goes on from it"
            raise type(error)(f"{error}; {left}") from error

    def remove(self) -> None:
        """Take them away."""
        if self.saving is not None:
            checkpoint.remove(self._folder)

    @property
    def _folder(self) -> Path:
        assert self.saving is not None
        return self.saving.folder / self.name
