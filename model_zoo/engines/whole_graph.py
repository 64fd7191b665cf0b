"""A package's ONNX graph in one piece, for libraries that take it as bytes.

They would look for its other files on the disk, wherever the process stands.
"""

from configs.errors import ModelError
from model_zoo.package.onnx_graph import parse_graph, put_numbers_in
from model_zoo.package.packed_model import PackedModel

# What a message of protobuf may hold, and so what can be handed over as bytes.
_MOST_BYTES = (1 << 31) - 1


def read_whole_graph(package: PackedModel) -> tuple[str, bytes]:
    """Return where a package's graph is, and the graph in one piece, once it is known to be data.

    Raises:
        ModelError: the package holds no such graph.
    """
    files = package.card.onnx
    if files is None:
        raise ModelError(f"{package.url}: holds no ONNX graph; pack the model again with one")
    path = f"{package.url}/{files.model}"
    content = package.read_file(files.model)
    data = {name: package.read_file(name) for name in files.data}
    sizes = {name: len(values) for name, values in data.items()}
    try:
        graph = parse_graph(content, sizes)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; pack the model again with pipelines.package") from error
    if not data:
        return path, content
    total = len(content) + sum(sizes.values())
    if total > _MOST_BYTES:
        raise ModelError(
            f"{path}: the graph and its numbers are {total:,} bytes, more than the {_MOST_BYTES:,} "
            "of one message; set model.engine to onnxruntime"
        )
    try:
        return path, put_numbers_in(graph, data)
    except ValueError as error:
        raise ModelError(f"{path}: {error}; pack the model again with pipelines.package") from error
