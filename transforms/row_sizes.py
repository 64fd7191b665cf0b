"""How large rows are in memory once dictionaries and views are plain values, and rows cut by that.

Somewhere on its way every column is decoded: a text for the network, a key to sort by, a field of CSV.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import types
import pyarrow.compute as pc

from transforms.logical_types import holds, to_lists_of_pairs

# Of a list, or of a text, where it begins.
_OFFSET_BYTES = 8
# A view has a length, and letters or the place of letters.
_VIEW_BYTES = 16


def count_decoded_bytes(rows: pa.RecordBatch | pa.Table) -> int:
    """Return the size of rows in memory, as if no value were in a dictionary."""
    decoded_bytes = 0
    for column in rows.columns:
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        decoded_bytes += sum(map(_count_bytes, chunks))
    return decoded_bytes


def cut_rows(rows: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield rows in slices that are no larger than a limit, decoded, or one row.

    Args:
        rows: the rows.
        most_bytes: the limit.
    """
    if rows.num_rows <= 1 or count_decoded_bytes(rows) <= most_bytes:
        yield rows
        return
    # By halves: the sizes of single rows would have to be counted for every type.
    middle = rows.num_rows // 2
    yield from cut_rows(rows.slice(0, middle), most_bytes)
    yield from cut_rows(rows.slice(middle), most_bytes)


def find_longest(array: pa.Array) -> int | None:
    """Return the bytes of the longest value in the dictionaries of an array; None without any."""
    dtype = array.type
    if types.is_dictionary(dtype):
        lengths = _list_lengths(array.dictionary)
        return int(lengths.max(initial=0))
    if not types.is_nested(dtype):
        return None
    if types.is_map(dtype):
        array = to_lists_of_pairs(array)
    children = array.flatten()
    # Lists have one child, and structs several.
    if isinstance(children, pa.Array):
        children = [children]
    found = [find_longest(child) for child in children]
    lengths_inside = [length for length in found if length is not None]
    return max(lengths_inside, default=None)


def _count_bytes(array: pa.Array) -> int:
    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _count_bytes(array.storage)
    if types.is_dictionary(dtype):
        return _count_dictionary_bytes(array)
    if _is_view(dtype):
        return int(_list_view_lengths(array).sum()) + len(array) * _VIEW_BYTES
    # What Arrow counts is of the slice alone.
    if not holds(dtype, _is_shared):
        return int(array.nbytes)
    if types.is_map(dtype):
        array = to_lists_of_pairs(array)
    children = array.flatten()
    if types.is_struct(dtype):
        return sum(map(_count_bytes, children))
    return _count_bytes(children) + len(array) * _OFFSET_BYTES


def _count_dictionary_bytes(array: pa.DictionaryArray) -> int:
    lengths = _list_lengths(array.dictionary)
    taken = pa.array(lengths).take(array.indices)
    total = pc.sum(taken).as_py() or 0
    return int(total) + len(array) * _OFFSET_BYTES


def _list_lengths(values: pa.Array) -> np.ndarray:
    """Return the bytes (int64) of each value of a dictionary."""
    if _is_view(values.type):
        return _list_view_lengths(values)
    if types.is_string(values.type) or types.is_large_string(values.type):
        values = values.view(_to_binary(values.type))
    if types.is_binary(values.type) or types.is_large_binary(values.type):
        lengths: np.ndarray = pc.binary_length(values).fill_null(0).to_numpy().astype(np.int64)
        return lengths
    # Numbers and the like, all of one size.
    mean_bytes = values.nbytes // max(1, len(values)) + 1
    return np.full(len(values), mean_bytes, dtype=np.int64)


def _to_binary(dtype: pa.DataType) -> pa.DataType:
    return pa.large_binary() if types.is_large_string(dtype) else pa.binary()


def _list_view_lengths(views: pa.Array) -> np.ndarray:
    """Return the bytes (int64) of each view; Arrow counts what they point into, with every slice."""
    words = np.frombuffer(views.buffers()[1], dtype=np.int32)
    words_per_view = _VIEW_BYTES // words.itemsize
    start = views.offset * words_per_view
    stop = start + len(views) * words_per_view
    lengths: np.ndarray = words[start:stop:words_per_view].astype(np.int64)
    return lengths


def _is_view(dtype: pa.DataType) -> bool:
    return bool(types.is_string_view(dtype) or types.is_binary_view(dtype))


def _is_shared(dtype: pa.DataType) -> bool:
    """Tell whether slices of such values share what they point into."""
    is_list_view = types.is_list_view(dtype) or types.is_large_list_view(dtype)
    return bool(types.is_dictionary(dtype) or _is_view(dtype) or is_list_view)
