"""Graphs: who hears whom, Metropolis' weights, and what makes no mixing matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distest import catalog
from distest.errors import UsageError
from distest.sgd.graph import Graph, network

LINE = [[0, 1], [1, 2], [2, 3]]
SOME: list[tuple[dict[str, Any], int]] = [
    ({"name": "ring"}, 1),
    ({"name": "ring"}, 2),
    ({"name": "ring"}, 8),
    ({"name": "torus"}, 12),
    ({"name": "torus", "rows": 2}, 6),
    ({"name": "complete"}, 5),
    ({"name": "edge_list", "edges": LINE}, 4),
    ({"name": "matrix", "rows": [[0.5, 0.5, 0], [0.5, 0.25, 0.25], [0, 0.25, 0.75]]}, 3),
]


def build(spec: dict[str, Any]) -> Graph:
    graph: Graph = catalog.build("graph", spec)
    return graph


@pytest.mark.parametrize(("spec", "workers"), SOME, ids=str)
def test_powers_of_the_matrix_tend_to_the_mean(spec: dict[str, Any], workers: int) -> None:
    net = network(build(spec), workers)
    assert np.linalg.matrix_power(net.M, 600) == pytest.approx(np.full((workers, workers), 1 / workers), abs=1e-9)
    rho, mu = net.spectrum()
    values = np.sort(np.abs(np.linalg.eigvals(net.M)))
    assert rho == pytest.approx(values[-2] if workers > 1 else 0)
    assert 0 <= mu <= 2
    assert net.edges.pairs == tuple((a, b) for a in range(workers) for b in range(workers) if a != b and net.M[a, b])
    for a, others in enumerate(net.near):
        assert [b for b, _ in others] == net.edges.readers.get(a, [])
        assert [float(w) for _, w in others] == pytest.approx([net.M[a, b] for b, _ in others])


def test_the_list_above_has_every_graph_and_descriptions_build_them_again() -> None:
    assert {spec["name"] for spec, _ in SOME} == set(catalog.names("graph"))
    for spec, _ in SOME:
        graph = build(spec)
        assert catalog.build("graph", catalog.describe(graph)) == graph


def test_weights_are_those_of_the_shapes() -> None:
    ring = network(build({"name": "ring"}), 8)
    assert ring.M[0] == pytest.approx([1 / 3, 1 / 3, 0, 0, 0, 0, 0, 1 / 3])
    assert ring.spectrum() == pytest.approx(((1 + 2 * np.cos(np.pi / 4)) / 3, 4 / 3))
    torus = network(build({"name": "torus"}), 12)
    assert [b for b, _ in torus.near[0]] == [1, 3, 4, 8]  # three rows of four
    assert set(np.round(torus.M[torus.M > 0], 12)) == {0.2}
    complete = network(build({"name": "complete"}), 4).M
    assert complete == pytest.approx(np.full((4, 4), 0.25))
    line = network(build({"name": "edge_list", "edges": LINE}), 4).M
    assert line[0] == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert line[1] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_files_hold_edges_or_weights(tmp_path: Path) -> None:
    edges, weights = tmp_path / "edges.txt", tmp_path / "weights.csv"
    edges.write_text("# a line\n0 1\n2, 1\n\n2 3  # the last\n")
    weights.write_text("0.5,0.5\n0.5,0.5\n")
    listed = network(build({"name": "edge_list", "file": str(edges)}), 4)
    assert np.array_equal(listed.M, network(build({"name": "edge_list", "edges": LINE}), 4).M)
    assert network(build({"name": "matrix", "file": str(weights)}), 2).edges.pairs == ((0, 1), (1, 0))
    edges.write_text("0 x\n")
    with pytest.raises(UsageError, match="line 1: every cell is a number"):
        network(build({"name": "edge_list", "file": str(edges)}), 3)
    with pytest.raises(UsageError, match="cannot be read"):
        network(build({"name": "matrix", "file": str(tmp_path / "none")}), 3)


@pytest.mark.parametrize(
    ("spec", "workers", "said"),
    [
        ({"name": "edge_list", "edges": [[0, 1], [2, 3]]}, 4, "not connected: worker 2 never hears of worker 0"),
        ({"name": "edge_list", "edges": LINE}, 5, "not connected: worker 4"),
        ({"name": "edge_list", "edges": LINE}, 3, "joins two of the workers 0..2, got 2 and 3"),
        ({"name": "edge_list", "edges": [[1, 1]]}, 3, "joins two of the workers"),
        ({"name": "edge_list"}, 3, "one of the two"),
        ({"name": "edge_list", "edges": LINE, "file": "x"}, 3, "one of the two"),
        ({"name": "torus"}, 7, "7 workers do not make a torus of 2 or more rows and columns"),
        ({"name": "torus", "rows": 3}, 8, "8 workers do not make a torus of 3 rows"),
        ({"name": "torus", "rows": 3}, 3, "do not make a torus"),
        ({"name": "torus", "rows": 1}, 3, "2 rows or more"),
        ({"name": "matrix"}, 3, "one of the two"),
        ({"name": "matrix", "rows": [[0.5, 0.5], [0.5, 0.5]]}, 3, "3 workers is 3 x 3, got 2 rows of 2 numbers"),
        ({"name": "matrix", "rows": [[1.0], [0.5, 0.5]]}, 2, "got 2 rows of 1 or 2 numbers"),
        ({"name": "matrix", "rows": [[0.5, 0.5], [0.4, 0.6]]}, 2, "symmetric, and worker 0 takes 0.5 of worker 1"),
        ({"name": "matrix", "rows": [[0.5, 0.4], [0.4, 0.6]]}, 2, "sum to 1, and that of worker 0 to 0.9"),
        ({"name": "matrix", "rows": [[1.5, -0.5], [-0.5, 1.5]]}, 2, "not negative, got -0.5"),
        ({"name": "matrix", "rows": [[0.0, 1.0], [1.0, 0.0]]}, 2, "swap their models for ever"),
        ({"name": "matrix", "rows": [[1.0, 0.0], [0.0, 1.0]]}, 2, "not connected"),
        ({"name": "star"}, 2, "no graph 'star'"),
    ],
    ids=str,
)
def test_what_is_no_graph_of_so_many_workers_is_one_sentence(spec: dict[str, Any], workers: int, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        network(build(spec), workers)
    assert "\n" not in str(caught.value)
