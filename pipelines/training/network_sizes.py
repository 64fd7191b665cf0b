"""The sizes of a network that the data tell: how many numbers it takes, and how many it gives.

They may be left out of `network.parameters`, so that a job can be edited without counting.
"""

from collections.abc import Callable, Mapping, Sequence
import inspect
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from configs.errors import JobError
from model_zoo.architectures.builders import find_builder
from model_zoo.architectures.libraries import is_of_library
from model_zoo.steps.columns import Column

Columns: TypeAlias = Mapping[str, Column]
Parameters: TypeAlias = dict[str, Any]
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
    is_of_pictures = any(_is_picture(column) for column in columns.values())
    return "cnn" if is_of_pictures else "mlp"


def add_usual(builder: str, parameters: Parameters) -> Parameters:
    """Return parameters with those that a person seldom minds.

    Args:
        builder: name of the network.
        parameters: what the job says.
    """
    return parameters or dict(_USUAL.get(builder, {}))


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
    known: dict[str, Callable[[], int | None]] = {
        **dict.fromkeys(_WIDTHS, lambda: _count_numbers(columns)),
        **dict.fromkeys(_OUTPUTS, lambda: outputs.numbers),
        **dict.fromkeys(_CLASSES, lambda: outputs.classes),
        "channels": lambda: _find_picture(columns, 1),
        "height": lambda: _find_picture(columns, 2),
        "width": lambda: _find_picture(columns, 3),
    }
    added = dict(parameters)
    unknown = []
    for parameter in inspect.signature(find_builder(builder, modules)).parameters.values():
        is_needed = parameter.default is parameter.empty
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if not is_needed or not is_named or parameter.name in parameters:
            continue
        find = known.get(parameter.name)
        size = None if find is None else find()
        if size is None:
            unknown.append(f"network.parameters.{parameter.name}")
        else:
            added[parameter.name] = size
    if unknown:
        raise JobError(f"{', '.join(unknown)}: is needed by {builder}, and nothing tells it")
    return added


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
    return {} if name is None else {name: classes}


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
    widths = []
    for column in columns.values():
        is_array = isinstance(column, np.ndarray)
        widths.append(int(np.shape(column)[-1]) if is_array and column.ndim > 1 else 1)
    return sum(widths) if widths else None
