"""A program of torch -> an ONNX graph.

The program is exported once more, with an axis of rows that is free, and written as a graph that takes
what packages hold and gives tensors by name.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import nn

from model_zoo.arrays import Arrays
from pipelines.packing.converters.graph_notes import forget_origin
from pipelines.packing.converters.torch_program import Argument, Program, quiet
from pipelines.packing.libraries import import_library

# Seldom the size of another axis.
_EXAMPLE_ROWS = (11, 13)


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
        program = self._program
        # Here, so that the graph itself takes what packages hold.
        given = program.cast(tensors)
        returned = program.call(self.module, given)
        outputs = program.name_outputs(returned)
        return tuple(outputs.values())


def make_example(inputs: Arrays, unlike: int) -> Arrays:
    """Return rows to export a program with, the same ones again where there are few.

    Args:
        inputs: arrays (rows, ...) by name.
        unlike: a number of rows that these must not be.
    """
    rows = next(rows for rows in _EXAMPLE_ROWS if rows != unlike)
    first = next(iter(inputs.values()))
    # From the first one on again, behind the last one.
    places = np.arange(rows) % len(first)
    return {name: array[places] for name, array in inputs.items()}


def make_graph(
    program: Program,
    module: nn.Module,
    example: Arrays,
    outputs: Sequence[str],
) -> Any:
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
    names = [argument.name for argument in program.arguments]
    axes = tuple(_list_free_axes(argument) for argument in program.arguments)
    exportable = Exportable(program, module)
    return write_graph(exportable, tensors, axes, names, outputs)


def write_graph(
    module: nn.Module,
    tensors: Sequence[torch.Tensor],
    axes: Sequence[Mapping[int, Any]],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Any:
    """Return a module as a graph, `onnx.ModelProto`, without the exporter's notes.

    Args:
        module: in evaluation mode; takes tensors in one order, and gives a tuple of them.
        tensors: an example of each.
        axes: of each, those of which it takes any number.
        inputs, outputs: the graph's names for what it takes and gives.

    Raises:
        Exception: torch's own, of many classes, where something cannot be exported.
    """
    with quiet():
        exported = _capture(module, tuple(tensors), tuple(axes))
        written = torch.onnx.export(
            exported,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamo=True,
            verbose=False,
        )
    assert written is not None  # noqa: S101 - it is None only for a graph in a file
    _rename_namesakes(written.model.graph)
    return clean_graph(written.model_proto)


def _capture(
    module: nn.Module,
    tensors: tuple[torch.Tensor, ...],
    axes: tuple[Mapping[int, Any], ...],
) -> Any:
    """Return the module as torch's exported program."""
    # In a tuple of its own: `forward` takes all tensors as one argument, a star's.
    dynamic_shapes = (axes,)
    try:
        return torch.export.export(module, tensors, dynamic_shapes=dynamic_shapes, strict=False)
    except Exception as error:  # noqa: BLE001 - raised again
        # The other way reads the code instead of running it: `len(x)` is no fixed number then.
        try:
            return torch.export.export(module, tensors, dynamic_shapes=dynamic_shapes, strict=True)
        except Exception:  # noqa: BLE001
            # What hindered the first says more of the author's code.
            raise error from None


def _rename_namesakes(graph: Any) -> None:
    """Give other names to values inside a graph that are called as what it takes or gives.

    The exporter names values after operators: of a program that takes `cat`, what `torch.cat` returns
    would be a second `cat`.

    Args:
        graph: `onnx_ir.Graph`.
    """
    ends = (*graph.inputs, *graph.outputs)
    taken = {value.name for value in ends}
    # By identity: what a graph gives is an output of one of its nodes, too, and keeps its name.
    are_ends = {id(value) for value in ends}
    inside = []
    for node in graph.all_nodes():
        inside.extend(node.outputs)
    used = {value.name for value in inside}
    used |= taken
    for value in inside:
        if value.name not in taken or id(value) in are_ends:
            continue
        value.name = _choose_free_name(value.name, used)
        used.add(value.name)


def _choose_free_name(name: str, used: Set[str]) -> str:
    numbered = (f"{name}_inside_{number}" for number in count())
    return next(candidate for candidate in numbered if candidate not in used)


def clean_graph(model: Any) -> Any:
    """Return a graph without functions of its own and without the exporter's notes."""
    if model.functions:
        inliner = import_library("onnx.inliner", "onnx")
        model = inliner.inline_local_functions(model)
    forget_origin(model)
    return model


def _list_free_axes(argument: Argument) -> Mapping[int, Any]:
    free = torch.export.Dim.DYNAMIC
    axes = {0: free}
    for number, size in enumerate(argument.row_shape or (), start=1):
        if size is None:
            axes[number] = free
    return axes
