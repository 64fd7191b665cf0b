"""Graphs are loaded and computed by OpenVINO as the child does it, in this process, since these graphs are harmless."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openvino")
pytest.importorskip("onnx")

from model_zoo.engines.child import openvino_trial
from model_zoo.engines.child.messages import Call
from tests.support.graphs import linear_graph


def load(content: bytes) -> Call:
    return openvino_trial.load(content, {"properties": {"INFERENCE_NUM_THREADS": "1"}})()


@pytest.mark.parametrize(
    ("columns", "shape"), [(3, (2, 3)), (1, (2, 1)), (1, (2,))], ids=["table", "one", "column"]
)
def test_that_it_lives_is_the_answer(columns: int, shape: tuple[int, ...]) -> None:
    graph = linear_graph(weights=np.ones((columns, 1), np.float32))
    assert load(graph.SerializeToString())({"x": np.ones(shape, np.float32)}) == {}


def test_what_is_not_taken_is_told() -> None:
    with pytest.raises(
        ValueError, match=r"^OpenVINO does not take it: .*; set model.engine to onnxruntime"
    ):
        load(b"no graph")
    call = load(linear_graph().SerializeToString())
    with pytest.raises(ValueError, match="ncompatible"):
        call({"x": np.ones((2, 4), np.float32)})


class Core:
    """Stands in for OpenVINO's, where memory is short."""

    def read_model(self, content: bytes) -> Any:
        return SimpleNamespace(inputs=[], get_ordered_ops=list, reshape=lambda shapes: None)

    def compile_model(self, *_: Any) -> None:
        raise RuntimeError("std::bad_alloc")


def test_where_memory_is_short_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(Core=Core, opset13=None)
    monkeypatch.setattr(openvino_trial, "import_openvino", lambda: library)
    with pytest.raises(MemoryError, match="bad_alloc"):
        load(b"graph")({})
