"""Rows in the order and in the row groups in which a file gets them, whatever their types.

Arrow cannot sort by views or dictionaries, has no `take` for views, and cannot join two dictionaries
that together have more values than a small index counts. Readers cannot join them either, so such
rows go into different row groups.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow import Array, ChunkedArray, DataType, Schema, Table
import pyarrow.compute as pc
from pyarrow.types import is_decimal32, is_decimal64, is_dictionary, is_float16, is_nested

from transforms.logical_types import (
    cast_column,
    decode,
    decoded_type,
    passes_any,
    type_with_kernels,
)

# Arrow has no kernel that sorts these; a wider decimal holds every value of them.
_SMALL_DECIMALS = (is_decimal32, is_decimal64)
# Indices of so many bits count whatever one file holds.
_WIDE_BITS = 32


def can_sort(dtype: DataType) -> bool:
    """Tell whether rows can be sorted by a column of this type."""
    if is_nested(dtype):
        return False
    if isinstance(dtype, pa.BaseExtensionType):
        return False
    sorted_type = _find_sorted_type(dtype)
    # Of intervals and others Arrow says that it cannot sort them only once there is a row.
    missing = pa.nulls(1, sorted_type)
    # Twice, as Arrow takes other kernels for several keys.
    table = pa.table({"first": missing, "second": missing})
    sort_keys = [("first", "ascending"), ("second", "ascending")]
    try:
        pc.sort_indices(table, sort_keys=sort_keys)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def sort_rows(
    table: Table,
    sort_by: Sequence[tuple[str, str]],
) -> Table:
    """Return the rows in another order; equal ones stay in theirs.

    Dictionaries with a small index come out with a wide one.

    Args:
        table: the rows.
        sort_by: (column, `ascending` or `descending`); texts by their letters, also in dictionaries.
    """
    order = find_order(table, sort_by)
    columns = [_take(column, order) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def find_order(
    table: Table,
    sort_by: Sequence[tuple[str, str]],
) -> Array:
    """Return the positions (uint64) of the rows in another order; equal ones stay in theirs.

    Args:
        table, sort_by: as for `sort_rows`.
    """
    keys = {}
    for name, _ in sort_by:
        column = table.column(name)
        keys[name] = _to_sortable(column)
    key_columns = pa.table(keys)
    return pc.sort_indices(key_columns, sort_keys=list(sort_by))


def cut_into_row_groups(table: Table, schema: Schema) -> Iterator[Table]:
    """Yield rows that are written as one row group each: nearly always all of them.

    Args:
        table: the rows, as batches have them or as `sort_rows` gives them.
        schema: the types that they are written in.
    """
    try:
        yield _to_schema(table, schema)
        return
    except pa.ArrowInvalid:
        # One value alone always fits its index.
        if table.num_rows <= 1:
            raise
    middle = table.num_rows // 2
    first_half = table.slice(0, middle)
    second_half = table.slice(middle)
    yield from cut_into_row_groups(first_half, schema)
    yield from cut_into_row_groups(second_half, schema)


def _to_schema(table: Table, schema: Schema) -> Table:
    """Return rows in the types of a schema.

    Raises:
        pyarrow.ArrowInvalid: more distinct values than the index of a dictionary counts.
    """
    columns = []
    for column, field in zip(table.columns, schema, strict=True):
        fitted = _fit(column, field.type)
        columns.append(fitted)
    return Table.from_arrays(columns, schema=schema)


def _fit(column: ChunkedArray, dtype: DataType) -> ChunkedArray:
    with_kernels = type_with_kernels(dtype)
    if is_nested(dtype) and with_kernels != dtype:
        # A copy: Arrow writes no slice of what has views inside.
        without_views = cast_column(column, with_kernels)
        return cast_column(without_views, dtype)
    if _has_small_index(dtype):
        return _narrow(column, dtype)
    return column


def _has_small_index(dtype: DataType) -> bool:
    if not is_dictionary(dtype):
        return False
    return bool(dtype.index_type.bit_width < _WIDE_BITS)


def _narrow(column: ChunkedArray, dtype: DataType) -> ChunkedArray:
    """Return a column with one dictionary, whose small index counts all of its values."""
    is_narrow = column.type == dtype
    # One batch has one dictionary, and its index counts that.
    if is_narrow and column.num_chunks <= 1:
        return column
    if is_narrow:
        try:
            return column.unify_dictionaries()
        except pa.ArrowInvalid:
            # They may have more values than there are in these rows.
            pass
    plain = cast_column(column, dtype.value_type)
    encoded = plain.dictionary_encode()
    return cast_column(encoded, dtype)


def _find_sorted_type(dtype: DataType) -> DataType:
    plain = _find_plain_type(dtype)
    # Arrow has no kernel that sorts it; the wider type holds every value of it.
    if is_float16(plain):
        return pa.float32()
    if passes_any(plain, _SMALL_DECIMALS):
        return pa.decimal128(plain.precision, plain.scale)
    return plain


def _find_plain_type(dtype: DataType) -> DataType:
    """Return the type of the values themselves, without dictionary and views."""
    decoded = decoded_type(dtype)
    return type_with_kernels(decoded)


def _to_sortable(column: ChunkedArray) -> ChunkedArray:
    chunks = [decode(chunk) for chunk in column.chunks]
    # A column without chunks tells no type of its own.
    plain_type = _find_plain_type(column.type)
    plain = pa.chunked_array(chunks, type=plain_type)
    sorted_type = _find_sorted_type(column.type)
    return plain.cast(sorted_type)


def _take(column: ChunkedArray, order: Array) -> ChunkedArray:
    dtype = column.type
    # Chunks may have dictionaries that no small index counts together.
    if _has_small_index(dtype):
        dtype = pa.dictionary(pa.int32(), dtype.value_type, dtype.ordered)
    type_to_take = type_with_kernels(dtype)
    values = cast_column(column, type_to_take)
    taken = values.take(order)
    return cast_column(taken, dtype)
