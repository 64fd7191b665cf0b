"""Networks and rows that the steps score: made from a seed, nothing is fetched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.torch import save
import torch
from torch import nn

from model_zoo.architectures.builders import build
from model_zoo.arrays import Arrays
from model_zoo.package.card import ModelCard
from model_zoo.package.package import SMOKE, Package, read_package, write_package
from model_zoo.tensor_columns import to_column
from pipelines.packing.exporting.network_graph import export_network
from pipelines.training.held_out import to_parquet
from storage.files import join

_SEED = 7
_SMOKE_ROWS = 4


@dataclass(frozen=True)
class Workload:
    """A network, and what it takes.

    Attributes:
        builder, parameters: of the network, as a model card names it.
        shapes: of a row of each input.
        batch_rows: rows of a mini-batch.
        mask: the input that tells tokens from padding.
        tokens: how many there are, of inputs that are numbers of tokens.
    """

    name: str
    builder: str
    parameters: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    batch_rows: int
    mask: str | None = None
    tokens: int = 0

    def make_rows(self, rows: int) -> Arrays:
        """Return inputs (rows, *shape), by name."""
        random = np.random.default_rng(_SEED)
        arrays: Arrays = {}
        for name, shape in self.shapes.items():
            size = (rows, *shape)
            if name == self.mask:
                arrays[name] = np.ones(size, np.int64)
            elif self.tokens:
                arrays[name] = random.integers(1, self.tokens, size)
            else:
                arrays[name] = random.standard_normal(size, np.float32)
        return arrays

    def build(self) -> nn.Module:
        """Return the network, in evaluation mode, on the CPU."""
        torch.manual_seed(_SEED)
        return build(self.builder, self.parameters).eval()


# As wide as the tables of docs/speed.md.
TABLE = Workload(
    name="table",
    builder="mlp",
    parameters={"in_features": 32, "hidden": [32, 64], "out_features": 1},
    shapes={"x": (32,)},
    batch_rows=4096,
)
PICTURES = Workload(
    name="ResNet-50",
    builder="torchvision:resnet50",
    parameters={},
    shapes={"x": (3, 224, 224)},
    batch_rows=64,
)
# The sizes of all-MiniLM-L6-v2, whose weights do not matter to how long it takes.
TEXTS = Workload(
    name="MiniLM",
    builder="sentence_encoder",
    parameters={
        "vocabulary": 30522,
        "width": 384,
        "layers": 6,
        "heads": 12,
        "feed_forward": 1536,
        "positions": 512,
    },
    shapes={"input_ids": (128,), "attention_mask": (128,)},
    batch_rows=64,
    mask="attention_mask",
    tokens=30522,
)


def pack(workload: Workload, folder: Path, with_graph: bool = False) -> Package:
    """Write a package of a workload, and read it.

    Args:
        workload: the network.
        folder: in which the package gets a folder of its own.
        with_graph: whether it holds the network as an ONNX graph, too.
    """
    network = workload.build()
    inputs = workload.make_rows(_SMOKE_ROWS)
    outputs = compute(network, inputs)
    contents = {"weights.safetensors": _save(network), SMOKE: _make_smoke(inputs, outputs)}
    card: dict[str, Any] = {
        "name": workload.name,
        "version": "1",
        "builder": workload.builder,
        "parameters": workload.parameters,
        "columns": [{"name": "id", "type": "int64", "missing": "reject"}],
        "inputs": _describe(inputs),
        "outputs": _describe(outputs),
        "smoke_tolerance": 1e-3,
    }
    if workload.mask is not None:
        card["mask"] = workload.mask
    if with_graph:
        # Its files are not described yet, and say nothing of the network.
        described = ModelCard.model_validate({**card, "files": {}})
        graph = export_network(network, described, inputs)
        contents["model.onnx"] = graph.SerializeToString(deterministic=True)
        card["onnx"] = {"model": "model.onnx"}
    url = join(str(folder), workload.name)
    digest = write_package(url, card, (), contents)
    return read_package(url, digest)


def compute(network: nn.Module, inputs: Arrays) -> Arrays:
    """Return what the network gives for rows, called directly."""
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.inference_mode():
        outputs = network(**tensors)
    # Of an output without a name, the one that scoring gives it.
    if isinstance(outputs, torch.Tensor):
        outputs = {"output": outputs}
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def _save(network: nn.Module) -> bytes:
    weights = {}
    for name, tensor in network.state_dict().items():
        weights[name] = tensor.contiguous()
    return save(weights)


def _describe(arrays: Arrays) -> dict[str, dict[str, Any]]:
    described = {}
    for name, array in arrays.items():
        described[name] = {"dtype": str(array.dtype), "shape": list(array.shape[1:])}
    return described


def _make_smoke(inputs: Arrays, outputs: Arrays) -> bytes:
    ids = pa.array(range(_SMOKE_ROWS), pa.int64())
    table = pa.table({"id": ids})
    for prefix, arrays in (("input", inputs), ("output", outputs)):
        for name, array in arrays.items():
            table = table.append_column(f"{prefix}.{name}", to_column(array))
    return to_parquet(table)
