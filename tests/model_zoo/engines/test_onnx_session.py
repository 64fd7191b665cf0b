"""A session computes with what it was asked for, and goes on with nothing else when a call fails."""

from pathlib import Path

import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines.onnx_providers import Provider  # noqa: E402
from model_zoo.engines.onnx_session import open_graph  # noqa: E402
from model_zoo.engines.whole_graph import read_graph  # noqa: E402
from model_zoo.package.package import read_package  # noqa: E402
from tests.support.graphs import graph_package, linear_graph  # noqa: E402


def test_a_provider_that_takes_no_part_is_refused(tmp_path: Path) -> None:
    """The library adds the CPU to whatever it is told."""
    wanted = Provider("AzureExecutionProvider")
    if wanted.name not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no provider beside the CPU's")
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    with pytest.raises(ModelError, match=r"computes with .*CPU.* in place of .*Azure"):
        open_graph(package.card, read_graph(package), (wanted,))


def test_a_session_says_how_it_computes_and_falls_back_on_nothing(tmp_path: Path) -> None:
    package = read_package(graph_package(tmp_path / "m", linear_graph()))
    session = open_graph(package.card, read_graph(package))
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.use_deterministic_compute
    levels = onnxruntime.GraphOptimizationLevel
    assert options.graph_optimization_level == levels.ORT_ENABLE_ALL
    assert not session._enable_fallback


def test_an_opset_of_tomorrow_is_refused_by_its_number(tmp_path: Path) -> None:
    model = linear_graph()
    model.opset_import[0].version = 99
    package = read_package(graph_package(tmp_path / "m", model))
    with pytest.raises(ModelError, match="Opset 99 is under development") as refused:
        open_graph(package.card, read_graph(package))
    # Where in the library's own source it was found helps nobody.
    assert "onnxruntime_src" not in str(refused.value)
    assert "\n" not in str(refused.value)
