"""What a Parquet footer's statistics say of values, without reading a row: how many are missing, and bounds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
import json
import threading
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import DataType, Scalar, Schema
import pyarrow.parquet as pq
from pyarrow.types import is_date32, is_floating, is_signed_integer, is_timestamp

from transforms.bounds import Bounds
from transforms.formats.format import NullCounts
from transforms.formats.parquet_footer import (
    explain_unreadable,
    list_columns_of_leaves,
    list_groups,
    parse_metadata,
    read_end,
    refuse_encrypted_end,
)
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.parquet_sound_footers import are_sound
from transforms.logical_types import decoded_type, is_text

# As Parquet calls the units of moments, and Arrow.
_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}


def count_nulls(url: str, names: Sequence[str]) -> NullCounts:
    """Return how many rows of a file have no value in some columns, as far as its footer tells.

    Args:
        url: the file.
        names: the columns; the file has each of them once.

    Raises:
        InputError: the file cannot be read.
    """
    end = read_end(url)
    metadata = parse_metadata(end)
    # To ask pyarrow about an encrypted column ends the process.
    refuse_encrypted_end(end, metadata)
    leaves_of = _list_leaves(end, metadata, names)
    all_leaves = chain.from_iterable(leaves_of.values())
    numbers = [leaf.number for leaf in all_leaves]
    all_groups = range(metadata.num_row_groups)
    if not have_sound_statistics(end, metadata, all_groups, numbers):
        return dict.fromkeys(names)
    groups = [group for group in list_groups(metadata) if group.num_rows]
    return {name: _count_of_column(groups, leaves) for name, leaves in leaves_of.items()}


def have_sound_statistics(
    end: FileEnd,
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    leaves: Iterable[int],
) -> bool:
    """Tell whether pyarrow can be asked about statistics: of some, it ends the process.

    Args:
        end: the file, from its footer on.
        metadata: its footer.
        groups, leaves: numbers of those that will be asked about.

    Raises:
        InputError: it cannot even be asked about the column chunks.
    """
    try:
        return are_sound(end.footer, metadata, groups, leaves)
    except (OSError, pa.ArrowException) as error:
        raise explain_unreadable(end.url, error) from error


class _Leaf(NamedTuple):
    """A leaf of a column.

    Attributes:
        number: of the leaf.
        is_required: whether it must be there.
        is_nested: whether it is inside of the column.
    """

    number: int
    is_required: bool
    is_nested: bool


# By column.
_Leaves: TypeAlias = Mapping[str, Sequence[_Leaf]]


class _Last(threading.local):
    """The columns of which this thread has listed the leaves last, and as what a footer had them."""

    stored: bytes | None = None
    leaves: _Leaves = MappingProxyType({})


_last = _Last()


def _list_leaves(end: FileEnd, metadata: pq.FileMetaData, names: Sequence[str]) -> _Leaves:
    """Return the leaves of some columns: asked for once, as files are many and columns few."""
    has_names = list(_last.leaves) == list(names)
    if _last.stored is not None and has_names and end.has_columns(_last.stored):
        return _last.leaves
    leaves: dict[str, list[_Leaf]] = {name: [] for name in names}
    for number, name in list_columns_of_leaves(metadata, set(names)).items():
        column = metadata.schema.column(number)
        leaf = _Leaf(
            number,
            is_required=column.max_definition_level == 0,
            is_nested="." in column.path,
        )
        leaves[name].append(leaf)
    _last.stored = end.find_columns()
    _last.leaves = leaves
    return leaves


def _count_of_column(
    groups: Sequence[pq.RowGroupMetaData],
    leaves: Sequence[_Leaf],
) -> int | None:
    total = 0
    for leaf in leaves:
        nulls = _count_of_leaf(groups, leaf)
        if nulls is None:
            return None
        total += nulls
    # A list that is missing, one that is empty, and a value that is missing in one count alike.
    is_nested = any(leaf.is_nested for leaf in leaves)
    if is_nested and total:
        return None
    return total


def _count_of_leaf(groups: Sequence[pq.RowGroupMetaData], leaf: _Leaf) -> int | None:
    # Of one that must be there, nobody counts.
    if leaf.is_required:
        return 0
    total = 0
    for group in groups:
        statistics = group.column(leaf.number).statistics
        if statistics is None or not statistics.has_null_count:
            return None
        total += statistics.null_count
    return total


class PlainColumn(NamedTuple):
    """A column of which each row has one value or none, so that statistics are of its rows.

    Attributes:
        number: of its leaf.
        leaf: in the file's schema.
        stored_type: the type that it has in the file.
        dtype: the type that it comes out in.
    """

    number: int
    leaf: pq.ColumnSchema
    stored_type: DataType
    dtype: DataType


def list_plain_columns(
    schema: Schema,
    metadata: pq.FileMetaData,
    fields: Schema,
) -> dict[str, PlainColumn]:
    """Return those of some columns of which statistics tell something, by name.

    Args:
        schema: the file's columns.
        metadata: its footer.
        fields: the columns, in the types that they come out in; the file has each of them once.
    """
    leaves = list_columns_of_leaves(metadata, set(fields.names))
    leaves_of = Counter(leaves.values())
    columns = {}
    for number, name in leaves.items():
        leaf = metadata.schema.column(number)
        # A column `a.b` beside one `a` that has a `b` inside: nobody tells which of them it is.
        if leaves_of[name] > 1:
            continue
        # A list has a leaf, too, whose values are none of a row.
        if leaf.path == name and not leaf.max_repetition_level:
            stored_type = schema.field(name).type
            dtype = fields.field(name).type
            columns[name] = PlainColumn(number, leaf, stored_type, dtype)
    return columns


def find_bounds(group: pq.RowGroupMetaData, column: PlainColumn) -> Bounds:
    """Return what the statistics of a column in a row group tell.

    Args:
        group: the row group; one that pyarrow can be asked about, see `have_sound_statistics`.
        column: the column.
    """
    chunk = group.column(column.number)
    may_be_null = column.leaf.max_definition_level > 0
    statistics = chunk.statistics
    if statistics is None:
        return Bounds(may_be_null=may_be_null)
    may_be_value = True
    if statistics.has_null_count and may_be_null:
        may_be_null = statistics.null_count > 0
        may_be_value = statistics.null_count < chunk.num_values
    least = most = None
    if statistics.has_min_max:
        least = read_bound(statistics.min_raw, column)
        most = read_bound(statistics.max_raw, column)
    # One alone is of no use to anybody.
    if least is None or most is None:
        least = most = None
    return Bounds(least, most, may_be_null, may_be_value)


def read_bound(raw: Any, column: PlainColumn) -> Scalar | None:
    """Return the end of a range as a value; None where nobody can tell what it means.

    Args:
        raw: as it is stored.
        column: the column.
    """
    plain_type = decoded_type(column.stored_type)
    wanted = decoded_type(column.dtype)
    try:
        stored = _interpret(raw, column.leaf, plain_type)
        return None if stored is None else stored.cast(wanted)
    # Cut off within a letter, too large for the type, or nothing that Arrow could make of it.
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, TypeError):
        return None


def _interpret(raw: Any, leaf: pq.ColumnSchema, dtype: DataType) -> Scalar | None:
    if is_signed_integer(dtype) or is_floating(dtype):
        return pa.scalar(raw, dtype)
    if is_text(dtype):
        text = raw.decode() if isinstance(raw, bytes) else raw
        return pa.scalar(text, pa.string())
    if is_date32(dtype):
        days = pa.scalar(raw, pa.int32())
        return days.cast(dtype)
    if is_timestamp(dtype):
        # In the file's own unit, which need not be that of the type.
        unit = _find_unit(leaf)
        if unit is None or leaf.physical_type != "INT64":
            return None
        moments = pa.scalar(raw, pa.int64())
        return moments.cast(pa.timestamp(unit, dtype.tz)).cast(dtype)
    return None


def _find_unit(leaf: pq.ColumnSchema) -> str | None:
    described = json.loads(leaf.logical_type.to_json())
    return _UNITS.get(described.get("timeUnit"))
