"""ONNX Runtime computes a package's graph: the same numbers as numpy, whatever the threads; nothing else is taken."""

from dataclasses import replace
from pathlib import Path
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx.helper import make_node  # noqa: E402
import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import onnx_int8, onnx_runtime, onnx_session  # noqa: E402
from model_zoo.engines.engine import choose_engine  # noqa: E402
from model_zoo.engines.onnx_runtime import OnnxRuntimeEngine  # noqa: E402
from model_zoo.engines.quantised_graph import keep_in_memory  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.builders import tiny_package  # noqa: E402
from tests.support.graphs import (  # noqa: E402
    WEIGHTS,
    graph_of,
    graph_package,
    linear_graph,
    package_of,
    spread_graph,
)

ONNX = Settings(16, engine="onnxruntime")


def rows_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)


@pytest.mark.parametrize("rows", [0, 1, 16, 1001])
@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_those_of_numpy(tmp_path: Path, rows: int, threads: int) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    x = rows_of(rows)
    scored = load_scorer(package, "cpu", ONNX, threads)({"x": x})
    np.testing.assert_allclose(scored.outputs["logit"], (x @ WEIGHTS)[:, 0], rtol=1e-5, atol=1e-6)
    assert scored.computed_by == (
        f"cpu onnxruntime float32, {threads} thread(s), onnxruntime {onnxruntime.__version__}"
        " (CPUExecutionProvider)"
    )


