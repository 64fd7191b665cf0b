"""Where the pages of a Parquet column are, from their headers: what a footer does not tell.

A column of a row group is a dictionary page, if it has one, and data pages, each behind a header that
tells its rows and its size:

    dictionary | header rows 0..19,999 | header rows 20,000..39,999 | ...
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.formats.parquet_thrift import Thrift

# What nearly every header fits into; one with long statistics is read again, up to what Arrow takes.
_HEADER_BYTES = 512
_MOST_HEADER_BYTES = 16 << 20
# Fields of a page header, and of what it says of a data page of either version.
_TYPE, _SIZE, _OF_DATA, _OF_DATA_2 = 1, 3, 5, 8
_VALUES = 1
# Types of pages; the third is a dictionary.
_DATA, _DATA_2 = 0, 3


@dataclass(frozen=True)
class Page:
    """A data page.

    Attributes:
        first_row: rows of the row group that stand before it.
        offset: where its header begins in the file.
    """

    first_row: int
    offset: int


def find_start(chunk: pq.ColumnChunkMetaData) -> int:
    """Return where the first page of a column begins, which may be its dictionary."""
    start: int = chunk.data_page_offset
    dictionary = chunk.dictionary_page_offset
    # Some writers say nothing of theirs, and old ones 0.
    return min(start, dictionary) if dictionary else start


def list_data_pages(file: Any, chunk: pq.ColumnChunkMetaData) -> tuple[Page, ...]:
    """Return the data pages of a column whose rows have one value each, missing or not.

    Args:
        file: open for reading at any position.
        chunk: the column, in one row group.

    Raises:
        ArrowInvalid: a header cannot be read, or the pages hold more or fewer values than the footer
            says.
    """
    pages = []
    rows = 0
    for offset, header in _walk(file, chunk):
        if header[_TYPE] not in (_DATA, _DATA_2):
            continue
        of_data = header.get(_OF_DATA if header[_TYPE] == _DATA else _OF_DATA_2)
        values = of_data.get(_VALUES) if isinstance(of_data, dict) else None
        if not isinstance(values, int) or values < 0:
            raise _cannot_read(offset)
        pages.append(Page(rows, offset))
        rows += values
    # Else each part of the column would be read, and be that of other rows.
    if rows != chunk.num_values:
        raise pa.ArrowInvalid(f"its pages hold {rows} values in place of {chunk.num_values}")
    return tuple(pages)


def _walk(file: Any, chunk: pq.ColumnChunkMetaData) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield where each page of a column begins, and its header."""
    offset = find_start(chunk)
    stop = offset + chunk.total_compressed_size
    while offset < stop:
        header, header_bytes = _read_header(file, offset)
        size = header.get(_SIZE)
        if not isinstance(size, int) or size < 0 or not isinstance(header.get(_TYPE), int):
            raise _cannot_read(offset)
        yield offset, header
        offset += header_bytes + size


def _read_header(file: Any, offset: int) -> tuple[dict[int, Any], int]:
    """Return a page's header, and how many bytes it takes."""
    size = _HEADER_BYTES
    while True:
        file.seek(offset)
        content = file.read(size)
        try:
            encoded = Thrift(content)
            return encoded.read_numbers(), encoded.position
        except IndexError as error:
            # Not the whole of it, or the file is at its end.
            if len(content) < size or size >= _MOST_HEADER_BYTES:
                raise _cannot_read(offset) from error
            size *= 8
        except ValueError as error:
            raise _cannot_read(offset) from error


def _cannot_read(offset: int) -> pa.ArrowInvalid:
    return pa.ArrowInvalid(f"the page header at byte {offset} cannot be read")
