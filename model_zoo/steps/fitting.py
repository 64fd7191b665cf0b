"""What steps need to be fitted: training columns as arrays for scikit-learn, and its numbers back."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError
from model_zoo.steps.arrays import Columns, get_column, is_number, to_arrow


def training_column(step: str, columns: Columns, name: str) -> pa.Array:
    """Return a flat training column as an Arrow array, without a dictionary.

    Args:
        step: the word of the step, for messages.

    Raises:
        JobError: there is no such column, or it has more than one number per row.
    """
    column = get_column(columns, name, step)
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise JobError(
            f"preprocess step {step} cannot be fitted on {name!r}, "
            f"which has shape (rows, {column.shape[1:]})"
        )
    array = to_arrow(column)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def present_values(step: str, name: str, column: pa.Array) -> pa.Array:
    """Return the values of a training column that are not missing.

    Raises:
        InputError: all of them are.
    """
    present = column.filter(pc.invert(pc.is_null(column, nan_is_null=True)))
    if not len(present):
        raise InputError(
            f"preprocess step {step} cannot be fitted: "
            f"column {name!r} has no value in the training rows"
        )
    return present


def training_matrix(step: str, names: tuple[str, ...], columns: Columns) -> np.ndarray:
    """Return columns side by side, float64 (rows, columns).

    Missing values are NaN, which scikit-learn's scalers pass over.

    Raises:
        JobError: a column is not numeric.
        InputError: a column has no value.
    """
    arrays = {name: training_column(step, columns, name) for name in names}
    for name, array in arrays.items():
        if not is_number(array.type):
            raise JobError(
                f"preprocess step {step}: column {name!r} of type {array.type} is not a number"
            )
        present_values(step, name, array)
    return np.column_stack(
        [array.to_numpy(zero_copy_only=False).astype(np.float64) for array in arrays.values()]
    )


def to_plain_floats(values: np.ndarray) -> tuple[float, ...]:
    """Return Python floats, which JSON can hold."""
    return tuple(float(value) for value in values)
