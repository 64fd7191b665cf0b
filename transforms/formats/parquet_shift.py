"""A Parquet file as it is read where the first pages of some columns are left out.

Its footer says that the columns begin later, and their dictionaries are moved to right before that.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
import os

import pyarrow as pa
import pyarrow.parquet as pq

from storage import files
from transforms.formats.parquet_entry import RowsOfGroup, Skipped
from transforms.formats.parquet_thrift import Thrift, encode_int, encode_list_of_one
from transforms.formats.parquet_ways import hide_arrow_types, make_metadata, read_footer_bytes

# Fields of a footer, a row group, a column in it, and what that says of its pages.
_ROW_GROUPS, _COLUMNS, _COLUMN = 4, 1, 3
_COMPRESSED_SIZE, _DATA_OFFSET, _DICTIONARY_OFFSET = 7, 9, 11
_OFFSETS = (_DATA_OFFSET, _DICTIONARY_OFFSET)
_STRUCT = 12
# Footers whose numbers are remembered, as units follow each other.
_REMEMBERED = 64
# Where a number is in the encoded footer: its first byte, and the byte behind it.
_Place = tuple[int, int]


def shift_footer(
    wanted: RowsOfGroup, skipped: Sequence[Skipped], is_stored: bool
) -> pq.FileMetaData:
    """Return a footer with one row group only, in which columns begin behind pages that are skipped.

    Args:
        wanted: which row group.
        skipped: the pages.
        is_stored: whether in the types that Parquet stores, and not in those that Arrow had.

    Raises:
        ArrowInvalid: the footer cannot be read.
    """
    footer = read_footer_bytes(wanted.url)
    try:
        places = _find_places(footer, wanted.group)
    except (IndexError, ValueError) as error:
        raise pa.ArrowInvalid("the footer cannot be read") from error
    changes: dict[_Place, bytes] = dict(places.others)
    for part in skipped:
        changes |= _shift_column(footer, places.columns[part.leaf], part.bytes)
    shifted = _replace(footer, changes)
    return make_metadata(hide_arrow_types(shifted) if is_stored else shifted)


class FileWithMoves:
    """A file in which dictionaries stand elsewhere too; for pyarrow, which reads it."""

    def __init__(self, url: str, skipped: Sequence[Skipped]) -> None:
        self._file = files.open_read(url)
        self._size = self._file.seek(0, os.SEEK_END)
        self._position = 0
        moved = [part for part in skipped if part.dictionary_bytes]
        moved.sort(key=_find_place)
        self._moved = moved
        self._starts = [_find_place(part) for part in moved]

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def close(self) -> None:
        self._file.close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        start = self._position
        stop = self._size if size < 0 else min(self._size, start + size)
        if stop <= start:
            return b""
        parts = [self._read_part(*part) for part in self._cut(start, stop)]
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        # Of a file that was cut short, less than was asked for.
        self._position += len(content)
        return content

    def _cut(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield ranges that are each in a dictionary that was moved, or beside all of them."""
        cuts = {start, stop}
        for part in self._moved[max(0, bisect_right(self._starts, start) - 1) :]:
            place = _find_place(part)
            if place >= stop:
                break
            ends = (place, place + part.dictionary_bytes)
            cuts |= {end for end in ends if start < end < stop}
        return pairwise(sorted(cuts))

    def _read_part(self, start: int, stop: int) -> bytes:
        offset = start
        before = bisect_right(self._starts, start) - 1
        if before >= 0:
            part = self._moved[before]
            if start < _find_place(part) + part.dictionary_bytes:
                offset = start - part.bytes
        self._file.seek(offset)
        return bytes(self._file.read(stop - start))


def _find_place(part: Skipped) -> int:
    """Return where a dictionary is moved to."""
    return part.start + part.bytes


class _Places:
    """Where numbers are in an encoded footer.

    Attributes:
        columns: of each column of a row group, by field.
        others: what takes the place of the other row groups.
    """

    def __init__(self) -> None:
        self.columns: list[dict[int, _Place]] = []
        self.others: dict[_Place, bytes] = {}


@lru_cache(_REMEMBERED)
def _find_places(footer: bytes, group: int) -> _Places:
    places = _Places()
    encoded = Thrift(footer)
    for field in encoded.iterate_fields():
        if field.number != _ROW_GROUPS:
            encoded.read_value(field.kind)
            continue
        # Nothing is left where the row group is the last one, or there is no such.
        stop = encoded.position
        for number, kind in enumerate(encoded.iterate_list()):
            start = encoded.position
            if number == group:
                places.others[field.start, start] = encode_list_of_one(_STRUCT)
                places.columns = _find_columns(encoded)
                stop = encoded.position
            else:
                encoded.read_value(kind)
        places.others[stop, encoded.position] = b""
    return places


def _find_columns(encoded: Thrift) -> list[dict[int, _Place]]:
    columns: list[dict[int, _Place]] = []
    for field in encoded.iterate_fields():
        if field.number != _COLUMNS:
            encoded.read_value(field.kind)
            continue
        columns.extend(_find_column(encoded) for _ in encoded.iterate_list())
    return columns


def _find_column(encoded: Thrift) -> dict[int, _Place]:
    places = {}
    for field in encoded.iterate_fields():
        if field.number != _COLUMN:
            encoded.read_value(field.kind)
            continue
        for inner in encoded.iterate_fields():
            encoded.read_value(inner.kind)
            places[inner.number] = (inner.start, encoded.position)
    return places


def _shift_column(footer: bytes, places: Mapping[int, _Place], size: int) -> dict[_Place, bytes]:
    """Return what to change in a footer so that a column begins some bytes later."""
    changes = {}
    for field in (_COMPRESSED_SIZE, *_OFFSETS):
        place = places.get(field)
        if place is None:
            continue
        number = Thrift(footer, place[0]).read_int()
        # Of no dictionary, in files of old writers.
        if not number:
            continue
        shifted = number - size if field == _COMPRESSED_SIZE else number + size
        changes[place] = encode_int(shifted)
    return changes


def _replace(footer: bytes, changes: Mapping[_Place, bytes]) -> bytes:
    parts = []
    position = 0
    for (start, stop), new in sorted(changes.items()):
        parts += [footer[position:start], new]
        position = stop
    return b"".join([*parts, footer[position:]])
