"""How files of one schema are read: found out of one file, and kept for those that are like it.

To look at every column takes longer than to read a small file, and files that are read one after the
other mostly have the same columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import threading

from pyarrow import DataType, Schema
import pyarrow.parquet as pq
from pyarrow.types import is_nested

from transforms.formats.parquet_footer import list_groups
from transforms.formats.parquet_int96 import list_int96_units
from transforms.formats.parquet_sizes import find_width
from transforms.formats.parquet_ways import Reading, list_int96, list_readings


@dataclass(frozen=True)
class Layout:
    """How files with some columns are read.

    Attributes:
        leaves, stored: the columns of the files, as Parquet and as Arrow have them.
        wanted: the columns to read, with the types that they must come out in.
        units: by column, the unit that an INT96 column comes out in.
        readings: the ways in which columns must be read.
        row_bytes: of a row, what has one size in every row; None where columns are nested, of which a
            row may have many values.
    """

    leaves: pq.ParquetSchema
    stored: Schema
    wanted: Schema
    units: Mapping[str, str]
    readings: Sequence[Reading]
    row_bytes: int | None

    def is_of(self, leaves: pq.ParquetSchema, stored: Schema, wanted: Schema) -> bool:
        """Tell whether it is how a file is read; arguments as the attributes."""
        if not self.leaves.equals(leaves) or not self.stored.equals(stored):
            return False
        return self.wanted is wanted or bool(self.wanted.equals(wanted))

    def fits_whole(self, metadata: pq.FileMetaData, most_bytes: int) -> bool:
        """Tell whether a file is so small that all its rows fit, whatever its encodings hide.

        No value is longer than all that is stored, in which each stands once at least, and each row
        might have the longest.

        Args:
            metadata: its footer.
            most_bytes: of rows in memory.
        """
        if self.row_bytes is None:
            return False
        groups = list_groups(metadata)
        stored_bytes = sum(group.total_byte_size for group in groups)
        longest_row = self.row_bytes + stored_bytes * len(self.wanted)
        # Not what the footer says of them all, as these are the ones that are read.
        rows = sum(group.num_rows for group in groups)
        return bool(rows * longest_row <= most_bytes)


class _Last(threading.local):
    """The layout that this thread has met last; its files mostly have the same columns."""

    layout: Layout | None = None


_last = _Last()


def find_layout(url: str, file: pq.ParquetFile, wanted: Schema) -> Layout:
    """Return how a file is read.

    Args:
        url: the file.
        file: the same, open as most columns are read.
        wanted: the columns to read, with the types that they must come out in.
    """
    leaves = file.schema
    stored = file.schema_arrow
    last = _last.layout
    if last is not None and last.is_of(leaves, stored, wanted):
        return last
    int96 = list_int96(url, file.metadata, stored)
    units = list_int96_units(wanted, int96)
    readings = list_readings(wanted.names, stored, units)
    types = [stored.field(name).type for name in wanted.names]
    layout = Layout(
        leaves=leaves,
        stored=stored,
        wanted=wanted,
        units=units,
        readings=tuple(readings),
        row_bytes=_count_row_bytes(types),
    )
    _last.layout = layout
    return layout


def _count_row_bytes(types: Sequence[DataType]) -> int | None:
    """Return the bytes of a row's values of one size; None where any is nested."""
    row_bytes = 0
    for dtype in types:
        if is_nested(dtype):
            return None
        # Of texts and dictionaries nothing is known here.
        row_bytes += find_width(dtype) or 0
    return row_bytes
