"""The page index of a Parquet file, read for one row group: of each leaf where its pages are, and what values they have.

https://parquet.apache.org/docs/file-format/pageindex/. Arrow writes it and does not read it, so it is read
here. It is believed as the statistics of row groups are, and no further: one that contradicts the footer or
itself is none, and its file is read as if it had none.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import pyarrow.parquet as pq

from storage import files
from storage.thrift import BROKEN, Struct, list_numbers, read_int, read_struct
from transforms.formats.parquet_given_file import Extent, join_near
from transforms.formats.parquet_group_pages import GroupPages, LeafPages, PageValues
from transforms.formats.parquet_page_values import list_ordered, list_page_values
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.parquet_told_group import ToldGroup, find_chunk, list_repeated, tell_group


class _IndexFields(NamedTuple):
    """The fields of a column chunk that tell where one of its indices is, and how long."""

    place: int
    size: int


# Where pages are, and what their values are like.
_OFFSET_INDEX = _IndexFields(4, 5)
_COLUMN_INDEX = _IndexFields(6, 7)
# Of the index of pages, and of a page there.
_LOCATIONS = 1
_PLACE = 1
_STORED_BYTES = 2
_FIRST_ROW = 3
# A leaf, and which of its indices.
_Index: TypeAlias = tuple[int, _IndexFields]


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
        pages = _list_pages_of_leaves(group, stored)
        values = _list_values_of_leaves(metadata, bounded, stored, pages)
    # A store says the second where an index is said to be behind the end. Of one that does not answer, the rows
    # are not to be had either, which is told then.
    except (*BROKEN, OSError):
        return None
    repeated = list_repeated(metadata, leaves)
    return GroupPages(group.footer, group.chunks, columns, repeated, pages, values)


def _list_bounded(group: ToldGroup, leaves: Collection[int]) -> list[int]:
    """Return those of some leaves whose pages have bounds that say something."""
    ordered = list_ordered(group.footer)
    indexed = [leaf for leaf in leaves if _COLUMN_INDEX.place in group.told[leaf]]
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


def _find_place(chunk: Struct, fields: _IndexFields) -> Extent:
    """Return where an index is, by the fields that tell it."""
    begin = read_int(chunk[fields.place])
    size = read_int(chunk[fields.size])
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
        # The last one that begins no later is the one that holds it.
        number = bisect_right(begins, place.begin) - 1
        begin = begins[number]
        content = contents[number]
        found[name] = content[place.begin - begin : place.stop - begin]
    return found


def _list_pages_of_leaves(
    group: ToldGroup,
    stored: Mapping[_Index, bytes],
) -> dict[int, LeafPages]:
    """Return where the pages of all leaves are."""
    pages = {}
    for leaf, chunk in group.told.items():
        index = stored[leaf, _OFFSET_INDEX]
        pages[leaf] = _list_pages(index, chunk, group.rows)
    return pages


def _list_values_of_leaves(
    metadata: pq.FileMetaData,
    leaves: Iterable[int],
    stored: Mapping[_Index, bytes],
    pages: Mapping[int, LeafPages],
) -> dict[int, list[PageValues]]:
    """Return what the values of some leaves' pages are like."""
    values = {}
    for leaf in leaves:
        index = stored[leaf, _COLUMN_INDEX]
        column = metadata.schema.column(leaf)
        first_rows = pages[leaf].first_rows
        values[leaf] = list_page_values(index, column, first_rows)
    return values


def _list_pages(index: bytes, chunk: Struct, rows: int) -> LeafPages:
    """Return where the pages of a leaf are: nothing before, between and behind them but a dictionary."""
    begin, stop = find_chunk(chunk)
    located = list_numbers(read_struct(index).fields[_LOCATIONS])
    ends = [page[_PLACE] + page[_STORED_BYTES] for page in located]
    places = [page[_PLACE] for page in located]
    first_rows = [page[_FIRST_ROW] for page in located]
    # As if one more page began behind the last.
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
