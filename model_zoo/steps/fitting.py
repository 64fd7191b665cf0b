"""Give steps what they are fitted with: training columns as arrays for scikit-learn, and its numbers back."""

from collections.abc import Mapping
import math

import numpy as np
from pyarrow import Array
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from model_zoo.steps.columns import Column, decode_dictionary, is_number, to_arrow


def training_column(column: Column, name: str, step: str) -> Array:
    """Return a flat training column as an Arrow array, without a dictionary.

    Args:
        column: the training column.
        name: its name.
        step: the word of the step, for messages.

    Raises:
        JobError: it has more than one number per row.
    """
    # Arrow arrays have one value a row; what steps made may have several numbers.
    if isinstance(column, np.ndarray) and column.ndim != 1:
        numbers = math.prod(column.shape[1:])
        raise JobError(
            f"preprocess step {step} cannot be fitted on {name!r}, "
            f"which has {numbers} numbers per row"
        )
    array = to_arrow(column)
    return decode_dictionary(array)


def present_values(column: Array, name: str, step: str) -> Array:
    """Return the values of a training column that are not missing.

    Args:
        column: values of any type.
        name: of the column.
        step: the word of the step, for messages.

    Raises:
        InputError: all of them are.
    """
    is_missing = pc.is_null(column, nan_is_null=True)
    is_present = pc.invert(is_missing)
    present = column.filter(is_present)
    if not len(present):
        raise InputError(
            f"preprocess step {step} cannot be fitted: "
            f"column {name!r} has no value in the training rows"
        )
    return present


def training_matrix(arrays: Mapping[str, Array], step: str) -> np.ndarray:
    """Return columns side by side, float64 (rows, columns).

    Missing values are NaN, which scikit-learn's scalers pass over.

    Args:
        arrays: what `training_column` made of them, by name, in the order of the matrix.
        step: the word of the step, for messages.

    Raises:
        JobError: a column is not numeric.
        InputError: a column has no value.
    """
    # All of them are looked at before any is copied.
    for name, array in arrays.items():
        if not is_number(array.type):
            raise JobError(
                f"preprocess step {step}: column {name!r} of type {array.type} is not a number"
            )
        present_values(array, name, step)

    numbers = []
    for array in arrays.values():
        # With a null among them, integers are floats already here, and booleans Python objects.
        values = array.to_numpy(zero_copy_only=False)
        floats = values.astype(np.float64)
        numbers.append(floats)
    return np.column_stack(numbers)


def to_plain_floats(values: np.ndarray) -> tuple[float, ...]:
    """Return Python floats, which JSON can hold."""
    return tuple(float(value) for value in values)
