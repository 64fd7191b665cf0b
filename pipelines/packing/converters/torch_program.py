"""A program of torch -> an ONNX graph, whatever kind of file it comes from.

The program is called with tensors in one order and gives tensors by name. It is exported once more,
with an axis of rows that is free, and written as a graph:

    tensors -> (cast to what it takes) -> program -> what is wanted, by name -> (widened) -> outputs
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
import logging
import re
from typing import Any, TypeAlias
import warnings

import numpy as np
import torch
from torch import nn

from configs.errors import JobError, ModelError
from model_zoo.architectures.named_tensors import name_tensors
from model_zoo.arrays import Arrays
from pipelines.packing.converters.converted import import_library
from pipelines.packing.converters.onnx_file import forget_origin

# A module, and tensors in the order of the program's arguments -> whatever the program returns.
Call: TypeAlias = Callable[[Any, Sequence[torch.Tensor]], Any]

# As a mini-batch of scoring; a program computes a row alike in any of them.
ROWS_AT_A_TIME = 256
# A message of protobuf has less than 2 GiB, and the exporter writes one.
_MOST_BYTES = (1 << 31) - (1 << 26)
# What packages hold, and what may be made of it without another value: a bool of a number, and a
# half of a float as everybody who calls the program makes it.
_GIVEN_AS = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int32: "int32",
    torch.int64: "int64",
    torch.bool: "int64",
    torch.float16: "float32",
    torch.bfloat16: "float32",
}
# Outputs that tables of scores do not hold, and a type that holds each of their values.
_WIDENED = {
    torch.bool: torch.int32,
    torch.uint8: torch.int32,
    torch.int8: torch.int32,
    torch.int16: torch.int32,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
}
_SHOWN_CHARACTERS = 300
_INTERPRETER = "Traceback of TorchScript"
_SUMMARY = "## Exception summary"
_CLASS = re.compile(r"<class '[^']*'>: ")
_COLOUR = re.compile(r"\x1b\[\d*m")
# Seldom the size of another axis.
_EXAMPLE_ROWS = (11, 13)


def list_weight_dtypes(weights: Iterable[torch.Tensor]) -> tuple[str, ...]:
    """Return the dtypes that weights have, by name, each once."""
    names = {str(weight.dtype) for weight in weights}
    return tuple(sorted(names))


@dataclass(frozen=True)
class Argument:
    """A tensor that a program takes.

    Attributes:
        dtype: in which the program takes it.
        row_shape: without the rows; None for an axis that is free, or for all where nothing tells.
    """

    name: str
    dtype: torch.dtype
    row_shape: tuple[int | None, ...] | None = None

    def takes(self, row_shape: Sequence[int]) -> bool:
        """Tell whether rows of this shape are what it takes."""
        if self.row_shape is None:
            return True
        if len(row_shape) != len(self.row_shape):
            return False
        pairs = zip(self.row_shape, row_shape, strict=True)
        return all(wanted is None or wanted == found for wanted, found in pairs)


@dataclass(frozen=True)
class Program:
    """A program as its author calls it.

    Attributes:
        what: the flag and the file, for messages.
        module: holds the weights.
        call: calls it.
        arguments: what it takes.
        outputs: the names that are wanted, as for `name_tensors`.
        rows: that it is called with.
        has_fixed_rows: whether it takes no other number of rows.
    """

    what: str
    module: Any
    call: Call
    arguments: tuple[Argument, ...]
    outputs: tuple[str, ...] = ()
    rows: int = ROWS_AT_A_TIME
    has_fixed_rows: bool = False

    def list_dtypes(self) -> dict[str, str]:
        """Return the dtype in which a package gives each input.

        Raises:
            JobError: a value of an input could become another one on the way.
        """
        problems = []
        dtypes = {}
        for argument in self.arguments:
            given_as = _GIVEN_AS.get(argument.dtype)
            if given_as is None:
                problems.append(
                    f"input {argument.name!r} takes {str(argument.dtype).removeprefix('torch.')}, "
                    "and packages hold float32, float64, int32, int64"
                )
                continue
            dtypes[argument.name] = given_as
        if problems:
            raise JobError(
                f"{self.what}: {'; '.join(problems)}; let forward take one of those, and convert it there"
            )
        return dtypes

    def compute(self, inputs: Arrays) -> Arrays:
        """Return what the program itself gives.

        Args:
            inputs: arrays (rows, ...) by name.

        Raises:
            JobError: columns that do not make up what it takes.
            ModelError: it fails, or gives what is no tensor of so many rows.
        """
        tensors = self.make_tensors(inputs)
        self._check_shapes(tensors)
        parts = []
        for start in range(0, len(tensors[0]), self.rows):
            stop = start + self.rows
            parts.append(self._compute_part([tensor[start:stop] for tensor in tensors]))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def name_outputs(self, returned: Any) -> dict[str, torch.Tensor]:
        """Return what is wanted of what the program returned, in types that packages hold."""
        named = name_tensors(returned, self.outputs)
        taken = {argument.name for argument in self.arguments}
        outputs = {}
        for name, tensor in named.items():
            # A graph has one name for one thing.
            unlike = f"{name}_output" if name in taken else name
            outputs[unlike] = tensor.to(_WIDENED.get(tensor.dtype, tensor.dtype))
        return outputs

    def make_tensors(self, inputs: Arrays) -> list[torch.Tensor]:
        """Return a package's inputs as tensors, in the program's order.

        Args:
            inputs: arrays (rows, ...) by name.
        """
        tensors = []
        for argument in self.arguments:
            array = np.ascontiguousarray(inputs[argument.name])
            shape = argument.row_shape
            # A column is (rows, 1) in many programs, and (rows,) in a table.
            if shape is not None and array.ndim == len(shape):
                array = array[:, np.newaxis]
            # A copy: torch takes no array that nobody may write to.
            tensors.append(torch.from_numpy(np.array(array)))
        return tensors

    def cast(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return tensors in the dtypes that the program takes."""
        pairs = zip(tensors, self.arguments, strict=True)
        return [tensor.to(argument.dtype) for tensor, argument in pairs]

    def _compute_part(self, tensors: Sequence[torch.Tensor]) -> Arrays:
        rows = len(tensors[0])
        if self.has_fixed_rows and rows < self.rows:
            # The last row again, and again: what it gives is left out.
            again = torch.arange(self.rows).clamp(max=rows - 1)
            tensors = [tensor[again] for tensor in tensors]
        called_with = len(tensors[0])
        try:
            with torch.inference_mode(), quiet():
                outputs = self.name_outputs(self.call(self.module, self.cast(tensors)))
        except Exception as error:  # a program may fail in any way
            shapes = [f"{tensor.dtype}{list(tensor.shape)}" for tensor in tensors]
            raise ModelError(
                f"{self.what}: fails on {', '.join(shapes)}: {shorten(error)}"
            ) from error
        arrays = {}
        for name, tensor in outputs.items():
            if tensor.ndim == 0 or len(tensor) != called_with:
                raise ModelError(
                    f"{self.what}: its output {name} has shape {tuple(tensor.shape)} for "
                    f"{called_with} rows; its first dimension must be the rows; name the others in "
                    "outputs"
                )
            arrays[name] = tensor[:rows].numpy()
        return arrays

    def _check_shapes(self, tensors: Sequence[torch.Tensor]) -> None:
        """Refuse columns that do not make up an argument, before torch does in its own words."""
        problems = []
        for argument, tensor in zip(self.arguments, tensors, strict=True):
            found = tuple(tensor.shape[1:])
            if not argument.takes(found):
                problems.append(
                    f"input {argument.name!r} takes {_say_shape(argument.row_shape or ())}, "
                    f"and the columns give it {_say_shape(found)}"
                )
        if problems:
            raise JobError(
                f"{self.what}: {'; '.join(problems)}; name the model's columns in columns, in its "
                f"order, or say inputs.{self.arguments[0].name}"
            )


