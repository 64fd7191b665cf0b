"""The graph that a benchmark's package holds beside its network, so that every engine may compete."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from model_zoo.package.card import ModelCard
from pipelines.packing.converters.graph_files import MODEL, make_files
from pipelines.packing.exporting.beside_network import LIBRARIES
from pipelines.packing.exporting.network_graph import export_network
from tests.benchmarks.compare import say


def list_absent() -> list[str]:
    """Return the libraries that exporting needs and that are not installed."""
    return [name for name in LIBRARIES if find_spec(name) is None]


def add_graph(
    card: dict[str, Any],
    files: dict[str, bytes],
    network: torch.nn.Module,
    inputs: dict[str, np.ndarray],
) -> None:
    """Export a network as pipelines.package does, and add it to card and files.

    Where what exports it is not installed, a line says so, and tuning will have torch alone.

    Args:
        card, files: of the package, which are changed.
        network: in evaluation mode.
        inputs: of some rows, by name.
    """
    absent = list_absent()
    if absent:
        names = " and ".join(absent)
        say(f"  torch alone: a graph for other engines needs {names}; pip install '.[onnx]'")
        return
    described = ModelCard.model_validate({**card, "files": {}})
    exported = make_files(export_network(network, described, inputs))
    card["onnx"] = {"model": MODEL, "data": list(exported.data)}
    files |= {MODEL: exported.content, **exported.data}
