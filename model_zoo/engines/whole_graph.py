"""A package's ONNX graph, read and looked through before any library sees it.

Some libraries take it with its other files beside it; others as bytes in one piece, as they would look
for those files on the disk, wherever the process stands.
"""

from typing import Any

from configs.errors import ModelError
from model_zoo.engines.checked_graph import Graph
from model_zoo.package.onnx_graph import list_kinds, parse_graph, put_numbers_in
from model_zoo.package.packed_model import PackedModel

# What a message of protobuf may hold, and so what can be handed over as bytes.
_MOST_BYTES = (1 << 31) - 1
_FIX = "pack the model again with pipelines.package"


def read_graph(package: PackedModel) -> Graph:
    """Return a package's graph, once it is known to be data.

    Raises:
        ModelError: the package holds no such graph.
    """
    graph, _ = _read_parsed(package)
    return graph


def read_whole_graph(package: PackedModel) -> Graph:
    """Return a package's graph in one piece, once it is known to be data.

    Raises:
        ModelError: the package holds no such graph, or one that is too large for one piece.
    """
    graph, parsed = _read_parsed(package)
    if not graph.data:
        return graph
    path = graph.path
    sizes = [len(values) for values in graph.data.values()]
    total = len(graph.content) + sum(sizes)
    if total > _MOST_BYTES:
        raise ModelError(
            f"{path}: the graph and its numbers are {total:,} bytes, more than the {_MOST_BYTES:,} "
            "of one message; set model.engine to onnxruntime"
        )
    try:
        whole = put_numbers_in(parsed, graph.data)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; {_FIX}") from error
    return graph._replace(content=whole, data={})


def _read_parsed(package: PackedModel) -> tuple[Graph, Any]:
    """Return the graph's files, and what they hold."""
    files = package.card.onnx
    if files is None:
        raise ModelError(f"{package.url}: holds no ONNX graph; pack the model again with one")
    path = f"{package.url}/{files.model}"
    content = package.read_file(files.model)
    data = {name: package.read_file(name) for name in files.data}
    sizes = {name: len(values) for name, values in data.items()}
    try:
        parsed = parse_graph(content, sizes)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; {_FIX}") from error
    return Graph(path, content, data, list_kinds(parsed)), parsed
