"""Parquet files as input: row groups, and rows in the schema that the contract states."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import pyarrow as pa
from pyarrow import RecordBatch, Schema
from pyarrow.types import is_dictionary

from configs.errors import InputError
from storage import files
from storage.input_file import InputFile
from storage.retries import resumed
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.broken_texts import blank_broken_texts
from transforms.formats.cast_rows import cast_rows
from transforms.formats.column import Column
from transforms.formats.format import (
    InputOptions,
    MayPass,
    NullCounts,
    Piece,
    Section,
    Shard,
    no_rows,
    number_rows,
)
from transforms.formats.parquet_batches import iterate_batches, iterate_reading, open_file
from transforms.formats.parquet_footer import (
    count_stored_bytes,
    holds_more_than,
    is_encryption,
    list_groups,
    read_footer,
)
from transforms.formats.parquet_inspection import inspect_file
from transforms.formats.parquet_layout import find_layout
from transforms.formats.parquet_sections import find_sections
from transforms.formats.parquet_sizes import (
    count_bytes_read,
    find_rows_at_once,
    gather_batches,
)
from transforms.formats.parquet_split import (
    RowGroup,
    count_parts,
    limit_parts,
    split_groups,
)
from transforms.formats.parquet_statistics import count_nulls
from transforms.formats.parquet_ways import (
    USUAL,
    align,
    put_together,
    skip_rows,
)
from transforms.formats.read_failures import (
    explain_failure,
    find_way_out,
    is_broken,
    is_out_of_reach,
)
from transforms.formats.stored_parts import list_parts, skip_part
from transforms.formats.unchanged import check_unchanged

# A bomb is more than this much, decoded, and more than so many times the size of its file.
BOMB_BYTES = 1 << 30
MAX_EXPANSION = 1_000
# What travels together at most, in memory: of rows of less than 1 kB it is as many as the plan says.
_BATCH_BYTES = 64 << 20
# What is read at a time to find out which column cannot be read: few, as nobody knows how large they are.
_LOOKED_AT_ROWS = 64
# Rows, and why some of them were not read exactly.
_Read: TypeAlias = tuple[RecordBatch, Mapping[int, Exception]]


@dataclass(frozen=True)
class ParquetFormat:
    """Read Parquet; the span of a unit is (first row group, number of row groups).

    That of a part of a row group is (row group, 1, number of its first row there).

    Attributes:
        max_expansion: how many times its stored size a file may hold, decoded.
        row_work: see `InputOptions`.
    """

    max_expansion: int = MAX_EXPANSION
    row_work: int = 0
    needs_types: ClassVar[bool] = False
    keeps_dictionaries: ClassVar[bool] = True

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Read the footer; see `Format.inspect`."""
        inspected = inspect_file(file.url, wanted)
        metadata = inspected.metadata
        names = {column.name for column in wanted}
        limit = max(BOMB_BYTES, self.max_expansion * file.bytes)
        # Nearly always not, and nothing but the footer is asked.
        may_be_bomb = inspected.may_hold_more_than(limit)
        if may_be_bomb and holds_more_than(limit, file.url, metadata, names):
            raise self._expands_too_much(file.url)
        row_groups = []
        is_cut = False
        for rows, decoded_bytes in inspected.groups:
            most_parts = count_parts(decoded_bytes, rows * self.row_work)
            row_groups.append(RowGroup(rows, decoded_bytes, most_parts))
            is_cut = is_cut or most_parts > 1
        # Of a store every part fetches all of the row group; of a small one there are no parts.
        if is_cut and not files.is_local(file.url):
            fetched_bytes = count_stored_bytes(file.url, metadata, names)
            row_groups = limit_parts(row_groups, fetched_bytes, self.row_work)
        # Those that are read, whatever the footer says of them all.
        rows_of_groups = [group.rows for group in row_groups]
        shard = Shard(file, sum(rows_of_groups), tuple(row_groups))
        return shard, inspected.schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Put row groups together, up to `rows` rows, and cut one that has more of them."""
        groups: tuple[RowGroup, ...] = shard.details
        return split_groups(groups, rows, shard.file.bytes)

    def count_nulls(self, url: str, names: Sequence[str]) -> NullCounts:
        """Return how many values are missing, as the footer tells; see `CountsNulls`."""
        return count_nulls(url, names)

    def find_sections(
        self,
        unit: WorkUnit,
        fields: Schema,
        names: Sequence[str],
        may_pass: MayPass,
    ) -> list[Section]:
        """Cut a unit between row groups and pages, by their statistics; see `FindsSections`."""
        return find_sections(unit, fields, names, may_pass)

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit's row groups; see `Format.read`."""
        done = 0
        try:
            for batch in self._read_together(unit, schema, rows_per_batch, record):
                done += batch.rows_in
                yield batch
            return
        except (OSError, pa.ArrowException) as error:
            failure = error
        _, groups, *_ = unit.span
        # Behind the last row there is no part to read again, and a failure all the same.
        is_behind_all = done == unit.rows
        if groups == 1 or is_behind_all or not is_broken(failure):
            raise _explain(unit, schema.names, done, failure) from failure
        # The footer is read again, and one of another file has other row groups.
        check_unchanged(unit)
        # A batch may have rows of several row groups, of which one alone is broken.
        parts = list_parts(unit, _count_rows(unit), done)
        for part in parts:
            for batch in self.read(part, schema, rows_per_batch, record):
                is_last = batch.last and part is parts[-1]
                yield replace(batch, unit=unit, last=is_last)

    def find_rest(self, unit: WorkUnit, rows_done: int) -> WorkUnit | None:
        """Return the row groups behind the one that cannot be read; see `FindsRest`."""
        return skip_part(unit, _count_rows(unit), rows_done)

    def _read_together(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Yield the unit's rows, those of several row groups in a batch.

        Raises:
            OSError, ArrowException: they cannot be read.
            InputError: they are more, or fewer, than was told.
        """
        total = unit.rows or 0
        done = 0
        decoded_bytes = 0
        limit = max(BOMB_BYTES, self.max_expansion * unit.bytes)

        def open_from(_: int) -> Iterator[_Read]:
            # By rows: entered another way, a row group comes in other batches.
            return _read_batches(unit, schema, rows_per_batch, done)

        for rows, reasons in resumed(open_from):
            # Once more, in what was decoded: a footer may tell less than there is.
            # All at once, as small files are, it need not be known exactly.
            is_little = rows.num_rows == total and rows.nbytes <= limit
            decoded_bytes += 0 if is_little else count_bytes_read(rows)
            if decoded_bytes > limit:
                raise self._expands_too_much(unit.shard)
            is_last = done + rows.num_rows == total
            valid, broken = blank_broken_texts(rows)
            batch = number_rows(unit, valid, done, is_last)
            done += rows.num_rows
            yield cast_rows(batch, schema, record, {**reasons, **broken})
        if done != total:
            raise InputError(
                f"{unit.shard}: its footer promised {total} rows from row {unit.first_row} on, "
                f"but there are {done}; replace the file"
            )
        # A unit without rows gives one batch without rows.
        if total == 0:
            yield number_rows(unit, no_rows(schema), 0, last=True)

    def _expands_too_much(self, url: str) -> InputError:
        return InputError(
            f"{url}: its columns come to more than {self.max_expansion:,} times its size and more "
            "than 1 GiB, so it may be a bomb; if it is not, raise source.max_expansion"
        )


def make_parquet_format(options: InputOptions) -> ParquetFormat:
    """Return the format with a job's options."""
    return ParquetFormat(options.max_expansion or MAX_EXPANSION, options.row_work)


def _read_batches(
    unit: WorkUnit,
    schema: Schema,
    rows_per_batch: int,
    rows_done: int,
) -> Iterator[_Read]:
    """Yield the unit's rows behind those that came, and which of them were not read exactly.

    Those that came are read again, as that is needed only after a failure.
    """
    # A file that was replaced meanwhile would go on with other rows.
    if rows_done:
        check_unchanged(unit)
    with ExitStack() as stack:
        # Texts that a run has in a dictionary are not made to be put into one.
        dictionaries = [field.name for field in schema if is_dictionary(field.type)]
        file = stack.enter_context(open_file(unit.shard, USUAL, dictionaries))
        first, count, *_ = unit.span
        layout = find_layout(unit.shard, file, schema)
        rows_at_once = rows_per_batch
        if not layout.fits_whole(file.metadata, _BATCH_BYTES):
            rows_at_once = find_rows_at_once(
                unit.shard,
                file,
                groups=range(first, first + count),
                names=schema.names,
                rows_per_batch=rows_per_batch,
                most_bytes=_BATCH_BYTES,
            )
        units = layout.units
        readings = layout.readings
        streams = []
        for reading in readings:
            steps = iterate_reading(stack, file, unit, reading, rows_at_once, dictionaries)
            # Nearly always each is a batch.
            if rows_at_once < rows_per_batch:
                steps = gather_batches(steps, rows_per_batch, _BATCH_BYTES)
            if rows_done:
                steps = skip_rows(steps, rows_done)
            streams.append(steps)
        for batches in align(streams):
            by_reading = dict(zip(readings, batches, strict=True))
            yield put_together(by_reading, schema, units)


def _count_rows(unit: WorkUnit) -> list[int]:
    """Return how many rows of a unit each of its row groups has."""
    first, count, *_ = unit.span
    # All rows of a unit are of one row group, or it has whole ones.
    if count == 1:
        return [unit.rows or 0]
    _, footer = read_footer(unit.shard)
    groups = list_groups(footer)[first : first + count]
    return [group.num_rows for group in groups]


def _explain(
    unit: WorkUnit,
    names: Sequence[str],
    rows_done: int,
    error: Exception,
) -> InputError:
    """Return the refusal of a file that cannot be read.

    Args:
        unit: what was read of it.
        names: the columns.
        rows_done: how many rows came before it failed.
        error: what Arrow, a disk or a store says.
    """
    if is_encryption(error):
        return InputError(f"{unit.shard}: is encrypted; replace the file")
    row = unit.first_row + rows_done
    column = ""
    if not is_out_of_reach(error):
        column = _find_failing_column(unit, names)
    reason = explain_failure(error, unit.shard, names)
    return InputError(
        f"{unit.shard}: cannot be read from row {row} on{column}: {reason}; {find_way_out(error)}"
    )


def _find_failing_column(unit: WorkUnit, names: Sequence[str]) -> str:
    """Return which column of a unit cannot be read, in words; none where it is not one of them.

    Arrow does not tell, and so each is read by itself.
    """
    try:
        with open_file(unit.shard, USUAL) as file:
            for name in names:
                try:
                    for _ in iterate_batches(file, unit, [name], _LOOKED_AT_ROWS):
                        pass
                except (OSError, pa.ArrowException):
                    return f", in column {name!r}"
    except (OSError, pa.ArrowException):
        # Nor can the file itself.
        return ""
    return ""
