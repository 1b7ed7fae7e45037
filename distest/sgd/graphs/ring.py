"""Ring: every worker hears the one before and the one behind it."""

from dataclasses import dataclass

from distest.sgd.graph import Graph


@dataclass(frozen=True)
class Ring(Graph):
    """Workers 0, 1, ..., W - 1 and 0 again; for W <= 3 all hear each other. No options."""

    def pairs(self, workers: int) -> set[tuple[int, int]]:
        return {(a, (a + 1) % workers) for a in range(workers) if workers > 1}
