"""One logical type, several physical ones: what is the same, and how one becomes the other, exactly.

Writers store the same texts as string, large_string, string_view or a dictionary of them, the same
lists with short or long offsets, and a column without any value as null. None of that is a property
of the values, so shards that differ in it alone fit together: in which type, `joined_types.py` tells.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import Array, ArrowInvalid, ChunkedArray, DataType, Field
import pyarrow.compute as pc
from pyarrow.types import (
    is_binary as has_short_offsets,
)
from pyarrow.types import (
    is_binary_view,
    is_dictionary,
    is_fixed_size_list,
    is_large_binary,
    is_large_list,
    is_large_string,
    is_list,
    is_map,
    is_null,
    is_string,
    is_string_view,
    is_struct,
)

Check: TypeAlias = Callable[[DataType], bool]
Change: TypeAlias = Callable[[DataType], DataType]

_TEXTS = (is_string, is_large_string, is_string_view)
_BINARIES = (has_short_offsets, is_large_binary, is_binary_view)
_VIEWS = (is_string_view, is_binary_view)
_LISTS = (is_list, is_large_list)
# Not list views: their rows are taken without a look at what is in them.
_REBUILT_LISTS = (*_LISTS, is_fixed_size_list)


def decoded_type(dtype: DataType) -> DataType:
    """Return the type of a dictionary's values, and any other type as it is."""
    if is_dictionary(dtype):
        return dtype.value_type
    return dtype


def plain_type(dtype: DataType) -> DataType:
    """Return the type of the same values without dictionaries, inside of it either."""
    decoded = decoded_type(dtype)
    return rebuild_type(decoded, plain_type)


def is_text(dtype: DataType) -> bool:
    """Tell whether values are texts, in whatever form."""
    plain = decoded_type(dtype)
    return passes_any(plain, _TEXTS)


def is_binary(dtype: DataType) -> bool:
    """Tell whether values are bytes of any length, in whatever form."""
    plain = decoded_type(dtype)
    return passes_any(plain, _BINARIES)


def passes_any(dtype: DataType, checks: Sequence[Check]) -> bool:
    """Tell whether a type passes one of some checks of `pyarrow.types`.

    Args:
        dtype: the type.
        checks: functions of `pyarrow.types`, or like them.
    """
    return any(check(dtype) for check in checks)


def holds(dtype: DataType, check: Check) -> bool:
    """Tell whether a type, or one inside it, passes a check of `pyarrow.types`.

    Args:
        dtype: the type, nested or not.
        check: a function of `pyarrow.types`, or one like it.
    """
    if check(dtype):
        return True
    # Of an extension the storage is what is written and read.
    if isinstance(dtype, pa.BaseExtensionType):
        return holds(dtype.storage_type, check)
    # By number: types of Arrow other than structs cannot be iterated over.
    for number in range(dtype.num_fields):
        field = dtype.field(number)
        if holds(field.type, check):
            return True
    return False


def storable_type(dtype: DataType) -> DataType:
    """Return the nearest type that can be read back from one file, however many values there are.

    A dictionary inside a list or a struct may have to be joined from several with different values,
    which together are too many for a small index; so its index becomes 32 bits wide. Plain columns
    keep theirs: the writer begins another row group where the index is too small. Of views, which
    Polars has in its categories, no writer makes a dictionary; so they become large texts or bytes.
    """

    def widen(inside: DataType) -> DataType:
        if not is_dictionary(inside):
            return rebuild_type(inside, widen)
        index = inside.index_type
        if index.bit_width < 32:
            index = pa.int32()
        return _with_plain_values(inside, index)

    if is_dictionary(dtype):
        return _with_plain_values(dtype, dtype.index_type)
    # Not `widen`, which would change a plain column's dictionary, too.
    return rebuild_type(dtype, widen)


def _with_plain_values(dictionary: DataType, index: DataType) -> DataType:
    values = type_with_kernels(dictionary.value_type)
    return pa.dictionary(index, values, dictionary.ordered)


def nullable_type(dtype: DataType) -> DataType:
    """Return the nearest type whose missing values can be read back from a file.

    Lists of a fixed size become lists of any size: readers of Parquet refuse a whole column of the
    former if one list is missing.
    """
    if is_fixed_size_list(dtype):
        field = dtype.value_field
        inner = nullable_type(field.type)
        nullable = field.with_type(inner)
        return pa.list_(nullable)
    return rebuild_type(dtype, nullable_type)


