"""Edge list: the pairs of neighbours one by one."""

from dataclasses import dataclass

from distest.errors import UsageError
from distest.sgd.graph import Graph, read_numbers


@dataclass(frozen=True)
class EdgeList(Graph):
    """Pairs of workers, which hear each other; an order or a repetition means nothing.

    edges: such as [[0, 1], [1, 2]]. file: in its place, a text file with two numbers in each line.
    """

    edges: tuple[tuple[int, int], ...] = ()
    file: str = ""

    def __post_init__(self) -> None:
        if bool(self.edges) == bool(self.file):
            raise UsageError("edge_list takes edges=[[0, 1], ...] or file=..., one of the two")

    def pairs(self, workers: int) -> set[tuple[int, int]]:
        found = set()
        for row in self.edges or read_numbers(self.file):
            if len(row) != 2 or not all(float(end).is_integer() for end in row):
                raise UsageError(f"an edge is the numbers of two workers, got {list(row)}")
            a, b = (int(end) for end in row)
            if not (0 <= a < workers and 0 <= b < workers) or a == b:
                raise UsageError(f"an edge joins two of the workers 0..{workers - 1}, got {a} and {b}")
            found.add((a, b))
        return found
