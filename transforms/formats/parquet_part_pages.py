"""The pages of a row group that a unit begins inside of, as their own heads or an index tell: most files have no index.

The unit enters at one of them: Arrow would decode all that comes before, so that of four parts of a row group
the last one took four times as long as the first.
"""

from collections.abc import Sequence
from functools import lru_cache

from pyarrow.parquet import FileMetaData

from storage import files
from storage.thrift import BROKEN, Numbers
from transforms.batches import WorkUnit
from transforms.formats.parquet_footer import list_leaves_of_columns, parse_footer, read_end
from transforms.formats.parquet_given_file import Extent, Source
from transforms.formats.parquet_group_pages import FileVersion, GroupPages, LeafPages
from transforms.formats.parquet_page_heads import (
    DICTIONARY_KIND,
    HEADS,
    KIND,
    ROWS,
    SECOND_KIND,
    VALUES,
    find_page_end,
    read_head,
)
from transforms.formats.parquet_page_index import read_page_index
from transforms.formats.parquet_told_group import find_chunk, list_repeated, tell_group

# To look at a head takes as long as to decode so many values, or so many bytes of long ones.
_LEAST_PAGE_ROWS = 1_000
_LEAST_PAGE_BYTES = 1 << 16
# Numbers of a footer or an index take longer to read than so many times as many bytes to decode.
_MOST_TOLD_SHARE = 64


def find_pages_of_part(unit: WorkUnit, names: Sequence[str]) -> GroupPages | None:
    """Return the pages of the row group that a unit begins inside of; None where nothing is gained by them.

    Args:
        unit: a part of a row group of a local file.
        names: the columns that are read.

    Raises:
        InputError: the file cannot be read, or is no Parquet file any more.
    """
    number, _, first_row, *_ = unit.span
    file = FileVersion(unit.shard, unit.version)
    group = _find_pages(file, number, tuple(names))
    if group is None:
        return None
    second_pages = [pages.first_rows[1] for pages in group.pages.values()]
    # Else the unit begins on the first page of each column, which is read anyway.
    if any(row <= first_row for row in second_pages):
        return group
    return None


# The parts of a row group are read one after the other, by as many workers as there are, and each of them
# may read some columns in several ways.
@lru_cache(maxsize=8)
def _find_pages(
    file: FileVersion,
    number: int,
    names: tuple[str, ...],
) -> GroupPages | None:
    """Return the pages of a row group; None where neither heads nor an index tell, or it takes too long.

    Args:
        file: the file; its version tells what is kept of it from what is kept of another one there.
        number: of the row group.
        names: the columns that are read.
    """
    end = read_end(file.url)
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    if columns is None:
        return None
    leaves = [leaf for of_column in columns.values() for leaf in of_column]
    repeated = list_repeated(metadata, leaves)
    most_bytes = _estimate_bytes(metadata, number, len(leaves)) // _MOST_TOLD_SHARE
    if end.footer_bytes > most_bytes:
        return None
    try:
        group = tell_group(end, number, leaves)
        with files.open_read(file.url) as opened:
            source = Source({0: opened}, [0])
            pages = {}
            for leaf in leaves:
                extent = find_chunk(group.told[leaf])
                pages[leaf] = _list_pages(source, extent, group.rows, leaf in repeated)
    # Whatever it is, Arrow meets it as well, and says so.
    except (*BROKEN, OSError):
        return read_page_index(end, metadata, number, columns, most_bytes)
    return GroupPages(group.footer, group.chunks, columns, repeated, pages, values={})


def _estimate_bytes(metadata: FileMetaData, number: int, leaves: int) -> int:
    """Return about how many bytes some leaves have in a row group before they are compressed.

    As many as others: to ask pyarrow about a column that is encrypted, or told wrongly, ends the process.

    Args:
        metadata: the file's footer.
        number: of the row group.
        leaves: how many they are.
    """
    # Of a file that took the place of another.
    if not leaves or number >= metadata.num_row_groups:
        return 0
    all_bytes = metadata.row_group(number).total_byte_size
    return all_bytes * leaves // metadata.num_columns


def _list_pages(source: Source, chunk: Extent, rows: int, is_repeated: bool) -> LeafPages:
    """Return the pages of a leaf.

    Args:
        source: the bytes of the file.
        chunk: where its pages are.
        rows: of the row group.
        is_repeated: whether a row may have several values.

    Raises:
        IndexError, KeyError, OverflowError, ValueError: heads do not tell, or are too many.
    """
    begin, stop = chunk
    place = begin
    head = read_head(source, place, stop)
    if head.own[KIND] == DICTIONARY_KIND:
        place = find_page_end(place, head)
    most_by_rows = rows // _LEAST_PAGE_ROWS
    most_by_bytes = (stop - begin) // _LEAST_PAGE_BYTES
    most_pages = 1 + most_by_rows + most_by_bytes
    places = [place]
    first_rows = [0]
    while first_rows[-1] < rows:
        if len(places) > most_pages:
            raise ValueError("has small pages")
        head = read_head(source, place, stop)
        rows_here = _count_rows(head, is_repeated)
        first_rows.append(first_rows[-1] + rows_here)
        place = find_page_end(place, head)
        places.append(place)
    if not rows or first_rows[-1] != rows or place != stop:
        raise ValueError("has other pages than the footer")
    return LeafPages(begin, places, first_rows)


def _count_rows(head: Numbers, is_repeated: bool) -> int:
    """Return how many rows a page has; arguments as the head of a page, and as for `_list_pages`.

    Raises:
        KeyError, ValueError: its head does not tell, or it has none.
    """
    kind = head.own[KIND]
    rest_field, _ = HEADS[kind]
    rest = head.inner[rest_field].own
    # Where a row may have several values, the first version does not tell rows.
    if is_repeated and kind != SECOND_KIND:
        raise ValueError("tells values alone")
    rows = rest[ROWS if kind == SECOND_KIND else VALUES]
    if rows <= 0:
        raise ValueError("has a page without rows")
    return rows
