"""Columns of Parquet files, cast to the types that a run has for them.

A value that its type cannot hold becomes null, and its row is rejected by the caller.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyarrow import types
import pyarrow.compute as pc

from configs.errors import RowError
from model_zoo.steps.lists import find_item_type, is_list
from model_zoo.steps.moments import is_moment
from transforms.formats.parquet_ways import blank_out
from transforms.logical_types import cast_exactly, decode, holds, take_values, to_lists_of_pairs

# By row, why its value is null.
Reasons = Mapping[int, Exception]


def cast_column(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Reasons]:
    """Cast a column to a type, with nulls for the values that the type cannot hold.

    Args:
        column: the values as they were read.
        field: the column's name and the type to cast to.

    Returns:
        The column; and by row why its value is null there.
    """
    wanted = field.type
    if holds(wanted, types.is_fixed_size_list):
        return _cast_fixed_lists(column, field)
    if is_moment(wanted):
        return _cast_moments(column, field)
    cast = cast_exactly(column, wanted)
    # Nothing but nulls, which are of any type.
    if types.is_null(column.type):
        return cast, {}
    if is_list(wanted):
        return _take_out_lists(column, cast, field)
    # Only floats can overflow: integers are cast to wider ones alone.
    if not types.is_floating(wanted):
        return cast, {}
    cast, overflowed = _take_out_overflows(column, cast)
    reasons = _explain_overflows(overflowed, column.type, field)
    return cast, reasons


def _cast_moments(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Reasons]:
    """Cast moments to another unit, with nulls for those that it has no number for.

    Args:
        column: the values as they were read.
        field: the column's name and the type to cast to.
    """
    wanted = field.type
    column = decode(column)
    # Arrow cuts hours off without a word.
    becomes_date = types.is_date(wanted)
    may_be_cut = becomes_date and types.is_timestamp(column.type)
    try:
        cast = column.cast(wanted)
        if not may_be_cut:
            return cast, {}
    # Only now value by value: nearly every column fits as a whole.
    except pa.ArrowInvalid:
        cast = column.cast(wanted, safe=False)
    # A number that was cut or wrapped does not come back.
    returned = cast.cast(column.type, safe=False)
    is_other = pc.not_equal(returned, column)
    cleaned = pc.if_else(is_other, None, cast)
    return cleaned, _explain_overflows(is_other, column.type, field)


def _take_out_lists(column: pa.Array, cast: pa.Array, field: pa.Field) -> tuple[pa.Array, Reasons]:
    """Return lists with null for those in which a finite number became infinite.

    Args:
        column: the lists as they were read.
        cast: the same, cast.
        field: the column's name and the type of `cast`.
    """
    item = find_item_type(column.type)
    wanted = find_item_type(cast.type)
    # Only floats can overflow, as outside lists.
    if item == wanted or not types.is_floating(wanted):
        return cast, {}
    # The row of each number, whatever the depth of its list.
    rows = np.arange(len(cast), dtype=np.int64)
    given = column
    values = cast
    while types.is_nested(values.type):
        parents = pc.list_parent_indices(values)
        rows = rows[parents.to_numpy()]
        given = given.flatten()
        values = values.flatten()
    _, overflowed = _take_out_overflows(given, values)
    # A missing number did not overflow.
    overflowed = overflowed.fill_null(False)
    is_bad = overflowed.to_numpy(zero_copy_only=False)
    # A list may hold several such numbers.
    bad_rows = np.unique(rows[is_bad])
    if not len(bad_rows):
        return cast, {}
    name = field.name
    reason = RowError(f"column {name!r}: a {item} that does not fit {wanted}")
    reasons = dict.fromkeys(bad_rows.tolist(), reason)
    return blank_out(cast, bad_rows), reasons


def _cast_fixed_lists(column: pa.Array, field: pa.Field) -> tuple[pa.Array, Reasons]:
    """Cast a column to lists of a fixed size, with nulls for rows in which one is missing.

    Args:
        column: the values as Parquet stores them, in lists of any size.
        field: the column's name and the type to cast to.
    """
    unfit = _find_unfit_lists(column, field.type)
    all_rows = np.arange(len(column))
    fitting = np.delete(all_rows, unfit)
    # Fitting rows alone: a cast to lists of a fixed size fails for the whole column otherwise.
    taken_rows = pa.array(fitting)
    taken = take_values(column, taken_rows)
    cast = cast_exactly(taken, field.type)
    if len(unfit):
        cast = _spread_rows(cast, fitting, len(column))
    reason = RowError(
        f"column {field.name!r}: a list in {field.type} is missing or has another size, "
        "which readers of Parquet refuse; write the column as a list of any size"
    )
    rows = unfit.tolist()
    return cast, dict.fromkeys(rows, reason)


def _spread_rows(
    values: pa.Array,
    rows: np.ndarray,
    row_count: int,
) -> pa.Array:
    """Return a column that has the values in these rows (int64), and nulls in all others."""
    positions = np.zeros(row_count, dtype=np.int64)
    count = len(rows)
    positions[rows] = np.arange(count)
    is_null = np.ones(row_count, dtype=bool)
    is_null[rows] = False
    # A null position gives a null.
    taken_from = pa.array(positions, mask=is_null)
    return take_values(values, taken_from)


def _find_unfit_lists(array: pa.Array, dtype: pa.DataType) -> np.ndarray:
    """Return the rows (int64) in which a list of a fixed size is missing, or has another size.

    Args:
        array: the values as Parquet stores them, in lists of any size.
        dtype: the type with lists of a fixed size.
    """
    all_rows = np.arange(len(array), dtype=np.int64)
    # The empty one for types without such lists: numpy concatenates no empty sequence.
    nothing = np.empty(0, dtype=np.int64)
    by_level = _list_unfit(array, dtype, all_rows)
    unfit = np.concatenate([nothing, *by_level])
    # A row may hold several unfit lists.
    return np.unique(unfit)


def _take_out_overflows(column: pa.Array, cast: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the cast column with null where a finite number became infinite, and where that is."""
    is_infinite = pc.is_inf(cast)
    was_infinite = pc.is_inf(column)
    overflowed = pc.and_not(is_infinite, was_infinite)
    cleaned = pc.if_else(overflowed, None, cast)
    return cleaned, overflowed


