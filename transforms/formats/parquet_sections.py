"""Cut a unit of a Parquet file where rows that may pass a filter begin and end: between row groups, and between pages.

row group   | page | page | page | page | page | page |     of some the page index says: none can pass
sections    |     left out       |    read     | l. o.|     unless less than another reading takes
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from pyarrow import Schema
import pyarrow.parquet as pq

from transforms.batches import WorkUnit
from transforms.bounds import Bounds
from transforms.formats.format import MayPass, Section
from transforms.formats.parquet_footer import (
    explain_unreadable,
    parse_footer,
    read_end,
    refuse_encrypted_end,
)
from transforms.formats.parquet_page_bounds import (
    bound_rows,
    count_opening_bytes,
    find_least_gap,
    list_points,
)
from transforms.formats.parquet_page_index import (
    GroupPages,
    list_leaves_of_columns,
    read_page_index,
    remember_pages,
)
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.parquet_row_ranges import find_ranges
from transforms.formats.parquet_split import cut_by_pages, is_part_of_group
from transforms.formats.parquet_statistics import (
    PlainColumn,
    find_bounds,
    list_plain_columns,
)

# Numbers of an index or a footer take longer to read than pages of their size, and are a hundredth of them or less.
_MOST_INDEX_SHARE = 16


class _Part(NamedTuple):
    """Rows of a row group, and whether any of them may pass.

    Attributes:
        number: of the row group.
        rows: how many.
        is_cut: whether the unit has others of that row group.
        first_row: of these, counted in the row group.
    """

    number: int
    rows: int
    may_pass: bool
    is_cut: bool = False
    first_row: int = 0


class _File(NamedTuple):
    """What a file tells of itself, and what is asked of it.

    Attributes:
        end: the file, from its footer on.
        schema, metadata: its columns and its footer.
        filtered: the columns that the filter reads, of which statistics may tell something.
        names: all columns that will be read.
    """

    end: FileEnd
    schema: Schema
    metadata: pq.FileMetaData
    filtered: Mapping[str, PlainColumn]
    names: Sequence[str]


def find_sections(
    unit: WorkUnit,
    fields: Schema,
    names: Sequence[str],
    may_pass: MayPass,
) -> list[Section]:
    """Return the unit in parts that follow each other: rows that may pass a filter, and rows that cannot.

    Args:
        unit: row groups, or a part of one.
        fields: the columns that the filter reads, in the types that they come out in.
        names: all columns that will be read.
        may_pass: the filter.

    Raises:
        InputError: the file's footer or page index cannot be read.
    """
    end = read_end(unit.shard)
    schema, metadata = parse_footer(end)
    # To ask pyarrow about an encrypted column ends the process.
    refuse_encrypted_end(end, metadata)
    filtered = list_plain_columns(schema, metadata, fields)
    file = _File(end, schema, metadata, filtered, names)
    parts = []
    looked_into = {}
    first, count, *_ = unit.span
    for number in range(first, first + count):
        group = metadata.row_group(number)
        bounds = {name: find_bounds(group, column) for name, column in filtered.items()}
        pages = None
        is_passing = may_pass(bounds)
        if is_passing:
            pages = _look_into(unit, file, number)
        if pages is None:
            parts.append(_Part(number, group.num_rows, is_passing))
            continue
        found = _cut_group(unit, file, number, pages, bounds, may_pass)
        parts += found
        looked_into[number] = pages
    remember_pages(unit, looked_into)
    return _join_parts(unit, parts)


def _look_into(unit: WorkUnit, file: _File, number: int) -> GroupPages | None:
    """Return the pages of a row group; None where there is no index, or nothing to gain.

    Args:
        unit: row groups, or a part of one.
        file: what the file tells.
        number: of the row group.
    """
    url = unit.shard
    group = file.metadata.row_group(number)
    # First what nearly every small file is left with.
    if group.total_byte_size <= count_opening_bytes(url, leaves=1):
        return None
    columns = list_leaves_of_columns(file.schema, file.metadata, file.names)
    if columns is None:
        return None
    leaves = [leaf for of_column in columns.values() for leaf in of_column]
    chunks = [group.column(leaf) for leaf in leaves]
    stored_bytes = sum(chunk.total_compressed_size for chunk in chunks)
    if stored_bytes <= count_opening_bytes(url, len(leaves)):
        return None
    filtered = [column.number for column in file.filtered.values()]
    has_values = any(group.column(leaf).has_column_index for leaf in filtered)
    if not has_values or not all(chunk.has_offset_index for chunk in chunks):
        return None
    _, count, *_ = unit.span
    most_bytes = unit.bytes // _MOST_INDEX_SHARE
    # Of each row group of the unit it is read anew.
    if count * file.end.footer_bytes > most_bytes:
        return None
    try:
        return read_page_index(
            file.end, file.metadata, number, columns, filtered, most_bytes // count
        )
    except OSError as error:
        raise explain_unreadable(url, error) from error


def _cut_group(
    unit: WorkUnit,
    file: _File,
    number: int,
    pages: GroupPages,
    known: Mapping[str, Bounds],
    may_pass: MayPass,
) -> list[_Part]:
    """Return a unit's rows of a row group in parts.

    Args:
        unit: row groups, or a part of one.
        file: what the file tells.
        number: of the row group.
        pages: of the row group.
        known: what is known of all its rows.
        may_pass: the filter.
    """

    def may_pass_there(rows: range) -> bool:
        of_pages = bound_rows(pages, file.filtered, rows)
        return may_pass({**known, **of_pages})

    group = file.metadata.row_group(number)
    rows = range(group.num_rows)
    if is_part_of_group(unit.span):
        _, _, first_row, *_ = unit.span
        rows = range(first_row, first_row + (unit.rows or 0))
    opening_bytes = count_opening_bytes(unit.shard, len(pages.pages))
    least_gap = find_least_gap(pages, opening_bytes)
    ranges = find_ranges(list_points(pages, rows), least_gap, may_pass_there)
    parts = []
    place = rows.start
    for found in ranges:
        if place < found.start:
            parts.append(_Part(number, found.start - place, False, True, place))
        # Also all rows of a part: others stand before it in its row group.
        is_cut = len(found) < group.num_rows
        parts.append(_Part(number, len(found), True, is_cut, found.start))
        place = found.stop
    if place < rows.stop:
        is_cut = place != rows.start
        parts.append(_Part(number, rows.stop - place, False, is_cut, place))
    return parts


def _join_parts(unit: WorkUnit, parts: Sequence[_Part]) -> list[Section]:
    """Return sections of a unit: whole row groups that may pass, or may not, together."""
    runs = groupby(parts, key=_list_what_is_joined)
    joined = [list(run) for _, run in runs]
    # As it is, where there is nothing to cut; the rows of a part are of one row group.
    if len(joined) <= 1 and not any(part.is_cut for part in parts):
        is_passing = all(part.may_pass for part in parts)
        return [Section(unit, is_passing)]
    sections = []
    first_row = unit.first_row
    for run in joined:
        begin = run[0]
        span: tuple[int, ...] = (begin.number, len(run))
        if begin.is_cut:
            span = cut_by_pages(begin.number, begin.first_row)
        rows = sum(part.rows for part in run)
        of_unit = replace(unit, span=span, first_row=first_row, rows=rows)
        sections.append(Section(of_unit, begin.may_pass))
        first_row += rows
    return sections


def _list_what_is_joined(part: _Part) -> tuple[bool, int | None]:
    return part.may_pass, part.number if part.is_cut else None
