"""Logistic regression with two classes on rows of length 1."""

from dataclasses import dataclass

from distest.sgd import tables
from distest.sgd.problems.logistic import Logistic


@dataclass(frozen=True)
class UnitLogistic(Logistic):
    """Mean of ln(1 + exp(-y a.x)) + l2/2 |x|^2 + l1 |x|_1, every row a divided by its length; a9a by default.

    Without a constant 1 in the rows, and nothing is held out: the setting of papers on the optimisation of this loss,
    whose smooth part has gradients of Lipschitz constant 1/4 + l2. A row without features stays 0.

    data: "a9a" (32,561 rows, d = 123), "ionosphere" (351, d = 34), or a .csv or .npz file. l2, l1: as in `logistic`.
    """

    l2: float = 1e-4
    l1: float = 1e-5

    def _table(self) -> tables.Table:
        return tables.unit_signs(self.data)
