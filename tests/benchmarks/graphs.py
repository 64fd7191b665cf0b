"""The graph that a benchmark's package holds beside its network, so that every engine may compete."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from model_zoo.package.card import ModelCard
from pipelines.packing.converters.graph_files import MODEL, make_files
from pipelines.packing.exporting.beside_network import LIBRARIES
from pipelines.packing.exporting.network_graph import export_network


def add_graph(
    card: dict[str, Any],
    files: dict[str, bytes],
    network: torch.nn.Module,
    inputs: dict[str, np.ndarray],
) -> None:
    """Export a network as pipelines.package does, and add it to card and files; nothing where what exports it is not installed.

    Args:
        card, files: of the package, which are changed.
        network: in evaluation mode.
        inputs: of some rows, by name.
    """
    if not all(find_spec(name) for name in LIBRARIES):
        return
    described = ModelCard.model_validate({**card, "files": {}})
    exported = make_files(export_network(network, described, inputs))
    card["onnx"] = {"model": MODEL, "data": list(exported.data)}
    files |= {MODEL: exported.content, **exported.data}
