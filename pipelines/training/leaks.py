"""Columns that tell the label by themselves: often it was written into them, and nobody has it before."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from model_zoo.steps.columns import decode_dictionary, is_number
from pipelines.training.labels import Labelled

# Of a column with more values each may be of one label by chance.
_MOST_VALUES = 100
_ROWS_OF_A_VALUE = 4
# Two numbers that differ by rounding alone.
_ALIKE = 1e-9


def find_leaks(
    rows: pa.Table,
    features: Sequence[str],
    labelled: Labelled,
) -> list[str]:
    """Return the features from which the label follows without any model.

    Args:
        rows: with a label.
        features: columns of the model.
        labelled: what is learned of the rows.
    """
    targets = labelled.targets
    if targets.ndim != 1:
        return []
    is_of_numbers = labelled.task == "regression"
    tells = _tells_number if is_of_numbers else _tells_class
    found = []
    for name in features:
        whole = rows.column(name).combine_chunks()
        column = decode_dictionary(whole)
        if tells(column, targets):
            found.append(name)
    return found


def _tells_class(column: pa.Array, targets: np.ndarray) -> bool:
    """Tell whether all rows of a value have one label, of several values with several labels."""
    dtype = column.type
    if pa.types.is_nested(dtype) or pa.types.is_binary(dtype):
        return False
    values = len(column.unique())
    if values > _MOST_VALUES:
        return False
    needed = values * _ROWS_OF_A_VALUE
    if len(column) < needed:
        return False
    # Of fewer values than labels some stand for several labels.
    labels = np.unique(targets)
    if values < len(labels):
        return False

    # A missing value is one of them, and may tell a label, too.
    encoded = column.dictionary_encode(null_encoding="encode")
    numbers = encoded.indices.to_numpy()
    both = np.column_stack([numbers, targets])
    pairs = np.unique(both, axis=0)
    return len(pairs) == values


def _tells_number(column: pa.Array, targets: np.ndarray) -> bool:
    """Tell whether a column is the label itself, or a multiple of it and a constant."""
    if not is_number(column.type) or column.null_count:
        return False
    double = pa.float64()
    doubles = column.cast(double, safe=False)
    numbers = doubles.to_numpy(zero_copy_only=False)
    is_finite = np.isfinite(numbers)
    if not is_finite.all():
        return False
    # Of a constant there is no correlation: it would be NaN, with a warning.
    if np.ptp(numbers) == 0:
        return False
    correlations = np.corrcoef(numbers, targets)
    correlation = float(correlations[0, 1])
    least = 1 - _ALIKE
    return abs(correlation) >= least
