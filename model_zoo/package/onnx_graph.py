"""A package's ONNX graph, looked through before any library loads it.

A graph is data: it names operators that the library has. What a file could do beside computing is
refused here: name operators that are not the library's, point at files that the package does not
hold, describe numbers that it does not deliver, have operators that wait for each other, or draw
numbers at random.
"""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

# Those that ONNX Runtime brings with it; others would need a library that somebody else compiled.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        # Of ONNX Runtime's own.
        "BiasDropout",
        "BitmaskDropout",
        "Sampling",
    }
)
# Which of Dropout's inputs says that it drops numbers.
_TRAINING = 2
# Deeper than any exporter nests the branches and bodies of a graph.
_DEEPEST = 16
# Where a tensor keeps numbers that are not in `raw_data`, and how many of its numbers one entry is.
_FIELDS = (
    "float_data",
    "double_data",
    "int32_data",
    "int64_data",
    "uint64_data",
    "string_data",
)


def parse_graph(content: bytes, data: Mapping[str, int]) -> Any:
    """Return the model in a file, `onnx.ModelProto`, once it is known to be nothing but data.

    Args:
        content: of the file.
        data: size in bytes of each file that the package holds beside it, by name.

    Raises:
        ValueError: it is no ONNX file, or could do more than compute.
    """
    # A second of start-up, for packages with a graph alone.
    import onnx

    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's own class, which moves from version to version
        raise ValueError("it is not an ONNX file") from error
    if not model.HasField("graph"):
        raise ValueError("it is not an ONNX file: it holds no graph")
    # Functions of functions of functions: a short file can stand for a graph without end.
    if model.functions:
        raise ValueError(
            "it has functions of its own, which are written out when a model is packed"
        )
    left = dict(data)
    for graph in list_graphs(model.graph):
        _check_graph(graph, left)
    return model


def put_numbers_in(model: Any, data: Mapping[str, bytes]) -> bytes:
    """Return the file of a model that has all its numbers in itself.

    Args:
        model: as `parse_graph` returns it; it is changed.
        data: content of each file that the package holds beside it, by name.

    Raises:
        ValueError: a file ends before the numbers that are taken from it.
    """
    import onnx

    for graph in list_graphs(model.graph):
        for tensor in _list_tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                tensor.raw_data = _cut_numbers(tensor, data)
                tensor.ClearField("external_data")
                tensor.ClearField("data_location")
    content: bytes = model.SerializeToString()
    return content


def _list_tensors(graph: Any) -> Iterator[Any]:
    """Yield the tensors that a graph itself holds."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _cut_numbers(tensor: Any, data: Mapping[str, bytes]) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries["location"]
    start = _parse_count(entries.get("offset", "0"))
    length = _parse_count(entries["length"])
    numbers = data[location][start : start + length]
    if len(numbers) != length:
        raise ValueError(f"its tensors take numbers behind the end of {location!r}")
    return numbers


def list_graphs(graph: Any, depth: int = 0) -> Iterator[Any]:
    """Yield a graph and those of its branches and loops.

    Args:
        graph: `onnx.GraphProto`.
        depth: how many graphs it is inside of.

    Raises:
        ValueError: they are nested too deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"its branches and loops are nested deeper than {_DEEPEST}")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from list_graphs(inner, depth + 1)


def list_kinds(model: Any) -> frozenset[str]:
    """Return the kinds of a model's operators, those of its branches and loops among them.

    Args:
        model: as `parse_graph` returns it.
    """
    kinds: set[str] = set()
    for graph in list_graphs(model.graph):
        kinds.update(node.op_type for node in graph.node)
    return frozenset(kinds)


def _check_graph(graph: Any, left: dict[str, int]) -> None:
    if graph.sparse_initializer:
        raise ValueError("it holds sparse tensors, which are short files for large numbers")
    for tensor in _list_tensors(graph):
        _check_tensor(tensor, left)
    _refuse_cycle(graph)
    for node in graph.node:
        _check_node(node)
        if node.op_type == "Dropout":
            _check_dropout(node, graph)
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ValueError("it holds sparse tensors, which are short files for large numbers")


def _refuse_cycle(graph: Any) -> None:
    """Refuse operators that wait for each other, of which libraries make ever more."""
    makers: TopologicalSorter[str] = TopologicalSorter()
    for node in graph.node:
        # What is left out has no name, wherever it is.
        taken = [name for name in node.input if name]
        given = [name for name in node.output if name]
        for name in given:
            makers.add(name, *taken)
    try:
        makers.prepare()
    except CycleError as error:
        raise ValueError("it has operators that take what is made of what they give") from error


def _check_node(node: Any) -> None:
    if node.domain not in _DOMAINS:
        raise ValueError(
            f"it has the operator {node.op_type!r} of {node.domain!r}, which is not ONNX Runtime's own"
        )
    if node.op_type in _RANDOM:
        raise ValueError(
            f"it draws numbers at random ({node.op_type}), and scores must not depend on luck"
        )


def _check_dropout(node: Any, graph: Any) -> None:
    """Refuse a Dropout that may drop numbers: scoring has none, and some exporters leave it in."""
    if len(node.input) <= _TRAINING:
        return
    switch = node.input[_TRAINING]
    # So an input that is left out is written.
    if not switch:
        return
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for other in graph.node:
        if other.op_type == "Constant" and other.attribute:
            constants[other.output[0]] = other.attribute[0].t
    tensor = constants.get(switch)
    values: list[int] = []
    if tensor is not None:
        # One byte, or one number: a bool.
        values = list(tensor.raw_data) or list(tensor.int32_data)
    if values != [0]:
        raise ValueError(
            "it drops numbers at random (Dropout in training), and scores must not depend on luck; "
            "export the model for inference"
        )


def _check_tensor(tensor: Any, left: dict[str, int]) -> None:
    """Refuse a tensor of more numbers than were delivered for it.

    Memory is given only for what was delivered: a shape of three numbers can describe a terabyte.
    """
    import onnx

    name = tensor.name or "a constant"
    if any(dimension < 0 for dimension in tensor.dims):
        raise ValueError(f"{name} has a negative dimension")
    numbers = prod(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        delivered = _take_external_bytes(tensor, left)
    else:
        # Once: each time protobuf copies all of it.
        raw_bytes = len(tensor.raw_data)
        entries = sum(len(getattr(tensor, field)) for field in _FIELDS)
        # A complex number is two entries; of small integers each is one, so none stands for more.
        delivered = raw_bytes or entries
        is_of_4_bits = tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)
        if is_of_4_bits or not raw_bytes:
            delivered *= 2
    if numbers > delivered:
        raise ValueError(f"{name} would have {numbers:,} numbers, which the file does not hold")


def _take_external_bytes(tensor: Any, left: dict[str, int]) -> int:
    """Return how many bytes of another file a tensor takes, and count them off.

    Args:
        tensor: whose numbers are elsewhere.
        left: bytes of each file that no other tensor took, by name.

    Raises:
        ValueError: the package does not hold the file, or not so many bytes.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if location not in left:
        raise ValueError(
            f"it takes numbers from a file {location!r}, which the package does not list"
        )
    length = _parse_count(entries.get("length", ""))
    left[location] -= length
    # A thousand tensors could take the same bytes, and each would have memory of its own. That the
    # bytes are not behind the file's end is for ONNX Runtime to see, which has them in memory.
    if left[location] < 0:
        raise ValueError(f"its tensors take more numbers than {location!r} holds")
    return length


def _parse_count(text: str) -> int:
    # Longer ones are no sizes of files, and turning them into numbers would take for ever.
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError("it does not say how many bytes it takes from another file")
    return int(text)
