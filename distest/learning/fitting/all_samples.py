"""What the protocols share whose referee knows all N = m s samples, though not in their order: the empirical law."""

from analysis.bounds import risks, worst
from distest.learning.norms import Pmf
from distest.learning.protocol import Risk
from distest.learning.task import Task


def risk(task: Task, pmf: Pmf) -> Risk:
    """(1 - |p|^2)/N and De Moivre's l1 error, both exact."""
    total = task.m * task.s
    return Risk(risks.empirical_l2(pmf, total), risks.empirical_l1(pmf, total))


def worst_risk(task: Task) -> Risk:
    """The largest over all p."""
    l2 = worst.empirical_l2(task.n, task.m * task.s)
    return Risk(l2, worst.l1_at_most(task.n, l2), exact=False, note="l2 exact, at uniform p; l1 a bound")
