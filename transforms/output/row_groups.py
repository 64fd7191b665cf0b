"""Rows in the order and in the row groups in which a file gets them, whatever their types.

Arrow sorts by no view and no dictionary, takes no rows of views, and puts no two dictionaries together
whose values are more than a small index counts. A reader could not, either, if they came into one row
group.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from transforms.logical_types import cast_column, decode, decoded_type, type_with_kernels

# What has an order, and no kernel that sorts it; the other type holds every value of it.
_SORTED_AS = ((pa.types.is_float16, pa.float32()),)
_SMALL_DECIMALS = (pa.types.is_decimal32, pa.types.is_decimal64)
# Indices of so many bits count whatever one file holds.
_WIDE_BITS = 32


def can_sort(dtype: pa.DataType) -> bool:
    """Tell whether rows can be sorted by a column of this type."""
    # Arrow looks at lists and extensions only once there are rows.
    if pa.types.is_nested(dtype) or isinstance(dtype, pa.BaseExtensionType):
        return False
    nothing = pa.array([], _find_sorted_type(dtype))
    try:
        # Twice, as Arrow takes other kernels for several keys.
        table = pa.table({"first": nothing, "second": nothing})
        pc.sort_indices(table, sort_keys=[("first", "ascending"), ("second", "ascending")])
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def sort_rows(table: pa.Table, sort_by: Sequence[tuple[str, str]]) -> pa.Table:
    """Return the rows in another order; equal ones stay in theirs.

    Dictionaries with a small index come out with a wide one.

    Args:
        table: the rows.
        sort_by: (column, `ascending` or `descending`); texts by their letters, also in dictionaries.
    """
    keys = {name: _to_sortable(table.column(name)) for name, _ in sort_by}
    order = pc.sort_indices(pa.table(keys), sort_keys=list(sort_by))
    columns = [_take(column, order) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def cut_into_row_groups(table: pa.Table, schema: pa.Schema) -> Iterator[pa.Table]:
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
    yield from cut_into_row_groups(table.slice(0, middle), schema)
    yield from cut_into_row_groups(table.slice(middle), schema)


def _to_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in the types of a schema.

    Raises:
        pyarrow.ArrowInvalid: more distinct values than the index of a dictionary counts.
    """
    columns = [
        _fit(column, field.type) for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _fit(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    with_kernels = type_with_kernels(dtype)
    if pa.types.is_nested(dtype) and with_kernels != dtype:
        # A copy: Arrow writes no slice of what has views inside.
        return cast_column(cast_column(column, with_kernels), dtype)
    return _narrow(column, dtype)


def _narrow(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    is_small = pa.types.is_dictionary(dtype) and dtype.index_type.bit_width < _WIDE_BITS
    # One batch has one dictionary, and its index counts that.
    if not is_small or (column.type == dtype and column.num_chunks <= 1):
        return column
    if column.type == dtype:
        try:
            return column.unify_dictionaries()
        except pa.ArrowInvalid:
            # They may have more values than there are in these rows.
            pass
    encoded = cast_column(column, dtype.value_type).dictionary_encode()
    return cast_column(encoded, dtype)


def _find_sorted_type(dtype: pa.DataType) -> pa.DataType:
    plain = type_with_kernels(decoded_type(dtype))
    for check, wider in _SORTED_AS:
        if check(plain):
            return wider
    if any(check(plain) for check in _SMALL_DECIMALS):
        return pa.decimal128(plain.precision, plain.scale)
    return plain


def _to_sortable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = [decode(chunk) for chunk in column.chunks]
    decoded = pa.chunked_array(plain, type=type_with_kernels(decoded_type(column.type)))
    return decoded.cast(_find_sorted_type(column.type))


def _take(column: pa.ChunkedArray, order: pa.Array) -> pa.ChunkedArray:
    dtype = column.type
    if pa.types.is_dictionary(dtype) and dtype.index_type.bit_width < _WIDE_BITS:
        dtype = pa.dictionary(pa.int32(), dtype.value_type, dtype.ordered)
    taken = cast_column(column, type_with_kernels(dtype)).take(order)
    return cast_column(taken, dtype)
