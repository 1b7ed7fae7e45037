"""A recurrent net that reads Shakespeare letter by letter."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from distest import data
from distest.coins import PublicCoins
from distest.errors import UsageError
from distest.sgd import losses
from distest.sgd.problem import Rows, Tensor, Vector
from distest.sgd.problems.base import Floats, Pull, RowSum, at_least, parts, uniform

HELD_OUT = 400  # windows that `evaluate` reads


@dataclass(frozen=True)
class LetterLstm(RowSum):
    """Mean cross-entropy in nats a letter of an LSTM with one layer on the plays of Shakespeare + l2/2 |x|^2.

    A row is a window of letters, each to be foretold from those before it in the window; windows follow each other
    without overlap and memory starts at 0 in each. The first nine tenths of the text are for training; `evaluate`
    reads the first 400 windows of the rest. There are 73 different letters, and d = 112,905 by default.
    Guessing letters by their frequency costs 3.31 nats each.

    embedding: numbers that stand for a letter. hidden: width of the memory. window: letters foretold in a row.
    letters: how many of the 1,115,000 letters of the text are used; `loss` reads nine tenths of them, which takes
    seconds for all. l2: weight of half the squared norm.

    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of Gers, Schmidhuber,
    Cummins (2000), whose bias starts at 1; the gradient is written out backward through time.
    """

    embedding: int = 64
    hidden: int = 128
    window: int = 64
    letters: int = 1_115_000
    l2: float = 0.0
    block: ClassVar[int] = 128  # windows whose states are held at once

    def __post_init__(self) -> None:
        at_least("letter_lstm", 1, embedding=self.embedding, hidden=self.hidden, window=self.window)
        at_least("letter_lstm", 0, l2=self.l2)
        least = 10 * (self.window + 1)
        if not least <= self.letters <= 1_115_000:
            raise UsageError(
                f"letter_lstm: letters is from {least} (ten windows of {self.window + 1}) to 1115000, "
                f"got {self.letters!r}"
            )

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        kinds, hidden = _text()[1], self.hidden
        return (
            Tensor("letters", (kinds, self.embedding)),
            Tensor("inputs", (self.embedding, 4 * hidden)),
            Tensor("memory", (hidden, 4 * hidden)),
            Tensor("gates", (4 * hidden,)),  # in, forget, out, new
            Tensor("out", (hidden, kinds)),
            Tensor("biases", (kinds,)),
        )

    @property
    def rows(self) -> int:
        return (self._cut() - 1) // self.window

    def start(self, coins: PublicCoins) -> Vector:
        x = super().start(coins)
        limits = {"letters": 1.0, "inputs": self.hidden**-0.5, "memory": self.hidden**-0.5, "out": self.hidden**-0.5}
        for tensor, part in zip(self.tensors, parts(self.tensors, x), strict=True):
            if tensor.name in limits:
                part[:] = uniform(coins.fold("start", tensor.name), tensor.shape, limits[tensor.name])
            elif tensor.name == "gates":
                part[self.hidden : 2 * self.hidden] = 1
        return x

    def forward(self, x: Floats, rows: Rows | slice) -> tuple[float, Pull]:
        chosen = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return self._read(x, chosen * self.window)

    def penalties(self) -> tuple[float, float]:
        return self.l2, 0.0

    def evaluate(self, x: Vector) -> dict[str, float]:
        """Nats a letter on held-out windows."""
        count = min(HELD_OUT, (self.letters - self._cut() - 1) // self.window)
        starts = self._cut() + np.arange(count) * self.window
        total = sum(self._read(x, starts[i : i + self.block])[0] for i in range(0, count, self.block))
        return {"nats": total / count}

    def _cut(self) -> int:
        return self.letters * 9 // 10

    def _read(self, x: Floats, starts: NDArray[np.int64]) -> tuple[float, Pull]:
        """The mean over letters of the loss, summed over the windows that start at some places of the text.

        Arrays are (time, windows, .). Gates are kept after their nonlinearity, memory from one step earlier on.
        """
        text, kinds = _text()
        table, inputs, memory, bias, out, out_bias = parts(self.tensors, x)
        read = text[starts + np.arange(self.window + 1)[:, None]]
        steps, width, h = self.window, len(starts), self.hidden
        gates = (table @ inputs + bias)[read[:-1]]
        cells = np.zeros((steps + 1, width, h), x.dtype)
        states = np.zeros((steps + 1, width, h), x.dtype)
        bent = np.empty((steps, width, h), x.dtype)  # tanh of the cells
        for t in range(steps):
            gate = gates[t]
            gate += states[t] @ memory
            gate[:, : 3 * h] *= 0.5  # the logistic function is (1 + tanh(z / 2)) / 2
            np.tanh(gate, out=gate)
            gate[:, : 3 * h] += 1
            gate[:, : 3 * h] *= 0.5
            enter, keep, leave, new = gate[:, :h], gate[:, h : 2 * h], gate[:, 2 * h : 3 * h], gate[:, 3 * h :]
            np.add(keep * cells[t], enter * new, out=cells[t + 1])
            np.tanh(cells[t + 1], out=bent[t])
            np.multiply(leave, bent[t], out=states[t + 1])
        seen = states[1:].reshape(steps * width, h)
        loss, slopes = losses.cross_entropy(seen @ out + out_bias, read[1:].ravel())

        def pull() -> Floats:
            gradient = np.empty_like(x)
            to_table, to_inputs, to_memory, to_bias, to_out, to_out_bias = parts(self.tensors, gradient)
            np.divide(slopes, steps, out=slopes)
            np.matmul(seen.T, slopes, out=to_out)
            np.sum(slopes, axis=0, out=to_out_bias)
            flow = self._back_through_time((slopes @ out.T).reshape(steps, width, h), memory, gates, cells, bent)
            flow = flow.reshape(steps * width, 4 * h)
            np.matmul(states[:-1].reshape(steps * width, h).T, flow, out=to_memory)
            np.sum(flow, axis=0, out=to_bias)
            by_letter = (read[:-1].ravel() == np.arange(kinds)[:, None]).astype(x.dtype) @ flow
            np.matmul(table.T, by_letter, out=to_inputs)
            np.matmul(by_letter, inputs.T, out=to_table)
            return gradient

        return loss / steps, pull

    def _back_through_time(
        self, from_out: Floats, memory: Floats, gates: Floats, cells: Floats, bent: Floats
    ) -> Floats:
        """Slopes in what the gates hear, (time, windows, 4 hidden)."""
        h = self.hidden
        flow = np.empty_like(gates)
        to_state = np.zeros_like(from_out[0])
        to_cell = np.zeros_like(from_out[0])
        for t in reversed(range(len(gates))):
            enter, keep, leave, new = (gates[t][:, i * h : (i + 1) * h] for i in range(4))
            to_state += from_out[t]
            to_cell += to_state * leave * (1 - bent[t] ** 2)
            here = flow[t]
            here[:, :h] = to_cell * new * enter * (1 - enter)
            here[:, h : 2 * h] = to_cell * cells[t] * keep * (1 - keep)
            here[:, 2 * h : 3 * h] = to_state * bent[t] * leave * (1 - leave)
            here[:, 3 * h :] = to_cell * enter * (1 - new**2)
            to_state = here @ memory.T
            to_cell *= keep
        return flow


@lru_cache(maxsize=1)
def _text() -> tuple[NDArray[np.int64], int]:
    """The text as numbers 0..kinds-1 in the order of code points, and kinds."""
    letters = data.load("shakespeare")["text"].tobytes().decode("utf-8").encode("utf-32-le")
    found, index = np.unique(np.frombuffer(letters, dtype="<u4"), return_inverse=True)
    numbers = index.astype(np.int64)
    numbers.flags.writeable = False
    return numbers, len(found)
