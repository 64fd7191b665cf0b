"""OpenVINO computes a package's graph: the numbers of numpy and torch, whatever the threads; nothing else is taken."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openvino = pytest.importorskip("openvino")

from onnx import TensorProto, helper  # noqa: E402
import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import openvino_engine  # noqa: E402
from model_zoo.engines.openvino_engine import OpenVinoEngine, has_bfloat16  # noqa: E402
from model_zoo.engines.openvino_library import import_openvino  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.builders import tiny_package  # noqa: E402
from tests.support.graphs import (  # noqa: E402
    WEIGHTS,
    graph_of,
    graph_package,
    linear_graph,
    package_of,
    picture_graph,
    spread_graph,
)

REFERENCE = Settings(16, engine="openvino")


def rows_of(count: int, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, columns)).astype(np.float32)


def load_network(url: Path, model: Any, x: np.ndarray, settings: Settings = REFERENCE) -> Any:
    """The network itself, of a package with `x` as its smoke batch; it is called with tensors."""
    package = read_package(package_of(url, model, {"x": x}))
    return OpenVinoEngine().load(package, torch.device("cpu"), 2, settings).compute


@pytest.mark.parametrize("rows", [0, 1, 16, 1001])
@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_those_of_numpy(tmp_path: Path, rows: int, threads: int) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    x = rows_of(rows)
    scored = load_scorer(package, "cpu", REFERENCE, threads)({"x": x})
    # Of float32: in bfloat16, which is OpenVINO's own choice here, the third digit differs.
    np.testing.assert_allclose(scored.outputs["logit"], (x @ WEIGHTS)[:, 0], rtol=1e-5, atol=1e-6)
    assert scored.computed_by == (
        f"cpu openvino float32, {threads} thread(s), openvino {OpenVinoEngine().describe_version().split()[1]}"
    )


@pytest.mark.slow
def test_a_row_has_the_same_bits_whatever_the_threads_the_mini_batch_and_the_layout(
    tmp_path: Path,
) -> None:
    x = np.random.default_rng(0).standard_normal((130, 1, 8, 8)).astype(np.float32)
    package = read_package(package_of(tmp_path / "m", picture_graph(), {"x": x[:5]}))
    scores = []
    for batch_rows in (7, 64):
        for threads in (1, 2, 4):
            settings = Settings(batch_rows, engine="openvino")
            array = x if threads == 1 else np.asfortranarray(x)
            scorer = load_scorer(package, "cpu", settings, threads)
            scores.append(scorer({"x": array}).outputs["logit"])
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0], other)


def test_several_threads_get_their_own_rows(tmp_path: Path) -> None:
    """One request that threads share gives rows of the other's mini-batch."""
    x = np.random.default_rng(0).standard_normal((64, 1, 8, 8)).astype(np.float32)
    compute = load_network(tmp_path / "m", picture_graph(), x[:5])
    inputs = [torch.from_numpy(x + number) for number in range(8)]
    expected = [compute(x=tensor)["logit"] for tensor in inputs]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            computed = threads.map(lambda tensor: compute(x=tensor)["logit"], inputs)
            for actual, wanted in zip(computed, expected, strict=True):
                torch.testing.assert_close(actual, wanted, rtol=0, atol=0)


def test_a_thread_asks_for_memory_once_for_each_shape(tmp_path: Path) -> None:
    x = rows_of(8)
    # Within what looks for NaN.
    compute = load_network(tmp_path / "m", linear_graph(), x).network
    requests = [compute._find_request({"x": rows}) for rows in (x, x[:4], x, x[:4])]
    assert requests[0] is requests[2]
    assert requests[1] is requests[3]
    assert requests[0] is not requests[1]
    # Only the last few shapes are kept, and what is computed with others is right all the same.
    for count in (1, 2, 3, 5, 6, 7, 8):
        part = torch.from_numpy(x[:count])
        np.testing.assert_allclose(
            compute(x=part)["logit"], x[:count] @ WEIGHTS, rtol=1e-5, atol=1e-6
        )
    assert len(compute._compiled) == 4


