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
    list_leaves_of_columns,
    parse_footer,
    read_end,
    refuse_broken_chunks,
    refuse_encrypted_end,
)
from transforms.formats.parquet_group_pages import GroupPages
from transforms.formats.parquet_kept_pages import remember_pages
from transforms.formats.parquet_page_bounds import (
    bound_rows,
    find_least_gap,
    list_points,
)
from transforms.formats.parquet_page_index import read_page_index
from transforms.formats.parquet_prefix import FileEnd
from transforms.formats.parquet_row_ranges import find_ranges
from transforms.formats.parquet_split import cut_by_pages, is_part_of_group
from transforms.formats.parquet_statistics import (
    PlainColumn,
    find_bounds,
    have_sound_statistics,
    list_plain_columns,
)

# Numbers of an index or a footer take longer to read than pages of their size, and are a hundredth of them or less.
_MOST_INDEX_SHARE = 16
# Nearly every small file is left with that: there is nothing to gain.
_LEAST_GROUP_BYTES = 1 << 21


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


class _Cut(NamedTuple):
    """A row group's rows in parts, and the pages of the columns that are read."""

    pages: GroupPages
    parts: list[_Part]


class _File(NamedTuple):
    """What a file tells of itself, and what is asked of it.

    Attributes:
        end: the file, from its footer on.
        schema, metadata: its columns and its footer.
        filtered: the columns that the filter reads, of which statistics may tell something.
        names: all columns that will be read.
        may_pass: the filter.
        most_index_bytes: how large the index of a row group may be.
    """

    end: FileEnd
    schema: Schema
    metadata: pq.FileMetaData
    filtered: Mapping[str, PlainColumn]
    names: Sequence[str]
    may_pass: MayPass
    most_index_bytes: int


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
        InputError: the file's footer cannot be read.
    """
    end = read_end(unit.shard)
    schema, metadata = parse_footer(end)
    # To ask pyarrow about an encrypted column ends the process.
    refuse_encrypted_end(end, metadata)
    filtered = list_plain_columns(schema, metadata, fields)
    first, count, *_ = unit.span
    most_bytes = int(unit.bytes / _MOST_INDEX_SHARE / max(1, count))
    file = _File(end, schema, metadata, filtered, names, may_pass, most_bytes)
    groups = range(first, first + count)
    leaves = (column.number for column in filtered.values())
    # All rows are read where nobody knows better.
    if not have_sound_statistics(end, metadata, groups, leaves):
        return [Section(unit, may_pass=True)]
    parts = []
    looked_into = {}
    for number in groups:
        group = metadata.row_group(number)
        bounds = {name: find_bounds(group, column) for name, column in filtered.items()}
        is_passing = may_pass(bounds)
        cut = None
        if is_passing and group.total_byte_size > _LEAST_GROUP_BYTES:
            cut = _cut_group(unit, file, number, bounds)
        if cut is None:
            parts.append(_Part(number, group.num_rows, is_passing))
        else:
            parts += cut.parts
            looked_into[number] = cut.pages
    remember_pages(unit, looked_into)
    return _join_parts(unit, parts)


def _cut_group(
    unit: WorkUnit,
    file: _File,
    number: int,
    known: Mapping[str, Bounds],
) -> _Cut | None:
    """Return a unit's rows of a row group in parts, where there is an index, and something to gain.

    Args:
        unit: row groups, or a part of one.
        file: what the file tells.
        number: of the row group.
        known: what is known of all its rows.
    """
    group = file.metadata.row_group(number)
    rows = range(group.num_rows)
    if is_part_of_group(unit.span):
        _, _, first_row, *_ = unit.span
        rows = range(first_row, first_row + (unit.rows or 0))
    leaves = _list_leaves(file, number)
    if leaves is None:
        return None
    columns, of_all = leaves
    least_gap = find_least_gap(unit.shard, group, of_all)
    if least_gap > group.num_rows:
        return None
    asked = {name: [column.number] for name, column in file.filtered.items()}
    found = read_page_index(
        file.end,
        file.metadata,
        number,
        asked,
        file.most_index_bytes,
        filtered=[column.number for column in file.filtered.values()],
    )
    if found is None:
        return None
    ranges = _find_ranges(file, found, rows, known, least_gap)
    if ranges == [range(group.num_rows)]:
        return None
    # Of all columns only now, as they are many.
    pages = read_page_index(file.end, file.metadata, number, columns, file.most_index_bytes)
    if pages is None:
        return None
    return _Cut(pages, _list_parts(number, rows, ranges))


def _list_leaves(
    file: _File,
    number: int,
) -> tuple[Mapping[str, Sequence[int]], list[int]] | None:
    """Return the leaves that are read, by column and all of them; None where there is no index of them."""
    # Its bytes are read one by one, which takes longer than to read pages.
    if file.end.footer_bytes > file.most_index_bytes:
        return None
    group = file.metadata.row_group(number)
    filtered = [column.number for column in file.filtered.values()]
    if not any(group.column(leaf).has_column_index for leaf in filtered):
        return None
    columns = list_leaves_of_columns(file.schema, file.metadata, file.names)
    if columns is None:
        return None
    leaves = [leaf for of_column in columns.values() for leaf in of_column]
    refuse_broken_chunks(file.end.url, file.metadata, [number], leaves)
    if not all(group.column(leaf).has_offset_index for leaf in leaves):
        return None
    return columns, leaves


def _find_ranges(
    file: _File,
    pages: GroupPages,
    rows: range,
    known: Mapping[str, Bounds],
    least_gap: int,
) -> list[range]:
    """Return which rows of a row group are read.

    Args:
        file: what the file tells.
        pages: of the columns that the filter reads.
        rows: those of the unit, counted in the row group.
        known: what is known of all rows of the row group.
        least_gap: how many rows in a row are worth leaving out.
    """

    def may_pass_there(some: range) -> bool:
        of_pages = bound_rows(pages, file.filtered, some)
        return file.may_pass({**known, **of_pages})

    points = list_points(pages, rows)
    return find_ranges(points, least_gap, may_pass_there)


def _list_parts(number: int, rows: range, ranges: Sequence[range]) -> list[_Part]:
    """Return rows of a row group in parts: those that are read, and those before, between and behind them.

    Args:
        number: of the row group.
        rows: all of them that are of the unit.
        ranges: which ones are read, in order.
    """
    parts = []
    place = rows.start
    for found in [*ranges, range(rows.stop, rows.stop)]:
        if place < found.start:
            gap = _Part(number, found.start - place, False, is_cut=True, first_row=place)
            parts.append(gap)
        if found:
            part = _Part(number, len(found), True, is_cut=True, first_row=found.start)
            parts.append(part)
        place = found.stop
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
