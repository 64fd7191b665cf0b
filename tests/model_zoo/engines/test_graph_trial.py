"""A graph that ends its process, fills its memory or never ends does so in a child: the worker says so in one line."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402
import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import graph_trial  # noqa: E402
from model_zoo.engines.child import process  # noqa: E402
from model_zoo.engines.engine import find_engine  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.model_zoo.engines.hostile_graphs import HOSTILE  # noqa: E402
from tests.support.graphs import graph_of, graph_package, linear_graph, spread_graph  # noqa: E402

pytestmark = [pytest.mark.program, pytest.mark.usefixtures("trials")]
ENGINES = ("onnxruntime", "openvino")

MEMORY = "the package's own smoke batch takes more memory than 1,024 MiB"
# What each engine says, or both.
SAID: dict[str, str | dict[str, str]] = {
    "wild": {
        "openvino": "was ended by SIGSEGV: the file is broken, or made to break its library",
        "onnxruntime": "invalid index found",
    },
    "cycle": "it has operators that take what is made of what they give",
    "endless": "computing 8 rows of it takes longer than 2 s",
    "numbers": {"openvino": "fails on the package's own smoke batch", "onnxruntime": MEMORY},
    "Tile": {"openvino": MEMORY, "onnxruntime": "would require more than 4294967296 bytes"},
    "Expand": MEMORY,
    "ConstantOfShape": MEMORY,
    "Range": MEMORY,
    "operator": "Frobnicate",
    "shapes": "ncompatible",
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name)
    return name


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_this_process_lives_and_says_what_is_wrong(
    tmp_path: Path, engine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MEMORY_BYTES", 1 << 30)
    monkeypatch.setattr(graph_trial, "_MOST_SECONDS", 2.0 if name == "endless" else 60.0)
    nodes, arrays = HOSTILE[name]
    package = read_package(graph_package(tmp_path / "m", graph_of(nodes, arrays)))
    with pytest.raises(ModelError) as refused:
        load_scorer(package, "cpu", Settings(16, engine=engine), 1)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/m/model.onnx: ")
    expected = SAID[name]
    assert (expected if isinstance(expected, str) else expected[engine]) in message


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The children that were started."""
    found: list[object] = []
    start = process._start
    monkeypatch.setattr(process, "_start", lambda *given: found.append(given) or start(*given))
    return found


def test_a_child_is_asked_once_for_a_graph(
    tmp_path: Path, engine: str, started: list[object]
) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["logit"])]
    package = read_package(graph_package(tmp_path / "m", graph_of(nodes, {"unused": np.ones(7)})))
    for batch_rows in (8, 16):
        settings = Settings(batch_rows, engine=engine)
        find_engine(engine).load(package, torch.device("cpu"), 1, settings)
    assert len(started) == 1
    # Of another graph the answer may be another.
    other = read_package(graph_package(tmp_path / "other", linear_graph()))
    find_engine(engine).load(other, torch.device("cpu"), 1, Settings(8, engine=engine))
    assert len(started) == 2


def test_numbers_in_files_of_their_own_are_tried_too(
    tmp_path: Path, engine: str, started: list[object]
) -> None:
    model, data = spread_graph()
    package = read_package(graph_package(tmp_path / "m", model, data))
    scorer = load_scorer(package, "cpu", Settings(8, engine=engine), 1)
    assert len(started) == 1
    x = np.ones((3, 3), np.float32)
    np.testing.assert_allclose(scorer({"x": x}).outputs["logit"], [-0.5, -0.5, -0.5])
