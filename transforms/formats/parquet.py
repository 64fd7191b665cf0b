"""Parquet files as input: footers, row groups, and rows in the schema that the contract states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import InputError, RejectedRows, RowError
from configs.redaction import shown
from storage import files
from storage.inputs import InputFile
from storage.retries import resumed, retried
from transforms.batches import RawBatch, WorkUnit
from transforms.formats.format import (
    Column,
    InputOptions,
    Piece,
    Shard,
    check_columns,
    check_unchanged,
    first_sentence,
    no_rows,
    number_rows,
)
from transforms.rejected import RowRecord

# A bomb is more than this much, decoded, and more than so many times the size of its file.
BOMB_BYTES = 1 << 30
MAX_EXPANSION = 1_000
_READ_BYTES = 1 << 20
_FETCH_BYTES = 64 << 20
_DECRYPT = "store it decrypted, on an encrypted disk or in an encrypted bucket if need be"
_STORED_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class RowGroup:
    """Rows of one row group, and its bytes before they are compressed."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class ParquetFormat:
    """Read Parquet; the span of a unit is (first row group, number of row groups).

    Attributes:
        max_expansion: how many times its stored size a file may hold, decoded.
    """

    max_expansion: int = MAX_EXPANSION
    needs_types: ClassVar[bool] = False

    def inspect(self, file: InputFile, wanted: Sequence[Column]) -> tuple[Shard, pa.Schema]:
        """Read the footer; see `Format.inspect`."""
        schema, metadata = self._read_footer(file)
        check_columns(file.url, schema, wanted)
        limit = max(BOMB_BYTES, self.max_expansion * file.bytes)
        if _holds_more_than(limit, file.url, metadata, {column.name for column in wanted}):
            raise self._expands_too_much(file.url)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        row_groups = tuple(RowGroup(group.num_rows, group.total_byte_size) for group in groups)
        return Shard(file, metadata.num_rows, row_groups), schema.remove_metadata()

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Put row groups together, up to `rows` rows; a larger group is a piece of its own."""
        groups: tuple[RowGroup, ...] = shard.details
        if len(groups) <= 1:
            return [Piece((0, len(groups)), 0, shard.rows, shard.file.bytes)]
        decoded_bytes = max(1, sum(group.bytes for group in groups))
        pieces: list[Piece] = []
        first, first_row = 0, 0
        while first < len(groups):
            stop = _end_of_piece(groups, first, rows)
            here = groups[first:stop]
            rows_here = sum(group.rows for group in here)
            # Its share of the file, since a footer tells sizes before compression only.
            stored_bytes = shard.file.bytes * sum(group.bytes for group in here) // decoded_bytes
            pieces.append(Piece((first, stop - first), first_row, rows_here, stored_bytes))
            first, first_row = stop, first_row + rows_here
        return pieces

    def read(
        self, unit: WorkUnit, schema: pa.Schema, rows_per_batch: int, record: RowRecord
    ) -> Iterator[RawBatch]:
        """Read the unit's row groups; see `Format.read`."""
        total = unit.rows or 0
        done = decoded_bytes = 0

        def open_from(batch: int) -> Iterator[pa.RecordBatch]:
            return _read_batches(unit, schema.names, rows_per_batch, batch)

        try:
            for rows in resumed(open_from):
                decoded_bytes += sum(_decoded_bytes(column) for column in rows.columns)
                if decoded_bytes > max(BOMB_BYTES, self.max_expansion * unit.bytes):
                    raise self._expands_too_much(unit.shard)
                batch = number_rows(unit, rows, done, last=done + rows.num_rows == total)
                done += rows.num_rows
                yield _to_schema(batch, schema, record)
        except (OSError, pa.ArrowException) as error:
            at = f"cannot be read from row {unit.first_row + done} on: {shown(error)}"
            why = "is encrypted" if is_encryption(error) else at
            raise InputError(f"{unit.shard}: {why}; replace the file") from error
        if done != total:
            raise InputError(
                f"{unit.shard}: its footer promised {total} rows from row {unit.first_row} on, "
                f"but there are {done}; replace the file"
            )
        if total == 0:
            yield number_rows(unit, no_rows(schema), 0, last=True)

    def _read_footer(self, file: InputFile) -> tuple[pa.Schema, pq.FileMetaData]:
        try:
            return _read_footer(file.url)
        except (OSError, pa.ArrowException) as error:
            if is_encryption(error):
                raise InputError(f"{file.url}: is encrypted; {_DECRYPT}") from error
            looks_like_csv = file.url.endswith((".csv", ".csv.gz", ".csv.zst"))
            hint = "; is it CSV? then set source.format=csv" if looks_like_csv else ""
            raise InputError(
                f"{file.url}: is not a readable Parquet file: {first_sentence(error)}{hint}"
            ) from error

    def _expands_too_much(self, url: str) -> InputError:
        return InputError(
            f"{url}: its columns come to more than {self.max_expansion:,} times its size and more "
            "than 1 GiB, so it may be a bomb; if it is not, raise source.max_expansion"
        )


def make_parquet_format(options: InputOptions) -> ParquetFormat:
    """Return the format with a job's options."""
    return ParquetFormat(options.max_expansion or MAX_EXPANSION)


