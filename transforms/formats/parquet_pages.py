"""Read some rows of a row group by the pages that hold them: Arrow itself enters at the first page only.

It is given a file that has no other pages. Where columns have pages that begin at different rows, there is
one such file for each of those rows:

    rows wanted           30 ... 49
    pages of a and b   | 0 ... | 20 ... | 40 ... | 60 ...     a file of the second and third one, from row 20 on
    pages of c         | 0 ... | 25 ...          | 50 ...     a file of the second one, from row 25 on
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import NamedTuple

import pyarrow as pa
from pyarrow import RecordBatch
import pyarrow.parquet as pq

from storage.thrift import BROKEN, STRUCT, Numbers, Value, read_struct
from transforms.formats.parquet_given_file import (
    Extent,
    GivenFile,
    Source,
    list_places,
    open_source,
)
from transforms.formats.parquet_group_pages import GroupPages, find_pages
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
from transforms.formats.parquet_told_group import (
    CHUNK_METADATA,
    CHUNKS,
    DATA_PAGE,
    DICTIONARY_PAGE,
    GROUP_ROWS,
    ROW_GROUPS,
    STORED_BYTES,
)
from transforms.formats.parquet_ways import Reading, align, hide_arrow_types
from transforms.formats.thrift_writing import make_int, make_list, write_struct

# What is read of a column at a time, as `parquet_batches.py` has it.
_READ_BYTES = 1 << 18
# Each reads the columns' names and types again.
_MOST_FILES = 32
# Fields of the footer and of a row group.
_ALL_ROWS = 3
_ALL_BYTES = 2
# Of a column chunk, and of what it says of itself: type, encodings, name, codec, number of values, sizes.
_CHUNK_PLACE = 2
_VALUES_OF_CHUNK = 5
_STAYING = (1, 2, 3, 4, 6, 13)
# Encodings whose values are numbers of a dictionary's.
_IN_DICTIONARY = (2, 8)


class _Chosen(NamedTuple):
    """What is read of a leaf: its dictionary, which may have no bytes, and pages one behind the other.

    Attributes:
        numbers: of the pages.
        values: how many are on these; nobody knows before they are looked at.
    """

    dictionary: Extent
    pages: Extent
    numbers: range
    values: int = 0


def iterate_pages(
    stack: ExitStack,
    url: str,
    group: GroupPages,
    rows: range,
    reading: Reading,
    rows_at_once: int,
    dictionaries: Sequence[str] = (),
) -> Iterator[RecordBatch] | None:
    """Return some rows of a row group, read by pages; None where those are not what the index says.

    Args:
        stack: closes what is opened here.
        url: the file.
        group: the pages of the row group.
        rows: which ones, counted in the row group.
        reading: the columns, and the way to read them.
        rows_at_once: rows of a batch, at most.
        dictionaries: columns of texts that come out in dictionaries.

    Raises:
        OSError: the file cannot be read.
    """
    together = _group_columns(group, reading.names, rows.start)
    chosen: dict[int, _Chosen] = {}
    for first_row, names in together.items():
        for leaf in group.list_leaves(names):
            chosen[leaf] = _choose(group, leaf, first_row, rows.stop)
    both = [(part.dictionary, part.pages) for part in chosen.values()]
    source = open_source(stack, url, chain.from_iterable(both))
    for leaf, part in chosen.items():
        looked_at = _look_at(source, group, leaf, part)
        if looked_at is None:
            return None
        chosen[leaf] = looked_at

    streams = []
    for first_row, names in together.items():
        leaves = group.list_leaves(names)
        of_file = {leaf: chosen[leaf] for leaf in leaves}
        footer, extents = _make_footer(group, of_file, rows.stop - first_row)
        if reading.stored:
            footer = hide_arrow_types(footer)
        file = pq.ParquetFile(
            GivenFile(source, extents, footer),
            coerce_int96_timestamp_unit=reading.unit,
            read_dictionary=list(dictionaries),
            page_checksum_verification=True,
            pre_buffer=False,
            buffer_size=_READ_BYTES,
        )
        stack.enter_context(file)
        ahead = rows.start - first_row
        steps = _iterate_evenly(file, names, ahead, rows_at_once)
        wanted = cut_out(steps, ahead, len(rows))
        streams.append(wanted)
    return _join(streams, reading.names)


def cut_out(
    steps: Iterator[RecordBatch],
    first_row: int,
    rows: int,
) -> Iterator[RecordBatch]:
    """Yield some rows of those that were read.

    Arrow decodes a column from its first page on, so what comes before is decoded and dropped.

    Args:
        steps: all rows.
        first_row: number of the first one that is wanted, counted in these.
        rows: how many.
    """
    ahead = first_row
    left = rows
    for step in steps:
        dropped = min(ahead, step.num_rows)
        ahead -= dropped
        here = step.slice(dropped, left)
        left -= here.num_rows
        if here.num_rows:
            yield here
        if not left:
            return


def _iterate_evenly(
    file: pq.ParquetFile,
    names: Sequence[str],
    ahead: int,
    rows_at_once: int,
) -> Iterator[RecordBatch]:
    """Yield all rows in batches, one of which begins behind some rows.

    Else batches of files that begin at different rows would be cut into as many pieces, to be put together.

    Args:
        file: the open file.
        names: the columns.
        ahead: how many rows.
        rows_at_once: rows of a batch, but for the first and the last one.
    """
    first_rows = ahead % rows_at_once or rows_at_once
    for step in file.iter_batches(first_rows, columns=names, use_threads=False):
        yield step
        # It is looked up for each batch anew.
        file.reader.set_batch_size(rows_at_once)


def _group_columns(
    group: GroupPages,
    names: Sequence[str],
    row: int,
) -> dict[int, list[str]]:
    """Return columns by the row that a page of each begins at, the last one up to a row.

    Args:
        group: the pages of the row group.
        names: the columns.
        row: the row.
    """
    together: dict[int, list[str]] = {}
    for name in names:
        leaves = group.list_leaves([name])
        first_row = _find_common_row(group, leaves, row)
        together.setdefault(first_row, []).append(name)
    if len(together) <= _MOST_FILES:
        return together
    leaves = group.list_leaves(names)
    return {_find_common_row(group, leaves, row): list(names)}


def _find_common_row(group: GroupPages, leaves: Sequence[int], row: int) -> int:
    """Return the last row up to another one at which each leaf has a page that begins; the first one is."""
    common: set[int] | None = None
    for leaf in leaves:
        first_rows = group.pages[leaf].first_rows
        stop = bisect_right(first_rows, row)
        begun = set(first_rows[:stop])
        common = begun if common is None else common & begun
    return max(common or {0})


def _choose(group: GroupPages, leaf: int, first_row: int, stop: int) -> _Chosen:
    """Return what is read of a leaf for some rows, up to one that is not read."""
    pages = group.pages[leaf]
    numbers = find_pages(pages, first_row, stop)
    dictionary = Extent(pages.begin, pages.places[0])
    begin = pages.places[numbers.start]
    behind = pages.places[numbers.stop]
    return _Chosen(dictionary, Extent(begin, behind), numbers)


def _look_at(source: Source, group: GroupPages, leaf: int, chosen: _Chosen) -> _Chosen | None:
    """Return what is read of a leaf, now that its pages' heads are; None where they are not what the index says.

    Args:
        source: the bytes of the file.
        group: the pages of the row group.
        leaf: number of the leaf.
        chosen: what the index says is to be read of it.
    """
    pages = group.pages[leaf]
    is_repeated = leaf in group.repeated
    values = 0
    is_in_dictionary = False
    dictionary = chosen.dictionary
    try:
        for number in chosen.numbers:
            begin, stop = pages.places[number : number + 2]
            head = _read_head(source, begin, stop)
            kind = head.own[KIND]
            rest_field, encoding_field = HEADS[kind]
            rest = head.inner[rest_field].own
            values_here = rest[VALUES]
            first_row, row_behind = pages.first_rows[number : number + 2]
            rows = row_behind - first_row
            # Where a row may have several values, the second version alone tells rows.
            if not is_repeated and values_here != rows:
                return None
            if kind == SECOND_KIND and rest[ROWS] != rows:
                return None
            values += values_here
            is_in_dictionary |= rest[encoding_field] in _IN_DICTIONARY
        # Of numbers that hardly repeat it is the larger part, and only the first pages need it.
        if not is_in_dictionary:
            dictionary = Extent(dictionary.begin, dictionary.begin)
        elif _read_head(source, *dictionary).own[KIND] != DICTIONARY_KIND:
            return None
    except BROKEN:
        return None
    return chosen._replace(dictionary=dictionary, values=values)


def _read_head(source: Source, begin: int, stop: int) -> Numbers:
    """Return the head of a page that fills an extent.

    Raises:
        IndexError, KeyError, ValueError: there is none.
    """
    head = read_head(source, begin, stop)
    if find_page_end(begin, head) != stop:
        raise ValueError("is a page of another size")
    return head


def _make_footer(
    group: GroupPages,
    chosen: Mapping[int, _Chosen],
    rows: int,
) -> tuple[bytes, list[Extent]]:
    """Return the footer of a file that has some pages of some leaves alone, and these pages.

    Args:
        group: the pages of the row group.
        chosen: what the file has, by leaf.
        rows: how many rows.
    """
    extents: list[Extent] = []
    for part in chosen.values():
        extents += (part.dictionary, part.pages)
    places = list_places(extents)
    chunks = [chunk.stored for chunk in group.chunks]
    for order, (leaf, part) in enumerate(chosen.items()):
        of_dictionary, of_pages, behind = places[2 * order : 2 * order + 3]
        told = read_struct(chunks[leaf]).fields
        described = read_struct(told[CHUNK_METADATA].stored).fields
        # Without statistics and indices, which are of all pages.
        kept = {number: described[number] for number in _STAYING if number in described}
        kept[_VALUES_OF_CHUNK] = make_int(part.values)
        kept[STORED_BYTES] = make_int(behind - of_dictionary)
        kept[DATA_PAGE] = make_int(of_pages)
        if part.dictionary.begin < part.dictionary.stop:
            kept[DICTIONARY_PAGE] = make_int(of_dictionary)
        chunk = {
            _CHUNK_PLACE: make_int(0),
            CHUNK_METADATA: Value(STRUCT, write_struct(kept)),
        }
        chunks[leaf] = write_struct(chunk)
    row_group = {
        CHUNKS: make_list(STRUCT, chunks),
        _ALL_BYTES: make_int(places[-1]),
        GROUP_ROWS: make_int(rows),
    }
    footer = {
        **group.footer,
        _ALL_ROWS: make_int(rows),
        ROW_GROUPS: make_list(STRUCT, [write_struct(row_group)]),
    }
    return write_struct(footer), extents


def _join(
    streams: Sequence[Iterator[RecordBatch]],
    names: Sequence[str],
) -> Iterator[RecordBatch]:
    """Yield batches with the columns of all streams, in an order of their own."""
    for parts in align(streams):
        columns = {}
        for part in parts:
            named = zip(part.schema, part.columns, strict=True)
            for field, column in named:
                columns[field.name] = (field, column)
        in_order = [columns[name] for name in names]
        fields, arrays = zip(*in_order, strict=True)
        yield RecordBatch.from_arrays(list(arrays), schema=pa.schema(fields))
