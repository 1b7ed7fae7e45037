"""When is numba worth its start-up? The one place that decides.

Importing numba and loading its cache costs about half a second, a numpy pass over a few thousand symbols costs
microseconds. So numpy works until a single input is large or the small ones have added up; from then on numba does.
"""

import importlib
import sys
from functools import cache
from typing import Any

SMALL = 1 << 16
BUDGET = 1 << 21
_spent = 0


def worth_compiling(n_items: int) -> bool:
    """Whether a loop over n_items should use its numba kernel; counts what it lets pass on numpy."""
    global _spent
    if n_items >= SMALL or "distest.kernels.jit._jit" in sys.modules:
        return True
    _spent += n_items
    return _spent > BUDGET


@cache
def jitted(name: str) -> Any:
    """The module `distest.kernels.jit.<name>`; Any, because numba's callables carry no types."""
    return importlib.import_module(f"distest.kernels.jit.{name}")
