"""One logical type, several physical ones: what is the same, and how one becomes the other, exactly.

Writers store the same texts as string, large_string, string_view or a dictionary of them, the same
lists with short or long offsets, and a column without any value as null. None of that is a property
of the values, so shards that differ in it alone fit together.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARIES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
_LARGE = (pa.types.is_large_string, pa.types.is_large_binary)
_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_LARGE_LISTS = (pa.types.is_large_list, pa.types.is_large_list_view)
Check = Callable[[pa.DataType], bool]


def join_types(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the type that holds every value of both exactly; None when they differ logically.

    Two equal types stay as they are. The result does not depend on the order of several types but in
    the names of what is inside a list.

    Args:
        first: one of them.
        second: the other.

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
    if pa.types.is_null(first):
        return second
    if pa.types.is_null(second):
        return first
    if pa.types.is_dictionary(first) and pa.types.is_dictionary(second):
        return _join_dictionaries(first, second)
    one, other = decoded_type(first), decoded_type(second)
    for kinds, plain, large in (
        (_TEXTS, pa.string(), pa.large_string()),
        (_BINARIES, pa.binary(), pa.large_binary()),
    ):
        if _is_any(one, kinds) and _is_any(other, kinds):
            # With long offsets no cast can fail, whatever the length of a batch.
            return large if _is_any(one, _LARGE) or _is_any(other, _LARGE) else plain
    # A dictionary of other values than texts.
    if one == other:
        return one
    return _join_nested(first, second)


def decoded_type(dtype: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values, and any other type as it is."""
    return dtype.value_type if pa.types.is_dictionary(dtype) else dtype


def is_text(dtype: pa.DataType) -> bool:
    """Tell whether values are texts, in whatever form."""
    return _is_any(decoded_type(dtype), _TEXTS)


def is_binary(dtype: pa.DataType) -> bool:
    """Tell whether values are bytes of any length, in whatever form."""
    return _is_any(decoded_type(dtype), _BINARIES)


def holds(dtype: pa.DataType, check: Check) -> bool:
    """Tell whether a type, or one inside it, passes a check of `pyarrow.types`.

    Args:
        dtype: the type.
        check: the check.
    """
    if check(dtype):
        return True
    inside = range(dtype.num_fields)
    return any(holds(dtype.field(number).type, check) for number in inside)


