"""A graph that ends its process, or fills its memory, ends a child's: the worker says so in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")

from onnx import helper  # noqa: E402
import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines.child import process  # noqa: E402
from model_zoo.engines.openvino_engine import OpenVinoEngine  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, graph_package  # noqa: E402

pytestmark = pytest.mark.program

FLAT = {"shape": np.array([1 << 20, 1 << 20, 3]), "one": np.ones(1, np.float32)}
HOSTILE: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "SIGSEGV": (
        [
            helper.make_node("GatherND", ["table", "far"], ["wild"]),
            helper.make_node("Add", ["x", "wild"], ["logit"]),
        ],
        {"table": np.ones((3, 3), np.float32), "far": np.array([[1 << 30, 1 << 30]])},
    ),
    "cycle": (
        [
            helper.make_node("Add", ["x", "b"], ["a"]),
            helper.make_node("Add", ["a", "x"], ["b"]),
            helper.make_node("Relu", ["b"], ["logit"]),
        ],
        {},
    ),
    "numbers": (
        [
            helper.make_node("Expand", ["one", "shape"], ["large"]),
            helper.make_node("Add", ["x", "large"], ["logit"]),
        ],
        FLAT,
    ),
    "memory": (
        [
            helper.make_node("Tile", ["x", "times"], ["wide"]),
            helper.make_node("ReduceSum", ["wide", "last"], ["logit"], keepdims=0),
        ],
        {"times": np.array([1, 1 << 29]), "last": np.array([1])},
    ),
    "operator": ([helper.make_node("Frobnicate", ["x"], ["logit"])], {}),
    "shapes": (
        [helper.make_node("MatMul", ["x", "w"], ["logit"])],
        {"w": np.ones((4, 1), np.float32)},
    ),
}


SAID = {
    "SIGSEGV": "was ended by SIGSEGV: the file is broken, or made to break its library",
    "cycle": "bad_alloc",
    "numbers": "fails on the package's own smoke batch",
    "operator": "No conversion rule found for operations: Frobnicate",
    "shapes": "Incompatible MatMul matrix dimension",
    "memory": "Failed to allocate",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_this_process_lives_and_says_what_is_wrong(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MEMORY_BYTES", 1 << 30)
    nodes, arrays = HOSTILE[name]
    package = read_package(graph_package(tmp_path / "m", graph_of(nodes, arrays)))
    settings = Settings(16, engine="openvino")
    with pytest.raises(ModelError) as refused:
        load_scorer(package, "cpu", settings, 1)
    assert "\n" not in str(refused.value)
    assert SAID[name] in str(refused.value)


def test_a_child_is_asked_once_for_a_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["logit"])]
    package = read_package(graph_package(tmp_path / "m", graph_of(nodes, {"unused": np.ones(7)})))
    started = []
    start = process._start
    monkeypatch.setattr(process, "_start", lambda *given: started.append(given) or start(*given))
    for batch_rows in (8, 16):
        settings = Settings(batch_rows, engine="openvino")
        OpenVinoEngine().load(package, torch.device("cpu"), 1, settings)
    assert len(started) == 1
