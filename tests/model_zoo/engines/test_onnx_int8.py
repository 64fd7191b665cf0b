"""A graph in int8: close to the graph on rows like the sample's, the same bits whatever is beside a row, and nothing but data."""

from pathlib import Path
import sys
from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import onnx_int8  # noqa: E402
from model_zoo.engines.onnx_int8 import quantise_graph  # noqa: E402
from model_zoo.package.onnx_graph import parse_graph  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from tests.support.graphs import WEIGHTS, graph_package, linear_graph  # noqa: E402


@pytest.fixture(autouse=True)
def _with_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_int8, "adds_bytes_without_overflow", lambda: True)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return read_package(graph_package(tmp_path / "m", linear_graph()))


def batches(rows: int = 256) -> list[dict[str, torch.Tensor]]:
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0))
    return [{"x": part} for part in x.split(64)]


def session_of(content: bytes) -> Any:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def test_it_computes_nearly_the_same_in_8_bits(package: Package) -> None:
    content = quantise_graph(package, batches())
    made = onnx.load_from_string(content)
    kinds = {tensor.data_type for tensor in made.graph.initializer}
    assert TensorProto.INT8 in kinds
    # As scoring looks through it.
    parse_graph(content, {})
    x = batches()[1]["x"].numpy()
    (found,) = session_of(content).run(["logit"], {"x": x})
    expected = x @ WEIGHTS
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    assert 0 < difference < 0.03


def test_the_import_path_stays_as_it_was(package: Package) -> None:
    """The library puts a folder of its own there, with names that a user's module may have."""
    for name in [name for name in sys.modules if name.startswith("onnxruntime.")]:
        if "quantization" in name or "transformers" in name:
            del sys.modules[name]
    before = list(sys.path)
    quantise_graph(package, batches())
    assert sys.path == before


def test_scores_are_not_rounded_and_not_cut(package: Package) -> None:
    """Only what is computed with is; what comes out has the bits and the range of a float."""
    made = onnx.load_from_string(quantise_graph(package, batches()))
    (maker,) = [node for node in made.graph.node if "logit" in node.output]
    assert maker.op_type == "MatMul"
    x = batches(20_000)[-1]["x"].numpy()
    (found,) = session_of(made.SerializeToString()).run(None, {"x": x})
    assert len(np.unique(found)) > 0.9 * len(x)


def test_a_row_has_the_same_bits_whatever_is_beside_it(package: Package) -> None:
    session = session_of(quantise_graph(package, batches()))
    x = batches()[2]["x"].numpy()
    (whole,) = session.run(["logit"], {"x": x})
    # Beside rows a thousand times as large, too.
    for others in (x[:6], 1000 * x[:63]):
        beside = np.concatenate([x[-1:], others])
        (found,) = session.run(["logit"], {"x": beside})
        np.testing.assert_array_equal(found[0], whole[-1])


def test_the_same_rows_give_the_same_bytes(package: Package) -> None:
    content = quantise_graph(package, batches())
    assert quantise_graph(package, batches()) == content
    # And others others.
    larger = [{"x": 5 * batch["x"]} for batch in batches()]
    assert quantise_graph(package, larger) != content


def test_numbers_beside_the_graph_are_taken_in(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((3, 1)).astype(np.float32)
    model = linear_graph(weights=weights)
    tensor = model.graph.initializer[0]
    data = {"model.onnx.data": tensor.raw_data}
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    place = {"location": "model.onnx.data", "offset": "0", "length": "12"}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    package = read_package(graph_package(tmp_path / "m", model, data))
    content = quantise_graph(package, batches())
    parse_graph(content, {})
    x = batches()[0]["x"].numpy()
    (found,) = session_of(content).run(["logit"], {"x": x})
    np.testing.assert_allclose(found, x @ weights, atol=0.1)


def test_without_rows_or_the_instructions_it_says_so(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="cannot be computed in int8: ") as told:
        quantise_graph(package, [])
    assert "\n" not in str(told.value)
    monkeypatch.setattr(onnx_int8, "adds_bytes_without_overflow", lambda: False)
    with pytest.raises(ModelError, match="VNNI, AMX"):
        quantise_graph(package, batches())


def test_a_graph_without_products_is_refused(tmp_path: Path) -> None:
    """Trees, for example: in int8 it would be itself."""
    model = linear_graph()
    del model.graph.initializer[:]
    model.graph.node[0].CopyFrom(helper.make_node("Neg", ["x"], ["logit"]))
    package = read_package(graph_package(tmp_path / "m", model))
    with pytest.raises(ModelError, match="no layer that is computed in int8"):
        quantise_graph(package, batches())


def test_a_column_is_measured_as_the_graph_takes_it(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1])
    y = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["rows", 1])
    weight = numpy_helper.from_array(np.array([[2.0]], np.float32), "w")
    inner = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logit"])], "g", [x], [y], [weight]
    )
    model = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    package = read_package(graph_package(tmp_path / "m", model))
    content = quantise_graph(package, [{"x": torch.linspace(-1, 1, 50)}])
    column = np.array([[0.5]], np.float32)
    (found,) = session_of(content).run(None, {"x": column})
    np.testing.assert_allclose(found, [[1.0]], atol=0.02)