def test_no_rows_give_no_rows_and_results_stay_as_they_were(tmp_path: Path) -> None:
    x = rows_of(8)
    compute = load_network(tmp_path / "m", linear_graph(), x)
    first = compute(x=torch.from_numpy(x))["logit"]
    before = first.clone()
    # OpenVINO gives what the call before gave, and its results are views.
    none = compute(x=torch.from_numpy(x[:0]))["logit"]
    assert none.shape == (0, 1)
    compute(x=torch.from_numpy(x * 2))
    torch.testing.assert_close(first, before, rtol=0, atol=0)


def test_doubles_are_refused_and_not_rounded(tmp_path: Path) -> None:
    x = rows_of(4)
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["wide", "tiny"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["logit"], to=TensorProto.FLOAT),
    ]
    with pytest.raises(ModelError, match=r"computes in float64 \(.*onnxruntime"):
        load_network(tmp_path / "m", graph_of(nodes, {"tiny": np.array(1e-30)}), x)


def test_integers_that_openvino_cannot_hold_fail_their_row_alone(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["logit"], to=TensorProto.FLOAT)]
    model = graph_of(nodes, dtype=TensorProto.INT64)
    x = np.arange(90, dtype=np.int64).reshape(30, 3)
    package = read_package(package_of(tmp_path / "m", model, {"x": x[:4]}))
    x[17, 1] = 1 << 31
    scored = load_scorer(package, "cpu", REFERENCE, 1)({"x": x})
    assert list(scored.rejected) == [17]
    assert "beyond 32 bits" in str(scored.rejected[17])
    kept = np.delete(scored.outputs["logit"], 17, axis=0)
    np.testing.assert_array_equal(kept, np.delete(x, 17, axis=0).astype(np.float32))


def test_bfloat16_is_computed_where_the_processor_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    settings = Settings(16, "bfloat16", engine="openvino")
    x = rows_of(50)
    if has_bfloat16():
        scored = load_scorer(package, "cpu", settings, 1)({"x": x})
        difference = np.abs(scored.outputs["logit"] - (x @ WEIGHTS)[:, 0]).max()
        assert 1e-4 < difference < 0.1
    monkeypatch.setattr(openvino_engine, "instructions", lambda: ["avx2"])
    with pytest.raises(ModelError, match="no instructions for bfloat16"):
        load_scorer(package, "cpu", settings, 1)


@pytest.mark.parametrize(
    ("settings", "device", "why"),
    [
        (Settings(16, "float16", engine="openvino"), "cpu", "not in openvino float16"),
        (Settings(16, layout="channels_last", engine="openvino"), "cpu", "channels_last"),
        (Settings(16, compiled=True, engine="openvino"), "cpu", "compiled"),
        (REFERENCE, "cuda", "set model.device to cpu"),
    ],
)
def test_what_it_does_not_do_is_refused(
    tmp_path: Path, settings: Settings, device: str, why: str
) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    with pytest.raises(ModelError, match=why):
        OpenVinoEngine().load(package, torch.device(device), 1, settings)


def test_another_precision_than_asked_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rows_of(4)
    # Which few processors have; others compute in another one and say nothing.
    monkeypatch.setitem(openvino_engine._PRECISIONS, "float32", "f16")
    with pytest.raises(ModelError, match="in place of f16"):
        load_network(tmp_path / "m", linear_graph(), x)(x=torch.from_numpy(x))


def test_a_package_without_a_graph_is_refused(tmp_path: Path) -> None:
    package = read_package(tiny_package(tmp_path / "m"))
    with pytest.raises(ModelError, match="holds no form of the model, which engine openvino reads"):
        load_scorer(package, "cpu", REFERENCE, 1)


