"""The type in which columns of shards fit together that differ in their physical types alone.

Which types are the same logically is told in `logical_types.py`, and so is how a value becomes one of
another type.
"""

import pyarrow as pa
from pyarrow import DataType, Field
from pyarrow.types import (
    is_dictionary,
    is_fixed_size_list,
    is_large_binary,
    is_large_list,
    is_large_list_view,
    is_large_string,
    is_list,
    is_list_view,
    is_map,
    is_null,
    is_struct,
)

from transforms.logical_types import decoded_type, is_binary, is_text, passes_any

# Those with offsets of 64 bits.
_LARGE = (is_large_string, is_large_binary)
_LISTS = (
    is_list,
    is_large_list,
    is_list_view,
    is_large_list_view,
)
_LARGE_LISTS = (is_large_list, is_large_list_view)


def join_types(first: DataType, second: DataType) -> DataType | None:
    """Return the type that holds every value of both exactly; None when they differ logically.

    Two equal types stay as they are. In whatever order several types are joined, the result is the
    same, except for the names of the fields inside lists: the first type's stay.

    Args:
        first: one type.
        second: the other type.

    >>> join_types(pa.string(), pa.dictionary(pa.int8(), pa.large_string()))
    DataType(large_string)
    >>> join_types(pa.null(), pa.int16())
    DataType(int16)
    >>> join_types(pa.int32(), pa.int64()) is None
    True
    """
    if first == second:
        return first
    # Nulls alone are of any type.
    if is_null(first):
        return second
    if is_null(second):
        return first
    if is_dictionary(first) and is_dictionary(second):
        return _join_dictionaries(first, second)
    one = decoded_type(first)
    other = decoded_type(second)
    # With long offsets no cast can fail, whatever the length of a batch.
    is_large = passes_any(one, _LARGE) or passes_any(other, _LARGE)
    if is_text(one) and is_text(other):
        if is_large:
            return pa.large_string()
        return pa.string()
    if is_binary(one) and is_binary(other):
        if is_large:
            return pa.large_binary()
        return pa.binary()
    # A dictionary of other values than texts.
    if one == other:
        return one
    return _join_nested(first, second)


def _join_dictionaries(first: DataType, second: DataType) -> DataType | None:
    values = join_types(first.value_type, second.value_type)
    if values is None:
        return None
    # What Parquet's readers make of a dictionary anyway; a file cannot hold more than that counts.
    index = pa.int32()
    first_bits = first.index_type.bit_width
    second_bits = second.index_type.bit_width
    if max(first_bits, second_bits) > 32:
        index = pa.int64()
    # The order of categories is the shard's own.
    is_ordered = first.ordered and second.ordered
    return pa.dictionary(index, values, ordered=is_ordered)


def _join_nested(first: DataType, second: DataType) -> DataType | None:
    if passes_any(first, _LISTS) and passes_any(second, _LISTS):
        return _join_lists(first, second)
    if is_fixed_size_list(first) and is_fixed_size_list(second):
        return _join_fixed_lists(first, second)
    if is_map(first) and is_map(second):
        return _join_maps(first, second)
    if is_struct(first) and is_struct(second):
        return _join_structs(first, second)
    return None


def _join_lists(first: DataType, second: DataType) -> DataType | None:
    inner = _join_fields(first.value_field, second.value_field)
    if inner is None:
        return None
    if passes_any(first, _LARGE_LISTS) or passes_any(second, _LARGE_LISTS):
        return pa.large_list(inner)
    return pa.list_(inner)


def _join_fixed_lists(first: DataType, second: DataType) -> DataType | None:
    if first.list_size != second.list_size:
        return None
    inner = _join_fields(first.value_field, second.value_field)
    if inner is None:
        return None
    return pa.list_(inner, first.list_size)


def _join_maps(first: DataType, second: DataType) -> DataType | None:
    key = _join_fields(first.key_field, second.key_field)
    item = _join_fields(first.item_field, second.item_field)
    if key is None or item is None:
        return None
    return pa.map_(key, item)


def _join_structs(first: DataType, second: DataType) -> DataType | None:
    if first.names != second.names:
        return None
    fields = []
    for one, other in zip(first, second, strict=True):
        joined = _join_fields(one, other)
        if joined is None:
            return None
        fields.append(joined)
    return pa.struct(fields)


def _join_fields(first: Field, second: Field) -> Field | None:
    joined = join_types(first.type, second.type)
    if joined is None:
        return None
    is_nullable = first.nullable or second.nullable
    return pa.field(first.name, joined, is_nullable)