def _explain_overflows(
    overflowed: pa.Array,
    actual: pa.DataType,
    field: pa.Field,
) -> Reasons:
    name = field.name
    wanted = field.type
    reason = RowError(f"column {name!r}: a {actual} that does not fit {wanted}")
    rows = pc.indices_nonzero(overflowed)
    return dict.fromkeys(rows.to_pylist(), reason)


def _list_unfit(
    array: pa.Array,
    dtype: pa.DataType,
    rows: np.ndarray,
) -> Iterator[np.ndarray]:
    """Yield the rows of unfit lists, level by level; `rows` (int64) has the row of each value."""
    if types.is_map(dtype):
        array = to_lists_of_pairs(array)
        pair = pa.struct([dtype.key_field, dtype.item_field])
        dtype = pa.list_(pair)
    if types.is_struct(dtype):
        children = array.flatten()
        for child, field in zip(children, dtype, strict=True):
            yield from _list_unfit(child, field.type, rows)
        return
    if not types.is_nested(dtype):
        return
    if not types.is_nested(array.type):
        return
    if types.is_fixed_size_list(dtype):
        is_fit = _have_length(array, dtype.list_size)
        yield rows[~is_fit]
    parents = pc.list_parent_indices(array)
    rows_inside = rows[parents.to_numpy()]
    values = array.flatten()
    value_type = dtype.value_type
    yield from _list_unfit(values, value_type, rows_inside)


def _have_length(lists: pa.Array, length: int) -> np.ndarray:
    """Tell of each list (bool) whether it is there and has a length."""
    lengths = pc.list_value_length(lists)
    is_right = pc.equal(lengths, length)
    # A missing list has no length.
    is_right = is_right.fill_null(False)
    have_length: np.ndarray = is_right.to_numpy(zero_copy_only=False)
    return have_length
