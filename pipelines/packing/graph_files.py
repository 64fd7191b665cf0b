"""An ONNX graph as files of a package, and computed as its author would."""

from typing import Any, NamedTuple

import numpy as np
import torch

from configs.errors import ModelError
from model_zoo.arrays import Arrays
from model_zoo.engines.onnx_runtime import Graph, make_session

MODEL = "model.onnx"
DATA = "model.onnx.data"
# A message of protobuf has less than 2 GiB; a graph with more numbers keeps them in a file beside it.
MOST_BYTES = 1 << 30
# Smaller tensors, shapes among them, stay in the graph, where ONNX Runtime wants them.
_LEAST_BYTES = 1024
_SHOWN_CHARACTERS = 300


class GraphFiles(NamedTuple):
    """The graph's file, and those with its other numbers, by name."""

    content: bytes
    data: dict[str, bytes]


def make_files(model: Any) -> GraphFiles:
    """Return a graph, `onnx.ModelProto`, as files."""
    numbers = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if numbers <= MOST_BYTES:
        return GraphFiles(model.SerializeToString(deterministic=True), {})
    import onnx

    outline = onnx.ModelProto()
    outline.CopyFrom(model)
    pieces = []
    offset = 0
    for tensor in outline.graph.initializer:
        piece = tensor.raw_data
        if len(piece) < _LEAST_BYTES:
            continue
        place = {"location": DATA, "offset": offset, "length": len(piece)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        pieces.append(piece)
        offset += len(piece)
    return GraphFiles(outline.SerializeToString(deterministic=True), {DATA: b"".join(pieces)})


def compute_graph(model: Any, inputs: Arrays) -> Arrays:
    """Return what ONNX Runtime makes of all rows at once, by the graph's own names.

    Args:
        model: `onnx.ModelProto`.
        inputs: arrays (rows, ...) by name.

    Raises:
        ModelError: it does not take the graph, or fails on these inputs.
    """
    files = make_files(model)
    session = make_session(files.content, files.data, "the graph")
    # A number a row, and not a list of one.
    shapes = {output.name: () for output in session.get_outputs()}
    ranks = {found.name: len(found.shape) for found in session.get_inputs()}
    graph = Graph(session, shapes, ranks)
    # Copies: torch takes no array that nobody may write to.
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in inputs.items()}
    rows = len(next(iter(tensors.values())))
    try:
        outputs = graph(**tensors)
    except Exception as error:  # the library's classes come of its compiled module
        reason = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
        shapes_of = {name: f"{array.dtype}{list(array.shape)}" for name, array in inputs.items()}
        raise ModelError(f"the graph fails on {shapes_of}: {reason}") from error
    for name, tensor in outputs.items():
        if tensor.ndim == 0 or len(tensor) != rows:
            raise ModelError(
                f"the graph's output {name} has shape {tuple(tensor.shape)} for {rows} rows; "
                "its first dimension must be the rows; name the others in outputs"
            )
    return {name: tensor.numpy() for name, tensor in outputs.items()}
