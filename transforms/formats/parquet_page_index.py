"""The page index of a Parquet file: where the pages of a row group are, which rows they hold, and bounds of their values.

https://parquet.apache.org/docs/file-format/pageindex/. Arrow writes it and does not read it, so it is read
here. It is believed as the statistics of row groups are, and no further: one that contradicts the footer or
itself is none, and its file is read as if it had none.

    column chunk | dictionary | page of rows 0 ... 19 999 | page of rows 20 000 ... | ...
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
import struct
import threading
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from pyarrow import Schema
import pyarrow.parquet as pq

from storage import files
from transforms.batches import WorkUnit
from transforms.formats.parquet_footer import list_columns_of_leaves, parse_footer, read_end
from transforms.formats.parquet_given_file import Extent, join_near
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.thrift import (
    BROKEN,
    Struct,
    Value,
    list_numbers,
    list_structs,
    list_values,
    read_bytes,
    read_int,
    read_struct,
    read_truth,
)

# As they are stored; of other types no bounds are known.
_NUMBERS = {"INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}
_TEXTS = "BYTE_ARRAY"
# Fields of the footer, of a row group, of a column chunk, and of what a chunk says of itself.
ROW_GROUPS, _COLUMN_ORDERS = 4, 7
CHUNKS, GROUP_ROWS = 1, 3
_FILE_PATH, CHUNK_METADATA, _ENCRYPTED = 1, 3, 8
_OFFSET_INDEX, _COLUMN_INDEX = (4, 5), (6, 7)
STORED_BYTES, DATA_PAGE, DICTIONARY_PAGE = 7, 9, 11
# Of the index of pages, of a page there, and of the index of values.
_LOCATIONS = 1
_PLACE, _STORED_BYTES, _FIRST_ROW = 1, 2, 3
_NULL_PAGES, _LEAST, _MOST, _NULL_COUNTS = 1, 2, 3, 5
_Fields: TypeAlias = tuple[int, int]


class LeafPages(NamedTuple):
    """Where the pages of a leaf are in a row group.

    Attributes:
        begin: place in the file of its chunk, which a dictionary may begin with.
        places: of each page, and of the end of the last one.
        first_rows: of each page, and how many rows there are.
    """

    begin: int
    places: Sequence[int]
    first_rows: Sequence[int]


class PageValues(NamedTuple):
    """What is known of the values on a page.

    Attributes:
        least, most: as they are stored; None where nobody knows.
        may_be_null, may_be_value: whether a row may have no value there, or have one.
    """

    least: Any
    most: Any
    may_be_null: bool
    may_be_value: bool


@dataclass(frozen=True)
class GroupPages:
    """The pages of a row group.

    Attributes:
        footer: of the file, without its row groups.
        chunks: of all leaves, as the footer has them.
        columns: leaves by the column that they are of, of the columns that are read.
        repeated: leaves of which a row may have several values.
        pages: by leaf, of those columns.
        values: by leaf, of those that a filter asks for.
    """

    footer: Struct
    chunks: Sequence[Value]
    columns: Mapping[str, Sequence[int]]
    repeated: Collection[int]
    pages: Mapping[int, LeafPages]
    values: Mapping[int, Sequence[PageValues]]

    def list_leaves(self, names: Sequence[str]) -> list[int]:
        """Return the leaves of some columns."""
        return [leaf for name in names for leaf in self.columns[name]]


class ToldGroup(NamedTuple):
    """What a footer tells of a row group.

    Attributes:
        footer: all of it but the row groups.
        chunks: of all leaves, as the footer has them.
        told: of those that were asked for.
        rows: how many.
    """

    footer: Struct
    chunks: Sequence[Value]
    told: Mapping[int, Struct]
    rows: int


class _Last(threading.local):
    """What this thread has read last, of which file, by number of the row group."""

    file: tuple[str, str] | None = None
    groups: Mapping[int, GroupPages] = MappingProxyType({})


_last = _Last()


def remember_pages(unit: WorkUnit, groups: Mapping[int, GroupPages]) -> None:
    """Keep the pages of a unit's row groups for `load_pages`, which is asked for them next.

    Args:
        unit: row groups, or a part of one.
        groups: their pages, by number.
    """
    _last.file = (unit.shard, unit.version)
    _last.groups = groups


def load_pages(unit: WorkUnit, number: int, names: Sequence[str]) -> GroupPages | None:
    """Return the pages of a row group, as they were read last or are read now; None where the index is no good.

    Args:
        unit: a part of the row group.
        number: of the row group.
        names: the columns that are read.

    Raises:
        InputError: the file cannot be read, or is no Parquet file any more.
    """
    group = _last.groups.get(number)
    is_same = _last.file == (unit.shard, unit.version)
    if is_same and group is not None and group.columns.keys() >= set(names):
        return group
    end = read_end(unit.shard)
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    if columns is None:
        return None
    return read_page_index(end, metadata, number, columns, unit.bytes)


def list_leaves_of_columns(
    schema: Schema,
    metadata: pq.FileMetaData,
    names: Sequence[str],
) -> dict[str, list[int]] | None:
    """Return the leaves of some columns; None where their names do not tell them apart.

    Args:
        schema: the file's columns.
        metadata: its footer.
        names: those of the columns.
    """
    # The path of a leaf has dots, too.
    if any("." in name for name in schema.names):
        return None
    columns: dict[str, list[int]] = {name: [] for name in names}
    for leaf, name in list_columns_of_leaves(metadata, set(names)).items():
        columns[name].append(leaf)
    return columns


def read_page_index(
    end: FileEnd,
    metadata: pq.FileMetaData,
    number: int,
    columns: Mapping[str, Sequence[int]],
    most_bytes: int,
    filtered: Collection[int] = (),
) -> GroupPages | None:
    """Read the page index of a row group; None where it is no good.

    Args:
        end: the file, from its footer on.
        metadata: its footer.
        number: of the row group.
        columns: leaves by the column that they are of, of the columns that are asked for.
        most_bytes: how large an index may be: its numbers are read one by one.
        filtered: leaves of these of which the values are wanted, too, where they are known.
    """
    leaves = [leaf for of_column in columns.values() for leaf in of_column]
    try:
        footer, chunks, told, rows = tell_group(end, number, leaves)
        ordered = _list_ordered(footer)
        known = [leaf for leaf in filtered if leaf in ordered and _COLUMN_INDEX[0] in told[leaf]]
        places = {(leaf, _OFFSET_INDEX): _find_place(told[leaf], _OFFSET_INDEX) for leaf in leaves}
        for leaf in known:
            places[leaf, _COLUMN_INDEX] = _find_place(told[leaf], _COLUMN_INDEX)
        if sum(place.stop - place.begin for place in places.values()) > most_bytes:
            return None
        stored = _read_all(end.url, places)

        pages = {}
        for leaf in leaves:
            pages[leaf] = _list_pages(stored[leaf, _OFFSET_INDEX], told[leaf], rows)
        values = {}
        for leaf in known:
            column = metadata.schema.column(leaf)
            index = stored[leaf, _COLUMN_INDEX]
            values[leaf] = _list_values(index, column, pages[leaf].first_rows)
    # A store says the second where an index is said to be behind the end. Of one that does not answer, the rows
    # are not to be had either, which is told then.
    except (*BROKEN, OSError):
        return None
    repeated = list_repeated(metadata, leaves)
    return GroupPages(footer, chunks, columns, repeated, pages, values)


def tell_group(end: FileEnd, number: int, leaves: Sequence[int]) -> ToldGroup:
    """Return what a footer tells of a row group.

    Args:
        end: the file, from its footer on.
        number: of the row group.
        leaves: those to tell of.

    Raises:
        IndexError, KeyError, ValueError: it does not, or the leaves are elsewhere or encrypted.
    """
    footer = dict(read_struct(end.footer).fields)
    # By far the most of a footer, and not kept.
    group = list_structs(footer.pop(ROW_GROUPS))[number]
    chunks = list_values(group[CHUNKS])
    told = {leaf: read_struct(chunks[leaf].stored).fields for leaf in leaves}
    if any(_FILE_PATH in chunk or _ENCRYPTED in chunk for chunk in told.values()):
        raise ValueError("is elsewhere, or encrypted")
    return ToldGroup(footer, chunks, told, read_int(group[GROUP_ROWS]))


def find_chunk(chunk: Struct) -> Extent:
    """Return where the pages of a leaf are, with the dictionary that they may begin with.

    Args:
        chunk: what a footer tells of it.

    Raises:
        IndexError, KeyError, ValueError: it does not.
    """
    described = read_struct(chunk[CHUNK_METADATA].stored).fields
    begin = read_int(described[DATA_PAGE])
    dictionary = described.get(DICTIONARY_PAGE)
    # Some writers say that it is where the file begins, and mean that there is none.
    if dictionary is not None and read_int(dictionary) > 0:
        begin = min(begin, read_int(dictionary))
    return Extent(begin, begin + read_int(described[STORED_BYTES]))


def list_repeated(metadata: pq.FileMetaData, leaves: Sequence[int]) -> set[int]:
    """Return the leaves of which a row may have several values."""
    return {leaf for leaf in leaves if metadata.schema.column(leaf).max_repetition_level}


def find_pages(pages: LeafPages, first_row: int, stop: int) -> range:
    """Return the numbers of the pages that hold some rows.

    >>> find_pages(LeafPages(4, [4, 9, 12, 20], [0, 10, 20, 30]), 12, 20)
    range(1, 2)

    Args:
        pages: of a leaf.
        first_row: the first one of the rows, counted in the row group.
        stop: the one behind the last.
    """
    first_rows = pages.first_rows
    # Up to the last page, of a file that has fewer rows by now than were planned.
    behind = min(bisect_left(first_rows, stop), len(first_rows) - 1)
    return range(bisect_right(first_rows, first_row) - 1, behind)


def _find_place(chunk: Struct, fields: _Fields) -> Extent:
    """Return where an index is, by the numbers of the fields that tell place and length."""
    begin, size = (read_int(chunk[field]) for field in fields)
    if begin < 0 or size <= 0:
        raise ValueError("is no place")
    return Extent(begin, begin + size)


def _read_all(url: str, places: Mapping[Any, Extent]) -> dict[Any, bytes]:
    """Return indices, which stand one behind the other, as a rule, and are read at once."""
    near = join_near(places.values())
    contents = files.read_ranges(url, near)
    begins = [extent.begin for extent in near]
    found = {}
    for name, place in places.items():
        number = bisect_right(begins, place.begin) - 1
        first = place.begin - begins[number]
        length = place.stop - place.begin
        found[name] = contents[number][first : first + length]
    return found


def _list_pages(index: bytes, chunk: Struct, rows: int) -> LeafPages:
    """Return where the pages of a leaf are: nothing before, between and behind them but a dictionary."""
    begin, stop = find_chunk(chunk)
    places = []
    first_rows = []
    behind = None
    for page in list_numbers(read_struct(index).fields[_LOCATIONS]):
        place = page[_PLACE]
        if behind not in (None, place):
            raise ValueError("leaves something between pages")
        places.append(place)
        first_rows.append(page[_FIRST_ROW])
        behind = place + page[_STORED_BYTES]
    if behind != stop or begin > places[0] or begin < 0:
        raise ValueError("has other pages than the footer")
    places.append(stop)
    first_rows.append(rows)
    are_ascending = all(row < following for row, following in pairwise(first_rows))
    have_bytes = all(place < following for place, following in pairwise(places))
    if first_rows[0] != 0 or not are_ascending or not have_bytes:
        raise ValueError("has rows in no order")
    return LeafPages(begin, places, first_rows)


def _list_ordered(footer: Struct) -> set[int]:
    """Return the leaves whose values are in the order that their type defines; of others bounds say nothing."""
    if _COLUMN_ORDERS not in footer:
        return set()
    orders = list_structs(footer[_COLUMN_ORDERS])
    # The order of the type is the first one of which a footer knows.
    return {leaf for leaf, order in enumerate(orders) if 1 in order}


def _list_values(
    index: bytes,
    leaf: pq.ColumnSchema,
    first_rows: Sequence[int],
) -> list[PageValues]:
    """Return what is known of the values on each page.

    Args:
        index: of the leaf.
        leaf: in the file's schema.
        first_rows: of each page, and how many rows there are.
    """
    told = read_struct(index).fields
    null_pages = [read_truth(item) for item in list_values(told[_NULL_PAGES])]
    lower = [read_bytes(item) for item in list_values(told[_LEAST])]
    upper = [read_bytes(item) for item in list_values(told[_MOST])]
    null_counts: list[int | None] = [None] * len(null_pages)
    if _NULL_COUNTS in told:
        null_counts = [read_int(item) for item in list_values(told[_NULL_COUNTS])]
    is_optional = leaf.max_definition_level > 0
    rows = [following - first for first, following in pairwise(first_rows)]
    values = []
    pages = zip(null_pages, lower, upper, null_counts, rows, strict=True)
    for is_null, least, most, nulls, rows_here in pages:
        if not is_null:
            ends = _read_ends(least, most, leaf.physical_type)
            values.append(PageValues(*ends, is_optional and nulls != 0, True))
            continue
        # What contradicts itself says nothing.
        is_contrary = not is_optional or nulls not in (None, rows_here)
        values.append(PageValues(None, None, True, may_be_value=is_contrary))
    return values


def _read_ends(lower: bytes, upper: bytes, physical_type: str) -> tuple[Any, Any]:
    """Return the ends of a range as they are stored; None where they are none, or of a type without any."""
    if physical_type == _TEXTS:
        return (lower, upper) if lower <= upper else (None, None)
    form = _NUMBERS.get(physical_type)
    if form is None:
        return None, None
    try:
        (least,) = struct.unpack(form, lower)
        (most,) = struct.unpack(form, upper)
    except struct.error:
        return None, None
    # Nor is NaN, which some writers took for a number, an end.
    return (least, most) if least <= most else (None, None)
