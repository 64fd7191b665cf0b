"""Rows with a graph each are one graph, whose numbers are those of a plain loop over rows, nodes and edges."""

import numpy as np
import pytest
import torch
from torch import nn

from model_zoo.architectures.disjoint_graphs import DisjointGraphs
from model_zoo.package.card import GraphInputs

ROWS, NODES, EDGES, WIDTH = 4, 5, 6, 3
COUNTS = [5, 2, 0, 3]
PAIRS: list[list[tuple[int, int]]] = [
    [(0, 1), (1, 2), (4, 0), (3, 3), (0, 1)],
    [(1, 0)],
    [],
    [(0, 2), (2, 1)],
]
X = np.random.default_rng(0).normal(size=(ROWS, NODES, WIDTH)).astype(np.float32)


class Neighbours(nn.Module):
    """A node's numbers and those of whoever leads to it; as a matrix for each node, or summed for each graph."""

    def __init__(self, of_graphs: bool) -> None:
        super().__init__()
        self.of_graphs = of_graphs

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        summed = x.clone().index_add_(0, edge_index[1], x[edge_index[0]])
        if not self.of_graphs:
            return torch.stack([summed, -summed], dim=2)
        graphs = int(batch.max()) + 1
        return torch.zeros(graphs, WIDTH).index_add_(0, batch, summed)


def sum_neighbours(row: int) -> np.ndarray:
    """Return the numbers of each node of a row by hand, (nodes, width)."""
    numbers = [X[row, node].astype(np.float64) for node in range(COUNTS[row])]
    sums = [number.copy() for number in numbers]
    for source, target in PAIRS[row]:
        sums[target] += numbers[source]
    return np.array(sums).reshape(-1, WIDTH)


def edges() -> torch.Tensor:
    # -1 where there is none.
    places = torch.full((ROWS, 2, EDGES), -1)
    for row, pairs in enumerate(PAIRS):
        for number, pair in enumerate(pairs):
            places[row, :, number] = torch.tensor(pair)
    return places


def call(of_graphs: bool, pool: str | None, changed: torch.Tensor | None = None) -> torch.Tensor:
    graph = GraphInputs(nodes="x", count="count", edges="edge_index", batch="batch", pool=pool)
    network = DisjointGraphs(Neighbours(of_graphs), graph, ["out"])
    found = network(
        x=torch.from_numpy(X),
        count=torch.tensor(COUNTS),
        edge_index=edges() if changed is None else changed,
    )
    return found["out"]


def test_a_number_of_each_graph_is_its_rows() -> None:
    expected = [sum_neighbours(row).sum(axis=0) for row in range(ROWS)]
    np.testing.assert_allclose(call(True, None), expected, atol=1e-5)


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_numbers_of_nodes_are_pooled_for_each_row(pool: str) -> None:
    pooled = {"sum": np.sum, "mean": np.mean, "max": np.max}[pool]
    expected = []
    for row in range(ROWS):
        nodes = sum_neighbours(row)
        both = np.stack([nodes, -nodes], axis=2)
        # A row without nodes has zeros.
        expected.append(pooled(both, axis=0) if len(nodes) else np.zeros((WIDTH, 2)))
    found = call(False, pool)
    assert found.shape == (ROWS, WIDTH, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_a_pool_nodes_keep_their_places_with_zeros_behind_them() -> None:
    expected = np.zeros((ROWS, NODES, WIDTH, 2))
    for row in range(ROWS):
        nodes = sum_neighbours(row)
        expected[row, : len(nodes)] = np.stack([nodes, -nodes], axis=2)
    np.testing.assert_allclose(call(False, None), expected, atol=1e-5)


@pytest.mark.parametrize(("row", "node"), [(1, 2), (0, 5), (2, 0)])
def test_an_edge_to_a_node_that_the_row_has_not_is_refused(row: int, node: int) -> None:
    changed = edges()
    changed[row, :, 0] = torch.tensor([node, node])
    with pytest.raises(ValueError, match="an edge to a node that the row has not"):
        call(True, None, changed)


def test_outputs_of_another_length_are_refused() -> None:
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
            return x[: ROWS + 2, 0]

    graph = GraphInputs(nodes="x", count="count", edges="edge_index", batch="batch")
    network = DisjointGraphs(Flat(), graph, ["out"])
    with pytest.raises(ValueError, match="out has 6 numbers for 4 graphs"):
        network(x=torch.from_numpy(X), count=torch.tensor(COUNTS), edge_index=edges())
