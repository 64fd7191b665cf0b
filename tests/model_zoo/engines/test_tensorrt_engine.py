"""TensorRT without a GPU: what it would be told, where plans go, and that nothing takes its place. A GPU shows the rest."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import torch  # noqa: E402

from configs.errors import ModelError  # noqa: E402
from model_zoo.engines import tensorrt_engine  # noqa: E402
from model_zoo.engines.checked_graph import Graph  # noqa: E402
from model_zoo.engines.engine import find_engine  # noqa: E402
from model_zoo.engines.onnx_providers import CPU  # noqa: E402
from model_zoo.engines.onnx_session import open_graph  # noqa: E402
from model_zoo.engines.settings import Settings  # noqa: E402
from model_zoo.engines.tensorrt_engine import TensorRtEngine  # noqa: E402
from model_zoo.package.card import ModelCard  # noqa: E402
from model_zoo.package.package import Package, read_package  # noqa: E402
from tests.support.builders import tiny_package  # noqa: E402
from tests.support.graphs import graph_package, linear_graph  # noqa: E402

GPU = torch.device("cuda", 1)
TENSORRT = Settings(16, engine="tensorrt")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return read_package(graph_package(tmp_path / "m", linear_graph()))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The providers of each session, on a machine that seems to have a GPU and TensorRT."""
    found: list[Any] = []

    def open_here(card: ModelCard, graph: Graph, providers: Any) -> Any:
        found.append(providers)
        return open_graph(card, graph, (CPU,))

    monkeypatch.setattr(tensorrt_engine, "open_graph", open_here)
    monkeypatch.setattr(tensorrt_engine, "find_tensorrt_version", lambda: "10.9.0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return found


def prefix_of(opened: list[Any], package: Package, settings: Settings = TENSORRT) -> str:
    """The beginning of a plan's file name."""
    TensorRtEngine().load(package, GPU, 1, settings)
    prefix: str = opened[-1][0].options["trt_engine_cache_prefix"]
    return prefix


def test_it_stands_in_the_table() -> None:
    assert isinstance(find_engine("tensorrt"), TensorRtEngine)


def test_the_provider_is_told_all_of_it(
    opened: list[Any], package: Package, tmp_path: Path
) -> None:
    network = TensorRtEngine().load(package, GPU, 1, TENSORRT)
    ((tensorrt, cuda, cpu),) = opened
    assert [tensorrt.name, cuda.name, cpu.name] == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    options = tensorrt.options
    assert options["device_id"] == cuda.options["device_id"] == "1"
    assert options["trt_profile_min_shapes"] == "x:1x3"
    assert options["trt_profile_opt_shapes"] == options["trt_profile_max_shapes"] == "x:16x3"
    assert "trt_fp16_enable" not in options
    assert "trt_bf16_enable" not in options
    folder = Path(options["trt_engine_cache_path"])
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not network.is_exact
    # What a GPU would round float32 to otherwise.
    assert tensorrt_engine.os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize(
    ("dtype", "option"), [("float16", "trt_fp16_enable"), ("bfloat16", "trt_bf16_enable")]
)
def test_other_dtypes_are_its_own_options(
    opened: list[Any], package: Package, dtype: Any, option: str
) -> None:
    TensorRtEngine().load(package, GPU, 1, Settings(16, dtype, engine="tensorrt"))
    assert opened[-1][0].options[option] == "True"


def test_a_plan_is_of_one_graph_gpu_version_and_settings(
    opened: list[Any], package: Package, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = prefix_of(opened, package)
    assert prefix_of(opened, package) == first
    found = {first}
    found.add(prefix_of(opened, package, Settings(32, engine="tensorrt")))
    found.add(prefix_of(opened, package, Settings(16, "float16", engine="tensorrt")))
    other_graph = linear_graph()
    other_graph.graph.name = "another"
    other = read_package(graph_package(tmp_path / "other", other_graph))
    found.add(prefix_of(opened, other))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA L4")
    found.add(prefix_of(opened, package))
    monkeypatch.setattr(tensorrt_engine, "find_tensorrt_version", lambda: "10.10.0")
    found.add(prefix_of(opened, package))
    assert len(found) == 6


def test_plans_are_kept_where_nobody_else_writes(
    opened: list[Any], package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan is run by whoever loads it."""
    monkeypatch.setattr(tensorrt_engine, "private_folder", lambda name: None)
    with pytest.raises(ModelError, match="plans of TensorRT cannot be kept"):
        TensorRtEngine().load(package, GPU, 1, TENSORRT)
    assert not opened


def test_without_a_gpu_or_the_library_it_says_so(package: Package) -> None:
    with pytest.raises(ModelError, match=r"computes on a GPU, and not on cpu; set model.device"):
        TensorRtEngine().load(package, torch.device("cpu"), 1, TENSORRT)
    if tensorrt_engine.find_tensorrt_version() is None:
        with pytest.raises(ModelError, match="needs TensorRT, which is not installed here"):
            TensorRtEngine().load(package, GPU, 1, TENSORRT)


def test_the_cpu_never_takes_its_place(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_engine, "find_tensorrt_version", lambda: "10.9.0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    if "TensorrtExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has TensorRT")
    with pytest.raises(ModelError, match="has no TensorrtExecutionProvider and CUDAExec"):
        TensorRtEngine().load(package, GPU, 1, TENSORRT)


def test_what_it_does_not_compute_is_refused(package: Package) -> None:
    with pytest.raises(ModelError, match="float32, float16, bfloat16, and not in tensorrt int8"):
        TensorRtEngine().load(package, GPU, 1, Settings(16, "int8", engine="tensorrt"))


def test_only_gpus_are_tuned_and_only_graphs_are_read(package: Package, tmp_path: Path) -> None:
    engine = TensorRtEngine()
    card = package.card
    tried = [s.dtype for s in engine.list_settings(card, GPU, 16, ["bfloat16"])]
    assert tried == ["float16"]
    assert list(engine.list_settings(card, torch.device("cpu"), 16, [])) == []
    assert engine.reads(card) == "model.onnx"
    assert engine.reads(read_package(tiny_package(tmp_path / "network")).card) is None