def type_with_kernels(dtype: DataType) -> DataType:
    """Return the nearest type whose rows Arrow can take: views become large texts or bytes."""
    if is_string_view(dtype):
        return pa.large_string()
    if is_binary_view(dtype):
        return pa.large_binary()
    return rebuild_type(dtype, type_with_kernels)


def decode(column: Array) -> Array:
    """Return a column without dictionary and views, so that Arrow has kernels for it."""
    dtype = column.type
    if is_dictionary(dtype):
        dtype = dtype.value_type
        column = cast_exactly(column, dtype)
    # Second: the values of a dictionary may be views.
    if passes_any(dtype, _VIEWS):
        with_kernels = type_with_kernels(dtype)
        return column.cast(with_kernels)
    return column


def cast_exactly(array: Array, dtype: DataType) -> Array:
    """Return the same values as an array of another physical type.

    Arrow's own casts lack some pairs (text views and dictionaries) and break list views, so nested
    arrays are taken apart here, and put together again.

    Args:
        array: the values.
        dtype: a type that `joined_types.join_types` returned, or a number type that Arrow casts to.

    Raises:
        pyarrow.ArrowInvalid: the type cannot hold a value.
    """
    given = array.type
    if given == dtype:
        return array
    if is_null(given):
        count = len(array)
        return pa.nulls(count, dtype)
    if isinstance(dtype, pa.BaseExtensionType):
        stored = cast_exactly(array, dtype.storage_type)
        return pa.ExtensionArray.from_storage(dtype, stored)
    if isinstance(array, pa.ExtensionArray):
        return cast_exactly(array.storage, dtype)
    if is_dictionary(dtype):
        return _cast_to_dictionary(array, dtype)
    if is_dictionary(given):
        return _decode_dictionary(array, dtype)
    if is_map(dtype):
        return _cast_maps(array, dtype)
    if passes_any(dtype, _LISTS):
        return _cast_to_lists(array, dtype)
    if is_fixed_size_list(dtype):
        return _cast_to_fixed_lists(array, dtype)
    if is_struct(dtype):
        return _cast_structs(array, dtype)
    return array.cast(dtype)


def cast_column(column: ChunkedArray, dtype: DataType) -> ChunkedArray:
    """Return a table's column in another physical type; see `cast_exactly`.

    Args:
        column: the values, in any number of chunks, which stay as they are cut.
        dtype: as for `cast_exactly`.
    """
    if column.type == dtype:
        return column
    chunks = []
    for chunk in column.chunks:
        cast = cast_exactly(chunk, dtype)
        chunks.append(cast)
    return pa.chunked_array(chunks, type=dtype)


def take_values(array: Array, positions: Array) -> Array:
    """Return some values of an array, also of views, for which Arrow has no `take`.

    Args:
        array: the values.
        positions: integers; a null position gives a null.
    """
    with_kernels = type_with_kernels(array.type)
    values = cast_exactly(array, with_kernels)
    taken = values.take(positions)
    return cast_exactly(taken, array.type)


def blank_out(column: Array, rows: np.ndarray) -> Array:
    """Return a column with nulls in some rows.

    Args:
        column: the values.
        rows: positions of the rows to blank, int64.
    """
    count = len(column)
    positions = np.arange(count, dtype=np.int64)
    is_blank = np.zeros(count, dtype=bool)
    is_blank[rows] = True
    # A null position gives a null.
    taken = pa.array(positions, mask=is_blank)
    return take_values(column, taken)


def to_lists_of_pairs(array: Array) -> Array:
    """Return maps as lists of structs: Arrow has no kernels for maps."""
    columns = [array.keys, array.items]
    names = ["key", "value"]
    pairs = pa.StructArray.from_arrays(columns, names)
    # Copied, as a slice's offsets cannot be given together with a mask.
    index = pa.int32()
    nothing = pa.array([], index)
    parts = [array.offsets, nothing]
    offsets = pa.concat_arrays(parts)
    missing = array.is_null()
    return pa.ListArray.from_arrays(offsets, pairs, mask=missing)


def rebuild_type(dtype: DataType, change: Change) -> DataType:
    """Return a nested type with the types inside it changed, and any other type as it is.

    Args:
        dtype: the type.
        change: gives the new type of one that is right inside of it.
    """

    def change_field(field: Field) -> Field:
        changed = change(field.type)
        return field.with_type(changed)

    if is_map(dtype):
        key = change_field(dtype.key_field)
        item = change_field(dtype.item_field)
        return pa.map_(key, item)
    if is_struct(dtype):
        fields = map(change_field, dtype)
        return pa.struct(fields)
    if not passes_any(dtype, _REBUILT_LISTS):
        return dtype
    inner = change_field(dtype.value_field)
    if is_fixed_size_list(dtype):
        return pa.list_(inner, dtype.list_size)
    if is_large_list(dtype):
        return pa.large_list(inner)
    return pa.list_(inner)


