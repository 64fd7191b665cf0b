"""Columns of Parquet files in the types that a run has for them; what a type cannot hold costs its row."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import RowError
from transforms.logical_types import cast_exactly, holds, take_values, to_lists_of_pairs


def cast_column(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Mapping[int, Exception]]:
    """Return a column in its type, null where that cannot hold a value, and why.

    Args:
        column: as it was read.
        field: its name and type.
    """
    if holds(field.type, pa.types.is_fixed_size_list):
        return _cast_fixed_lists(column, field)
    cast = cast_exactly(column, field.type)
    # Only then can a value overflow: integers are cast to wider ones alone.
    if not pa.types.is_floating(field.type):
        return cast, {}
    cast, overflowed = _take_out_overflows(column, cast)
    return cast, _explain_overflows(overflowed, column.type, field)


def _cast_fixed_lists(
    column: pa.Array, field: pa.Field
) -> tuple[pa.Array, Mapping[int, Exception]]:
    """Return a column with its lists of a fixed size, null where one is missing, and why.

    Args:
        column: as it is stored, its lists of any size.
        field: what it must become.
    """
    unfit = _find_unfit_lists(column, field.type)
    fitting = np.delete(np.arange(len(column)), unfit)
    cast = cast_exactly(take_values(column, pa.array(fitting)), field.type)
    # Back to their places, with nulls between them.
    places = np.zeros(len(column), dtype=np.int64)
    places[fitting] = np.arange(len(fitting))
    is_unfit = np.ones(len(column), dtype=bool)
    is_unfit[fitting] = False
    spread = take_values(cast, pa.array(places, mask=is_unfit)) if len(unfit) else cast
    reason = RowError(
        f"column {field.name!r}: a list in {field.type} is missing or has another size, which readers of "
        f"Parquet refuse; "
        "write the column as a list of any size"
    )
    return spread, dict.fromkeys(unfit.tolist(), reason)


def _find_unfit_lists(array: pa.Array, dtype: pa.DataType) -> np.ndarray:
    """Return the rows (int64) in which a list of a fixed size is missing, or has another size.

    Args:
        array: the column as it is stored, its lists of any size.
        dtype: what it must become.
    """
    all_rows = np.arange(len(array), dtype=np.int64)
    bad = [np.empty(0, dtype=np.int64), *_list_unfit(array, dtype, all_rows)]
    return np.unique(np.concatenate(bad))


def _take_out_overflows(column: pa.Array, cast: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the cast column with null where a finite number became infinite, and where that is."""
    is_infinite = pc.is_inf(cast)
    was_infinite = pc.is_inf(column)
    overflowed = pc.and_not(is_infinite, was_infinite)
    return pc.if_else(overflowed, None, cast), overflowed


def _explain_overflows(
    overflowed: pa.Array, actual: pa.DataType, field: pa.Field
) -> Mapping[int, Exception]:
    reason = RowError(f"column {field.name!r}: a {actual} that does not fit {field.type}")
    rows = pc.indices_nonzero(overflowed).to_pylist()
    return dict.fromkeys(rows, reason)


def _list_unfit(array: pa.Array, dtype: pa.DataType, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of unfit lists, level by level."""
    if pa.types.is_map(dtype):
        array = to_lists_of_pairs(array)
        dtype = pa.list_(pa.struct([dtype.key_field, dtype.item_field]))
    if pa.types.is_struct(dtype):
        for child, field in zip(array.flatten(), dtype, strict=True):
            yield from _list_unfit(child, field.type, rows)
    elif pa.types.is_nested(dtype) and pa.types.is_nested(array.type):
        if pa.types.is_fixed_size_list(dtype):
            lengths = pc.list_value_length(array)
            is_right = pc.equal(lengths, dtype.list_size).fill_null(False)
            yield rows[~is_right.to_numpy(zero_copy_only=False)]
        inside = rows[pc.list_parent_indices(array).to_numpy()]
        yield from _list_unfit(array.flatten(), dtype.value_type, inside)
