"""What each preprocessing step does to columns; no Beam, so training and scoring run the very same code.

Columns come in as Arrow arrays by name, leave as numpy arrays (rows, ...), and never pass through a Python object per row (images
and user functions excepted). Rows that a step cannot take are raised together as BadRows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, singledispatch
import importlib
import os
import traceback
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, JobError, RowError
from configs.steps import Cast, Fill, Function, Image, OneHot, Ordinal, Scalar, Scale, Stack, Standardise, Step, Tokenize
from transforms.batches import BadRows, isolate
from transforms.images import decode_images
from transforms.texts import tokenize
from transforms.timing import clocked_within

Column: TypeAlias = pa.Array | np.ndarray
Columns = Mapping[str, Column]


def apply_steps(steps: Sequence[Step], columns: Columns, rows: int) -> dict[str, Column]:
    """Apply steps in order.

    Args:
        columns: Arrow arrays of `rows` values, or numpy arrays (rows, ...), by name.

    Returns:
        All columns, with those that the steps replaced or added.

    Raises:
        BadRows: rows that a step cannot take.
        JobError: a step names a column that is not there.
        InputError: a value that the step's policy refuses.
    """
    result = dict(columns)
    for step in steps:
        result.update(apply_step(step, result, rows))
    return result


@singledispatch
def apply_step(step: Any, columns: Columns, rows: int) -> dict[str, Column]:
    """The columns that one step adds or replaces."""
    raise JobError(f"preprocess step {type(step).__name__} has no implementation")


@apply_step.register
def _(step: Fill, columns: Columns, rows: int) -> dict[str, Column]:
    values = step.values or ()
    return {name: _fill(_get(columns, name, step), value) for name, value in zip(step.columns, values, strict=True)}


@apply_step.register
def _(step: Scale, columns: Columns, rows: int) -> dict[str, Column]:
    state = zip(step.columns, step.factor or (), step.offset or (), strict=True)
    return {name: _floats(_get(columns, name, step)) * factor + offset for name, factor, offset in state}


@apply_step.register
def _(step: Standardise, columns: Columns, rows: int) -> dict[str, Column]:
    state = zip(step.columns, step.mean or (), step.scale or (), strict=True)
    return {name: (_floats(_get(columns, name, step)) - mean) / scale for name, mean, scale in state}


@apply_step.register
def _(step: OneHot, columns: Columns, rows: int) -> dict[str, Column]:
    result: dict[str, Column] = {}
    for name, categories in zip(step.columns, step.categories or (), strict=True):
        codes = _codes(name, _get(columns, name, step), categories, step.unknown)
        high = np.zeros((len(categories), rows), dtype=np.float32)  # each category's numbers side by side, as `stack` takes them
        known = np.flatnonzero(codes >= 0)
        high[codes[known], known] = 1.0
        result[name] = high.T
    return result


@apply_step.register
def _(step: Ordinal, columns: Columns, rows: int) -> dict[str, Column]:
    result: dict[str, Column] = {}
    for name, categories in zip(step.columns, step.categories or (), strict=True):
        codes = _codes(name, _get(columns, name, step), categories, step.unknown)
        result[name] = np.where(codes < 0, step.unknown_code, codes)
    return result


@apply_step.register
def _(step: Cast, columns: Columns, rows: int) -> dict[str, Column]:
    return {name: cast_array(name, _numpy(_get(columns, name, step)), np.dtype(step.dtype)) for name in step.columns}


@apply_step.register
def _(step: Stack, columns: Columns, rows: int) -> dict[str, Column]:
    """Fill a (width, rows) buffer row by row and hand out its transpose: 7 times faster than filling (rows, width)."""
    parts = [_numpy(_get(columns, name, step)) for name in step.columns]
    if step.dtype.startswith("int"):  # numpy would wrap or cut what does not fit
        parts = [cast_array(n, p, np.dtype(step.dtype)) for n, p in zip(step.columns, parts, strict=True)]
    buffer = np.empty((sum(1 if p.ndim == 1 else p.shape[1] for p in parts), rows), dtype=step.dtype)
    at = 0
    for name, part in zip(step.columns, parts, strict=True):
        width = 1 if part.ndim == 1 else part.shape[1]
        with np.errstate(over="ignore"):
            buffer[at : at + width] = part.T
        if part.dtype.itemsize > buffer.dtype.itemsize and np.isinf(buffer[at : at + width]).any():
            cast_array(name, part, buffer.dtype)  # names the rows that overflowed, if any was finite before
        at += width
    return {step.into: buffer.T}


@apply_step.register
def _(step: Image, columns: Columns, rows: int) -> dict[str, Column]:
    encoded = _arrow(_get(columns, step.column, step))
    with clocked_within("decode"):
        return {step.into: decode_images(encoded, step)}


@apply_step.register
def _(step: Tokenize, columns: Columns, rows: int) -> dict[str, Column]:
    texts = _arrow(_get(columns, step.column, step))
    with clocked_within("decode"):
        numbers, mask = tokenize(texts, step)
    return {step.into: numbers, step.mask_into: mask}


@apply_step.register
def _(step: Function, columns: Columns, rows: int) -> dict[str, Column]:
    table = pa.RecordBatch.from_pydict({n: _arrow(c) for n, c in columns.items() if _is_flat(c)})
    call = _call_arrow if step.takes == "arrow" else _call_pandas
    user_function = _resolve(step.function)
    try:
        return call(step, user_function, table)
    except (JobError, BadRows):
        raise
    except Exception as error:
        attempt = partial(_call_on, call, step, user_function, table)
        raise _bad_rows(f"preprocess function {step.function}", error, rows, attempt, user_function.__code__.co_filename) from error


def _call_on(call: Any, step: Function, user_function: Any, table: pa.RecordBatch, positions: np.ndarray) -> Any:
    return call(step, user_function, table.take(pa.array(positions)))


def _bad_rows(what: str, error: Exception, rows: int, attempt: Callable[[np.ndarray], Any], file: str) -> BadRows | JobError:
    """What a user's function failed on; of its own words only those about a row are kept, which the record blots out values from."""
    try:
        bad = isolate(rows, attempt)
    except JobError:
        raise
    except Exception as last:  # noqa: BLE001 - it fails on whatever it is given
        return JobError(f"{what} fails on every row that it was tried on: {_place(last, file)}; mend it, or the input")
    return bad or JobError(
        f"{what} failed on {rows} rows but on none of its halves: {_place(error, file)}; it must take rows singly"
    )


