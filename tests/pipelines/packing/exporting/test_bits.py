"""Exported networks by ONNX Runtime: the same bits in mini-batches of 7 and of 64 rows, with 1, 2 and 4 threads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("onnxruntime")

from model_zoo.architectures.builders import build
from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.scorer import load_scorer
from pipelines.packing.exporting.network_graph import export_network
from tests.pipelines.packing.exporting.networks import ENCODER, OURS, card_of, texts
from tests.support.graphs import package_of
from tests.support.installed import need

need("onnxscript")

# Each export takes a second or more.
pytestmark = pytest.mark.slow
# More than two mini-batches of the larger size, the last of them not full.
REPEATED = 3


def repeat(inputs: Arrays) -> Arrays:
    return {name: np.concatenate([array] * REPEATED)[:-5] for name, array in inputs.items()}


def pack(url: Path, builder: str, parameters: Any, inputs: Arrays, **more: str) -> Package:
    """A package of the exported network alone."""
    torch.manual_seed(0)
    network = build(builder, parameters).eval()
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.inference_mode():
        outputs = network(**tensors)
    graph = export_network(network, card_of(builder, inputs, outputs, **more), inputs)
    smoke = {name: array[:2] for name, array in inputs.items()}
    return read_package(package_of(url, graph, smoke, smoke_tolerance=1e-3, **more))


def check_bits(package: Package, inputs: Arrays) -> None:
    rows = repeat(inputs)
    found = []
    for batch_rows in (7, 64):
        for threads in (1, 2, 4):
            settings = Settings(batch_rows, engine="onnxruntime")
            scorer = load_scorer(package, "cpu", settings, threads)
            scored = scorer(rows)
            assert not scored.rejected
            found.append(scored.outputs)
    for outputs in found[1:]:
        for name, array in outputs.items():
            assert len(array) == count_rows(rows)
            np.testing.assert_array_equal(array, found[0][name])


@pytest.mark.parametrize("builder", OURS)
def test_networks_of_this_program(builder: str, tmp_path: Path) -> None:
    parameters, inputs = OURS[builder]
    check_bits(pack(tmp_path / "m", builder, parameters, inputs), inputs)


def test_texts(tmp_path: Path) -> None:
    inputs = texts()
    package = pack(tmp_path / "m", "sentence_encoder", ENCODER, inputs, mask="attention_mask")
    check_bits(package, inputs)