def is_encryption(error: Exception) -> bool:
    """Tell whether a Parquet file could not be read because it, or a column of it, is encrypted."""
    return "decrypt" in str(error).lower() or "encrypted" in str(error).lower()


@retried
def _read_footer(url: str) -> tuple[pa.Schema, pq.FileMetaData]:
    source = url if files.is_local(url) else files.open_read(url)
    with pq.ParquetFile(source) as parquet:
        return parquet.schema_arrow, parquet.metadata


def _end_of_piece(groups: Sequence[RowGroup], first: int, rows: int) -> int:
    """Return the row group behind the last one that fits into a piece; at least one does."""
    stop, rows_so_far = first + 1, groups[first].rows
    while stop < len(groups) and rows_so_far + groups[stop].rows <= rows:
        rows_so_far += groups[stop].rows
        stop += 1
    return stop


def _read_batches(
    unit: WorkUnit, names: Sequence[str], rows_per_batch: int, start: int
) -> Iterator[pa.RecordBatch]:
    """Yield the unit's rows from batch `start` on.

    The batches before it are read again, as they are needed only after a failure.
    """
    if start:
        check_unchanged(unit)
    with _open(unit.shard) as file:
        batches = (
            rows.select(names)
            for groups in _groups_read_together(file.metadata, unit)
            for rows in file.iter_batches(
                rows_per_batch, row_groups=groups, columns=names, use_threads=False
            )
        )
        yield from islice(batches, start, None)


def _open(url: str) -> pq.ParquetFile:
    """Open a local file to be read in small pieces that stay in the cache, a remote one in few requests.

    Not memory-mapped: a file that is cut short under a map ends the process with SIGBUS.
    """
    if files.is_local(url):
        return pq.ParquetFile(
            url, pre_buffer=False, buffer_size=_READ_BYTES, page_checksum_verification=True
        )
    return pq.ParquetFile(files.open_read(url), pre_buffer=True, page_checksum_verification=True)


def _groups_read_together(metadata: pq.FileMetaData, unit: WorkUnit) -> Iterator[list[int]]:
    """Yield the unit's row groups as they are asked for.

    Of a remote file only so many at a time: `pre_buffer` keeps all that it fetched until the last row.
    """
    first, count = unit.span
    groups = list(range(first, first + count))
    if files.is_local(unit.shard):
        yield groups
        return
    together: list[int] = []
    bytes_together = 0
    for group in groups:
        size = metadata.row_group(group).total_byte_size
        if together and bytes_together + size > _FETCH_BYTES:
            yield together
            together, bytes_together = [], 0
        together.append(group)
        bytes_together += size
    if together:
        yield together


def _decoded_bytes(column: pa.Array) -> int:
    """Return the size of a column; of a dictionary, which batches share, only that of its indices."""
    own = column.indices if pa.types.is_dictionary(column.type) else column
    return int(own.nbytes)


def _to_schema(batch: RawBatch, schema: pa.Schema, record: RowRecord) -> RawBatch:
    """Return the batch in the types of the schema.

    Rows with a number that its type cannot hold are rejected.
    """
    columns: list[pa.Array] = []
    reasons: dict[int, Exception] = {}
    for column, field in zip(batch.rows.columns, schema, strict=True):
        cast = column if column.type == field.type else column.cast(field.type)
        if column.type != field.type and pa.types.is_floating(field.type):
            overflowed = pc.and_not(pc.is_inf(cast), pc.is_inf(column))
            reason = RowError(
                f"column {field.name!r}: a {column.type} that does not fit {field.type}"
            )
            reasons.update(dict.fromkeys(pc.indices_nonzero(overflowed).to_pylist(), reason))
            cast = pc.if_else(overflowed, None, cast)
        columns.append(cast)
    rows = pa.RecordBatch.from_arrays(columns, schema=schema)
    batch = replace(batch, rows=rows, record=record)
    return batch.reject(RejectedRows(reasons), "read") if reasons else batch


def _holds_more_than(limit: int, url: str, metadata: pq.FileMetaData, names: set[str]) -> bool:
    """Tell whether the wanted columns are larger than that, decoded, as far as the footer tells."""
    leaves = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    widths = {
        number: _stored_width(leaf)
        for number, leaf in enumerate(leaves)
        if {leaf.path, leaf.path.partition(".")[0]} & names
    }
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    row_width = sum(widths.values())
    at_most = sum(group.total_byte_size + group.num_rows * row_width for group in groups)
    if at_most <= limit:  # nearly always, and it asks for no column
        return False
    _refuse_encrypted_columns(url, metadata)
    columns = [
        (group.column(number), width) for group in groups for number, width in widths.items()
    ]
    return sum(_column_bytes(column, width) for column, width in columns) > limit


def _refuse_encrypted_columns(url: str, metadata: pq.FileMetaData) -> None:
    """Refuse a file whose plain footer is longer than its content.

    Such a footer is signed, so columns are encrypted; to ask pyarrow about them ends the process.
    """
    with files.open_read(url) as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
    if length != metadata.serialized_size:
        raise InputError(f"{url}: is encrypted in part; {_DECRYPT}")


def _stored_width(leaf: pq.ColumnSchema) -> int:
    return _STORED_WIDTHS.get(leaf.physical_type, max(leaf.length, 4))


def _column_bytes(column: pq.ColumnChunkMetaData, width: int) -> int:
    return max(column.total_uncompressed_size, column.num_values * width)
