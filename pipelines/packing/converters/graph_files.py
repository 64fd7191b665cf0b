"""An ONNX graph as files of a package, and computed as its author would."""

from typing import Any, NamedTuple

import numpy as np
import torch

from model_zoo.arrays import Arrays, count_rows
from model_zoo.engines.onnx_calls import make_graph
from model_zoo.engines.onnx_session import make_session
from pipelines.packing.networks.computed import make_failure, to_arrays

MODEL = "model.onnx"
DATA = "model.onnx.data"
# A message of protobuf has less than 2 GiB; a graph with more numbers keeps them in a file beside it.
MOST_BYTES = 1 << 30
# Smaller tensors, shapes among them, stay in the graph, where ONNX Runtime wants them.
_LEAST_BYTES = 1024


class GraphFiles(NamedTuple):
    """The graph's file, and those with its other numbers, by name."""

    content: bytes
    data: dict[str, bytes]


def make_files(model: Any) -> GraphFiles:
    """Return a graph, `onnx.ModelProto`, as files."""
    numbers_bytes = 0
    for tensor in model.graph.initializer:
        numbers_bytes += len(tensor.raw_data)
    if numbers_bytes <= MOST_BYTES:
        return GraphFiles(_encode(model), {})
    import onnx

    outline = onnx.ModelProto()
    outline.CopyFrom(model)
    pieces = []
    offset = 0
    for tensor in outline.graph.initializer:
        piece = tensor.raw_data
        if len(piece) < _LEAST_BYTES:
            continue
        _put_outside(tensor, offset)
        pieces.append(piece)
        offset += len(piece)
    data = b"".join(pieces)
    return GraphFiles(_encode(outline), {DATA: data})


def _encode(model: Any) -> bytes:
    # Maps of a message have no order of their own, and a package's digest depends on every byte.
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _put_outside(tensor: Any, offset: int) -> None:
    """Let a tensor's numbers be found in the file beside the graph.

    Args:
        tensor: `onnx.TensorProto`, changed in place.
        offset: where its numbers begin there, in bytes.
    """
    place = {
        "location": DATA,
        "offset": str(offset),
        "length": str(len(tensor.raw_data)),
    }
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    tensor.data_location = tensor.EXTERNAL
    tensor.ClearField("raw_data")


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
    graph = make_graph(session, shapes)
    tensors = {}
    for name, array in inputs.items():
        # torch takes no array that nobody may write to.
        writable = np.array(array)
        tensors[name] = torch.from_numpy(writable)
    try:
        outputs = graph(**tensors)
    except Exception as error:  # the library's classes come of its compiled module
        raise make_failure("the graph", inputs, error) from error
    rows = count_rows(inputs)
    return to_arrays(outputs, rows, "the graph", fix="; name the others in outputs")
