"""Passing on what the ranks print, without what mpirun has to say about the end of a job."""

import contextlib
import os
import re
import threading
from functools import partial
from typing import Any

_RULES = (b"-" * 74, b"=" * 83)  # frame what Open MPI and MPICH say about the end of a job
_ENDS = re.compile(
    rb"(?:prterun|mpirun|mpiexec)\S* (?:noticed|detected|has exited)|MPI_ABORT was invoked|BAD TERMINATION"
)
_ALONE = re.compile(
    rb"Abort\(\d+\) on node|application called MPI_Abort|YOUR APPLICATION TERMINATED"
    rb"|This typically refers to a problem|Please see the FAQ page|\[(?:mpiexec|proxy)\S*@"
    rb"|\[\S+:\d+\] PMIX ERROR|\[warn\] Epoll"
)
_LINE_ENDS = re.compile(rb"(?<=\n)|(?<=\r)(?!\n)")  # a progress line ends in \r
_FIRST = b"-=[AYTPa\n"  # bytes with which such a line may start
_LONGEST_BLOCK = 40


class Passage(threading.Thread):
    """Passes bytes on as they come, but keeps back what the launcher says about the end of a job."""

    def __init__(self, source: Any, target: int):
        super().__init__(daemon=True)
        self._source, self._target = source, target
        self._block: list[bytes] = []
        self._kept: list[bytes] = []
        self.at_line_start = True
        self.start()

    def held_back(self) -> str:
        """What was not passed on."""
        return b"".join(self._kept).decode(errors="replace")

    def run(self) -> None:
        rest = b""
        for piece in iter(partial(self._source.read1, 1 << 16), b""):
            *lines, rest = _LINE_ENDS.split(rest + piece.replace(b"\0", b""))  # Open MPI ends an abort in one
            for line in lines:
                self._line(line)
            if rest and not self._block and rest[0] not in _FIRST:
                self._write(rest)
                rest = b""
        self._write(b"".join(self._block) + rest)

    def _line(self, line: bytes) -> None:
        rule = line.strip() in _RULES
        blank = self._block == [b"\n"]
        if self._block and not (blank and not rule):
            if rule and self._block[-1].strip() in _RULES:
                return  # two frames begin at once
            self._block.append(line)
            if (rule and not blank) or len(self._block) > _LONGEST_BLOCK:
                text, self._block = b"".join(self._block), []
                if _ENDS.search(text):
                    self._kept.append(text)
                else:
                    self._write(text)
            return
        self._write(b"".join(self._block))
        self._block = []
        if rule or line == b"\n":  # MPICH puts an empty line before its frame
            self._block = [line]
        elif _ALONE.match(line):
            self._kept.append(line)
        else:
            self._write(line)

    def _write(self, data: bytes) -> None:
        if data:
            self.at_line_start = data.endswith(b"\n")
        with contextlib.suppress(OSError):  # nobody listens any more: the job is not held up
            while data:
                data = data[os.write(self._target, data) :]
