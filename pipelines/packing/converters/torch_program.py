"""A program of torch as its author calls it, whatever kind of file it comes from.

The program is called with tensors in one order and gives tensors by name:

    tensors -> (cast to what it takes) -> program -> what is wanted, by name -> (widened) -> outputs
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import logging
import re
from typing import Any, TypeAlias
import warnings

import numpy as np
import torch

from configs.errors import JobError, ModelError
from configs.fields import Names
from model_zoo.architectures.named_tensors import name_tensors
from model_zoo.arrays import Arrays

# A module, and tensors in the order of the program's arguments -> whatever the program returns.
Call: TypeAlias = Callable[[Any, Sequence[torch.Tensor]], Any]
# In the order of the arguments, and by name.
Tensors: TypeAlias = Sequence[torch.Tensor]
Outputs: TypeAlias = dict[str, torch.Tensor]

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


def list_weight_dtypes(weights: Iterable[torch.Tensor]) -> Names:
    """Return the dtypes that weights have, by name, each once."""
    names = {str(weight.dtype) for weight in weights}
    in_order = sorted(names)
    return tuple(in_order)


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
        for wanted, found in zip(self.row_shape, row_shape, strict=True):
            is_free = wanted is None
            if not is_free and wanted != found:
                return False
        return True


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
    outputs: Names = ()
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
            if given_as is not None:
                dtypes[argument.name] = given_as
                continue
            taken = str(argument.dtype).removeprefix("torch.")
            problems.append(
                f"input {argument.name!r} takes {taken}, "
                "and packages hold float32, float64, int32, int64"
            )
        if problems:
            found = "; ".join(problems)
            raise JobError(
                f"{self.what}: {found}; let forward take one of those, and convert it there"
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
        rows = len(tensors[0])
        parts = []
        for start in range(0, rows, self.rows):
            places = slice(start, start + self.rows)
            some = [tensor[places] for tensor in tensors]
            part = self._compute_part(some)
            parts.append(part)
        first, *_ = parts
        joined = {}
        for name in first:
            arrays = [part[name] for part in parts]
            joined[name] = np.concatenate(arrays)
        return joined

    def name_outputs(self, returned: Any) -> Outputs:
        """Return what is wanted of what the program returned, in types that packages hold."""
        named = name_tensors(returned, self.outputs)
        taken = {argument.name for argument in self.arguments}
        outputs = {}
        for name, tensor in named.items():
            # A graph has one name for one thing.
            unlike = f"{name}_output" if name in taken else name
            held_as = _WIDENED.get(tensor.dtype, tensor.dtype)
            outputs[unlike] = tensor.to(held_as)
        return outputs

    def make_tensors(self, inputs: Arrays) -> list[torch.Tensor]:
        """Return a package's inputs as tensors, in the program's order.

        Args:
            inputs: arrays (rows, ...) by name.
        """
        tensors = []
        for argument in self.arguments:
            given = inputs[argument.name]
            array = np.ascontiguousarray(given)
            shape = argument.row_shape
            # A column is (rows, 1) in many programs, and (rows,) in a table.
            if shape is not None and array.ndim == len(shape):
                array = array[:, np.newaxis]
            # A copy: torch takes no array that nobody may write to.
            copy = np.array(array)
            tensor = torch.from_numpy(copy)
            tensors.append(tensor)
        return tensors

    def cast(self, tensors: Tensors) -> list[torch.Tensor]:
        """Return tensors in the dtypes that the program takes."""
        cast = []
        for tensor, argument in zip(tensors, self.arguments, strict=True):
            taken = tensor.to(argument.dtype)
            cast.append(taken)
        return cast

    def _compute_part(self, tensors: Tensors) -> Arrays:
        rows = len(tensors[0])
        called_with = rows
        if self.has_fixed_rows and rows < self.rows:
            called_with = self.rows
            every = torch.arange(called_with)
            # The last row again, and again: what it gives is left out.
            again = every.clamp(max=rows - 1)
            tensors = [tensor[again] for tensor in tensors]
        outputs = self._call(tensors)
        arrays = {}
        for name, tensor in outputs.items():
            shape = tuple(tensor.shape)
            if not shape or shape[0] != called_with:
                raise ModelError(
                    f"{self.what}: its output {name} has shape {shape} for "
                    f"{called_with} rows; its first dimension must be the rows; name the others in "
                    "outputs"
                )
            own = tensor[:rows]
            arrays[name] = own.numpy()
        return arrays

    def _call(self, tensors: Tensors) -> Outputs:
        try:
            with torch.inference_mode(), quiet():
                given = self.cast(tensors)
                returned = self.call(self.module, given)
                return self.name_outputs(returned)
        except Exception as error:  # a program may fail in any way
            each = []
            for tensor in tensors:
                shape = list(tensor.shape)
                each.append(f"{tensor.dtype}{shape}")
            shapes = ", ".join(each)
            why = shorten(error)
            raise ModelError(f"{self.what}: fails on {shapes}: {why}") from error

    def _check_shapes(self, tensors: Tensors) -> None:
        """Refuse columns that do not make up an argument, before torch does in its own words."""
        problems = []
        for argument, tensor in zip(self.arguments, tensors, strict=True):
            row_shape = tuple(tensor.shape[1:])
            if argument.takes(row_shape):
                continue
            wanted = _say_shape(argument.row_shape or ())
            found = _say_shape(row_shape)
            problems.append(
                f"input {argument.name!r} takes {wanted}, and the columns give it {found}"
            )
        if problems:
            said = "; ".join(problems)
            first = self.arguments[0].name
            raise JobError(
                f"{self.what}: {said}; name the model's columns in columns, in its "
                f"order, or say inputs.{first}"
            )


def refuse_size(what: str, tensors: Tensors) -> None:
    """Refuse weights that one graph does not hold.

    Args:
        what: the flag and the file, for messages.
        tensors: all weights and constants.

    Raises:
        JobError: there are more.
    """
    held_bytes = sum(tensor.nbytes for tensor in tensors)
    if held_bytes > _MOST_BYTES:
        held_gib = held_bytes / (1 << 30)
        raise JobError(
            f"{what}: holds {held_gib:.1f} GiB of weights, and converting takes less than 2; "
            "package the network itself with --network and --weights"
        )


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
    message = str(error)
    text = _COLOUR.sub("", message).strip()
    # What went wrong stands behind the lines of the program that it went wrong in, and behind advice
    # to whoever develops torch.
    if _INTERPRETER in text:
        _, _, text = text.rpartition("\n")
    _, _, summary = text.rpartition(_SUMMARY)
    without_class = _CLASS.sub("", summary)
    words = without_class.split()
    line = " ".join(words)
    # An error without any text has its class alone to tell.
    return line[:_SHOWN_CHARACTERS] or type(error).__name__


def _say_shape(row_shape: Sequence[int | None]) -> str:
    sizes = ["rows"]
    for size in row_shape:
        said = "any" if size is None else str(size)
        sizes.append(said)
    shape = ", ".join(sizes)
    return f"({shape})"
