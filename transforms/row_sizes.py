"""How large rows are in memory once dictionaries and views are plain values, and rows cut by that.

Somewhere on its way every column is decoded: a text for the network, a key to sort by, a field of CSV.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import Array, ChunkedArray, DataType, RecordBatch, Schema, Table
import pyarrow.compute as pc
from pyarrow.types import (
    is_binary,
    is_binary_view,
    is_dictionary,
    is_large_binary,
    is_large_list_view,
    is_large_string,
    is_list_view,
    is_map,
    is_nested,
    is_string,
    is_string_view,
    is_struct,
)

from transforms.logical_types import holds, passes_any, to_lists_of_pairs

# Of a list, or of a text, where it begins.
_OFFSET_BYTES = 8
# A view has a length, and letters or the place of letters.
_VIEW_BYTES = 16


def count_decoded_bytes(rows: RecordBatch | Table) -> int:
    """Return the size of rows in memory, as if no value were in a dictionary."""
    decoded_bytes = 0
    for column in rows.columns:
        chunks = [column]
        if isinstance(column, ChunkedArray):
            chunks = column.chunks
        for chunk in chunks:
            decoded_bytes += _count_bytes(chunk)
    return decoded_bytes


def has_plain_sizes(schema: Schema) -> bool:
    """Tell whether rows of a schema are as large as Arrow counts them: nothing stands for more."""
    for dtype in schema.types:
        if isinstance(dtype, pa.BaseExtensionType):
            return False
        if holds(dtype, _is_shared) or _is_view(dtype) or is_dictionary(dtype):
            return False
    return True


def cut_rows(rows: RecordBatch, most_bytes: int) -> Iterator[RecordBatch]:
    """Yield rows in slices that are no larger than a limit, decoded, or one row.

    Args:
        rows: the rows.
        most_bytes: the limit.
    """
    count = rows.num_rows
    if count <= 1 or count_decoded_bytes(rows) <= most_bytes:
        yield rows
        return
    # By halves: the sizes of single rows would have to be counted for every type.
    middle = count // 2
    first_half = rows.slice(0, middle)
    yield from cut_rows(first_half, most_bytes)
    second_half = rows.slice(middle)
    yield from cut_rows(second_half, most_bytes)


def find_longest(array: Array) -> int | None:
    """Return the bytes of the longest value in the dictionaries of an array; None without any."""
    dtype = array.type
    if is_dictionary(dtype):
        lengths = _list_lengths(array.dictionary)
        return int(lengths.max(initial=0))
    if not is_nested(dtype):
        return None
    longest = None
    for child in _list_children(array):
        inside = find_longest(child)
        if inside is None:
            continue
        if longest is None or inside > longest:
            longest = inside
    return longest


def _count_bytes(array: Array) -> int:
    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _count_bytes(array.storage)
    if is_dictionary(dtype):
        return _count_dictionary_bytes(array)
    if _is_view(dtype):
        lengths = _list_view_lengths(array)
        letters_bytes = int(lengths.sum())
        views_bytes = len(array) * _VIEW_BYTES
        return letters_bytes + views_bytes
    # What Arrow counts is of the slice alone.
    if not holds(dtype, _is_shared):
        return int(array.nbytes)
    inside_bytes = 0
    for child in _list_children(array):
        inside_bytes += _count_bytes(child)
    if is_struct(dtype):
        return inside_bytes
    offsets_bytes = len(array) * _OFFSET_BYTES
    return inside_bytes + offsets_bytes


def _list_children(array: Array) -> list[Array]:
    """Return what is inside a nested array: the fields of a struct, the values of lists or maps."""
    if is_map(array.type):
        array = to_lists_of_pairs(array)
    # Of the slice alone, and without what stands behind missing values.
    children = array.flatten()
    if is_struct(array.type):
        return children
    return [children]


def _count_dictionary_bytes(array: pa.DictionaryArray) -> int:
    lengths = pa.array(_list_lengths(array.dictionary))
    # By the index of each row: a value counts as often as it stands there.
    length_of_each = lengths.take(array.indices)
    total = pc.sum(length_of_each)
    # Of no rows there is no sum.
    values_bytes = total.as_py() or 0
    offsets_bytes = len(array) * _OFFSET_BYTES
    return values_bytes + offsets_bytes


def _list_lengths(values: Array) -> np.ndarray:
    """Return the bytes (int64) of each value of a dictionary."""
    if _is_view(values.type):
        return _list_view_lengths(values)
    values = _to_binary(values)
    if passes_any(values.type, (is_binary, is_large_binary)):
        counted = pc.binary_length(values)
        # A missing value takes no bytes.
        counted = counted.fill_null(0)
        lengths: np.ndarray = counted.to_numpy()
        return lengths.astype(np.int64)
    # Numbers and the like, all of one size.
    count = max(1, len(values))
    mean_bytes = values.nbytes // count + 1
    return np.full(len(values), mean_bytes, dtype=np.int64)


def _to_binary(values: Array) -> Array:
    """Return texts as their bytes, and other values as they are: Arrow counts letters of texts."""
    if is_string(values.type):
        return values.view(pa.binary())
    if is_large_string(values.type):
        return values.view(pa.large_binary())
    return values


def _list_view_lengths(views: Array) -> np.ndarray:
    """Return the bytes (int64) of each view; Arrow counts what they point into, with every slice."""
    # Behind whether each is missing; then come what they point into.
    content = views.buffers()[1]
    words = np.frombuffer(content, dtype=np.int32)
    # The first of a view is its length.
    words_per_view = _VIEW_BYTES // words.itemsize
    all_lengths = words[::words_per_view]
    start = views.offset
    stop = start + len(views)
    lengths: np.ndarray = all_lengths[start:stop]
    # Wider than a view's own number, as they are added up.
    return lengths.astype(np.int64)


def _is_view(dtype: DataType) -> bool:
    return passes_any(dtype, (is_string_view, is_binary_view))


def _is_shared(dtype: DataType) -> bool:
    """Tell whether slices of such values share what they point into."""
    shared = (is_dictionary, is_list_view, is_large_list_view)
    return _is_view(dtype) or passes_any(dtype, shared)
