"""The pages of a row group that a unit begins inside of, as an index or their own heads tell: most files have no index.

The unit enters at one of them: Arrow would decode all that comes before, so that of four parts of a row group
the last one took four times as long as the first.
"""

from collections.abc import Sequence
from functools import lru_cache

from storage import files
from transforms.batches import WorkUnit
from transforms.formats.parquet_footer import parse_footer, read_end
from transforms.formats.parquet_given_file import Extent, Source
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
from transforms.formats.parquet_page_index import (
    GroupPages,
    LeafPages,
    find_chunk,
    list_leaves_of_columns,
    list_repeated,
    tell_group,
)
from transforms.formats.thrift import BROKEN

# To look at a head takes as long as to decode so many values.
_LEAST_PAGE_ROWS = 1_000


def find_pages_of_part(unit: WorkUnit, names: Sequence[str]) -> GroupPages | None:
    """Return the pages of the row group that a unit begins inside of; None where nothing is gained by them.

    Args:
        unit: a part of a row group of a local file.
        names: the columns that are read.

    Raises:
        InputError: the file cannot be read, or is no Parquet file any more.
    """
    number, _, first_row, *_ = unit.span
    group = _find_pages(unit.shard, unit.version, number, tuple(names))
    if group is None:
        return None
    second_pages = (pages.first_rows[1] for pages in group.pages.values())
    return group if any(row <= first_row for row in second_pages) else None


# The parts of a row group are read one after the other, by as many workers as there are.
@lru_cache(maxsize=2)
def _find_pages(
    url: str,
    version: str,
    number: int,
    names: tuple[str, ...],
) -> GroupPages | None:
    """Return the pages of a row group; None where neither an index nor heads tell.

    Args:
        url: the file.
        version: of the file; another one has other pages.
        number: of the row group.
        names: the columns that are read.
    """
    end = read_end(url)
    schema, metadata = parse_footer(end)
    columns = list_leaves_of_columns(schema, metadata, names)
    if columns is None:
        return None
    leaves = [leaf for of_column in columns.values() for leaf in of_column]
    repeated = list_repeated(metadata, leaves)
    try:
        footer, chunks, told, rows = tell_group(end, number, leaves)
        with files.open_read(url) as file:
            source = Source({0: file}, [0])
            pages = {}
            for leaf in leaves:
                extent = find_chunk(told[leaf])
                pages[leaf] = _list_pages(source, extent, rows, leaf in repeated)
    # Whatever it is, Arrow meets it as well, and says so.
    except (*BROKEN, OSError):
        return None
    return GroupPages(footer, chunks, columns, repeated, pages, values={})


def _list_pages(source: Source, chunk: Extent, rows: int, is_repeated: bool) -> LeafPages:
    """Return the pages of a leaf.

    Args:
        source: the bytes of the file.
        chunk: where its pages are.
        rows: of the row group.
        is_repeated: whether a row may have several values.

    Raises:
        IndexError, KeyError, ValueError: heads do not tell, or are too many.
    """
    begin, stop = chunk
    place = begin
    head = read_head(source, place, stop)
    if head.own[KIND] == DICTIONARY_KIND:
        place = find_page_end(place, head)
    places = [place]
    first_rows = [0]
    while first_rows[-1] < rows:
        if len(places) > 1 + rows // _LEAST_PAGE_ROWS:
            raise ValueError("has small pages")
        head = read_head(source, place, stop)
        kind = head.own[KIND]
        rest_field, _ = HEADS[kind]
        # Where a row may have several values, the first version does not tell rows.
        counted = ROWS if kind == SECOND_KIND or is_repeated else VALUES
        rows_here = head.inner[rest_field].own[counted]
        if rows_here <= 0:
            raise ValueError("has a page without rows")
        first_rows.append(first_rows[-1] + rows_here)
        place = find_page_end(place, head)
        places.append(place)
    if first_rows[-1] != rows or place != stop:
        raise ValueError("has other pages than the footer")
    return LeafPages(begin, places, first_rows)
