"""How many rows of a Parquet file are read at once, so that they fit whatever its encodings hide.

A footer tells how large columns are as they are encoded. A dictionary makes a text small however often
it stands there, and so does an encoding that stores what differs from the value before. So the longest
value of each dictionary is looked up, and of other values a few are read at a time, and put together.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import DataType, RecordBatch
import pyarrow.parquet as pq
from pyarrow.types import is_dictionary, is_fixed_size_list, is_nested, is_null

from storage import files
from storage.parquet_chunks import check_chunks
from transforms.formats.parquet_footer import list_widths
from transforms.logical_types import holds
from transforms.row_sizes import count_decoded_bytes, cut_rows, find_longest

# So many times their mean the rows that are read at once may come to.
_SKEW = 8
# What a value counts of whose size the footer says nothing: 64 of them are read at once.
_UNKNOWN_BYTES = 1 << 20
# How much of a local file is read to see a dictionary.
_READ_BYTES = 1 << 18
_OFFSET_BYTES = 8
_DICTIONARIES = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}
_DIFFERENCES = "DELTA_BYTE_ARRAY"


@dataclass(frozen=True)
class _ColumnSize:
    """The bytes of one column in memory.

    Attributes:
        row_bytes: of a row, at most.
        all_bytes: of all rows together, at most; None where nobody knows.
    """

    row_bytes: int
    all_bytes: int | None = None

    def count(self, rows: int) -> int:
        """Return what some rows come to, at most."""
        rows_bytes = rows * self.row_bytes
        if self.all_bytes is None:
            return rows_bytes
        return min(rows_bytes, self.all_bytes)


def find_rows_at_once(
    url: str,
    file: pq.ParquetFile,
    groups: Sequence[int],
    names: Sequence[str],
    rows_per_batch: int,
    most_bytes: int,
) -> int:
    """Return how many rows can be read at once, which is a batch or a part of one.

    Args:
        url: the file.
        file: the same, open.
        groups: numbers of the row groups to read.
        names: the columns to read.
        rows_per_batch: rows of a batch, at most.
        most_bytes: of rows in memory.
    """
    schema = file.schema_arrow
    sizes = []
    others = []
    for name in names:
        field = schema.field(name)
        width = find_width(field.type)
        if width is None:
            others.append(name)
        else:
            sizes.append(_ColumnSize(width))
    if not others:
        return _fit_rows(sizes, rows_per_batch, most_bytes)
    widths = list_widths(file.metadata, set(others))
    return _fit_leaves(url, file.metadata, groups, widths, sizes, rows_per_batch, most_bytes)


def find_rows_of_leaves(
    url: str,
    file: pq.ParquetFile,
    paths: Collection[str],
    rows_per_batch: int,
    most_bytes: int,
) -> int:
    """Return how many rows of all row groups can be read at once, of parts of nested columns.

    Args:
        url: the file.
        file: the same, open.
        paths: of the leaves to read.
        rows_per_batch: rows of a batch, at most.
        most_bytes: of rows in memory.
    """
    metadata = file.metadata
    names = {path.partition(".")[0] for path in paths}
    widths = {}
    for leaf, width in list_widths(metadata, names).items():
        column = metadata.schema.column(leaf)
        # The others are of other parts of the same columns.
        if column.path in paths:
            widths[leaf] = width
    groups = range(metadata.num_row_groups)
    return _fit_leaves(url, metadata, groups, widths, [], rows_per_batch, most_bytes)


def _fit_leaves(
    url: str,
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    widths: Mapping[int, int],
    others: Sequence[_ColumnSize],
    rows_per_batch: int,
    most_bytes: int,
) -> int:
    """Return how many rows can be read at once.

    Args:
        url: the file.
        metadata: its footer.
        groups: numbers of the row groups to read.
        widths: bytes of a value, at least, by number of the leaf.
        others: of columns whose values are all of one size.
        rows_per_batch: rows of a batch, at most.
        most_bytes: of rows in memory.

    Raises:
        OSError, ArrowException: the footer is broken.
    """
    check_chunks(metadata, groups, widths)
    # First as if each dictionary were one value: to look into them takes a read of each.
    unseen = []
    for leaf, width in widths.items():
        size = _measure(metadata, groups, leaf, width)
        unseen.append(size)
    rows = _fit_rows([*others, *unseen], rows_per_batch, most_bytes)
    if rows == rows_per_batch:
        return rows
    longest = _find_longest(url, metadata, groups, widths)
    sizes = list(others)
    for leaf, width in widths.items():
        size = _measure(metadata, groups, leaf, width, longest[leaf])
        sizes.append(size)
    return _fit_rows(sizes, rows_per_batch, most_bytes)


def gather_batches(
    steps: Iterator[RecordBatch],
    rows_per_batch: int,
    most_bytes: int,
) -> Iterator[RecordBatch]:
    """Yield rows in batches that are as large as they may be, where they were read in smaller ones.

    Args:
        steps: the rows, as they were read.
        rows_per_batch: rows of a batch, at most.
        most_bytes: of a batch in memory, decoded, at most, unless it is one row.
    """
    pending: list[RecordBatch] = []
    pending_rows = 0
    pending_bytes = 0
    for piece in _cut_steps(steps, most_bytes):
        piece_bytes = count_decoded_bytes(piece)
        is_too_much = pending_bytes + piece_bytes > most_bytes
        if pending and (is_too_much or not _can_join(piece)):
            yield _join(pending)
            pending = []
            pending_rows = 0
            pending_bytes = 0
        room = rows_per_batch - pending_rows
        fitting = piece.slice(0, room)
        pending.append(fitting)
        pending_rows += fitting.num_rows
        pending_bytes += piece_bytes
        if pending_rows < rows_per_batch:
            continue
        yield _join(pending)
        rest = piece.slice(room)
        pending = [rest] if rest.num_rows else []
        pending_rows = rest.num_rows
        pending_bytes = count_decoded_bytes(rest)
    if pending:
        yield _join(pending)


def count_bytes_read(rows: RecordBatch) -> int:
    """Return the size of a batch in memory, without its dictionaries."""
    decoded_bytes = 0
    for column in rows.columns:
        # Batches share a dictionary, which would be counted with each of them.
        if is_dictionary(column.type):
            column = column.indices
        decoded_bytes += column.nbytes
    return decoded_bytes


def _cut_steps(steps: Iterator[RecordBatch], most_bytes: int) -> Iterator[RecordBatch]:
    for step in steps:
        yield from cut_rows(step, most_bytes)


def _join(pieces: Sequence[RecordBatch]) -> RecordBatch:
    if len(pieces) == 1:
        return pieces[0]
    return pa.concat_batches(pieces)


def _can_join(rows: RecordBatch) -> bool:
    """Tell whether rows can be put behind others.

    Two dictionaries may have more values than an index counts, and inside a list they cannot be joined.
    """
    dtypes = rows.schema.types
    has_dictionary = [holds(dtype, is_dictionary) for dtype in dtypes]
    return not any(has_dictionary)


def _fit_rows(sizes: Sequence[_ColumnSize], rows: int, most_bytes: int) -> int:
    """Return a number of rows that fits, by halving, so that a batch is made of whole steps."""
    while rows > 1:
        rows_bytes = sum(size.count(rows) for size in sizes)
        if rows_bytes <= most_bytes:
            break
        rows //= 2
    return rows


def find_width(dtype: DataType) -> int | None:
    """Return the bytes of a value in memory; None where values differ in size."""
    if isinstance(dtype, pa.BaseExtensionType):
        return find_width(dtype.storage_type)
    if is_null(dtype):
        return 1
    if is_fixed_size_list(dtype):
        inner = find_width(dtype.value_type)
        if inner is None:
            return None
        return inner * dtype.list_size
    if is_dictionary(dtype) or is_nested(dtype):
        return None
    try:
        return int(max(1, dtype.bit_width // 8))
    # Arrow's way to say that they differ.
    except ValueError:
        return None


def _measure(
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    leaf: int,
    width: int,
    longest: int | None = None,
) -> _ColumnSize:
    """Return the size of the values of a leaf.

    Args:
        metadata: the file's footer.
        groups: numbers of its row groups.
        leaf: number of the leaf.
        width: bytes of a value, where all have as many.
        longest: bytes of the longest value in its dictionaries; None if nobody has looked.
    """
    row_bytes = 0
    # None as soon as nobody knows of one row group.
    all_bytes: int | None = 0
    for number in groups:
        group = metadata.row_group(number)
        if not group.num_rows:
            continue
        chunk = group.column(leaf)
        size = _measure_chunk(chunk, group.num_rows, width, longest)
        row_bytes = max(row_bytes, size.row_bytes)
        if all_bytes is None or size.all_bytes is None:
            all_bytes = None
        else:
            all_bytes += size.all_bytes
    return _ColumnSize(row_bytes, all_bytes)


def _measure_chunk(
    column: pq.ColumnChunkMetaData,
    rows: int,
    width: int,
    longest: int | None,
) -> _ColumnSize:
    """Return the size of the values of one row group; see `_measure`."""
    values = column.num_values
    # Of a list, a row has several values.
    most_values = _divide_up(values, rows)
    if most_values > 1:
        most_values *= _SKEW
    if column.physical_type != "BYTE_ARRAY":
        value_bytes = width + _OFFSET_BYTES
        return _ColumnSize(most_values * value_bytes, values * value_bytes)
    if _DIFFERENCES in column.encodings:
        return _ColumnSize(most_values * _UNKNOWN_BYTES)
    encoded_bytes = column.total_uncompressed_size
    plain_bytes = encoded_bytes + values * _OFFSET_BYTES
    plain_row_bytes = _SKEW * _divide_up(plain_bytes, rows)
    if not _has_dictionary(column):
        return _ColumnSize(plain_row_bytes, plain_bytes)
    # Unseen, a dictionary may be one value. And only its first values may be in it.
    longest_bytes = encoded_bytes if longest is None else longest
    value_bytes = longest_bytes + _OFFSET_BYTES
    row_bytes = max(most_values * value_bytes, plain_row_bytes)
    all_bytes = values * value_bytes + plain_bytes
    return _ColumnSize(row_bytes, all_bytes)


def _divide_up(number: int, parts: int) -> int:
    """Return the size of the largest part, where parts are as alike as they can be."""
    return -(-number // parts)


def _has_dictionary(column: pq.ColumnChunkMetaData) -> bool:
    is_text = column.physical_type == "BYTE_ARRAY"
    # Not `has_dictionary_page`: some writers do not say where theirs is.
    return is_text and not _DICTIONARIES.isdisjoint(column.encodings)


def _find_longest(
    url: str,
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    leaves: Iterable[int],
) -> Mapping[int, int]:
    """Return the bytes of the longest value in the dictionaries of some leaves, by leaf."""
    paths = {}
    for leaf in leaves:
        column = metadata.schema.column(leaf)
        paths[leaf] = column.path
    source = url
    if not files.is_local(url):
        # Of a remote file nothing but what is looked at.
        source = files.open_read(url, ahead=False)
    longest = {}
    with pq.ParquetFile(
        source,
        metadata=metadata,
        read_dictionary=list(paths.values()),
        buffer_size=_READ_BYTES,
        page_checksum_verification=True,
    ) as file:
        for leaf, path in paths.items():
            longest[leaf] = _find_longest_of(file, groups, leaf, path)
    return longest


def _find_longest_of(
    file: pq.ParquetFile,
    groups: Sequence[int],
    leaf: int,
    path: str,
) -> int:
    """Return the bytes of the longest value in the dictionaries of a leaf."""
    longest = 0
    for number in groups:
        group = file.metadata.row_group(number)
        column = group.column(leaf)
        # A dictionary that is no larger has no longer value.
        may_be_longer = column.total_uncompressed_size > longest
        if not may_be_longer or not _has_dictionary(column):
            continue
        # With the first row comes the whole dictionary of its row group.
        rows = file.iter_batches(1, row_groups=[number], columns=[path], use_threads=False)
        first_row = next(rows, None)
        if first_row is None:
            continue
        lengths = [find_longest(column) for column in first_row.columns]
        # Arrow makes no dictionaries of some types, such as JSON.
        known = [length for length in lengths if length is not None]
        longest_here = max(known, default=_UNKNOWN_BYTES)
        longest = max(longest, longest_here)
    return longest