def _decode_dictionary(array: Array, dtype: DataType) -> Array:
    # Of the values first: for views there is no kernel that takes them by index.
    dictionary = array.dictionary
    values = cast_exactly(dictionary, dtype)
    with_kernels = type_with_kernels(dtype)
    values = cast_exactly(values, with_kernels)
    indices = array.indices
    taken = values.take(indices)
    return cast_exactly(taken, dtype)


def _cast_to_dictionary(array: Array, dtype: DataType) -> Array:
    value_type = dtype.value_type
    index_type = dtype.index_type
    if not is_dictionary(array.type):
        plain = cast_exactly(array, value_type)
        array = plain.dictionary_encode()
    indices = array.indices.cast(index_type)
    values = cast_exactly(array.dictionary, value_type)
    is_ordered = dtype.ordered
    return pa.DictionaryArray.from_arrays(indices, values, ordered=is_ordered)


def _count_offsets(array: Array, index: DataType) -> Array:
    """Return where each list begins among the values of all of them, and where the last one ends."""
    lengths = pc.list_value_length(array)
    # A missing list has no length and takes no place.
    lengths = lengths.cast(index)
    lengths = lengths.fill_null(0)
    # Checked: more values than an offset counts are an error, and not a wrong offset.
    ends = pc.cumulative_sum_checked(lengths)
    first = pa.array([0], index)
    parts = [first, ends]
    return pa.concat_arrays(parts)


def _cast_to_lists(array: Array, dtype: DataType) -> Array:
    # Not `array.values`, which also has those of missing lists and outside of a slice.
    given = array.flatten()
    value_type = dtype.value_type
    values = cast_exactly(given, value_type)
    missing = array.is_null()
    if is_large_list(dtype):
        index = pa.int64()
        make = pa.LargeListArray.from_arrays
    else:
        index = pa.int32()
        make = pa.ListArray.from_arrays
    offsets = _count_offsets(array, index)
    return make(offsets, values, type=dtype, mask=missing)


def _cast_to_fixed_lists(array: Array, dtype: DataType) -> Array:
    size = dtype.list_size
    given_type = array.type
    if is_fixed_size_list(given_type):
        given_size = given_type.list_size
        if given_size == size:
            return _cast_values_of_fixed_lists(array, dtype)
    lengths = pc.list_value_length(array)
    is_right = pc.equal(lengths, size)
    # A missing list has no length, and readers of Parquet take none of this type.
    is_right = is_right.fill_null(False)
    count = len(array)
    if is_right.true_count < count:
        raise ArrowInvalid(f"a list that is not {size} long")
    given = array.flatten()
    values = cast_exactly(given, dtype.value_type)
    return pa.FixedSizeListArray.from_arrays(values, type=dtype)


def _cast_values_of_fixed_lists(array: Array, dtype: DataType) -> Array:
    size = dtype.list_size
    begins = array.offset * size
    count = len(array) * size
    # Not `flatten`, which leaves out missing lists: here they have a place, too.
    places = array.values.slice(begins, count)
    values = cast_exactly(places, dtype.value_type)
    missing = array.is_null()
    return pa.FixedSizeListArray.from_arrays(values, type=dtype, mask=missing)


def _cast_maps(array: Array, dtype: DataType) -> Array:
    lists = to_lists_of_pairs(array)
    pairs = lists.flatten()
    first = pairs.field(0)
    keys = cast_exactly(first, dtype.key_type)
    second = pairs.field(1)
    items = cast_exactly(second, dtype.item_type)
    # There are no maps with long offsets.
    index = pa.int32()
    offsets = _count_offsets(lists, index)
    missing = array.is_null()
    return pa.MapArray.from_arrays(offsets, keys, items, type=dtype, mask=missing)


def _cast_structs(array: Array, dtype: DataType) -> Array:
    children = []
    # By number: two fields may have one name.
    for number, field in enumerate(dtype):
        unlike = array.field(number)
        child = cast_exactly(unlike, field.type)
        children.append(child)
    fields = list(dtype)
    missing = array.is_null()
    return pa.StructArray.from_arrays(children, fields=fields, mask=missing)
