"""From columns of lists to a network of graphs and back, by networks of a few lines; `test_graphs.py` packs torch_geometric's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.architectures.signature import Signature, read_signature
from model_zoo.package.card import GraphInputs
from model_zoo.steps.table import AnyStep
from pipelines.packing.networks.graphs import (
    _cut_rows,
    compute_graphs,
    describe_inputs,
    find_graph_step,
    list_graph_dtypes,
    wire_graph,
)

PAIRS = pa.list_(pa.list_(pa.int64()))
COLUMNS: dict[str, Any] = {
    "atoms": pa.array([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]]),
    "kinds": pa.array([[1], [2, 3, 4]]),
    "source": pa.array([[], [0, 1]], pa.list_(pa.int64())),
    "target": pa.array([[], [1, 2]], pa.list_(pa.int64())),
    "pairs": pa.array([[], [[0, 1], [1, 2]]], PAIRS),
    "no_pairs": pa.array([[], []], PAIRS),
    "weight": pa.array([[], [0.5, 0.25]]),
    "bond": pa.array([[], [[1.0, 0.0], [0.0, 1.0]]]),
    "uneven": pa.array([[[1.0]], [[1.0, 2.0]]]),
    "charge": pa.array([1.0, 2.0]),
    "stacked": np.zeros((2, 3)),
}
ENDS = ["source", "target"]


def make_job(lengths: Any = None, **graph: Any) -> Any:
    fields = {
        "network": "m:Net",
        "weights": "w",
        "sample": "s",
        "output": "o",
        "lengths": lengths or {},
    }
    graph = {"nodes": "atoms", "edges": ENDS, **graph}
    return PackagingJob[AnyStep].model_validate({**fields, "graph": graph})


@pytest.mark.parametrize(
    ("graph", "lengths", "nodes", "edges", "attributes"),
    [
        ({}, {}, (3, 2), 2, (None, ())),
        ({"nodes": "kinds"}, {}, (3,), 2, (None, ())),
        ({"edges": ["pairs"]}, {}, (3, 2), 2, (None, ())),
        # Room for one, where there is none.
        ({"edges": ["no_pairs"]}, {}, (3, 2), 1, (None, ())),
        ({}, {"atoms": 9, "target": 7}, (9, 2), 7, (None, ())),
        # One number of an edge is its weight.
        ({"attributes": "weight"}, {}, (3, 2), 2, ("edge_weight", ())),
        ({"attributes": "bond"}, {}, (3, 2), 2, ("edge_attr", (2,))),
    ],
)
def test_there_is_room_for_the_samples_largest_graph(
    graph: dict[str, Any],
    lengths: dict[str, int],
    nodes: tuple[int, ...],
    edges: int,
    attributes: tuple[str | None, tuple[int, ...]],
) -> None:
    step = find_graph_step(make_job(lengths, **graph), COLUMNS)
    assert (step.nodes_shape, step.most_edges) == (nodes, edges)
    into, shape = attributes
    assert step.attributes_shape == shape
    assert into is None or step.attributes_into == into
    assert (step.nodes_into, step.edges_into, step.count_into) == ("x", "edge_index", "node_count")


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        ({"nodes": "atom"}, "there is no column 'atom'; did you mean atoms"),
        ({"nodes": "charge"}, "column 'charge' holds no lists"),
        ({"nodes": "stacked"}, "column 'stacked' holds no lists"),
        (
            {"edges": ["source", "x"], "attributes": "y"},
            "there is no column 'x'.*; there is no column 'y'",
        ),
        ({"nodes": "uneven"}, "vectors in column 'uneven' have 1 to 2 numbers"),
    ],
)
def test_columns_that_are_no_graph_are_told(graph: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=told):
        find_graph_step(make_job(**graph), COLUMNS)


def takes(names: str, required: str = "") -> Signature:
    return Signature(tuple(required.split()), frozenset(names.split()), takes_any=False)


@pytest.mark.parametrize(
    ("attributes", "names", "batch", "told"),
    [
        (None, "x edge_index", None, ""),
        (None, "x edge_index batch", "batch", ""),
        ("weight", "x edge_index edge_weight", None, ""),
        (None, "x", None, "takes no edge_index;"),
        ("bond", "edge_index edge_weight", None, "takes no x and no edge_attr;"),
    ],
)
def test_arguments_have_the_names_that_networks_of_graphs_have(
    attributes: str | None, names: str, batch: str | None, told: str
) -> None:
    job = make_job(attributes=attributes, pool="sum")
    step = find_graph_step(job, COLUMNS)
    if told:
        with pytest.raises(ModelError, match=told):
            describe_inputs(job, step, takes(names))
        return
    found = describe_inputs(job, step, takes(names))
    assert (found.batch, found.pool) == (batch, "sum")
    assert found.attributes == (None if attributes is None else step.attributes_into)


GRAPH = GraphInputs(nodes="x", edges="edge_index", count="node_count", batch="batch")
MADE = {"x": 0, "edge_index": 0, "node_count": 0, "charge": 0, "b": 0}


@pytest.mark.parametrize(
    ("inputs", "required", "added"),
    [
        ({}, "x edge_index batch", {}),
        ({}, "x edge_index charge", {"charge": "charge"}),
        ({"q": "charge"}, "x q", {"q": "charge"}),
        ({"q": ["charge", "b"]}, "x q", {"q": ["charge", "b"]}),
    ],
)
def test_what_is_known_of_a_row_is_wired_beside_its_graph(
    inputs: dict[str, Any], required: str, added: dict[str, Any]
) -> None:
    job: Any = make_job().model_copy(update={"inputs": inputs})
    columns: Any = MADE
    wiring = wire_graph(job, GRAPH, takes("", required), columns)
    own = {"x": "x", "edge_index": "edge_index", "node_count": "node_count"}
    assert wiring == {**own, **added}


def test_arguments_that_nothing_is_said_of_are_told_at_once() -> None:
    job: Any = make_job().model_copy(update={"inputs": {"q": "c"}})
    columns: Any = MADE
    with pytest.raises(JobError, match=r"no column 'c'.*; the network also takes r; say inputs\.r"):
        wire_graph(job, GRAPH, takes("", "x q r"), columns)


def test_numbers_of_nodes_are_int64_where_they_were_found() -> None:
    step = find_graph_step(make_job(), COLUMNS)
    found = list_graph_dtypes(step, {"x": "float32", "edge_index": "float32"})
    assert found == {"x": "float32", "edge_index": "int64"}


class Count(nn.Module):
    """Gives what a function says of nodes, edges and rows."""

    def __init__(self, say: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.say = say

    def forward(self, x: Any, edge_index: Any, batch: Any) -> Any:
        return self.say(x, edge_index, batch)


def add_neighbours(x: Any, edge_index: Any, batch: Any) -> Any:
    """Return for each node the sum of those from which edges lead to it."""
    return torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])


def make_inputs(rows: int = 2) -> dict[str, np.ndarray]:
    """Return graphs of one node, and of two with an edge from the first to the second, in turns."""
    x = np.array([[1, -9], [2, 3]], np.float32)
    edges = np.array([[[-1], [-1]], [[0], [1]]])
    counts = np.array([1, 2])
    return {
        "x": np.resize(x, (rows, 2)),
        "edge_index": np.resize(edges, (rows, 2, 1)),
        "node_count": np.resize(counts, rows),
    }


def compute(say: Callable[..., torch.Tensor], rows: int = 2, pool: Any = None) -> np.ndarray:
    graph = GRAPH.model_copy(update={"pool": pool})
    return compute_graphs(Count(say), make_inputs(rows), graph, ["y"])["y"]


# One graph of one node, the 257th alone, tells nothing of what its output is of.
@pytest.mark.parametrize("rows", [2, 256, 257, 600])
def test_nodes_and_edges_of_each_row_are_its_own(rows: int) -> None:
    expected = np.resize([[0, 0], [0, 2]], (rows, 2))
    np.testing.assert_array_equal(compute(add_neighbours, rows), expected)


@pytest.mark.parametrize(
    ("pool", "expected"), [("sum", [1, 5]), ("mean", [1, 2.5]), ("max", [1, 3])]
)
def test_nodes_are_pooled_without_their_padding(pool: str, expected: list[float]) -> None:
    actual = compute(lambda x, edge_index, batch: x, pool=pool)
    np.testing.assert_array_equal(actual, expected)


def test_a_network_may_give_something_for_each_graph() -> None:
    actual = compute(lambda x, edge_index, batch: torch.bincount(batch, weights=x))
    np.testing.assert_array_equal(actual, [1, 5])


def test_of_as_many_nodes_as_graphs_in_all_rows_the_output_is_of_graphs() -> None:
    inputs = make_inputs(2)
    inputs["node_count"] = np.array([1, 1])
    inputs["edge_index"] = np.full((2, 2, 1), -1)
    found = compute_graphs(Count(add_neighbours), inputs, GRAPH, ["y"])["y"]
    assert found.shape == (2,)


def test_what_is_neither_of_nodes_nor_of_graphs_is_refused() -> None:
    with pytest.raises(ModelError, match=r"output y has shape \(4,\) for 2 graphs of 3 nodes"):
        compute(lambda x, edge_index, batch: torch.zeros(4))


def test_arguments_of_such_a_network_are_read_from_its_forward() -> None:
    signature = read_signature(Count(add_neighbours))
    assert signature.required == ("x", "edge_index", "batch")
    assert not signature.takes_any


@pytest.mark.parametrize(
    ("nodes", "parts"),
    [
        # So many nodes in each of 256 graphs, and in the next.
        ([2], [(0, 256)]),
        ([2, 2, 3], [(0, 256), (256, 512), (512, 768)]),
        ([2, 1], [(0, 512)]),
        ([1, 2], [(0, 512)]),
        ([1, 1], [(0, 512)]),
        ([1], [(0, 256)]),
        ([2, 2, 1], [(0, 256), (256, 768)]),
        ([1, 1, 2, 2], [(0, 768), (768, 1024)]),
    ],
)
def test_rows_that_leave_it_open_are_computed_with_others(
    nodes: list[int], parts: list[tuple[int, int]]
) -> None:
    found = _cut_rows(np.repeat(nodes, 256))
    assert [(part.start, part.stop) for part in found] == parts
