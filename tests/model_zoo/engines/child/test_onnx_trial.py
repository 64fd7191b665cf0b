"""Graphs are loaded and computed by ONNX Runtime as the child does it, in this process, since these graphs are harmless."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from model_zoo.arrays import Arrays
from model_zoo.engines.child import onnx_trial
from model_zoo.engines.child.messages import Call
from tests.support.graphs import linear_graph, spread_graph

ROWS: Arrays = {"x": np.ones((2, 3), np.float32)}
COLUMN: Arrays = {"x": np.ones(2, np.float32)}


def load(content: bytes, **data: bytes) -> Call:
    sizes = {"model.onnx": len(content), **{name: len(data[name]) for name in data}}
    whole = b"".join((content, *data.values()))
    return onnx_trial.load(whole, {"sizes": sizes})()


def test_that_it_lives_is_the_answer() -> None:
    assert load(linear_graph().SerializeToString())(ROWS) == {}


def test_numbers_stand_behind_the_graph_each_file_behind_the_other() -> None:
    model, data = spread_graph()
    ((name, numbers),) = data.items()
    others = {"before": b"xy", name: numbers, "behind": b"z"}
    assert load(model.SerializeToString(), **others)(ROWS) == {}
    # Of a file that is cut off, the numbers are not there.
    with pytest.raises(ValueError, match=r"^ONNX Runtime does not take it: "):
        load(model.SerializeToString(), **{name: numbers[:-1]})


def test_a_column_is_a_table_of_one() -> None:
    one = linear_graph(weights=np.array([[2.0]], np.float32))
    assert load(one.SerializeToString())(COLUMN) == {}


def test_what_is_not_taken_is_told() -> None:
    with pytest.raises(ValueError, match=r"^ONNX Runtime does not take it: "):
        load(b"no graph")
    call = load(linear_graph().SerializeToString())
    with pytest.raises(ValueError, match="ONNXRuntimeError"):
        call({"x": np.ones((2, 4), np.float32)})


def test_where_memory_is_short_the_place_in_the_library_is_left_out() -> None:
    full = RuntimeError("Failed to allocate memory for 8 bytes. Name:'Expand' Status")
    made = onnx_trial._make_error("", full)
    assert isinstance(made, MemoryError)
    assert str(made) == "Failed to allocate memory for 8 bytes."
    other = onnx_trial._make_error("It says: ", RuntimeError("no such Name: x"))
    assert isinstance(other, ValueError)
    assert str(other) == "It says: no such Name: x"
