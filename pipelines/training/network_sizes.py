"""The sizes of a network that the data tell: how many numbers it takes, and how many it gives.

They may be left out of `network.parameters`, so that a job can be edited without counting.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
import inspect
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from configs.errors import JobError
from model_zoo.architectures.builders import find_builder
from model_zoo.architectures.library_names import is_of_library
from model_zoo.steps.columns import Column

Columns: TypeAlias = Mapping[str, Column]
Parameters: TypeAlias = dict[str, Any]
FindSize: TypeAlias = Callable[[], int | None]
# (rows, channels, height, width)
_PICTURE_DIMENSIONS = 4
_PICTURE_SIZES = ("channels", "height", "width")
# By how networks call them.
_WIDTHS = ("in_features", "input_size", "features")
_OUTPUTS = ("out_features", "outputs")
_CLASSES = ("classes", "num_classes", "n_classes")
# Of libraries, whose builders take any names.
_OUTPUTS_OF_LIBRARIES = {
    "torchvision": "num_classes",
    "timm": "num_classes",
}
# What suits small tables and pictures, where nothing is said.
_USUAL: Mapping[str, Parameters] = {
    "mlp": {"hidden": [64, 32], "dropout": 0.1},
    "cnn": {"widths": [16, 32]},
    "gru": {"hidden": 64},
    "lstm": {"hidden": 64},
}


class Outputs(NamedTuple):
    """How many numbers a network is to give for a row.

    Attributes:
        numbers: one logit for two classes, where a network may give that.
        classes: of networks that speak of classes, which have a logit for each of two, too.
    """

    numbers: int
    classes: int


def choose_builder(columns: Columns) -> str:
    """Return the network that suits columns as the steps have left them."""
    if any(map(_is_picture, columns.values())):
        return "cnn"
    return "mlp"


def add_usual(builder: str, parameters: Parameters) -> Parameters:
    """Return parameters with those that a person seldom minds.

    Args:
        builder: name of the network.
        parameters: what the job says.
    """
    if parameters:
        return parameters
    usual = _USUAL.get(builder, {})
    return dict(usual)


def add_sizes(
    builder: str,
    parameters: Parameters,
    modules: Sequence[str],
    columns: Columns,
    outputs: Outputs,
) -> Parameters:
    """Return parameters with the sizes that the job leaves out.

    Args:
        builder: name of the network.
        parameters: what the job says.
        modules: users' own modules that may be imported.
        columns: what the network takes, as the steps have left it.
        outputs: how many numbers it is to give for a row.

    Raises:
        JobError: a size that nothing tells, for which the job must say it.
    """
    if is_of_library(builder):
        return _say_outputs(builder, outputs.classes) | parameters
    known = _list_known(columns, outputs)
    added = dict(parameters)
    unknown = []
    for name in _list_needed(builder, modules):
        if name in parameters:
            continue
        find = known.get(name)
        size = None if find is None else find()
        if size is None:
            unknown.append(f"network.parameters.{name}")
        else:
            added[name] = size
    if unknown:
        listed = ", ".join(unknown)
        raise JobError(f"{listed}: is needed by {builder}, and nothing tells it")
    return added


def _list_known(columns: Columns, outputs: Outputs) -> dict[str, FindSize]:
    """Return what finds a size, by the name that networks have for it.

    Functions, as columns need not have each size: of a table none is a height.

    Args:
        columns: what the network takes.
        outputs: how many numbers it is to give for a row.
    """

    def count_numbers() -> int | None:
        return _count_numbers(columns)

    def count_outputs() -> int:
        return outputs.numbers

    def count_classes() -> int:
        return outputs.classes

    known: dict[str, FindSize] = {}
    known |= dict.fromkeys(_WIDTHS, count_numbers)
    known |= dict.fromkeys(_OUTPUTS, count_outputs)
    known |= dict.fromkeys(_CLASSES, count_classes)
    # The first axis is that of rows.
    for axis, name in enumerate(_PICTURE_SIZES, start=1):
        known[name] = partial(_find_picture, columns, axis)
    return known


def _list_needed(builder: str, modules: Sequence[str]) -> Iterator[str]:
    """Yield the parameters that a builder cannot do without."""
    build = find_builder(builder, modules)
    signature = inspect.signature(build)
    for parameter in signature.parameters.values():
        is_needed = parameter.default is parameter.empty
        # `*args` and `**kwargs` take what is left over, and need nothing.
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if is_needed and is_named:
            yield parameter.name


def _say_outputs(builder: str, classes: int) -> Parameters:
    """Return the parameter by which a library's network is told how many numbers it gives.

    Args:
        builder: name of the network.
        classes: how many.
    """
    library, _, _ = builder.partition(":")
    if library == "transformers":
        # A card may not say `num_labels`, of which the library makes as many names.
        names = map(str, range(classes))
        return {"id2label": {name: name for name in names}}
    name = _OUTPUTS_OF_LIBRARIES.get(library)
    if name is None:
        return {}
    return {name: classes}


def _is_picture(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.ndim == _PICTURE_DIMENSIONS


def _find_picture(columns: Columns, axis: int) -> int | None:
    """Return a size of the only array of pictures; None where there is not one."""
    pictures = [column for column in columns.values() if _is_picture(column)]
    if len(pictures) != 1:
        return None
    (picture,) = pictures
    return int(np.shape(picture)[axis])


def _count_numbers(columns: Columns) -> int | None:
    """Return how many numbers of a row all columns have; of a sequence those of a step."""
    if not columns:
        return None
    return sum(map(_count_numbers_of_row, columns.values()))


def _count_numbers_of_row(column: Column) -> int:
    if not isinstance(column, np.ndarray) or column.ndim <= 1:
        return 1
    return column.shape[-1]
