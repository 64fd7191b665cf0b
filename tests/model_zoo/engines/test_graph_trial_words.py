"""What a child is given of a graph, and what is said of its answer, with a stand-in for the child."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines import graph_trial
from model_zoo.engines.checked_graph import Graph
from model_zoo.engines.child.process import ChildError
from model_zoo.engines.graph_trial import try_graph
from model_zoo.package.card import Tensor

GRAPH = Graph("m/model.onnx", b"graph", {"a": b"12", "b": b"3"})
MODULE = "model_zoo.engines.child.onnx_trial"


class Child:
    """Stands in for a process: it keeps what it is given, and answers with an error or not at all."""

    most_bytes = 5 << 20

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.loaded: list[tuple[str, bytes, dict[str, Any], int, str]] = []
        self.computed: list[tuple[Arrays, int, float]] = []

    def start(
        self, module: str, content: bytes, card: Mapping[str, Any], threads: int, what: str
    ) -> "Child":
        """Keep what a process would load."""
        self.loaded.append((module, content, dict(card), threads, what))
        return self

    def __call__(self, rows: Arrays, most_bytes: int, most_seconds: float) -> None:
        """Keep what it would compute."""
        self.computed.append((rows, most_bytes, most_seconds))
        if self.error is not None:
            raise self.error


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    child = Child()
    monkeypatch.setattr(graph_trial, "start_child", child.start)
    monkeypatch.setattr(graph_trial, "_passed", set())
    # What was tried on this machine before is no matter here.
    nothing_kept = SimpleNamespace(has_mark=lambda *_: False, leave_mark=lambda *_: None)
    monkeypatch.setattr(graph_trial, "cache", nothing_kept)
    return child


def package_with(**columns: Any) -> Any:
    """A package whose network takes x, three numbers a row, and has these columns in its smoke batch."""
    card = SimpleNamespace(inputs={"x": Tensor(shape=(3,))})
    return SimpleNamespace(card=card, smoke=pa.table(columns), digest="d")


def list_rows(count: int) -> pa.Array:
    numbers = pa.array(np.arange(3.0 * count))
    return pa.FixedSizeListArray.from_arrays(numbers, 3)


def test_a_child_loads_all_files_of_a_graph_and_computes_eight_rows(child: Child) -> None:
    try_graph(package_with(**{"input.x": list_rows(9)}), GRAPH, MODULE, {"device": "cpu"}, "v1")
    sizes = {"m/model.onnx": 5, "a": 2, "b": 1}
    card = {"device": "cpu", "sizes": sizes}
    assert child.loaded == [(MODULE, b"graph123", card, 1, "m/model.onnx")]
    ((rows, most_bytes, most_seconds),) = child.computed
    np.testing.assert_array_equal(rows["x"], np.arange(24.0).reshape(8, 3))
    assert rows["x"].dtype == np.float32
    assert (most_bytes, most_seconds) == (0, 300.0)


def test_a_graph_in_one_file_is_given_as_it_is(child: Child) -> None:
    content = b"graph"
    try_graph(package_with(**{"input.x": list_rows(1)}), Graph("g", content, {}), MODULE, {}, "v1")
    ((_, loaded, _, _, _),) = child.loaded
    assert loaded is content


@pytest.mark.parametrize("columns", [{}, {"input.x": pa.array([1.0, 2.0])}])
def test_of_a_smoke_batch_without_an_input_nothing_is_computed(
    child: Child, columns: dict[str, Any]
) -> None:
    for _ in range(2):
        try_graph(package_with(**columns), GRAPH, MODULE, {}, "v1")
    # The library took it, and has passed nothing.
    assert (len(child.loaded), child.computed) == (2, [])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            MemoryError("no room"),
            r"takes more memory than 5 MiB: no room; look for what it repeats",
        ),
        (ChildError("no such op"), r"fails on the package's own smoke batch: no such op; pack"),
    ],
)
def test_what_fails_is_refused_and_tried_again(child: Child, error: Exception, said: str) -> None:
    package = package_with(**{"input.x": list_rows(2)})
    child.error = error
    for _ in range(2):
        with pytest.raises(ModelError, match=f"^m/model.onnx: .*{said}"):
            try_graph(package, GRAPH, MODULE, {}, "v1")
    assert len(child.loaded) == 2
