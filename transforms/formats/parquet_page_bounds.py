"""What a page index says of some rows of a row group: bounds of their values, and how many are worth leaving out."""

from collections.abc import Mapping, Sequence
import math

import pyarrow.parquet as pq

from storage import files
from storage.kept_in_memory import is_kept
from transforms.bounds import Bounds
from transforms.formats.parquet_group_pages import GroupPages, find_pages
from transforms.formats.parquet_statistics import PlainColumn, read_bound

# What is read of a disk in the time that another reading takes before its first row comes: alone, and for each leaf.
_OPENING_BYTES = 1 << 20
_LEAF_BYTES = 1 << 18
# What a store gives in the time of a request; each leaf takes two, for its dictionary and for its pages.
_REQUEST_BYTES = 1 << 20
_REQUESTS_OF_A_LEAF = 2


def find_least_gap(url: str, group: pq.RowGroupMetaData, leaves: Sequence[int]) -> int:
    """Return how many rows in a row are worth leaving out: reading them takes longer than another reading.

    Args:
        url: the file.
        group: the row group.
        leaves: numbers of those that are read.
    """
    opening_bytes = _count_opening_bytes(url, len(leaves))
    # More than nothing, as it divides.
    stored_bytes = 1
    for leaf in leaves:
        chunk = group.column(leaf)
        stored_bytes += chunk.total_compressed_size
        # Each reading takes the dictionaries, too.
        opening_bytes += _find_dictionary_bytes(chunk)
    rows_of_opening = opening_bytes * group.num_rows / stored_bytes
    return math.ceil(rows_of_opening)


def _count_opening_bytes(url: str, leaves: int) -> int:
    """Return how much is read of a file in the time in which some leaves are opened."""
    if is_kept(url) or files.is_local(url):
        return _OPENING_BYTES + leaves * _LEAF_BYTES
    return leaves * _REQUESTS_OF_A_LEAF * _REQUEST_BYTES


def _find_dictionary_bytes(chunk: pq.ColumnChunkMetaData) -> int:
    """Return how large the dictionary is that a column chunk begins with; 0 without."""
    if not chunk.has_dictionary_page or chunk.dictionary_page_offset is None:
        return 0
    # None of another place is believed.
    dictionary_bytes: int = chunk.data_page_offset - chunk.dictionary_page_offset
    return max(0, dictionary_bytes)


def list_points(pages: GroupPages, rows: range) -> list[int]:
    """Return the rows that a page begins at of some column whose values are known, and the ends of the rows."""
    points = {rows.start, rows.stop}
    for leaf in pages.values:
        points.update(pages.pages[leaf].first_rows)
    inside = [point for point in points if rows.start <= point <= rows.stop]
    return sorted(inside)


def bound_rows(
    pages: GroupPages,
    columns: Mapping[str, PlainColumn],
    rows: range,
) -> dict[str, Bounds]:
    """Return what is known of some columns' values, by name.

    Args:
        pages: of the row group.
        columns: those that a filter reads.
        rows: which ones, counted in the row group.
    """
    known = {}
    for name, column in columns.items():
        if column.number in pages.values:
            known[name] = _bound_values(pages, column, rows)
    return known


def _bound_values(pages: GroupPages, column: PlainColumn, rows: range) -> Bounds:
    leaf = column.number
    numbers = find_pages(pages.pages[leaf], rows.start, rows.stop)
    of_leaf = pages.values[leaf]
    pages_here = of_leaf[numbers.start : numbers.stop]
    may_be_null = any(page.may_be_null for page in pages_here)
    with_values = [page for page in pages_here if page.may_be_value]
    if not with_values:
        return Bounds(may_be_null=may_be_null, may_be_value=False)

    unbounded = Bounds(may_be_null=may_be_null)
    lower = [page.least for page in with_values]
    upper = [page.most for page in with_values]
    # One page that tells no bounds may hold anything.
    if None in lower:
        return unbounded
    # As they are stored they are in the order of their values, for all types that a bound is known of.
    least = read_bound(min(lower), column)
    most = read_bound(max(upper), column)
    if least is None or most is None:
        return unbounded
    return Bounds(least, most, may_be_null)
