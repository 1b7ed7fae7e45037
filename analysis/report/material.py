"""What a page is made of: records and what was kept beside them, handed over by the command line as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """The error or loss that the verdict asks for. key: "l1", "l2_squared", "loss", or "accuracy", which has to be
    reached from below. said: who chose it, in words."""

    key: str
    value: float
    said: str = ""

    def met(self, value: float) -> bool:
        """Whether a value is as good as the target."""
        return value >= self.value if self.key == "accuracy" else value <= self.value


@dataclass(frozen=True, slots=True)
class Explained:
    """A method, a protocol or a part of one in a sentence, with where it comes from."""

    name: str
    kind: str
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """One block of a kept board: the bits of neighbouring parties in a turn. parties: none where the referee speaks."""

    round: int
    readers: str
    parties: range
    n_bits: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A kept board as its blocks. run: the name of the run; parties: how many there are."""

    run: str
    label: str
    parties: int
    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Audits:
    """Transcripts that were replayed for this page, and what was wrong with some of them, a sentence each."""

    verified: int
    wrong: Sequence[str]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a page says comes from here.

    folders: where the records come from, as they were named. series: the points of a run of training, by its name.
    asked: text of the specs that stand beside the records, by path. conflicts: runs with two results, a sentence each.
    audits: None where nobody asked for them.
    """

    folders: Sequence[str]
    records: Sequence[Row]
    series: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)
    conflicts: Sequence[str] = ()
    transcripts: Sequence[Transcript] = ()
    methods: Sequence[Explained] = ()
    bibtex: str = ""
    audits: Audits | None = None
    target: Target | None = None
