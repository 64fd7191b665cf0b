"""Unfitted preprocessing steps and training columns -> fitted steps.

Each step is fitted with scikit-learn on the columns as the steps before it left them, and the steps are applied by the very function
that scoring uses; it is a parameter, because the rooms of the repository point one way.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from configs.errors import InputError, JobError
from configs.steps import Fill, OneHot, Ordinal, Scalar, Scale, Standardise, Step

Column: TypeAlias = pa.Array | np.ndarray
Columns = Mapping[str, Column]
Apply = Callable[[Sequence[Step], Columns, int], dict[str, Column]]


def fit_steps(steps: Sequence[Step], columns: Columns, rows: int, apply: Apply) -> tuple[tuple[Step, ...], dict[str, Column]]:
    """Fit steps in order; a step that is fitted already stays as it is.

    Args:
        columns: training columns by name, Arrow arrays of `rows` values or numpy arrays (rows, ...).
        apply: `transforms.columns.apply_steps`.

    Returns:
        The fitted steps (plain Python values), and all columns as the last step left them.

    Raises:
        JobError: a step names a column that is not there or that it cannot be fitted on.
        InputError: a column has no value to fit on.
    """
    fitted: list[Step] = []
    current = dict(columns)
    for step in steps:
        fitted.append(step if step.is_fitted else fit_step(step, current))
        current = apply(fitted[-1:], current, rows)
    return tuple(fitted), current


@singledispatch
def fit_step(step: Any, columns: Columns) -> Any:
    """One step with its fitted values."""
    raise JobError(f"preprocess step {step.step} cannot be fitted")


@fit_step.register
def _(step: Fill, columns: Columns) -> Fill:
    return step.model_copy(update={"values": tuple(_fill_value(step, name, _arrow(step, columns, name)) for name in step.columns)})


@fit_step.register
def _(step: Scale, columns: Columns) -> Scale:
    scaler = MinMaxScaler(feature_range=step.range).fit(_matrix(step, columns))
    return step.model_copy(update={"factor": _floats(scaler.scale_), "offset": _floats(scaler.min_)})


@fit_step.register
def _(step: Standardise, columns: Columns) -> Standardise:
    scaler = StandardScaler().fit(_matrix(step, columns))
    return step.model_copy(update={"mean": _floats(scaler.mean_), "scale": _floats(scaler.scale_)})


@fit_step.register
def _(step: OneHot, columns: Columns) -> OneHot:
    return step.model_copy(update={"categories": tuple(_categories(OneHotEncoder(), step, columns, n) for n in step.columns)})


@fit_step.register
def _(step: Ordinal, columns: Columns) -> Ordinal:
    return step.model_copy(update={"categories": tuple(_categories(OrdinalEncoder(), step, columns, n) for n in step.columns)})


def _fill_value(step: Fill, name: str, column: pa.Array) -> Scalar:
    """What SimpleImputer puts in place of a missing value, as the scalar that the column's own type takes."""
    present = _present(step, name, column)
    dtype = object if step.strategy == "most_frequent" else np.float64
    imputer = SimpleImputer(strategy=step.strategy, missing_values=None if dtype is object else np.nan)
    try:
        value = imputer.fit(np.array(present.to_pylist(), dtype=dtype).reshape(-1, 1)).statistics_[0]
        # Not pa.scalar(value, type): it cuts 1.5 down to an integer column's 1 in silence.
        scalar: Scalar = pa.scalar(value).cast(column.type).as_py()
    except (ValueError, TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise JobError(
            f"preprocess step fill: strategy {step.strategy} does not suit column {name!r} of type {column.type}: {error}"
        ) from error
    return scalar


def _categories(encoder: Any, step: Any, columns: Columns, name: str) -> tuple[Scalar, ...]:
    """Distinct values that are there, sorted; a missing one is never a category, it follows the step's `unknown`."""
    present = _present(step, name, _arrow(step, columns, name))
    found = encoder.fit(np.array(present.to_pylist(), dtype=object).reshape(-1, 1)).categories_[0]
    return tuple(found.tolist())


def _matrix(step: Any, columns: Columns) -> np.ndarray:
    """The step's columns side by side, float64 (rows, columns); missing values are NaN, which the scalers pass over."""
    arrays = [(name, _arrow(step, columns, name)) for name in step.columns]
    for name, array in arrays:
        if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)):
            raise JobError(f"preprocess step {step.step}: column {name!r} of type {array.type} is not a number")
        _present(step, name, array)
    return np.column_stack([array.to_numpy(zero_copy_only=False).astype(np.float64) for _, array in arrays])


def _present(step: Any, name: str, column: pa.Array) -> pa.Array:
    present = column.filter(pc.invert(pc.is_null(column, nan_is_null=True)))
    if not len(present):
        raise InputError(f"preprocess step {step.step} cannot be fitted: column {name!r} has no value in the training rows")
    return present


def _arrow(step: Any, columns: Columns, name: str) -> pa.Array:
    if name not in columns:
        raise JobError(f"preprocess step {step.step} names column {name!r}, but the columns are {sorted(columns)}")
    column = columns[name]
    if isinstance(column, np.ndarray) and column.ndim != 1:
        raise JobError(f"preprocess step {step.step} cannot be fitted on {name!r}, which has shape (rows, {column.shape[1:]})")
    array = column if isinstance(column, pa.Array) else pa.array(column)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