def _place(error: Exception, file: str) -> str:
    """The class of an error and the line of the user's file that met it; its text might hold a row's values."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{type(error).__name__}{f' in line {lines[-1]} of {os.path.basename(file)}' if lines else ''}"


def missing_rows(column: pa.Array) -> np.ndarray | None:
    """Positions (int64) of missing values, null and (in floating columns) NaN; None when there are none, which is cheap to see."""
    missing = _is_missing(column)
    if missing is None:
        return None
    positions = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
    return positions if len(positions) else None


def fill_missing(column: pa.Array, value: Scalar) -> pa.Array:
    """Missing values, null and NaN, replaced; the column's type stays."""
    return _fill(column, value)


def cast_array(name: str, values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """An array (rows, ...) in another dtype; `name` is for the message.

    Raises:
        BadRows: rows with a value that the dtype cannot hold.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        result = values.astype(dtype)
        changed = _changed(values, result)
    if changed.any():
        reason = RowError(f"column {name!r}: value does not fit {dtype}")
        raise BadRows({int(p): reason for p in np.flatnonzero(changed.reshape(len(changed), -1).any(axis=1))})
    return result


def _is_missing(column: pa.Array) -> pa.Array | None:
    """Which values are missing; None when it is cheap to see that there are none: the largest of values with a NaN is a NaN."""
    if column.null_count == 0:
        if not pa.types.is_floating(column.type):
            return None
        if not np.isnan(np.maximum.reduce(column.to_numpy(zero_copy_only=False), initial=-np.inf)):
            return None
    return pc.is_null(column, nan_is_null=True)


def _get(columns: Columns, name: str, step: Any) -> Column:
    if name not in columns:
        raise JobError(f"preprocess step {step.step} names column {name!r}, but the columns are {sorted(columns)}")
    return columns[name]


def _is_flat(column: Column) -> bool:
    return isinstance(column, pa.Array) or column.ndim == 1


def _arrow(column: Column) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column)


def _numpy(column: Column) -> np.ndarray:
    """A numeric column as array, without a copy where its buffer allows; nulls become NaN, booleans stay booleans."""
    if isinstance(column, np.ndarray):
        return column
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise JobError(f"a column of type {column.type} is not a number; encode it (one_hot, ordinal) or decode it (image) first")
    return column.to_numpy(zero_copy_only=False)


def _floats(column: Column) -> np.ndarray:
    values = _numpy(column)
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _fill(column: Column, value: Scalar) -> Column:
    array = _arrow(column)
    try:
        fill = pa.scalar(value).cast(array.type)  # a cast refuses 0.5 for an integer column; scalar(value, type) would cut it
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise JobError(f"fill value of type {type(value).__name__} does not fit a column of type {array.type}") from error
    missing = _is_missing(array)
    return array if missing is None else pc.if_else(missing, fill, array)


def _codes(name: str, column: Column, categories: tuple[Scalar, ...], unknown: str) -> np.ndarray:
    """Index of each value in `categories`, int64 (rows,); -1 where it is unknown and the policy allows that."""
    array = _arrow(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    found = pc.index_in(array, value_set=pa.array(categories, type=array.type), skip_nulls=True)
    codes: np.ndarray = found.fill_null(-1).to_numpy().astype(np.int64)
    bad = np.flatnonzero(codes < 0) if unknown in ("error", "reject") else ()
    if len(bad) and unknown == "error":
        raise InputError(f"column {name!r} holds a value outside the {len(categories)} categories that the model knows")
    if len(bad) and unknown == "reject":
        reason = RowError(f"column {name!r}: not one of the {len(categories)} categories that the model knows")
        raise BadRows({int(p): reason for p in bad})
    return codes


def _changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a cast lost the value: an integer that differs, or a finite float that became infinite."""
    if after.dtype.kind == "f":
        return np.isinf(after) & np.isfinite(before)
    return (after != before) | (np.isnan(before) if before.dtype.kind == "f" else False)


def _resolve(function: str) -> Any:
    module, _, name = function.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # a user's module may raise anything when it is imported
        raise JobError(
            f"preprocess function {function} cannot be imported: {type(error).__name__}: {error}; install its package where "
            "workers run, or name its folder in PYTHONPATH"
        ) from error
    if not isinstance(found, FunctionType) or found.__module__ != module:
        raise JobError(f"preprocess function {function}: is not a function that {module} defines; name one that it does")
    return found


def _call_arrow(step: Function, user_function: Any, table: pa.RecordBatch) -> dict[str, Column]:
    arrays = user_function(table)
    if not isinstance(arrays, dict) or not all(isinstance(a, np.ndarray) for a in arrays.values()):
        raise JobError(f"preprocess function {step.function} must return dict[str, np.ndarray]")
    return _checked(step, arrays, table.num_rows)


def _call_pandas(step: Function, user_function: Any, table: pa.RecordBatch) -> dict[str, Column]:
    import pandas as pd

    given = table.to_pandas(types_mapper=pd.ArrowDtype)
    index = given.index
    frame = user_function(given)
    if not isinstance(frame, pd.DataFrame):
        raise JobError(f"preprocess function {step.function} must return a pandas DataFrame")
    if len(frame) == len(index) and not frame.index.equals(index):
        raise JobError(f"preprocess function {step.function} must return the rows in their order; their index was changed")
    result = pa.Table.from_pandas(frame, preserve_index=False)
    return _checked(step, {n: result.column(n).combine_chunks() for n in result.column_names}, table.num_rows)


def _checked(step: Function, arrays: dict[str, Any], rows: int) -> dict[str, Column]:
    for name, array in arrays.items():
        if len(array) != rows:
            raise JobError(f"preprocess function {step.function} returned {len(array)} values of {name!r} for {rows} rows")
    return arrays
