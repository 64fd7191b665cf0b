"""Look into Parquet files that mostly have the same columns: what the first one told is kept.

To check every column takes ten times as long as to read the footer of a small file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import threading
from typing import NamedTuple

from pyarrow import Schema
import pyarrow.parquet as pq

from configs.errors import InputError
from storage.parquet_depth import is_too_deep
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.parquet_footer import (
    declare_types,
    list_groups,
    list_widths,
    parse_footer,
    parse_metadata,
    read_end,
    refuse_intervals,
)
from transforms.formats.parquet_prefix import FileEnd

# Where Arrow's writers keep the schema as it was in memory.
_ARROW_SCHEMA = b"ARROW:schema"
# More than any file has, and few enough that row numbers behind them are numbers of 64 bits, too.
_MOST_ROWS = 1 << 53


class Inspected(NamedTuple):
    """What a file's footer tells.

    Attributes:
        schema: its columns, without metadata; the same object for files with the same columns.
        metadata: the footer.
        groups: of each row group, its rows and its bytes before they are compressed.
        row_bytes: of a row, what has one size, and of texts the least.
    """

    schema: Schema
    metadata: pq.FileMetaData
    groups: Sequence[tuple[int, int]]
    row_bytes: int

    def may_hold_more_than(self, limit: int) -> bool:
        """Tell whether its columns may be larger than a limit, in bytes, decoded."""
        at_most = 0
        for rows, decoded_bytes in self.groups:
            # A dictionary hides how often its values stand there, so the rows count as well.
            plain_bytes = rows * self.row_bytes
            at_most += decoded_bytes + plain_bytes
        return at_most > limit


@dataclass(frozen=True)
class _Checked:
    """Columns of a file that were checked.

    Attributes:
        stored: what the footer begins with, the columns as Parquet has them.
        arrow_schema: how Arrow has written them down; None where another program wrote the file.
        wanted: the columns that will be read.
        schema, row_bytes: as `Inspected` has them.
    """

    stored: bytes
    arrow_schema: bytes | None
    wanted: Sequence[Column]
    schema: Schema
    row_bytes: int

    def may_be_of(self, end: FileEnd, wanted: Sequence[Column]) -> bool:
        """Tell whether a file has these columns as Parquet has them, and the same ones are wanted."""
        if self.wanted is not wanted and list(self.wanted) != list(wanted):
            return False
        return end.has_columns(self.stored)


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
    end = read_end(url)
    last = _last.checked
    # By the bytes of the footer: what Arrow makes of them takes longer to compare than to make.
    if last is not None and last.may_be_of(end, wanted):
        metadata = parse_metadata(end)
        if _find_arrow_schema(metadata) == last.arrow_schema:
            return Inspected(last.schema, metadata, _measure_groups(url, metadata), last.row_bytes)
    if is_too_deep(end.footer):
        raise InputError(
            f"{url}: has columns so deep inside others that nobody reads them; write the file without these"
        )
    stored, metadata = parse_footer(end)
    declared = {column.name: column.type for column in wanted}
    schema = declare_types(url, stored, metadata, declared)
    check_columns(url, schema, wanted)
    names = set(declared)
    refuse_intervals(url, metadata, names)
    widths = list_widths(metadata, names)
    groups = _measure_groups(url, metadata)
    inspected = Inspected(schema.remove_metadata(), metadata, groups, sum(widths.values()))
    # Only now: what was refused is looked at again.
    _last.checked = _remember(end, wanted, inspected)
    return inspected


def _remember(
    end: FileEnd,
    wanted: Sequence[Column],
    inspected: Inspected,
) -> _Checked | None:
    stored = end.find_columns()
    # Of a writer that puts them elsewhere each file is checked.
    if stored is None:
        return None
    return _Checked(
        stored=stored,
        arrow_schema=_find_arrow_schema(inspected.metadata),
        wanted=wanted,
        schema=inspected.schema,
        row_bytes=inspected.row_bytes,
    )


def _measure_groups(url: str, metadata: pq.FileMetaData) -> list[tuple[int, int]]:
    """Return the rows and bytes of each row group.

    Raises:
        InputError: the footer is broken, as no file has so many rows, or so few.
    """
    groups = list_groups(metadata)
    rows = [group.num_rows for group in groups]
    most = max(metadata.num_rows, sum(rows))
    least = min(metadata.num_rows, *rows) if rows else metadata.num_rows
    if least < 0 or most > _MOST_ROWS:
        number = least if least < 0 else most
        raise InputError(
            f"{url}: is not a readable Parquet file: its footer tells of {number} rows; replace the file"
        )
    return [(group.num_rows, group.total_byte_size) for group in groups]


def _find_arrow_schema(metadata: pq.FileMetaData) -> bytes | None:
    entries = metadata.metadata or {}
    return entries.get(_ARROW_SCHEMA)
