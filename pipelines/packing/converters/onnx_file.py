"""An author's ONNX file -> the graph as a package keeps it.

What a table of scores cannot hold is taken off: maps (the ZipMap that skl2onnx writes gives way to the
probabilities that it takes), texts; floats of two bytes become float32. Numbers of files beside it are taken in, functions are written
out, and the exporter's notes, which name folders of the author's machine, are left out.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from configs.errors import JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import Converted
from pipelines.packing.converters.graph_files import compute_graph
from pipelines.packing.converters.graph_notes import forget_origin
from pipelines.packing.libraries import import_library
from pipelines.packing.networks.computed import find_reason
from storage import files

# As `onnx.TensorProto` numbers it.
_FLOAT = 1


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the graph in a file, without what is no numbers.

    Args:
        job: names the file, and perhaps the outputs that are wanted.
        sample: not looked at.

    Raises:
        JobError: there is no such file, or nothing of it is numbers.
        ModelError: it is no ONNX file.
    """
    onnx = import_library("onnx", "onnx")
    url = str(job.onnx)
    model = _read(onnx, url)
    notes = _take_off_maps(model)
    notes += _keep_outputs(onnx, model, job.outputs, url)
    notes += _widen_outputs(onnx, model)
    forget_origin(model)
    return Converted(
        graph=model,
        dtypes=_describe_inputs(onnx, model, url),
        lengths=_find_lengths(model),
        native=lambda rows, inputs: compute_graph(model, inputs),
        library="ONNX Runtime",
        notes=tuple(notes),
    )


def _read(onnx: Any, url: str) -> Any:
    path = files.to_absolute(url)
    if not files.exists(path):
        raise JobError(f"onnx {url}: there is no such file")
    try:
        # With the numbers of files in its folder; onnx takes none from elsewhere.
        model = onnx.load(path)
        if model.functions:
            # A module of its own, which onnx does not import.
            inliner = import_library("onnx.inliner", "onnx")
            model = inliner.inline_local_functions(model)
    except Exception as error:  # protobuf's and onnx's own classes
        reason = find_reason(error)
        raise ModelError(f"onnx {url}: cannot be read: {reason}") from error
    return model


def _take_off_maps(model: Any) -> list[str]:
    """Put the probabilities in place of the maps that are made of them."""
    notes = []
    graph = model.graph
    outputs = {output.name: output for output in graph.output}
    # A list, as nodes are taken out on the way.
    for node in list(graph.node):
        if node.op_type != "ZipMap":
            continue
        output = outputs.get(node.output[0])
        if output is None:
            continue
        dense = node.input[0]
        graph.node.remove(node)
        output.name = dense
        output.type.Clear()
        # What ZipMap takes.
        tensor_type = output.type.tensor_type
        tensor_type.elem_type = _FLOAT
        for dimension in ("rows", "classes"):
            tensor_type.shape.dim.add(dim_param=dimension)
        notes.append(f"took the map off its output: {dense!r} holds a probability per class")
    return notes


def _keep_outputs(
    onnx: Any,
    model: Any,
    wanted: tuple[str, ...],
    url: str,
) -> list[str]:
    """Leave out outputs that are not wanted, or no numbers."""
    outputs = model.graph.output
    names = [output.name for output in outputs]
    unknown = set(wanted).difference(names)
    if unknown:
        first, given = min(unknown), ", ".join(names)
        raise JobError(f"outputs: the graph gives no {first!r}, but {given}")
    notes = []
    for output in list(outputs):
        is_number = _find_dtype(onnx, output) is not None or _is_half(onnx, output)
        is_wanted = not wanted or output.name in wanted
        if is_number and is_wanted:
            continue
        outputs.remove(output)
        why = "was not asked for" if is_number else "is no array of numbers (a text or a map)"
        notes.append(f"left out its output {output.name!r}, which {why}")
    if not outputs:
        raise JobError(
            f"onnx {url}: none of its outputs {names} is an array of float or integer numbers"
        )
    return notes


def _widen_outputs(onnx: Any, model: Any) -> list[str]:
    """Make float32, which holds all their numbers, of outputs in floats of two bytes."""
    notes = []
    float32 = onnx.TensorProto.FLOAT
    for output in model.graph.output:
        if not _is_half(onnx, output):
            continue
        name = output.name
        # The branches of a graph may take the other one by its name.
        output.name = f"{name}_float32"
        output.type.tensor_type.elem_type = float32
        cast = onnx.helper.make_node("Cast", [name], [output.name], to=float32)
        model.graph.node.append(cast)
        notes.append(f"made float32 of its output {name!r}, as {output.name!r}")
    return notes


def _is_half(onnx: Any, output: Any) -> bool:
    """Tell whether an output is in floats of two bytes."""
    kinds = onnx.TensorProto
    is_array = output.type.HasField("tensor_type")
    return is_array and output.type.tensor_type.elem_type in (kinds.FLOAT16, kinds.BFLOAT16)


def _describe_inputs(onnx: Any, model: Any, url: str) -> Mapping[str, str]:
    """Return the dtype of each input.

    Raises:
        JobError: inputs that a package cannot give; all of them.
    """
    _take_off_weights(model.graph)
    dtypes = {}
    problems = []
    for value in model.graph.input:
        dtype = _find_input_dtype(onnx, value)
        if dtype is None:
            problems.append(
                f"input {value.name!r} is no array of floats, integers or bools; "
                "export the model with such inputs"
            )
            continue
        dimensions = value.type.tensor_type.shape.dim
        # One that is free has a name in place of a number, or nothing.
        rows = dimensions[0].dim_value if dimensions else 0
        if rows:
            problems.append(
                f"input {value.name!r} takes exactly {rows} rows; "
                "export it with a free first dimension (dynamic_shapes, dynamic_axes)"
            )
        dtypes[value.name] = dtype
    if problems:
        all_problems = "; ".join(problems)
        raise JobError(f"onnx {url}: {all_problems}")
    return dtypes


def _find_lengths(model: Any) -> dict[str, int]:
    """Return how many places inputs have behind the rows, by name, of those that say it."""
    lengths = {}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if len(dims) > 1 and dims[1].dim_value:
            lengths[value.name] = int(dims[1].dim_value)
    return lengths


def _find_input_dtype(onnx: Any, value: Any) -> str | None:
    """Return the dtype of an input as cards name it; None for what is no array of numbers."""
    kinds = onnx.TensorProto
    dtypes = {
        kinds.BOOL: "bool",
        kinds.FLOAT16: "float16",
        kinds.INT8: "int8",
        kinds.INT16: "int16",
        kinds.UINT8: "uint8",
        kinds.UINT16: "uint16",
        kinds.UINT32: "uint32",
        kinds.UINT64: "uint64",
    }
    small = dtypes.get(value.type.tensor_type.elem_type)
    return small or _find_dtype(onnx, value)


def _take_off_weights(graph: Any) -> None:
    """Take weights off the inputs, among which older files name them."""
    weights = {tensor.name for tensor in graph.initializer}
    for value in list(graph.input):
        if value.name in weights:
            graph.input.remove(value)


def _find_dtype(onnx: Any, value: Any) -> str | None:
    """Return the dtype as cards name it; None for what is no array of such numbers."""
    kinds = onnx.TensorProto
    dtypes = {
        kinds.FLOAT: "float32",
        kinds.DOUBLE: "float64",
        kinds.INT32: "int32",
        kinds.INT64: "int64",
    }
    if not value.type.HasField("tensor_type"):
        return None
    return dtypes.get(value.type.tensor_type.elem_type)
