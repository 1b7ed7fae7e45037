"""Low rank: orthonormal columns and products of thin matrices, to the same bits on every machine.

Sums are taken in an order of our own: those of a library of linear algebra depend on the machine, and what all workers
make of a message they have read must not.
"""

import numpy as np
from numpy.typing import NDArray

from distest.sgd.rotation import total

Matrix = NDArray[np.float32]
_LEAST = 2.0**-20  # of a column: less than this share of it is rounding, since columns come as float32


def orthonormal(columns: Matrix) -> Matrix:
    """The columns (n, r) made orthonormal one after the other, float32; one that depends on those before becomes 0.

    Gram-Schmidt in float64, each column twice, which is enough for columns of float32.
    """
    done = columns.astype(np.float64)
    for j in range(done.shape[1]):
        largest = float(np.abs(done[:, j]).max(initial=0.0))
        if largest == 0:
            continue
        column = done[:, j] / largest  # so that no square is too large or too small
        before = total(np.square(column)) ** 0.5
        for _ in range(2):
            for i in range(j):
                column = column - total(done[:, i] * column) * done[:, i]
        length = total(np.square(column)) ** 0.5
        done[:, j] = column / length if length > _LEAST * before else 0.0
    return done.astype(np.float32)


def product(left: Matrix, right: Matrix) -> Matrix:
    """left (n, r) times the transpose of right (m, r), float32 (n, m), one column after the other."""
    out = np.zeros((left.shape[0], right.shape[0]), np.float32)
    for j in range(left.shape[1]):
        out += left[:, j, None] * right[None, :, j]
    return out
