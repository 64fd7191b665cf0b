"""An author's exported program (torch.export.save, `.pt2`) -> an ONNX graph.

Loading one may run code, so its owner says `trust_this_file`, here and once; what scores never sees
the file. A program that was exported for a fixed number of rows is freed of that where its operators
allow it; on the sample it is called as it is, with its own number of rows.
"""

from collections.abc import Sequence
import logging
from pathlib import Path
import re
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
import torch
from torch.export.graph_signature import ConstantArgument, InputKind, TensorArgument
from torch.utils import _pytree as pytree

from configs.errors import JobError, ModelError
from configs.fields import Names
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from pipelines.packing.converters.converted import Converted
from pipelines.packing.converters.exported_training import refuse_training
from pipelines.packing.converters.graph_files import compute_graph
from pipelines.packing.converters.torch_archives import find_program
from pipelines.packing.converters.torch_graph import make_example, make_graph
from pipelines.packing.converters.torch_program import (
    ROWS_AT_A_TIME,
    Argument,
    Program,
    list_weight_dtypes,
    refuse_size,
    shorten,
)
from pipelines.packing.libraries import import_library

# Of those who read the file; a filter sees what its own logger is given, and nothing of those below.
_LOGGERS = (
    "torch.export",
    "torch.export.pt2_archive._package",
    # It says what it unpickled by a message that logging cannot format.
    "torch._export.serde.serialize",
)
# What torch says of a file that needs one, on a machine that has none.
_GPU = re.compile("NVIDIA|CUDA|HIP|XPU")
# What torch says of a class of outputs that nobody told it of, and the module that does.
_UNKNOWN_CLASS = re.compile(r"Deserializing (transformers[\w.]*)\.\w+ in pytree is not registered")
# Where a tensor goes among the constants that a program was exported with.
_PLACE = object()
_HOW_TO_FREE = (
    "export it with a free first dimension: torch.export.export(net, (x,), "
    "dynamic_shapes=({0: torch.export.Dim('rows')},))"
)


# Of a program's inputs, by name.
Tensors: TypeAlias = dict[str, torch.Tensor]