class Exportable(nn.Module):
    """A program with tensors in and a tuple of tensors out, as exporters want it.

    Args:
        program: how it is called.
        module: its weights.
    """

    def __init__(self, program: Program, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._program = program

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        returned = self._program.call(self.module, self._program.cast(tensors))
        return tuple(self._program.name_outputs(returned).values())


def refuse_size(what: str, tensors: Sequence[torch.Tensor]) -> None:
    """Refuse weights that one graph does not hold.

    Args:
        what: the flag and the file, for messages.
        tensors: all weights and constants.

    Raises:
        JobError: there are more.
    """
    held = sum(tensor.nbytes for tensor in tensors)
    if held > _MOST_BYTES:
        raise JobError(
            f"{what}: holds {held / (1 << 30):.1f} GiB of weights, and converting takes less than 2; "
            "package the network itself with --network and --weights"
        )


def make_example(inputs: Arrays, unlike: int) -> Arrays:
    """Return rows to export a program with, the same ones again where there are few.

    Args:
        inputs: arrays (rows, ...) by name.
        unlike: a number of rows that these must not be.
    """
    rows = next(rows for rows in _EXAMPLE_ROWS if rows != unlike)
    again = np.arange(rows) % len(next(iter(inputs.values())))
    return {name: array[again] for name, array in inputs.items()}


def make_graph(program: Program, module: nn.Module, example: Arrays, outputs: Sequence[str]) -> Any:
    """Return the program as a graph, `onnx.ModelProto`, that takes any number of rows.

    Args:
        program: how it is called.
        module: its weights, in place of the program's own, as it may be exported again.
        example: inputs of some rows, by name.
        outputs: names of what it gives.

    Raises:
        Exception: torch's own, of many classes, where something cannot be exported.
    """
    tensors = tuple(program.make_tensors(example))
    axes = tuple(_list_free_axes(argument) for argument in program.arguments)
    with quiet():
        exported = torch.export.export(Exportable(program, module), tensors, dynamic_shapes=(axes,))
        written = torch.onnx.export(
            exported,
            input_names=[argument.name for argument in program.arguments],
            output_names=list(outputs),
            dynamo=True,
            verbose=False,
        )
    assert written is not None  # noqa: S101 - it is None only for a graph in a file
    _rename_namesakes(written.model.graph)
    return clean_graph(written.model_proto)


def _rename_namesakes(graph: Any) -> None:
    """Give other names to values inside a graph that are called as what it takes or gives.

    The exporter names values after operators: of a program that takes `cat`, what `torch.cat` returns
    would be a second `cat`.

    Args:
        graph: `onnx_ir.Graph`.
    """
    ends = {id(value) for value in (*graph.inputs, *graph.outputs)}
    taken = {value.name for value in (*graph.inputs, *graph.outputs)}
    inside = [value for node in graph.all_nodes() for value in node.outputs]
    used = {value.name for value in inside} | taken
    for value in inside:
        if value.name not in taken or id(value) in ends:
            continue
        numbered = (f"{value.name}_inside_{number}" for number in count())
        value.name = next(name for name in numbered if name not in used)
        used.add(value.name)


def clean_graph(model: Any) -> Any:
    """Return a graph without functions of its own and without the exporter's notes."""
    if model.functions:
        inliner = import_library("onnx.inliner", "onnx")
        model = inliner.inline_local_functions(model)
    forget_origin(model)
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Keep torch from writing: what it has to say of its own future is no news to an author."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def shorten(error: BaseException) -> str:
    """Return an error of torch as one line."""
    text = _COLOUR.sub("", str(error)).strip()
    # What went wrong stands behind the lines of the program that it went wrong in, and behind advice
    # to whoever develops torch.
    if _INTERPRETER in text:
        text = text.rpartition("\n")[2]
    text = _CLASS.sub("", text.rpartition(_SUMMARY)[2])
    return " ".join(text.split())[:_SHOWN_CHARACTERS] or type(error).__name__


def _list_free_axes(argument: Argument) -> Mapping[int, Any]:
    free = torch.export.Dim.DYNAMIC
    axes = {0: free}
    for number, size in enumerate(argument.row_shape or (), start=1):
        if size is None:
            axes[number] = free
    return axes


def _say_shape(row_shape: Sequence[int | None]) -> str:
    sizes = ["rows", *("any" if size is None else str(size) for size in row_shape)]
    return f"({', '.join(sizes)})"
