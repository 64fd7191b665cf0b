"""The page index of a Parquet file, read for one row group: of each leaf where its pages are, and what values they have.

https://parquet.apache.org/docs/file-format/pageindex/. Arrow writes it and does not read it, so it is read
here. It is believed as the statistics of row groups are, and no further: one that contradicts the footer or
itself is none, and its file is read as if it had none.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
import threading
from types import MappingProxyType
from typing import TypeAlias

import pyarrow.parquet as pq

from storage import files
from transforms.batches import WorkUnit
from transforms.formats.parquet_footer import list_leaves_of_columns, parse_footer, read_end
from transforms.formats.parquet_given_file import Extent, join_near
from transforms.formats.parquet_group_pages import FileVersion, GroupPages, LeafPages
from transforms.formats.parquet_page_values import list_ordered, list_page_values
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.parquet_told_group import ToldGroup, find_chunk, list_repeated, tell_group
from transforms.formats.thrift import BROKEN, Struct, list_numbers, read_int, read_struct

# By the fields of a column chunk that tell where the index is, and how long: of pages, and of their values.
_OFFSET_INDEX, _COLUMN_INDEX = (4, 5), (6, 7)
# Of the index of pages, and of a page there.
_LOCATIONS = 1
_PLACE, _STORED_BYTES, _FIRST_ROW = 1, 2, 3
# A leaf, and which of its indices.
_Index: TypeAlias = tuple[int, tuple[int, int]]


class _Last(threading.local):
    """What this thread has read last, of which file, by number of the row group."""

    file: FileVersion | None = None
    groups: Mapping[int, GroupPages] = MappingProxyType({})


_last = _Last()


def remember_pages(unit: WorkUnit, groups: Mapping[int, GroupPages]) -> None:
    """Keep the pages of a unit's row groups for `load_pages`, which is asked for them next.

    Args:
        unit: row groups, or a part of one.
        groups: their pages, by number.
    """
    _last.file = FileVersion(unit.shard, unit.version)
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
    file = FileVersion(unit.shard, unit.version)
    group = _last.groups.get(number) if _last.file == file else None
    if group is not None and group.columns.keys() >= set(names):
        return group
    end = read_end(unit.shard)
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    if columns is None:
        return None
    return read_page_index(end, metadata, number, columns, unit.bytes)


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
        group = tell_group(end, number, leaves)
        bounded = _list_bounded(group, filtered)
        places = _find_indices(group, bounded)
        index_bytes = sum(place.stop - place.begin for place in places.values())
        if index_bytes > most_bytes:
            return None
        stored = _read_all(end.url, places)

        pages = {}
        for leaf in leaves:
            index = stored[leaf, _OFFSET_INDEX]
            pages[leaf] = _list_pages(index, group.told[leaf], group.rows)
        values = {}
        for leaf in bounded:
            index = stored[leaf, _COLUMN_INDEX]
            column = metadata.schema.column(leaf)
            values[leaf] = list_page_values(index, column, pages[leaf].first_rows)
    # A store says the second where an index is said to be behind the end. Of one that does not answer, the rows
    # are not to be had either, which is told then.
    except (*BROKEN, OSError):
        return None
    repeated = list_repeated(metadata, leaves)
    return GroupPages(group.footer, group.chunks, columns, repeated, pages, values)


def _list_bounded(group: ToldGroup, leaves: Collection[int]) -> list[int]:
    """Return those of some leaves whose pages have bounds that say something."""
    ordered = list_ordered(group.footer)
    place_field, _ = _COLUMN_INDEX
    indexed = [leaf for leaf in leaves if place_field in group.told[leaf]]
    return [leaf for leaf in indexed if leaf in ordered]


def _find_indices(
    group: ToldGroup,
    bounded: Sequence[int],
) -> dict[_Index, Extent]:
    """Return where the indices of all leaves are, and of some those of their values."""
    places = {}
    for leaf, chunk in group.told.items():
        places[leaf, _OFFSET_INDEX] = _find_place(chunk, _OFFSET_INDEX)
    for leaf in bounded:
        places[leaf, _COLUMN_INDEX] = _find_place(group.told[leaf], _COLUMN_INDEX)
    return places


def _find_place(chunk: Struct, fields: tuple[int, int]) -> Extent:
    """Return where an index is, by the numbers of the fields that tell place and length."""
    place_field, size_field = fields
    begin = read_int(chunk[place_field])
    size = read_int(chunk[size_field])
    if begin < 0 or size <= 0:
        raise ValueError("is no place")
    return Extent(begin, begin + size)


def _read_all(
    url: str,
    places: Mapping[_Index, Extent],
) -> dict[_Index, bytes]:
    """Return indices, which stand one behind the other, as a rule, and are read at once."""
    near = join_near(places.values())
    contents = files.read_ranges(url, near)
    begins = [extent.begin for extent in near]
    found = {}
    for name, place in places.items():
        number = bisect_right(begins, place.begin) - 1
        first = place.begin - begins[number]
        stop = place.stop - begins[number]
        found[name] = contents[number][first:stop]
    return found


def _list_pages(index: bytes, chunk: Struct, rows: int) -> LeafPages:
    """Return where the pages of a leaf are: nothing before, between and behind them but a dictionary."""
    begin, stop = find_chunk(chunk)
    located = list_numbers(read_struct(index).fields[_LOCATIONS])
    places = [page[_PLACE] for page in located]
    ends = [page[_PLACE] + page[_STORED_BYTES] for page in located]
    first_rows = [page[_FIRST_ROW] for page in located]
    places.append(stop)
    first_rows.append(rows)
    if not located or not 0 <= begin <= places[0]:
        raise ValueError("has other pages than the footer")
    if ends != places[1:]:
        raise ValueError("leaves something between pages")
    if first_rows[0] != 0 or not _ascend(first_rows) or not _ascend(places):
        raise ValueError("has rows in no order")
    return LeafPages(begin, places, first_rows)


def _ascend(numbers: Sequence[int]) -> bool:
    return all(number < following for number, following in pairwise(numbers))
