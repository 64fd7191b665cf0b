"""Columns of Parquet files, cast to the types that a run has for them.

A value that its type cannot hold becomes null, and its row is rejected by the caller.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Field
import pyarrow.compute as pc
from pyarrow.types import (
    is_date,
    is_fixed_size_list,
    is_floating,
    is_map,
    is_nested,
    is_null,
    is_struct,
    is_timestamp,
)

from configs.errors import RowError
from model_zoo.steps.lists import find_item_type, is_list
from model_zoo.steps.moments import is_moment
from transforms.inside import list_inside
from transforms.logical_types import (
    blank_out,
    cast_exactly,
    decode,
    holds,
    nullable_type,
    take_values,
    to_lists_of_pairs,
)

# By row, why its value is null.
Reasons: TypeAlias = Mapping[int, Exception]
# Numbers of rows, int64.
Rows: TypeAlias = np.ndarray


class Cast(NamedTuple):
    """A column in the type that a run has for it.

    Attributes:
        column: with nulls for the values that the type cannot hold.
        reasons: by row, why its value is null there.
    """

    column: Array
    reasons: Reasons


class _Cleaned(NamedTuple):
    """Numbers that were cast.

    Attributes:
        column: with null where a finite one became infinite.
        overflowed: where that is.
    """

    column: Array
    overflowed: Array


def cast_column(column: Array, field: Field) -> Cast:
    """Cast a column to a type, with nulls for the values that the type cannot hold.

    Args:
        column: the values as they were read.
        field: the column's name and the type to cast to.
    """
    wanted = field.type
    if isinstance(wanted, pa.BaseExtensionType):
        return _cast_extension(column, field)
    if holds(wanted, is_fixed_size_list):
        return _cast_fixed_lists(column, field)
    if is_moment(wanted):
        return _cast_moments(column, field)
    cast = cast_exactly(column, wanted)
    # Nothing but nulls, which are of any type.
    if is_null(column.type):
        return Cast(cast, {})
    if is_list(wanted):
        return _take_out_lists(column, cast, field)
    # Only floats can overflow: integers are cast to wider ones alone.
    if not is_floating(wanted):
        return Cast(cast, {})
    # Arrow asks no dictionary whether it holds infinity.
    column = decode(column)
    cleaned = _take_out_overflows(column, cast)
    reasons = _explain_overflows(cleaned.overflowed, column.type, field)
    return Cast(cleaned.column, reasons)


def lacks_fixed_lists(column: Array) -> bool:
    """Tell whether a list of a fixed size is missing, which readers of Parquet refuse.

    Args:
        column: the values, which may hold such lists inside of others.
    """
    dtype = column.type
    if not holds(dtype, is_fixed_size_list):
        return False
    if is_fixed_size_list(dtype) and column.null_count:
        return True
    return any(map(lacks_fixed_lists, list_inside(column)))


def _cast_extension(column: Array, field: Field) -> Cast:
    """Cast a column to an extension of a type: a tensor's storage is a list of a fixed size.

    Args:
        column: the values, of that type or of its storage's.
        field: the column's name and the type to cast to.
    """
    stored = column
    if isinstance(column, pa.ExtensionArray):
        stored = column.storage
    storage_field = field.with_type(field.type.storage_type)
    cast, reasons = cast_column(stored, storage_field)
    extended = pa.ExtensionArray.from_storage(field.type, cast)
    return Cast(extended, reasons)


def _cast_moments(column: Array, field: Field) -> Cast:
    """Cast moments to another unit, with nulls for those that it has no number for.

    Args:
        column: the values as they were read.
        field: the column's name and the type to cast to.
    """
    wanted = field.type
    column = decode(column)
    given = column.type
    # Arrow cuts hours off without a word.
    may_be_cut = is_date(wanted) and is_timestamp(given)
    try:
        cast = column.cast(wanted)
        if not may_be_cut:
            return Cast(cast, {})
    # Only now value by value: nearly every column fits as a whole.
    except pa.ArrowInvalid:
        cast = column.cast(wanted, safe=False)
    # A number that was cut or wrapped does not come back.
    returned = cast.cast(given, safe=False)
    is_other = pc.not_equal(returned, column)
    cleaned = pc.if_else(is_other, None, cast)
    reasons = _explain_overflows(is_other, given, field)
    return Cast(cleaned, reasons)


def _take_out_lists(column: Array, cast: Array, field: Field) -> Cast:
    """Return lists with null for those in which a finite number became infinite.

    Args:
        column: the lists as they were read.
        cast: the same, cast.
        field: the column's name and the type of `cast`.
    """
    item = find_item_type(column.type)
    wanted = find_item_type(cast.type)
    # Only floats can overflow, as outside lists.
    may_overflow = is_floating(wanted)
    if item == wanted or not may_overflow:
        return Cast(cast, {})
    # The row of each number, whatever the depth of its list.
    rows = _number_rows(cast)
    given = column
    values = cast
    while is_nested(values.type):
        parents = pc.list_parent_indices(values)
        rows = rows[parents.to_numpy()]
        given = given.flatten()
        values = values.flatten()
    cleaned = _take_out_overflows(given, values)
    # A missing number did not overflow.
    overflowed = cleaned.overflowed.fill_null(False)
    is_bad = overflowed.to_numpy(zero_copy_only=False)
    with_bad = rows[is_bad]
    # A list may hold several such numbers.
    bad_rows = np.unique(with_bad)
    if not len(bad_rows):
        return Cast(cast, {})
    reason = _say_unfit(field.name, item, wanted)
    positions = bad_rows.tolist()
    reasons = dict.fromkeys(positions, reason)
    blanked = blank_out(cast, bad_rows)
    return Cast(blanked, reasons)


def _cast_fixed_lists(column: Array, field: Field) -> Cast:
    """Cast a column to lists of a fixed size, with nulls for rows in which one is missing.

    Args:
        column: the values, in lists of any size, as Parquet stores them, or of a fixed one.
        field: the column's name and the type to cast to.
    """
    # Of a fixed size, a missing list takes the place of one, and Arrow numbers what is in it.
    column = cast_exactly(column, nullable_type(column.type))
    unfit = _find_unfit_lists(column, field.type)
    all_rows = _number_rows(column)
    fitting = np.delete(all_rows, unfit)
    # Fitting rows alone: a cast to lists of a fixed size fails for the whole column otherwise.
    taken_rows = pa.array(fitting)
    taken = take_values(column, taken_rows)
    cast = cast_exactly(taken, field.type)
    if len(unfit):
        row_count = len(column)
        cast = _spread_rows(cast, fitting, row_count)
    reason = RowError(
        f"column {field.name!r}: a list in {field.type} is missing or has another size, "
        "which readers of Parquet refuse; write the column as a list of any size"
    )
    rows = unfit.tolist()
    reasons = dict.fromkeys(rows, reason)
    return Cast(cast, reasons)


def _spread_rows(
    values: Array,
    rows: Rows,
    row_count: int,
) -> Array:
    """Return a column that has the values in these rows, and nulls in all others."""
    positions = np.zeros(row_count, dtype=np.int64)
    count = len(rows)
    positions[rows] = np.arange(count)
    is_missing = np.ones(row_count, dtype=bool)
    is_missing[rows] = False
    # A null position gives a null.
    taken_from = pa.array(positions, mask=is_missing)
    return take_values(values, taken_from)


def _number_rows(array: Array) -> Rows:
    count = len(array)
    return np.arange(count, dtype=np.int64)


def _find_unfit_lists(array: Array, dtype: DataType) -> Rows:
    """Return the rows in which a list of a fixed size is missing, or has another size.

    Args:
        array: the values as Parquet stores them, in lists of any size.
        dtype: the type with lists of a fixed size.
    """
    all_rows = _number_rows(array)
    by_level = list(_list_unfit(array, dtype, all_rows))
    # A type without such lists, and numpy concatenates no empty sequence.
    if not by_level:
        return all_rows[:0]
    unfit = np.concatenate(by_level)
    # A row may hold several unfit lists.
    return np.unique(unfit)


def _take_out_overflows(column: Array, cast: Array) -> _Cleaned:
    is_infinite = pc.is_inf(cast)
    was_infinite = pc.is_inf(column)
    overflowed = pc.and_not(is_infinite, was_infinite)
    cleaned = pc.if_else(overflowed, None, cast)
    return _Cleaned(cleaned, overflowed)


def _explain_overflows(
    overflowed: Array,
    actual: DataType,
    field: Field,
) -> Reasons:
    reason = _say_unfit(field.name, actual, field.type)
    rows = pc.indices_nonzero(overflowed)
    positions = rows.to_pylist()
    return dict.fromkeys(positions, reason)


def _say_unfit(name: str, actual: DataType, wanted: DataType) -> RowError:
    return RowError(f"column {name!r}: a {actual} that does not fit {wanted}")


def _list_unfit(
    array: Array,
    dtype: DataType,
    rows: Rows,
) -> Iterator[Rows]:
    """Yield the rows of unfit lists, level by level; `rows` has the row of each value."""
    if isinstance(dtype, pa.BaseExtensionType):
        dtype = dtype.storage_type
        array = cast_exactly(array, nullable_type(dtype))
    # A file in which all are missing may have no other type for them.
    if is_null(array.type):
        missing = len(array)
        array = pa.nulls(missing, nullable_type(dtype))
    if is_map(dtype):
        array = to_lists_of_pairs(array)
        fields = [dtype.key_field, dtype.item_field]
        pair = pa.struct(fields)
        dtype = pa.list_(pair)
    if is_struct(dtype):
        children = array.flatten()
        for child, field in zip(children, dtype, strict=True):
            yield from _list_unfit(child, field.type, rows)
        return
    if not is_nested(dtype):
        return
    if is_fixed_size_list(dtype):
        is_fit = _have_length(array, dtype.list_size)
        yield rows[~is_fit]
    parents = pc.list_parent_indices(array)
    positions = parents.to_numpy()
    rows_inside = rows[positions]
    values = array.flatten()
    value_type = dtype.value_type
    yield from _list_unfit(values, value_type, rows_inside)


def _have_length(lists: Array, length: int) -> np.ndarray:
    """Tell of each list (bool) whether it is there and has a length."""
    lengths = pc.list_value_length(lists)
    is_right = pc.equal(lengths, length)
    # A missing list has no length.
    is_right = is_right.fill_null(False)
    have_length: np.ndarray = is_right.to_numpy(zero_copy_only=False)
    return have_length