def test_numbers_of_a_second_file_are_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = spread_graph()
    # OpenVINO by itself looks in the current folder.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx.data").write_bytes(bytes(12))
    package = read_package(graph_package(tmp_path / "m", model, data))
    x = rows_of(50)
    scored = load_scorer(package, "cpu", REFERENCE, 1)({"x": x})
    np.testing.assert_allclose(scored.outputs["logit"], (x @ WEIGHTS)[:, 0], rtol=1e-5, atol=1e-6)
    stray = read_package(graph_package(tmp_path / "stray", model))
    with pytest.raises(ModelError, match=r"'model.onnx.data', which the package does not list"):
        load_scorer(stray, "cpu", REFERENCE, 1)


def test_numbers_behind_the_end_of_the_second_file_are_refused(tmp_path: Path) -> None:
    model, data = spread_graph(offset=8)
    package = read_package(graph_package(tmp_path / "m", model, data))
    with pytest.raises(ModelError, match=r"behind the end of 'model.onnx.data'"):
        load_scorer(package, "cpu", REFERENCE, 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": {"z": {"shape": [3]}}}, "the graph takes .*x.* and the card says .*z"),
        ({"inputs": {"x": {"dtype": "float64", "shape": [3]}}}, "the card says .*float64"),
        ({"outputs": {"other": {"shape": []}}}, "gives no numbers 'other'"),
    ],
)
def test_another_contract_than_the_graphs_is_refused(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph(), **changes))
    with pytest.raises(ModelError, match=why):
        load_scorer(package, "cpu", REFERENCE, 1)


def test_a_real_error_of_memory_is_known() -> None:
    nodes = [
        helper.make_node("Gather", ["x", "zero"], ["one"], axis=1),
        helper.make_node("Expand", ["one", "shape"], ["large"]),
        helper.make_node("ReduceSum", ["large"], ["logit"]),
    ]
    core = import_openvino().Core()
    shape = np.array([1 << 20, 1 << 20])
    model = graph_of(nodes, {"zero": np.array([0]), "shape": shape})
    read = core.read_model(model.SerializeToString())
    # Memory is asked for when a shape is compiled: then too it is no fault of the package.
    with pytest.raises(RuntimeError) as raised:
        openvino_engine._make_code(core, {}, "m", read)
    assert OpenVinoEngine().is_out_of_memory(raised.value)
    assert not OpenVinoEngine().is_out_of_memory(RuntimeError("Got invalid dimensions"))
    assert OpenVinoEngine().is_out_of_memory(MemoryError())


@pytest.mark.program
def test_nothing_of_openvino_is_imported_before_a_package_needs_it() -> None:
    check = (
        "import sys, model_zoo.scoring.scorer, pipelines.planning.plan; "
        "from model_zoo.engines.engine import find_engine; find_engine('openvino'); "
        "sys.exit(any(name in sys.modules for name in ('onnx', 'openvino', 'nncf')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.program
def test_nothing_counts_its_users_and_first_arrays_do_not_stand_still() -> None:
    """Threads that give OpenVINO its first array at the same time wait for each other for ever without the first one."""
    check = (
        "import sys, threading\n"
        "import numpy as np\n"
        "from model_zoo.engines.openvino_library import import_openvino\n"
        "openvino = import_openvino()\n"
        "def look(): openvino.Tensor(np.zeros(3, np.float32)).data\n"
        "threads = [threading.Thread(target=look) for _ in range(16)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "sys.exit(any(name.startswith('openvino_telemetry.') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], check=False, timeout=300)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("device", "has", "expected"),
    [
        ("cpu", (True, True, True), ["bfloat16", "int8"]),
        ("cpu", (True, False, True), ["bfloat16"]),
        ("cpu", (False, True, True), ["int8"]),
        ("cpu", (False, True, False), []),
        ("cuda", (True, True, True), []),
    ],
)
def test_dtypes_are_those_of_the_processor(
    device: str,
    has: tuple[bool, bool, bool],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, answer in zip(
        ("has_bfloat16", "adds_bytes_without_overflow", "can_quantise"), has, strict=True
    ):
        monkeypatch.setattr(openvino_engine, name, lambda answer=answer: answer)
    card: Any = SimpleNamespace(mask=None)
    listed = OpenVinoEngine().list_settings(card, torch.device(device), 16, ())
    assert [settings.dtype for settings in listed] == expected
