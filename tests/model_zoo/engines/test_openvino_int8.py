"""Texts in 8 bits: each token rounded by its own size, so that a row follows from itself alone, points where float32 does, and stays NaN where it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.arrays import Arrays  # noqa: E402
from model_zoo.engines import openvino_engine, openvino_int8  # noqa: E402
from model_zoo.engines.openvino_engine import OpenVinoEngine  # noqa: E402
from model_zoo.engines.openvino_library import import_openvino  # noqa: E402
from model_zoo.engines.quantised_graph import keep_in_memory, read_quantised  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.onnx_graph import parse_graph  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from model_zoo.scoring.scored import Scored  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import graph_of, package_of, picture_graph  # noqa: E402

INT8 = Settings(8, "int8", engine="openvino")
TOKENS, WORDS, WIDTH, INNER = 12, 40, 64, 128
# Its vector is NaN.
BROKEN_WORD = WORDS - 1


def text_graph() -> Any:
    """Words (rows, tokens) -> vectors -> two products -> their mean (rows, 64)."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    vectors = random.standard_normal((WORDS, WIDTH))
    # As in trained encoders: one feature is far larger than the others.
    vectors[:, 3] *= 30
    vectors[BROKEN_WORD, 5] = np.nan
    arrays = {
        "vectors": vectors,
        "widen": random.normal(0, WIDTH**-0.5, (WIDTH, INNER)),
        "narrow": random.normal(0, INNER**-0.5, (INNER, WIDTH)),
    }
    nodes = [
        helper.make_node("Gather", ["vectors", "ids"], ["found"]),
        helper.make_node("MatMul", ["found", "widen"], ["wide"]),
        helper.make_node("Tanh", ["wide"], ["bent"]),
        helper.make_node("MatMul", ["bent", "narrow"], ["given"]),
        helper.make_node("Cast", ["mask"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["by_token"]),
        helper.make_node("Mul", ["given", "by_token"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "tokens"], ["embedding"], keepdims=0),
    ]
    takes = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
        for name in ("ids", "mask")
    ]
    gives = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", WIDTH])]
    tensors = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()]
    tensors.append(numpy_helper.from_array(np.array([-1]), "last"))
    tensors.append(numpy_helper.from_array(np.array([1]), "tokens"))
    graph = helper.make_graph(nodes, "g", takes, gives, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def texts(rows: int, seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, TOKENS + 1, rows)
    mask = (np.arange(TOKENS) < lengths[:, None]).astype(np.int64)
    return {"ids": random.integers(0, BROKEN_WORD, (rows, TOKENS)) * mask, "mask": mask}


def sample(rows: int) -> Iterator[dict[str, torch.Tensor]]:
    for start in range(0, rows, 8):
        arrays = texts(8, seed=start + 1)
        yield {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = tmp_path_factory.mktemp("texts") / "m"
    return read_package(package_of(url, text_graph(), texts(5), mask="mask"))


@pytest.fixture(scope="module")
def settings(package: Package) -> Settings:
    return OpenVinoEngine().calibrate(package, INT8, sample)


def score(package: Package, settings: Settings, inputs: Arrays, threads: int = 1) -> Scored:
    return load_scorer(package, "cpu", settings, threads)(inputs)


def cosines(exact: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1)
    return np.asarray((exact * rounded).sum(axis=1) / lengths)


@pytest.mark.slow
def test_8_bits_point_where_float32_does_and_rows_are_rounded_as_weights_are(
    package: Package, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = texts(100, seed=7)
    exact = score(package, Settings(8, engine="openvino"), inputs).outputs["embedding"]
    rounded = score(package, settings, inputs).outputs["embedding"]
    monkeypatch.setattr(openvino_int8, "find_group", lambda content: 0)
    weights_alone = score(package, settings, inputs).outputs["embedding"]
    assert cosines(exact, rounded).min() > 0.999
    assert cosines(exact, rounded).mean() < cosines(exact, weights_alone).mean() < 0.9999999


def test_what_is_hard_to_round_is_spread_over_weights_and_rows() -> None:
    """A feature a hundred times as large, with weights like the others'."""
    largest = np.array([1, 100, 1, 1], np.float32)
    weights = np.ones((4, 3), np.float32)
    spread = openvino_int8._choose_spread(weights, largest)
    after = largest / spread
    np.testing.assert_allclose(after / after[0], [1, 10, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(spread / spread[0], [1, 10, 1, 1], rtol=1e-6)
    assert np.prod(spread) == pytest.approx(1)


@pytest.mark.slow
def test_the_same_bits_with_any_threads(package: Package, settings: Settings) -> None:
    inputs = texts(120, seed=7)
    expected = score(package, settings, inputs).outputs["embedding"]
    for threads in (2, 4):
        actual = score(package, settings, inputs, threads).outputs["embedding"]
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
def test_a_row_that_is_nan_inside_has_no_score(package: Package, settings: Settings) -> None:
    """In float32 it is NaN, which is no score; 8 bits would make a number of it."""
    inputs = texts(30, seed=7)
    inputs["ids"][11, 0] = BROKEN_WORD
    exact = score(package, Settings(8, engine="openvino"), inputs).outputs["embedding"]
    assert list(np.flatnonzero(np.isnan(exact).any(axis=1))) == [11]
    scored = score(package, settings, inputs)
    assert list(scored.rejected) == [11]
    assert "8 bits" in str(scored.rejected[11])


def test_the_graph_is_data_with_weights_in_8_bits(settings: Settings) -> None:
    content = read_quantised(settings).content
    tensors = {tensor.name: tensor for tensor in parse_graph(content, {}).graph.initializer}
    assert openvino_int8.find_group(content) == WIDTH
    assert {"widen", "narrow"}.isdisjoint(tensors)
    assert tensors["int8.0.rounded"].data_type == onnx.TensorProto.INT8
    assert list(tensors["int8.1.rounded"].dims) == [INNER // WIDTH, WIDTH, WIDTH]


def test_the_same_rows_give_the_same_bytes(package: Package, settings: Settings) -> None:
    assert OpenVinoEngine().calibrate(package, INT8, sample) == settings


def test_what_cannot_be_rounded_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no rows to measure the graph of int8 on"):
        OpenVinoEngine().calibrate(package, INT8, lambda rows: [])
    lost = texts(3)
    lost["ids"][1, 0] = BROKEN_WORD
    tensors = {name: torch.from_numpy(array) for name, array in lost.items()}
    with pytest.raises(ModelError, match="NaN or infinity"):
        OpenVinoEngine().calibrate(package, INT8, lambda rows: [tensors])
    narrow = onnx.helper.make_node("MatMul", ["x", "w"], ["logit"])
    # Three numbers are no group.
    graph = graph_of([narrow], {"w": np.ones((3, 2), np.float32)})
    other = read_package(package_of(tmp_path / "m", graph, {"x": np.ones((2, 3), np.float32)}))
    with pytest.raises(ModelError, match="no product of weights in groups of 64"):
        openvino_int8.quantise_weights(other, [])


def test_a_graph_of_other_groups_is_refused(package: Package, settings: Settings) -> None:
    model = parse_graph(read_quantised(settings).content, {})
    model.metadata_props[0].value = "32"
    other = keep_in_memory(model.SerializeToString())
    with pytest.raises(ModelError, match="rounded in groups"):
        score(package, replace(settings, graph=other), texts(3))


def test_a_graph_that_says_so_and_has_no_such_product_is_refused() -> None:
    """Nothing would tell of NaN there."""
    openvino = import_openvino()
    model = openvino.Core().read_model(picture_graph().SerializeToString())
    with pytest.raises(ModelError, match="no product in 8 bits"):
        openvino_int8.guard_products(openvino.opset13, model)


def test_a_graph_with_measured_scales_is_rounded_by_them_alone() -> None:
    assert openvino_int8.find_group(picture_graph().SerializeToString()) == 0


@pytest.mark.parametrize(("instructions", "expected"), [(["avx512_bf16"], "bf16"), ([], "f32")])
def test_what_is_left_is_computed_in_bfloat16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, instructions: list[str], expected: str
) -> None:
    monkeypatch.setattr(openvino_engine, "instructions", lambda: instructions)
    properties = openvino_engine._choose_properties(INT8, 64)
    assert properties["INFERENCE_PRECISION_HINT"] == expected
    assert properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == 64
    with_scales = openvino_engine._choose_properties(INT8, 0)
    assert with_scales["INFERENCE_PRECISION_HINT"] == "f32"
    assert with_scales["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == 0


def test_texts_need_no_library_that_measures_scales(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_zoo.engines.machine.instructions", lambda: ["avx512_vnni"])
    monkeypatch.setattr(openvino_engine, "can_quantise", lambda: False)
    cpu = torch.device("cpu")
    listed = OpenVinoEngine().list_settings(package.card, cpu, 8, ("bfloat16",))
    assert [each.dtype for each in listed] == ["int8"]
