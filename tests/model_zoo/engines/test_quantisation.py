"""A graph in 8-bit integers, made on rows of a job: close to float32, the same bytes every time, and data like any other graph."""

from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
import os
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
nncf = pytest.importorskip("nncf")

import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import openvino_engine, quantisation  # noqa: E402
from model_zoo.engines.openvino_engine import OpenVinoEngine  # noqa: E402
from model_zoo.engines.quantised_graph import keep_in_memory, read_quantised  # noqa: E402
from model_zoo.engines.settings import QuantisedGraph, Settings  # noqa: E402
from model_zoo.package.onnx_graph import parse_graph  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from model_zoo.scoring.scorer import load_scorer  # noqa: E402
from tests.support.graphs import linear_graph, package_of, picture_graph  # noqa: E402

INT8 = Settings(64, "int8", engine="openvino")


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = tmp_path_factory.mktemp("pictures") / "m"
    return read_package(package_of(url, picture_graph(), {"x": pictures(5)}))


def sample(rows: int) -> Iterator[dict[str, torch.Tensor]]:
    x = pictures(rows, seed=1)
    for start in range(0, rows, 64):
        yield {"x": torch.from_numpy(x[start : start + 64])}


@pytest.fixture(scope="module")
def calibrated(
    package: Package, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, bytes]:
    """Calibrate once, as it takes longer than all else here, and keep what libraries print of it."""
    printed = tmp_path_factory.mktemp("printed") / "out"
    stdout = os.dup(1)
    with printed.open("w") as file, redirect_stdout(file):
        os.dup2(file.fileno(), 1)
        try:
            settings = OpenVinoEngine().calibrate(package, INT8, sample)
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
    return settings, printed.read_bytes()


@pytest.fixture(scope="module")
def settings(calibrated: tuple[Settings, bytes]) -> Settings:
    return calibrated[0]


def score(package: Package, settings: Settings, x: np.ndarray, threads: int = 1) -> np.ndarray:
    scored = load_scorer(package, "cpu", settings, threads)({"x": x})
    return scored.outputs["logit"]


def test_8_bits_are_close_to_float32_and_not_float32(package: Package, settings: Settings) -> None:
    x = pictures(200, seed=2)
    exact = score(package, Settings(64, engine="openvino"), x)
    rounded = score(package, settings, x)
    errors = np.abs(rounded - exact).max(axis=0) / exact.std(axis=0)
    assert (errors < 0.15).all()
    assert (errors > 1e-4).all()


@pytest.mark.slow
def test_scores_depend_on_neither_threads_nor_mini_batches(
    package: Package, settings: Settings
) -> None:
    x = pictures(130, seed=2)
    expected = score(package, settings, x)
    for batch_rows in (7, 64):
        for threads in (1, 2, 4):
            other = replace(settings, batch_rows=batch_rows)
            np.testing.assert_array_equal(score(package, other, x, threads), expected)


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes(package: Package, settings: Settings) -> None:
    again = OpenVinoEngine().calibrate(package, INT8, sample)
    assert again == settings
    others = OpenVinoEngine().calibrate(package, INT8, lambda rows: [{"x": torch.ones(9, 1, 8, 8)}])
    assert others.graph != settings.graph


def test_the_graph_is_data_that_can_be_looked_through(settings: Settings) -> None:
    assert settings.graph is not None
    content = read_quantised(settings).content
    assert len(content) == settings.graph.bytes
    operators = {node.op_type for node in parse_graph(content, {}).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators


def test_settings_are_known_by_the_graphs_digest_alone(settings: Settings) -> None:
    assert settings.graph is not None
    moved = replace(settings, graph=replace(settings.graph, url="/elsewhere.onnx"))
    assert moved.as_dict() == settings.as_dict()
    assert settings.as_dict()["graph"] == settings.graph.sha256
    assert "graph" not in INT8.as_dict()
    assert settings.as_reference() == Settings(64, engine="openvino")


def test_a_graph_that_is_gone_or_another_or_no_data_is_refused(package: Package) -> None:
    content = picture_graph().SerializeToString()
    kept = keep_in_memory(content)
    others = keep_in_memory(content + b"\0")
    swapped = replace(kept, url=others.url)
    code = picture_graph()
    code.graph.node[0].domain = "somebody.else"
    strange = keep_in_memory(code.SerializeToString())
    cases: list[tuple[QuantisedGraph | None, str]] = [
        (None, "set model.dtype to auto, and run pipelines.tune"),
        (replace(kept, url="memory://gone.onnx"), "is gone"),
        (swapped, "is not the graph that the tuning report names"),
        (strange, "has the operator 'Conv' of 'somebody.else'"),
    ]
    for graph, why in cases:
        with pytest.raises(ModelError, match=why):
            load_scorer(package, "cpu", replace(INT8, graph=graph), 1)


def test_a_quantised_graph_of_another_model_is_refused(package: Package) -> None:
    other = keep_in_memory(linear_graph().SerializeToString())
    with pytest.raises(ModelError, match=r"smoke|shape|Input"):
        load_scorer(package, "cpu", replace(INT8, graph=other), 1)


def test_what_cannot_be_quantised_is_refused_in_a_line(package: Package) -> None:
    with pytest.raises(ModelError, match="no rows to quantise"):
        OpenVinoEngine().calibrate(package, INT8, lambda rows: [])
    with pytest.raises(ModelError, match="nncf cannot quantise the graph") as refused:
        OpenVinoEngine().calibrate(package, INT8, lambda rows: [{"x": torch.ones(9, 2, 8, 8)}])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (["avx512_bf16", "avx512_vnni"], ["bfloat16", "int8"]),
        (["avx512_vnni"], ["int8"]),
        (["avx2"], []),
    ],
)
def test_settings_worth_trying_are_those_of_the_processor(
    package: Package,
    monkeypatch: pytest.MonkeyPatch,
    instructions: list[str],
    expected: list[str],
) -> None:
    for module in ("model_zoo.engines.openvino_engine", "model_zoo.engines.machine"):
        monkeypatch.setattr(f"{module}.instructions", lambda: instructions)
    engine: Any = OpenVinoEngine()
    cpu = torch.device("cpu")
    assert [each.dtype for each in engine.list_settings(package.card, cpu, 64, ())] == expected
    assert not list(engine.list_settings(package.card, cpu, 64, ("bfloat16", "int8")))
    assert not list(engine.list_settings(package.card, torch.device("cuda"), 64, ()))
    monkeypatch.setattr(openvino_engine, "can_quantise", lambda: False)
    assert "int8" not in [each.dtype for each in engine.list_settings(package.card, cpu, 64, ())]


def test_nothing_is_printed(calibrated: tuple[Settings, bytes]) -> None:
    _, printed = calibrated
    assert printed == b""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("no such\n  operator"), "no such operator"),
        (ValueError(), "ValueError"),
        (RuntimeError("  "), "RuntimeError"),
        (RuntimeError("word " * 1_000), "word word"),
    ],
)
def test_why_a_graph_cannot_be_quantised_is_told_in_a_line(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(nncf, "quantize", fail)
    with pytest.raises(ModelError, match=f"nncf cannot quantise the graph: {told}") as raised:
        quantisation._quantise(None, [], {})
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1_000