def test_a_row_has_the_same_bits_in_any_batch_and_layout(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    x = rows_of(1001)
    one = load_scorer(package, "cpu", Settings(7, engine="onnxruntime"), 1)({"x": x})
    other = load_scorer(package, "cpu", Settings(64, engine="onnxruntime"), 2)(
        {"x": np.asfortranarray(x)}
    )
    np.testing.assert_array_equal(one.outputs["logit"], other.outputs["logit"])


def test_the_engine_follows_from_what_the_package_holds(tmp_path: Path) -> None:
    graph = read_package(graph_package(tmp_path / "graph", linear_graph()))
    network = read_package(tiny_package(tmp_path / "network"))
    assert choose_engine(graph.card) == "onnxruntime"
    assert choose_engine(network.card) == "torch"
    with pytest.raises(ModelError, match="holds no form of the model, which engine torch reads"):
        load_scorer(graph, "cpu", Settings(16), 1)
    with pytest.raises(ModelError, match="holds no form of the model, which engine onnxruntime"):
        load_scorer(network, "cpu", ONNX, 1)


def test_a_card_names_a_network_or_a_graph(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a card names a network"):
        tiny_package(tmp_path / "neither", builder="")


def test_other_dtypes_and_devices_are_refused(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    with pytest.raises(ModelError, match=r"set model.dtype to float32"):
        load_scorer(package, "cpu", Settings(16, "bfloat16", engine="onnxruntime"), 1)
    with pytest.raises(ModelError, match=r"set model.device to cpu"):
        OnnxRuntimeEngine().load(package, torch.device("cuda"), 1, ONNX)


def test_a_gpu_is_not_replaced_by_the_cpu_in_silence(tmp_path: Path) -> None:
    """The library itself would warn, and compute on the CPU."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    with pytest.raises(
        ModelError, match=r"has no CUDAExecutionProvider here, but .*onnxruntime-gpu"
    ):
        OnnxRuntimeEngine().load(package, torch.device("cuda", 1), 1, ONNX)


def test_numbers_of_a_second_file_are_used_and_checked(tmp_path: Path) -> None:
    model = linear_graph()
    onnx.save(
        model,
        tmp_path / "g.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    split = onnx.load(tmp_path / "g.onnx", load_external_data=False)
    data = {"model.onnx.data": (tmp_path / "model.onnx.data").read_bytes()}
    package = read_package(graph_package(tmp_path / "m", split, data))
    x = rows_of(50)
    scored = load_scorer(package, "cpu", ONNX, 1)({"x": x})
    np.testing.assert_allclose(scored.outputs["logit"], (x @ WEIGHTS)[:, 0], rtol=1e-5, atol=1e-6)
    # Elsewhere on the disk, and not in the package.
    stray = read_package(graph_package(tmp_path / "stray", split))
    with pytest.raises(ModelError, match=r"'model.onnx.data', which the package does not list"):
        load_scorer(stray, "cpu", ONNX, 1)


def test_bytes_behind_the_end_of_the_second_file_are_refused_in_one_line(tmp_path: Path) -> None:
    model, data = spread_graph(offset=8)
    package = read_package(graph_package(tmp_path / "m", model, data))
    with pytest.raises(ModelError, match="ONNX Runtime does not take it") as refused:
        load_scorer(package, "cpu", ONNX, 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": {"z": {"shape": [3]}}}, "the graph takes .*x.* and the card says .*z"),
        ({"inputs": {"x": {"dtype": "int64", "shape": [3]}}}, "the card says .*int64"),
        ({"outputs": {"other": {"shape": []}}}, "gives no numbers 'other'"),
    ],
)
def test_another_contract_than_the_graphs_is_refused(tmp_path: Path, changes, why: str) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph(), **changes))
    with pytest.raises(ModelError, match=why):
        load_scorer(package, "cpu", ONNX, 1)


def test_a_graph_with_other_weights_fails_on_the_smoke_batch(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph(weights=WEIGHTS * 1.01)))
    with pytest.raises(ModelError, match="smoke output logit differs"):
        load_scorer(package, "cpu", ONNX, 1)


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (RuntimeError("Failed to allocate memory for requested buffer of size 8"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA failure 2: out of memory ; GPU=0"), True),
        (MemoryError(), True),
        (RuntimeError("Got invalid dimensions"), False),
    ],
)
def test_errors_of_memory_are_known(error: Exception, is_one: bool) -> None:
    assert OnnxRuntimeEngine().is_out_of_memory(error) is is_one


def test_a_real_error_of_memory_is_known(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20, 1 << 6]), "shape")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [
        make_node("Gather", ["x", "zero"], ["one"]),
        make_node("Expand", ["one", "shape"], ["y"]),
    ]
    zero = numpy_helper.from_array(np.array([0]), "zero")
    inner = helper.make_graph(nodes, "g", [x], [y], [shape, zero])
    model = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnx_session.make_session(model.SerializeToString(), {}, "g")
    with pytest.raises(Exception, match="alloc") as raised:
        session.run(None, {"x": np.ones(2, np.float32)})
    assert OnnxRuntimeEngine().is_out_of_memory(raised.value)


@pytest.fixture
def has_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests compare what is computed, and not how fast."""
    for module in (onnx_runtime, onnx_int8):
        monkeypatch.setattr(module, "adds_bytes_without_overflow", lambda: True)


def calibrated(package: Package, dtype: str = "int8") -> Settings:
    settings = Settings(16, dtype, engine="onnxruntime")
    batches = [{"x": part} for part in torch.from_numpy(rows_of(1001)).split(16)]
    return OnnxRuntimeEngine().calibrate(package, settings, lambda rows: batches)


@pytest.mark.usefixtures("has_vnni")
def test_int8_is_measured_on_rows_and_close_to_the_graph(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    settings = calibrated(package)
    assert settings.graph is not None
    assert settings.as_dict()["graph"] == settings.graph.sha256
    x = rows_of(1001)
    found = [
        load_scorer(package, "cpu", replace(settings, batch_rows=rows), threads)({"x": x})
        for rows, threads in ((7, 1), (64, 2), (64, 4))
    ]
    logits = found[0].outputs["logit"]
    expected = (x @ WEIGHTS)[:, 0]
    assert 0 < np.abs(logits - expected).max() < 0.03 * np.abs(expected).max()
    for scored in found[1:]:
        np.testing.assert_array_equal(scored.outputs["logit"], logits)
    assert found[0].computed_by.startswith("cpu onnxruntime int8, 1 thread(s), onnxruntime ")


@pytest.mark.usefixtures("has_vnni")
def test_a_row_with_nan_gets_no_score_in_int8_either(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    x = rows_of(20)
    x[3, 1], x[7, 0] = np.nan, np.inf
    logits = load_scorer(package, "cpu", calibrated(package), 1)({"x": x}).outputs["logit"]
    assert np.flatnonzero(np.isnan(logits)).tolist() == [3, 7]


@pytest.mark.usefixtures("has_vnni")
def test_only_what_is_measured_is_computed_in_int8(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    with pytest.raises(ModelError, match="needs a graph that was quantised on rows of the job"):
        load_scorer(package, "cpu", Settings(16, "int8", engine="onnxruntime"), 1)
    settings = calibrated(package)
    with pytest.raises(ModelError, match="in int8 on a CPU, and not on cuda"):
        OnnxRuntimeEngine().load(package, torch.device("cuda"), 1, settings)
    assert calibrated(package, "float32") == Settings(16, engine="onnxruntime")
    # The card's own contract holds for what takes the graph's place, too.
    other = linear_graph()
    other.graph.output[0].name = other.graph.node[0].output[0] = "another"
    graph = keep_in_memory(other.SerializeToString())
    with pytest.raises(ModelError, match="gives no numbers 'logit'"):
        load_scorer(package, "cpu", replace(settings, graph=graph), 1)


@pytest.mark.usefixtures("has_vnni")
def test_int8_is_tried_where_it_is_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = read_package(graph_package(tmp_path / "m", linear_graph())).card
    engine = OnnxRuntimeEngine()
    cpu = torch.device("cpu")
    assert [s.dtype for s in engine.list_settings(card, cpu, 16, [])] == ["int8"]
    assert list(engine.list_settings(card, cpu, 16, ["int8"])) == []
    assert list(engine.list_settings(card, torch.device("cuda"), 16, [])) == []
    monkeypatch.setattr(onnx_runtime, "adds_bytes_without_overflow", lambda: False)
    assert list(engine.list_settings(card, cpu, 16, [])) == []


@pytest.mark.program
def test_nothing_of_onnx_is_imported_before_a_package_needs_it() -> None:
    import subprocess

    check = (
        "import sys, model_zoo.scoring.scorer, pipelines.planning.plan; "
        "sys.exit(any(name in sys.modules for name in ('onnx', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_library_that_does_not_start_is_not_the_graph_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> None:
        raise ImportError("libonnx.so is missing")

    monkeypatch.setattr(onnx_runtime, "_import_library", start)
    package = read_package(graph_package(tmp_path / "model", linear_graph()))
    settings = Settings(16, engine="onnxruntime")
    with pytest.raises(ModelError, match=r"^engine onnxruntime is installed here and does not sta"):
        OnnxRuntimeEngine().load(package, torch.device("cpu"), 1, settings)


@pytest.mark.parametrize("kind", ["MaxPool", "ReduceMax"])
def test_nan_has_no_score_where_the_largest_of_it_and_numbers_is_a_number(
    tmp_path: Path, kind: str
) -> None:
    """ONNX Runtime takes the number; every other engine goes on with NaN."""
    largest = {
        "MaxPool": make_node("MaxPool", ["x"], ["largest"], kernel_shape=[3]),
        "ReduceMax": make_node("ReduceMax", ["x", "axis"], ["largest"]),
    }
    nodes = [largest[kind], make_node("Flatten", ["largest"], ["logit"])]
    x = np.random.default_rng(0).standard_normal((20, 1, 3)).astype(np.float32)
    model = graph_of(nodes, {"axis": np.array([2])}, (1, 3))
    package = read_package(package_of(tmp_path / "m", model, {"x": x[:4]}))
    x[7, 0, 1] = np.nan
    x[9, 0, 1] = np.inf
    scored = load_scorer(package, "cpu", Settings(8, engine="onnxruntime"), 1)({"x": x})
    scores = scored.outputs["logit"].reshape(20)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [7]
