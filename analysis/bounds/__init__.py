"""Lower bounds on bits and risk, and exact risks of simple protocols, each with its proof in docs/bounds.md.

Everything here takes plain numbers (domain size n, servers m, samples s, bits) and returns a `Bound`,
which carries its conditions, constants and source. A formula is compared with what was measured; it is
never booked as a measurement.
"""

from analysis.bounds.applicable import best_lower, best_lower_bits, for_problem
from analysis.bounds.bound import Bound

__all__ = ["Bound", "best_lower", "best_lower_bits", "for_problem"]
