"""A row's scores have the same bits with any number of threads, in each dtype and layout that an engine is tuned to."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from model_zoo.engines.engine import make_engine
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.scorer import load_scorer
from tests.support.graphs import package_of, picture_graph
from tests.support.pictures import make_picture_package

SHAPE = (1, 8, 8)
TORCH = [
    Settings(16),
    Settings(16, layout="channels_last"),
    Settings(16, "bfloat16"),
    Settings(16, "bfloat16", "channels_last"),
    Settings(16, "int8"),
]
GRAPHS = [
    Settings(16, engine="onnxruntime"),
    Settings(16, "int8", engine="onnxruntime"),
    Settings(16, engine="openvino"),
    Settings(16, "bfloat16", engine="openvino"),
]


def pictures(rows: int, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, *shape)).astype(np.float32)


@pytest.fixture(scope="module")
def package_of_network(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = make_picture_package(tmp_path_factory.mktemp("network") / "m")
    return read_package(str(url))


@pytest.fixture(scope="module")
def package_of_graph(tmp_path_factory: pytest.TempPathFactory) -> Package:
    url = tmp_path_factory.mktemp("graph") / "m"
    return read_package(package_of(url, picture_graph(), {"x": pictures(5)}))


def check(package: Package, settings: Settings) -> None:
    """Score rows with one, two and three threads, and rows that stand elsewhere in their mini-batch."""
    ((name, tensor),) = package.card.inputs.items()
    (score,) = package.card.outputs

    def sample(most: int) -> Iterator[dict[str, torch.Tensor]]:
        yield {name: torch.from_numpy(pictures(64, tensor.shape, seed=1))}

    calibrated = make_engine(settings.engine).calibrate(package, settings, sample)
    x = pictures(100, tensor.shape, seed=2)
    expected = load_scorer(package, "cpu", calibrated, 1)({name: x}).outputs[score]
    for threads in (2, 3):
        scorer = load_scorer(package, "cpu", calibrated, threads)
        np.testing.assert_array_equal(scorer({name: x}).outputs[score], expected)
    moved = scorer({name: x[5:]}).outputs[score]
    np.testing.assert_array_equal(moved, expected[5:])
    other = replace(calibrated, batch_rows=24)
    found = load_scorer(package, "cpu", other, 2)({name: x}).outputs[score]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("settings", TORCH, ids=str)
def test_networks(package_of_network: Package, settings: Settings) -> None:
    check(package_of_network, settings)


@pytest.mark.slow
@pytest.mark.parametrize("settings", GRAPHS, ids=str)
def test_graphs(package_of_graph: Package, settings: Settings) -> None:
    check(package_of_graph, settings)
