"""numba loop of `distest.kernels.huffman`."""

from typing import Any

from distest.kernels.jit._jit import i64, kernel

Array = Any


@kernel
def depths(weights: Array, parent: Array) -> None:
    """Depths of the leaves of a Huffman tree over weights that ascend, in the first n entries of parent.

    Two queues: leaves in the order given, inner nodes in the order made; a leaf goes first where weights are
    equal, which keeps the tree shallow. parent (2 n - 1,) and weights (2 n - 1,) int64, the last n - 1
    weights are scratch.
    """
    n = (weights.size + 1) // 2
    leaf, inner = 0, n
    for node in range(n, 2 * n - 1):
        total = i64(0)
        for _ in range(2):
            if leaf < n and (inner == node or weights[leaf] <= weights[inner]):
                picked = leaf
                leaf += 1
            else:
                picked = inner
                inner += 1
            total += weights[picked]
            parent[picked] = node
        weights[node] = total
    parent[2 * n - 2] = 0
    for node in range(2 * n - 3, -1, -1):
        parent[node] = parent[parent[node]] + 1
