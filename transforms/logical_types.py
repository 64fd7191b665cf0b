"""One logical type, several physical ones: what is the same, and how one becomes the other, exactly.

Writers store the same texts as string, large_string, string_view or a dictionary of them, the same
lists with short or long offsets, and a column without any value as null. None of that is a property
of the values, so shards that differ in it alone fit together.
"""

from collections.abc import Callable

import pyarrow as pa
from pyarrow import types
import pyarrow.compute as pc

Check = Callable[[pa.DataType], bool]

_TEXTS = (types.is_string, types.is_large_string, types.is_string_view)
_BINARIES = (types.is_binary, types.is_large_binary, types.is_binary_view)
# Those with offsets of 64 bits.
_LARGE = (types.is_large_string, types.is_large_binary)
_LISTS = (
    types.is_list,
    types.is_large_list,
    types.is_list_view,
    types.is_large_list_view,
)
_LARGE_LISTS = (types.is_large_list, types.is_large_list_view)
# Not list views: their rows are taken without a look at what is in them.
_REBUILT_LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list)


def join_types(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
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
    if types.is_null(first):
        return second
    if types.is_null(second):
        return first
    if types.is_dictionary(first) and types.is_dictionary(second):
        return _join_dictionaries(first, second)
    one = decoded_type(first)
    other = decoded_type(second)
    # With long offsets no cast can fail, whatever the length of a batch.
    is_large = _is_any(one, _LARGE) or _is_any(other, _LARGE)
    if _is_any(one, _TEXTS) and _is_any(other, _TEXTS):
        return pa.large_string() if is_large else pa.string()
    if _is_any(one, _BINARIES) and _is_any(other, _BINARIES):
        return pa.large_binary() if is_large else pa.binary()
    # A dictionary of other values than texts.
    if one == other:
        return one
    return _join_nested(first, second)


def decoded_type(dtype: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values, and any other type as it is."""
    if types.is_dictionary(dtype):
        return dtype.value_type
    return dtype


def is_text(dtype: pa.DataType) -> bool:
    """Tell whether values are texts, in whatever form."""
    return _is_any(decoded_type(dtype), _TEXTS)


def is_binary(dtype: pa.DataType) -> bool:
    """Tell whether values are bytes of any length, in whatever form."""
    return _is_any(decoded_type(dtype), _BINARIES)


def holds(dtype: pa.DataType, check: Check) -> bool:
    """Tell whether a type, or one inside it, passes a check of `pyarrow.types`.

    Args:
        dtype: the type, nested or not.
        check: a function of `pyarrow.types`, or one like it.
    """
    if check(dtype):
        return True
    # By number: types of Arrow other than structs cannot be iterated over.
    for number in range(dtype.num_fields):
        field = dtype.field(number)
        if holds(field.type, check):
            return True
    return False


def storable_type(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type that can be read back from one file, however many values there are.

    A dictionary inside a list or a struct may have to be joined from several with different values,
    which together are too many for a small index; so its index becomes 32 bits wide. Plain columns
    keep theirs: the writer begins another row group where the index is too small.
    """

    def widen(inside: pa.DataType) -> pa.DataType:
        if not types.is_dictionary(inside):
            return _rebuild(inside, widen)
        if inside.index_type.bit_width >= 32:
            return inside
        return pa.dictionary(pa.int32(), inside.value_type, inside.ordered)

    # Not `widen`, which would change a plain column's dictionary, too.
    return _rebuild(dtype, widen)


def nullable_type(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type whose missing values can be read back from a file.

    Lists of a fixed size become lists of any size: readers of Parquet refuse a whole column of the
    former if one list is missing.
    """
    if types.is_fixed_size_list(dtype):
        field = dtype.value_field
        return pa.list_(field.with_type(nullable_type(field.type)))
    return _rebuild(dtype, nullable_type)


def type_with_kernels(dtype: pa.DataType) -> pa.DataType:
    """Return the nearest type whose rows Arrow can take: views become large texts or bytes."""
    if types.is_string_view(dtype):
        return pa.large_string()
    if types.is_binary_view(dtype):
        return pa.large_binary()
    return _rebuild(dtype, type_with_kernels)


def decode(column: pa.Array) -> pa.Array:
    """Return a column without dictionary and views, so that Arrow has kernels for it."""
    if types.is_dictionary(column.type):
        column = cast_exactly(column, column.type.value_type)
    # Second: the values of a dictionary may be views.
    dtype = column.type
    if types.is_string_view(dtype) or types.is_binary_view(dtype):
        return column.cast(type_with_kernels(dtype))
    return column


def cast_exactly(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Return the same values as an array of another physical type.

    Arrow's own casts lack some pairs (text views and dictionaries) and break list views, so nested
    arrays are taken apart here, and put together again.

    Args:
        array: the values.
        dtype: a type that `join_types` returned, or a number type that Arrow casts to.

    Raises:
        pyarrow.ArrowInvalid: the type cannot hold a value.
    """
    if array.type == dtype:
        return array
    if types.is_null(array.type):
        return pa.nulls(len(array), dtype)
    if types.is_dictionary(dtype):
        return _cast_to_dictionary(array, dtype)
    if types.is_dictionary(array.type):
        return _decode_dictionary(array, dtype)
    if types.is_map(dtype):
        return _cast_maps(array, dtype)
    if _is_any(dtype, (types.is_list, types.is_large_list)):
        return _cast_to_lists(array, dtype)
    if types.is_fixed_size_list(dtype):
        return _cast_to_fixed_lists(array, dtype)
    if types.is_struct(dtype):
        return _cast_structs(array, dtype)
    return array.cast(dtype)


def cast_column(column: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    """Return a table's column in another physical type; see `cast_exactly`.

    Args:
        column: the values, in any number of chunks, which stay as they are cut.
        dtype: as for `cast_exactly`.
    """
    if column.type == dtype:
        return column
    chunks = [cast_exactly(chunk, dtype) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=dtype)


def take_values(array: pa.Array, positions: pa.Array) -> pa.Array:
    """Return some values of an array, also of views, for which Arrow has no `take`.

    Args:
        array: the values.
        positions: integers; a null position gives a null.
    """
    with_kernels = type_with_kernels(array.type)
    taken = cast_exactly(array, with_kernels).take(positions)
    return cast_exactly(taken, array.type)


def to_lists_of_pairs(array: pa.Array) -> pa.Array:
    """Return maps as lists of structs: Arrow has no kernels for maps."""
    pairs = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    # Copied, as a slice's offsets cannot be given together with a mask.
    nothing = pa.array([], pa.int32())
    offsets = pa.concat_arrays([array.offsets, nothing])
    return pa.ListArray.from_arrays(offsets, pairs, mask=array.is_null())


def _is_any(dtype: pa.DataType, checks: tuple[Check, ...]) -> bool:
    return any(check(dtype) for check in checks)


def _join_dictionaries(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    values = join_types(first.value_type, second.value_type)
    if values is None:
        return None
    # What Parquet's readers make of a dictionary anyway; a file cannot hold more than that counts.
    index = pa.int32()
    index_bits = max(first.index_type.bit_width, second.index_type.bit_width)
    if index_bits > 32:
        index = pa.int64()
    # The order of categories is the shard's own.
    is_ordered = first.ordered and second.ordered
    return pa.dictionary(index, values, ordered=is_ordered)


def _join_nested(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    if _is_any(first, _LISTS) and _is_any(second, _LISTS):
        return _join_lists(first, second)
    if types.is_fixed_size_list(first) and types.is_fixed_size_list(second):
        return _join_fixed_lists(first, second)
    if types.is_map(first) and types.is_map(second):
        return _join_maps(first, second)
    if types.is_struct(first) and types.is_struct(second):
        return _join_structs(first, second)
    return None


def _join_lists(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    inner = _join_fields(first.value_field, second.value_field)
    if inner is None:
        return None
    if _is_any(first, _LARGE_LISTS) or _is_any(second, _LARGE_LISTS):
        return pa.large_list(inner)
    return pa.list_(inner)


def _join_fixed_lists(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    if first.list_size != second.list_size:
        return None
    inner = _join_fields(first.value_field, second.value_field)
    if inner is None:
        return None
    return pa.list_(inner, first.list_size)


def _join_maps(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    key = _join_fields(first.key_field, second.key_field)
    item = _join_fields(first.item_field, second.item_field)
    if key is None or item is None:
        return None
    return pa.map_(key, item)


def _join_structs(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    if first.names != second.names:
        return None
    fields = []
    for one, other in zip(first, second, strict=True):
        joined = _join_fields(one, other)
        if joined is None:
            return None
        fields.append(joined)
    return pa.struct(fields)


def _join_fields(first: pa.Field, second: pa.Field) -> pa.Field | None:
    joined = join_types(first.type, second.type)
    if joined is None:
        return None
    is_nullable = first.nullable or second.nullable
    return pa.field(first.name, joined, is_nullable)


def _rebuild(dtype: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a nested type with the types inside it changed, and any other type as it is."""

    def change_field(field: pa.Field) -> pa.Field:
        changed = change(field.type)
        return field.with_type(changed)

    if types.is_map(dtype):
        key = change_field(dtype.key_field)
        item = change_field(dtype.item_field)
        return pa.map_(key, item)
    if types.is_struct(dtype):
        fields = [change_field(field) for field in dtype]
        return pa.struct(fields)
    if not _is_any(dtype, _REBUILT_LISTS):
        return dtype
    inner = change_field(dtype.value_field)
    if types.is_fixed_size_list(dtype):
        return pa.list_(inner, dtype.list_size)
    if types.is_large_list(dtype):
        return pa.large_list(inner)
    return pa.list_(inner)


def _decode_dictionary(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    # Of the values first: for views there is no kernel that takes them by index.
    values = cast_exactly(array.dictionary, dtype)
    with_kernels = type_with_kernels(dtype)
    values = cast_exactly(values, with_kernels)
    taken = values.take(array.indices)
    return cast_exactly(taken, dtype)


def _cast_to_dictionary(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    if not types.is_dictionary(array.type):
        plain = cast_exactly(array, dtype.value_type)
        array = plain.dictionary_encode()
    indices = array.indices.cast(dtype.index_type)
    values = cast_exactly(array.dictionary, dtype.value_type)
    return pa.DictionaryArray.from_arrays(indices, values, ordered=dtype.ordered)


def _count_offsets(array: pa.Array, index: pa.DataType) -> pa.Array:
    """Return where each list begins among the values of all of them, and where the last one ends."""
    lengths = pc.list_value_length(array)
    # A missing list has no length and takes no place.
    lengths = lengths.cast(index).fill_null(0)
    # Checked: more values than an offset counts are an error, and not a wrong offset.
    ends = pc.cumulative_sum_checked(lengths)
    first = pa.array([0], index)
    return pa.concat_arrays([first, ends])


def _cast_to_lists(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    # Not `array.values`, which also has those of missing lists and outside of a slice.
    values = cast_exactly(array.flatten(), dtype.value_type)
    missing = array.is_null()
    if types.is_large_list(dtype):
        offsets = _count_offsets(array, pa.int64())
        return pa.LargeListArray.from_arrays(offsets, values, type=dtype, mask=missing)
    offsets = _count_offsets(array, pa.int32())
    return pa.ListArray.from_arrays(offsets, values, type=dtype, mask=missing)


def _cast_to_fixed_lists(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    size = dtype.list_size
    if types.is_fixed_size_list(array.type) and array.type.list_size == size:
        # Not `flatten`, which leaves out missing lists: here they have a place, too.
        places = array.values.slice(array.offset * size, len(array) * size)
        values = cast_exactly(places, dtype.value_type)
        missing = array.is_null()
        return pa.FixedSizeListArray.from_arrays(values, type=dtype, mask=missing)
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
    first = pairs.field(0)
    keys = cast_exactly(first, dtype.key_type)
    second = pairs.field(1)
    items = cast_exactly(second, dtype.item_type)
    # There are no maps with long offsets.
    offsets = _count_offsets(lists, pa.int32())
    missing = array.is_null()
    return pa.MapArray.from_arrays(offsets, keys, items, type=dtype, mask=missing)


def _cast_structs(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    children = []
    # By number: two fields may have one name.
    for number, field in enumerate(dtype):
        unlike = array.field(number)
        child = cast_exactly(unlike, field.type)
        children.append(child)
    missing = array.is_null()
    return pa.StructArray.from_arrays(children, fields=list(dtype), mask=missing)