class _Rows(NamedTuple):
    called_with: int
    are_fixed: bool


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the graph of an exported program.

    Args:
        job: names the file, and says that it is to be trusted.
        sample: not looked at.

    Raises:
        JobError: there is no such file, it is not to be trusted, or it takes what packages do not
            hold.
        ModelError: it cannot be read.
    """
    import_library("onnxscript", "onnx")
    url = str(job.exported)
    what = f"exported {url}"
    path = find_program("exported", url, job.trust_this_file)
    exported = _load(path, what)
    _refuse_device(exported, what)
    refuse_training(exported, what)
    weights = exported.state_dict.values()
    constants = exported.constants.values()
    refuse_size(what, [*weights, *constants])

    program = _describe(exported, job.outputs, what)
    graph = _make_graph(exported, program)

    def compute(_: pa.Table, inputs: Arrays) -> Arrays:
        return program.compute(inputs)

    return Converted(
        graph=graph,
        dtypes=program.list_dtypes(),
        native=compute,
        library="the exported program",
        computed_in=list_weight_dtypes(weights),
        notes=_list_notes(program),
    )


def _load(path: Path, what: str) -> Any:
    try:
        return _read(path, what)
    except ModelError as error:
        unknown = _UNKNOWN_CLASS.search(str(error))
        if unknown is None:
            raise
        # Its classes of outputs are known to torch once they are imported.
        import_library(unknown[1], "transformers")
    return _read(path, what)


def _read(path: Path, what: str) -> Any:
    reason = _Reason()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(reason)
    try:
        # Opened here: by its name torch takes a file only if that ends in .pt2.
        with path.open("rb") as file:
            return torch.export.load(file)
    except Exception as error:  # a file may make anything of it
        # What torch logged says more than what it raised after that.
        why = shorten(reason.error or error)
        if _GPU.search(why):
            refusal = _say_device(what, "a GPU")
            raise JobError(refusal) from error
        raise ModelError(
            f"{what}: torch {torch.__version__} does not read it: {why}; it is cut off, needs a "
            "library of operators, or another torch saved it; save it again with this one"
        ) from error
    finally:
        for logger in loggers:
            logger.removeFilter(reason)


def _refuse_device(exported: Any, what: str) -> None:
    devices = {tensor.device.type for tensor in exported.state_dict.values()}
    devices.discard("cpu")
    if devices:
        # Of several always the same one, so that a message is the same each time.
        first = min(devices)
        refusal = _say_device(what, first)
        raise JobError(refusal)


def _say_device(what: str, device: str) -> str:
    return (
        f"{what}: was exported with its weights on {device}, and graphs are computed on a CPU; call "
        "net.cpu() before torch.export.export, with an example on the CPU"
    )


class _Reason(logging.Filter):
    """Keeps the error that torch logs before it raises another one, and keeps it from the terminal."""

    error: BaseException | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            self.error = record.exc_info[1]
        return False


def _describe(exported: Any, outputs: Names, what: str) -> Program:
    """Return how the program is called."""
    given = _list_given(exported, what)
    values = _list_values(exported)
    arguments = []
    for name, value in values.items():
        argument = _describe_argument(name, value, what)
        arguments.append(argument)
    if not arguments:
        raise JobError(f"{what}: takes no tensor, so there is nothing to score")
    rows = _find_rows(exported, values, what)

    def call(module: Any, tensors: Sequence[torch.Tensor]) -> Any:
        left = iter(tensors)
        leaves = []
        for value in given:
            leaf = next(left) if value is _PLACE else value
            leaves.append(leaf)
        # As the author called it: positions and keywords, and what is nested in them.
        args, kwargs = pytree.tree_unflatten(leaves, exported.call_spec.in_spec)
        return module(*args, **kwargs)

    return Program(
        what,
        module=_make_module(exported, what),
        call=call,
        arguments=tuple(arguments),
        outputs=outputs,
        rows=rows.called_with,
        has_fixed_rows=rows.are_fixed,
    )


def _make_module(exported: Any, what: str) -> Any:
    """Return the program as a module, for which torch looks at the example that lies in the file, too."""
    try:
        return exported.module()
    except Exception as error:  # the example may be anything
        raise ModelError(
            f"{what}: torch {torch.__version__} makes no module of it: {shorten(error)}; its example "
            "is not of its inputs; export it again with this version"
        ) from error


def _list_values(exported: Any) -> Tensors:
    """Return the tensors that the program takes, without their numbers, by name and in order."""
    nodes = {node.name: node for node in exported.graph.nodes}
    values = {}
    for given in _list_user_inputs(exported):
        if isinstance(given, TensorArgument):
            node = nodes[given.name]
            values[given.name] = node.meta["val"]
    return values


def _list_user_inputs(exported: Any) -> list[Any]:
    """Return what the author calls the program with, beside the weights that it holds itself."""
    specs = exported.graph_signature.input_specs
    return [spec.arg for spec in specs if spec.kind is InputKind.USER_INPUT]


def _list_given(exported: Any, what: str) -> list[Any]:
    """Return the constants that it was exported with, and a place for each tensor, as its leaves are."""
    leaves: list[Any] = []
    for given in _list_user_inputs(exported):
        if isinstance(given, TensorArgument):
            leaves.append(_PLACE)
        elif isinstance(given, ConstantArgument):
            leaves.append(given.value)
        else:
            raise JobError(
                f"{what}: its input {given.name!r} is a number that is free, and no tensor; export "
                "it with a fixed number there"
            )
    return leaves


def _describe_argument(name: str, value: torch.Tensor, what: str) -> Argument:
    if not value.ndim:
        raise JobError(
            f"{what}: its input {name!r} is one number, without an axis of rows; export it with "
            "tensors whose first dimension is the rows, and with the others as constants"
        )
    row_shape: list[int | None] = []
    for size in value.shape[1:]:
        # torch has a symbol in place of a free size.
        is_fixed = isinstance(size, int)
        row_shape.append(size if is_fixed else None)
    return Argument(name, value.dtype, tuple(row_shape))


def _find_rows(exported: Any, values: Tensors, what: str) -> _Rows:
    """Return how many rows the program is called with, and whether it takes no other number."""
    sizes = {name: value.shape[0] for name, value in values.items()}
    fixed = {name: size for name, size in sizes.items() if isinstance(size, int)}
    if not fixed:
        return _find_limits(exported, values)
    different = set(fixed.values())
    has_free = len(fixed) < len(sizes)
    if has_free or len(different) > 1:
        each = []
        for name in sizes:
            size = fixed.get(name, "any")
            each.append(f"{name}: {size}")
        said = ", ".join(each)
        raise JobError(
            f"{what}: its inputs have different first dimensions ({said}), and those must be the rows; "
            "keep what is no column of a table in the network, as a buffer"
        )
    (rows,) = different
    return _Rows(rows, are_fixed=True)


def _find_limits(exported: Any, values: Tensors) -> _Rows:
    """Return how many rows a program takes whose rows are free, as far as it says."""
    rows = ROWS_AT_A_TIME
    least = 1
    for name, value in values.items():
        size: Any = value.shape[0]
        expression = size.node.expr
        if not expression.is_Symbol:
            # A multiple of something, say; the example's rows are one.
            examples = _list_examples(exported, values)
            example = examples[name]
            return _Rows(len(example), are_fixed=True)
        limits = exported.range_constraints[expression]
        upper = limits.upper
        lower = int(limits.lower)
        # Compared before it is made an int, which infinity cannot be.
        if upper < ROWS_AT_A_TIME:
            rows = min(rows, int(upper))
        least = max(least, lower)
    rows = max(rows, least)
    is_limited = rows < ROWS_AT_A_TIME or least > 1
    return _Rows(rows, are_fixed=is_limited)


def _list_examples(exported: Any, values: Tensors) -> Tensors:
    """Return the inputs that the program was exported with, or zeros where it does not hold them.

    Args:
        exported: the program.
        values: what the program says of each input.
    """
    names = [given.name for given in _list_user_inputs(exported)]
    leaves = pytree.tree_leaves(exported.example_inputs)
    # A file may hold no examples.
    pairs = zip(names, leaves, strict=False)
    found = dict(pairs)
    examples = {}
    for name, value in values.items():
        leaf = found.get(name)
        examples[name] = _take_example(leaf, value)
    return examples


def _take_example(found: Any, value: torch.Tensor) -> torch.Tensor:
    is_tensor = isinstance(found, torch.Tensor)
    if is_tensor and found.ndim == value.ndim and len(found):
        return found.detach().cpu()
    sizes = []
    for size in value.shape:
        is_fixed = isinstance(size, int)
        # 2 is of every length that is free.
        sizes.append(size if is_fixed else 2)
    return torch.zeros(sizes, dtype=value.dtype)


def _make_graph(exported: Any, program: Program) -> Any:
    dtypes = program.list_dtypes()
    values = _list_values(exported)
    examples = {}
    for name, tensor in _list_examples(exported, values).items():
        given_as = getattr(torch, dtypes[name])
        as_given = tensor.to(given_as)
        examples[name] = as_given.numpy()
    example = make_example(examples, unlike=program.rows)
    # Outside of the try: what it fails on is told in its own words.
    wanted = program.compute(example)
    try:
        # Without the guards that hold it to its own number of rows.
        module = exported.module(check_guards=False)
        graph = make_graph(program, module, example, list(wanted))
        # Operators may hold that number, and an exporter may not see it.
        compute_graph(graph, example)
    except Exception as error:  # torch's classes are many
        failure = _say_failure(program, error)
        raise JobError(failure) from error
    return graph


def _say_failure(program: Program, error: Exception) -> str:
    what = program.what
    why = shorten(error)
    if program.has_fixed_rows:
        return (
            f"{what}: takes exactly {program.rows} rows, and cannot be freed of that "
            f"({why}); {_HOW_TO_FREE}"
        )
    return (
        f"{what}: cannot be written as an ONNX graph: {why}; package the network "
        "itself with --network and --weights"
    )


def _list_notes(program: Program) -> Names:
    notes = ["written from the exported program, which the package does not hold"]
    if program.has_fixed_rows:
        notes.append(f"it was exported for {program.rows} rows at a time, and takes any number now")
    return tuple(notes)
