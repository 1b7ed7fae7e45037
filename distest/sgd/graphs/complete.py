"""Complete: all workers hear each other."""

from dataclasses import dataclass

from distest.sgd.graph import Graph


@dataclass(frozen=True)
class Complete(Graph):
    """W (W - 1) / 2 pairs, each worker takes 1 / W of everyone. No options."""

    def pairs(self, workers: int) -> set[tuple[int, int]]:
        return {(a, b) for a in range(workers) for b in range(a)}
