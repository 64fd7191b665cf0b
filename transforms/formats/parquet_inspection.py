"""Look into Parquet files that mostly have the same columns: what the first one told is kept.

To check every column takes ten times as long as to read the footer of a small file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import threading
from typing import NamedTuple

from pyarrow import Schema
import pyarrow.parquet as pq

from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.parquet_footer import (
    declare_types,
    list_groups,
    list_widths,
    read_footer,
    refuse_intervals,
)


class Inspected(NamedTuple):
    """What a file's footer tells.

    Attributes:
        schema: its columns, without metadata; the same object for files with the same columns.
        metadata: the footer.
        row_bytes: of a row, what has one size, and of texts the least.
    """

    schema: Schema
    metadata: pq.FileMetaData
    row_bytes: int

    def may_hold_more_than(self, limit: int) -> bool:
        """Tell whether its columns may be larger than a limit, in bytes, decoded."""
        at_most = 0
        for group in list_groups(self.metadata):
            # A dictionary hides how often its values stand there, so the rows count as well.
            plain_bytes = group.num_rows * self.row_bytes
            at_most += group.total_byte_size + plain_bytes
        return at_most > limit


@dataclass(frozen=True)
class _Checked:
    """Columns of a file that were checked.

    Attributes:
        leaves, stored: as Parquet and as Arrow have them.
        wanted: the columns that will be read.
        schema, row_bytes: as `Inspected` has them.
    """

    leaves: pq.ParquetSchema
    stored: Schema
    wanted: Sequence[Column]
    schema: Schema
    row_bytes: int

    def is_of(
        self,
        leaves: pq.ParquetSchema,
        stored: Schema,
        wanted: Sequence[Column],
    ) -> bool:
        """Tell whether they are those of a file; arguments as the attributes."""
        if self.wanted is not wanted and list(self.wanted) != list(wanted):
            return False
        return bool(self.leaves.equals(leaves) and self.stored.equals(stored))


class _Last(threading.local):
    """The columns that this thread has checked last."""

    checked: _Checked | None = None


_last = _Last()


def inspect_file(url: str, wanted: Sequence[Column]) -> Inspected:
    """Read a file's footer, and check that it has every wanted column in a type that it may have.

    Args:
        url: the file.
        wanted: the columns that will be read.

    Raises:
        InputError: it cannot be read, or lacks a wanted column, or has it in another type.
    """
    stored, metadata = read_footer(url)
    leaves = metadata.schema
    last = _last.checked
    if last is not None and last.is_of(leaves, stored, wanted):
        return Inspected(last.schema, metadata, last.row_bytes)
    declared = {column.name: column.type for column in wanted}
    schema = declare_types(url, stored, metadata, declared)
    check_columns(url, schema, wanted)
    names = set(declared)
    refuse_intervals(url, metadata, names)
    widths = list_widths(metadata, names)
    checked = _Checked(
        leaves=leaves,
        stored=stored,
        wanted=wanted,
        schema=schema.remove_metadata(),
        row_bytes=sum(widths.values()),
    )
    # Only now: what was refused is looked at again.
    _last.checked = checked
    return Inspected(checked.schema, metadata, checked.row_bytes)
