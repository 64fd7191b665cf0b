"""Lists of nodes and edges as arrays; edges that lead out of their row cost it."""

from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError, RejectedRows
from model_zoo.steps.graph import Graph

COLUMNS = {
    "atoms": pa.array([[[1.0], [2.0], [3.0]], [[4.0]], []]),
    "source": pa.array([[0, 1], [0], []], pa.list_(pa.int32())),
    "target": pa.array([[1, 2], [0], []], pa.list_(pa.int64())),
    "bonds": pa.array([[[0, 1], [1, 2]], [[0, 0]], []], pa.list_(pa.list_(pa.int8()))),
    "length": pa.array([[0.5, 1.5], [2.5], []]),
}


def graph(**changes: Any) -> Graph:
    fields = {
        "step": "graph",
        "nodes": "atoms",
        "edges": ["source", "target"],
        "nodes_shape": [4, 1],
        "most_edges": 3,
    }
    return Graph.model_validate({**fields, **changes})


@pytest.mark.parametrize("edges", [["source", "target"], ["bonds"]])
def test_nodes_and_edges_have_their_places(edges: list[str]) -> None:
    made = graph(edges=edges, attributes="length").apply(COLUMNS, 3)
    assert made["x"][..., 0].tolist() == [[1, 2, 3, 0], [4, 0, 0, 0], [0, 0, 0, 0]]
    assert made["edge_index"].tolist() == [
        [[0, 1, -1], [1, 2, -1]],
        [[0, -1, -1], [0, -1, -1]],
        [[-1, -1, -1], [-1, -1, -1]],
    ]
    assert made["node_count"].tolist() == [3, 1, 0]
    assert made["edge_attr"].tolist() == [[0.5, 1.5, 0.0], [2.5, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": [[1, 3], [0], []]}, "a node that the row has not"),
        ({"target": [[1, -1], [0], []]}, "a node that the row has not"),
        ({"source": [[0], [0], []]}, "not as many items"),
        ({"source": [[0, 1, 2, 0], [0], []]}, "more than 3 items"),
        ({"atoms": [[[1.0]] * 5, [[4.0]], []]}, "more than 4 items"),
        ({"atoms": [[[1.0, 2.0]] * 3, [[4.0]], []]}, "a list inside has not 1 items"),
        ({"atoms": [None, [[4.0]], []]}, "missing or lacks"),
        ({"source": [[0.5, 1.0], [0.0], []]}, "not whole"),
        ({"length": [[0.5], [2.5], []]}, "'length': not as many items"),
    ],
)
def test_a_graph_that_is_none_costs_its_row(changes: dict[str, Any], words: str) -> None:
    columns = {**COLUMNS, **{name: pa.array(values) for name, values in changes.items()}}
    with pytest.raises(RejectedRows) as caught:
        graph(attributes="length").apply(columns, 3)
    assert list(caught.value.reasons) == [0]
    assert words in str(caught.value.reasons[0])


def test_columns_that_are_no_graphs() -> None:
    with pytest.raises(JobError, match="no lists of numbers"):
        graph(nodes="id").apply({**COLUMNS, "id": pa.array([1, 2, 3])}, 3)


@pytest.mark.parametrize("attributes", [None, "length"])
def test_it_says_how_many_numbers_of_a_row_it_makes(attributes: str | None) -> None:
    step = graph(attributes=attributes)
    made = step.apply(COLUMNS, 3)
    expected = {name: array.reshape(3, -1).shape[1] for name, array in made.items()}
    assert step.count_numbers({}) == expected


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ([], [[0.5, 1.5], [2.5], []]),
        ([2], [[[0.5, 1.0], [1.5, 2.0]], [[2.5, 3.0]], []]),
    ],
)
def test_an_edge_has_a_number_or_a_vector(shape: list[int], lengths: Any) -> None:
    columns = {**COLUMNS, "length": pa.array(lengths)}
    step = graph(attributes="length", attributes_shape=shape)
    found = step.apply(columns, 3)["edge_attr"]
    assert found.shape == (3, 3, *shape)
    for row, edges in enumerate(lengths):
        assert found[row, : len(edges)].tolist() == edges
        assert not found[row, len(edges) :].any()
    widths = dict.fromkeys(COLUMNS, 1)
    assert step.count_numbers(widths)["edge_attr"] == 3 * (shape[0] if shape else 1)


def test_an_edge_has_no_matrix() -> None:
    with pytest.raises(ValueError, match="attributes_shape"):
        graph(attributes="length", attributes_shape=[2, 2])