def storable_type(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type that can be read back from one file, however many values there are.

    A dictionary with a small index may be put together of several with other values, in a list or a
    struct for ever; for plain columns the writer begins another row group then.
    """

    def widen(inside: pa.DataType) -> pa.DataType:
        if not pa.types.is_dictionary(inside) or inside.index_type.bit_width >= 32:
            return _rebuild(inside, widen)
        return pa.dictionary(pa.int32(), inside.value_type, inside.ordered)

    return _rebuild(dtype, widen)


def nullable_type(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type of which a missing value can be read back from a file.

    Lists of a fixed size become lists: readers of Parquet refuse a column of the former for one that
    is missing.
    """
    if pa.types.is_fixed_size_list(dtype):
        field = dtype.value_field
        return pa.list_(field.with_type(nullable_type(field.type)))
    return _rebuild(dtype, nullable_type)


def type_with_kernels(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type of which Arrow can take rows: views become large texts or bytes."""
    if pa.types.is_string_view(dtype):
        return pa.large_string()
    if pa.types.is_binary_view(dtype):
        return pa.large_binary()
    return _rebuild(dtype, type_with_kernels)


def decode(column: pa.Array) -> pa.Array:
    """Return a column's values as plain ones, for which there are kernels: no dictionary, no view."""
    if pa.types.is_dictionary(column.type):
        column = cast_exactly(column, column.type.value_type)
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(type_with_kernels(column.type))
    return column


def cast_exactly(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Return an array in another physical type of its values.

    Arrow's own casts lack some pairs (text views and dictionaries) and break list views, so what is
    nested is taken apart here, and put together again.

    Args:
        array: the values.
        dtype: as `join_types` gives it, or a number type that Arrow casts to.

    Raises:
        pyarrow.ArrowInvalid: a value that the type cannot hold.
    """
    if array.type == dtype:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), dtype)
    if pa.types.is_dictionary(dtype):
        return _cast_to_dictionary(array, dtype)
    if pa.types.is_dictionary(array.type):
        # Of the values first: for views there is no kernel that takes them by index.
        values = cast_exactly(array.dictionary, dtype)
        taken_from = cast_exactly(values, type_with_kernels(dtype))
        return cast_exactly(taken_from.take(array.indices), dtype)
    if pa.types.is_map(dtype):
        return _cast_maps(array, dtype)
    if _is_any(dtype, (pa.types.is_list, pa.types.is_large_list)):
        return _cast_to_lists(array, dtype)
    if pa.types.is_fixed_size_list(dtype):
        return _cast_to_fixed_lists(array, dtype)
    if pa.types.is_struct(dtype):
        return _cast_structs(array, dtype)
    return array.cast(dtype)


def cast_column(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    """Return a table's column in another physical type; see `cast_exactly`.

    Args:
        column: the column.
        dtype: as for `cast_exactly`.
    """
    if column.type == dtype:
        return column
    chunks = [cast_exactly(chunk, dtype) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=dtype)


def take_values(array: pa.Array, positions: pa.Array) -> pa.Array:
    """Return some values of an array, also of a type that Arrow cannot take values of: views.

    Args:
        array: the values.
        positions: which ones; null gives null.
    """
    with_kernels = type_with_kernels(array.type)
    taken = cast_exactly(array, with_kernels).take(positions)
    return cast_exactly(taken, array.type)


def to_lists_of_pairs(array: pa.Array) -> pa.Array:
    """Return maps as lists of structs: for maps Arrow has no kernels."""
    pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    # Copied, as a slice's offsets cannot be given together with a mask.
    offsets = pa.concat_arrays([array.offsets, pa.array([], pa.int32())])
    return pa.ListArray.from_arrays(offsets, pairs, mask=array.is_null())


def _is_any(dtype: pa.DataType, checks: tuple[Check, ...]) -> bool:
    return any(check(dtype) for check in checks)


def _join_dictionaries(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    values = join_types(first.value_type, second.value_type)
    if values is None:
        return None
    # What Parquet's readers make of a dictionary anyway; a file cannot hold more than that counts.
    index = pa.int32()
    if first.index_type.bit_width > 32 or second.index_type.bit_width > 32:
        index = pa.int64()
    # The order of categories is the shard's own.
    return pa.dictionary(index, values, ordered=first.ordered and second.ordered)


def _join_nested(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    if _is_any(first, _LISTS) and _is_any(second, _LISTS):
        inner = _join_fields(first.value_field, second.value_field)
        is_large = _is_any(first, _LARGE_LISTS) or _is_any(second, _LARGE_LISTS)
        make = pa.large_list if is_large else pa.list_
        return inner and make(inner)
    if pa.types.is_fixed_size_list(first) and pa.types.is_fixed_size_list(second):
        inner = _join_fields(first.value_field, second.value_field)
        fits = inner is not None and first.list_size == second.list_size
        return pa.list_(inner, first.list_size) if fits else None
    if pa.types.is_map(first) and pa.types.is_map(second):
        key = _join_fields(first.key_field, second.key_field)
        item = _join_fields(first.item_field, second.item_field)
        fits = key is not None and item is not None
        return pa.map_(key, item) if fits else None
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        return _join_structs(first, second)
    return None


def _join_structs(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    if [field.name for field in first] != [field.name for field in second]:
        return None
    joined = [_join_fields(one, other) for one, other in zip(first, second, strict=True)]
    # Not `None in joined`: a field of Arrow fails when it is compared with None.
    return None if any(field is None for field in joined) else pa.struct(joined)


def _join_fields(first: pa.Field, second: pa.Field) -> pa.Field | None:
    joined = join_types(first.type, second.type)
    if joined is None:
        return None
    return pa.field(first.name, joined, first.nullable or second.nullable)


def _rebuild(dtype: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a nested type with what is inside it changed, and any other as it is."""

    def inside(field: pa.Field) -> pa.Field:
        return field.with_type(change(field.type))

    if pa.types.is_map(dtype):
        return pa.map_(inside(dtype.key_field), inside(dtype.item_field))
    # Of list views rows are taken without a look at what is in them.
    if pa.types.is_list(dtype):
        return pa.list_(inside(dtype.value_field))
    if pa.types.is_large_list(dtype):
        return pa.large_list(inside(dtype.value_field))
    if pa.types.is_fixed_size_list(dtype):
        return pa.list_(inside(dtype.value_field), dtype.list_size)
    if pa.types.is_struct(dtype):
        return pa.struct([inside(field) for field in dtype])
    return dtype


def _cast_to_dictionary(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(array.type):
        array = cast_exactly(array, dtype.value_type).dictionary_encode()
    indices = array.indices.cast(dtype.index_type)
    values = cast_exactly(array.dictionary, dtype.value_type)
    return pa.DictionaryArray.from_arrays(indices, values, ordered=dtype.ordered)


def _count_offsets(array: pa.Array, index: pa.DataType) -> pa.Array:
    """Return where each list begins among the values of all of them, and where the last one ends."""
    lengths = pc.list_value_length(array).cast(index).fill_null(0)
    ends = pc.cumulative_sum_checked(lengths)
    return pa.concat_arrays([pa.array([0], index), ends])


def _cast_to_lists(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    values = cast_exactly(array.flatten(), dtype.value_type)
    is_large = pa.types.is_large_list(dtype)
    offsets = _count_offsets(array, pa.int64() if is_large else pa.int32())
    make = pa.LargeListArray if is_large else pa.ListArray
    return make.from_arrays(offsets, values, type=dtype, mask=array.is_null())


def _cast_to_fixed_lists(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    size = dtype.list_size
    if pa.types.is_fixed_size_list(array.type) and array.type.list_size == size:
        # With those of missing lists, which have a place, too.
        places = array.values.slice(array.offset * size, len(array) * size)
        values = cast_exactly(places, dtype.value_type)
        return pa.FixedSizeListArray.from_arrays(values, type=dtype, mask=array.is_null())
    lengths = pc.list_value_length(array)
    is_right = pc.equal(lengths, size).fill_null(False)
    # A missing list has no length, and readers of Parquet take none of this type.
    if is_right.true_count < len(array):
        raise pa.ArrowInvalid(f"a list that is not {size} long")
    values = cast_exactly(array.flatten(), dtype.value_type)
    return pa.FixedSizeListArray.from_arrays(values, type=dtype)


def _cast_maps(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    lists = to_lists_of_pairs(array)
    pairs = lists.flatten()
    keys = cast_exactly(pairs.field(0), dtype.key_type)
    items = cast_exactly(pairs.field(1), dtype.item_type)
    offsets = _count_offsets(lists, pa.int32())
    return pa.MapArray.from_arrays(offsets, keys, items, type=dtype, mask=array.is_null())


def _cast_structs(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    children = [cast_exactly(array.field(number), field.type) for number, field in enumerate(dtype)]
    return pa.StructArray.from_arrays(children, fields=list(dtype), mask=array.is_null())
