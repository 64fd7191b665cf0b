"""CSV files as input: headers, pieces of large files, and typed batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch, Schema

from configs.errors import InputError, JobError, RejectedRows
from storage.input_file import InputFile
from transforms.batches import BatchId, RawBatch, RejectedBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.csv_blocks import CsvRows, read_csv_blocks, read_header
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_marks import use_points
from transforms.formats.csv_numbers import list_number_types
from transforms.formats.csv_split import split_csv, split_for_sample
from transforms.formats.csv_values import (
    convert_fields,
    convert_valid,
    refuse_other_types,
    refuse_unreadable_types,
)
from transforms.formats.format import InputOptions, Piece, Shard
from transforms.formats.unchanged import mark_last
from transforms.rejected import find_kept, record_rows

# Rows at the start of a file whose values are looked at before any worker starts.
_CHECKED_ROWS = 1_000
# Those that are looked for in a header of one name.
_DELIMITERS = ";\t|,"


@dataclass(frozen=True)
class CsvFormat:
    """Read CSV, plain, `.gz`, `.zst`, `.bz2` or `.xz`.

    The span of a unit is empty for a whole file, and (bytes of the header, first byte) for a piece.

    Attributes:
        dialect: what the files' text means.
    """

    dialect: CsvDialect = field(default_factory=CsvDialect)
    needs_types: ClassVar[bool] = True

    def inspect(
        self,
        file: InputFile,
        wanted: Sequence[Column],
    ) -> tuple[Shard, Schema]:
        """Read the header and the first rows; see `Format.inspect`.

        A large plain file is read once to be cut, if the job says that no value holds a line break.
        """
        types = {column.name: column.type for column in wanted}
        wanted_schema = pa.schema(types)
        refuse_unreadable_types(wanted_schema)
        names = read_header(file.url, self.dialect)
        # A column that nobody wants has no declared type.
        text = pa.string()
        fields = [(name, types.get(name, text)) for name in names]
        schema = pa.schema(fields)
        # First: with another delimiter, every column seems to be missing.
        self._check_delimiter(file.url, names, wanted)
        _check_header(file.url, names, wanted)
        check_columns(file.url, schema, wanted)
        self._check_types(file.url, wanted_schema)
        pieces = split_csv(file, names, self.dialect)
        # Only a file that was cut was read to its end.
        rows = None
        if pieces:
            rows = sum(piece.rows for piece in pieces)
        return Shard(file, rows, pieces), schema

    def split(self, shard: Shard, rows: int) -> list[Piece]:
        """Return the pieces that `inspect` has found, or the whole file; `rows` are not known."""
        pieces: tuple[CsvPiece, ...] = shard.details
        if not pieces:
            whole = Piece(span=(), first_row=0, rows=None, bytes=shard.file.bytes)
            return [whole]
        return [_to_piece(piece) for piece in pieces]

    def split_for_sample(self, shard: Shard) -> list[Piece]:
        """Return pieces of a file that `split` leaves whole; see `CutsForSamples`."""
        names = read_header(shard.file.url, self.dialect)
        pieces = split_for_sample(shard.file, names, self.dialect)
        return [_to_piece(piece) for piece in pieces]

    def read(
        self,
        unit: WorkUnit,
        schema: Schema,
        rows_per_batch: int,
        record: RowRecord,
    ) -> Iterator[RawBatch]:
        """Read the unit, one batch behind the parser; see `Format.read`."""
        piece = _get_piece(unit)
        numbers = list_number_types(schema, self.dialect)
        stored = read_csv_blocks(unit.shard, schema.names, self.dialect, piece, numbers)
        blocks = (_use_points(block, schema, self.dialect.decimal) for block in stored)
        batches = (
            batch
            for block in blocks
            for batch in _cut_block(unit, block, schema, rows_per_batch, record)
        )
        yield from mark_last(unit, schema, batches)

    def _check_delimiter(
        self,
        url: str,
        names: Sequence[str],
        wanted: Sequence[Column],
    ) -> None:
        """Refuse a header of one name that would be several with another delimiter."""
        # Whoever wants one column may be right about a header of one name.
        if len(names) != 1 or len(wanted) < 2:
            return
        wanted_names = {column.name for column in wanted}
        for other in _DELIMITERS:
            if other == self.dialect.delimiter:
                continue
            names_by_other = names[0].split(other)
            if not wanted_names.isdisjoint(names_by_other):
                raise InputError(
                    f"{url}: its columns are separated by {other!r} and not by "
                    f"{self.dialect.delimiter!r}; write --set source.csv.delimiter={other!r}"
                )

    def _check_types(self, url: str, schema: Schema) -> None:
        """Refuse a file with a column none of whose first values is of its declared type."""
        blocks = read_csv_blocks(url, schema.names, self.dialect)
        block = next(blocks, None)
        # Of no rows nothing can be said.
        if block is None:
            return
        first_fields = block.fields.slice(0, _CHECKED_ROWS)
        decimal = self.dialect.decimal
        first_rows = use_points(first_fields, schema, decimal)
        try:
            refuse_other_types(first_rows, schema, self.dialect.is_utf8, decimal)
        except InputError as error:
            raise InputError(f"{url}: {error}") from error


def _check_header(
    url: str,
    names: Sequence[str],
    wanted: Sequence[Column],
) -> None:
    """Refuse a file without a header, whose first row a message would show as names of columns."""
    # One column may well have another name in an otherwise good header.
    if len(wanted) < 2:
        return
    written = {_fold(name) for name in names}
    wanted_names = [column.name for column in wanted]
    if written.isdisjoint(map(_fold, wanted_names)):
        raise InputError(
            f"{url}: has no column {wanted_names[0]!r}, and none of the others that are read: its first "
            "line is no header, or that of another table; write a header that names them"
        )


def _fold(name: str) -> str:
    return name.strip().casefold()


def make_csv_format(options: InputOptions) -> CsvFormat:
    """Return the format with a job's options.

    Raises:
        JobError: a delimiter or an encoding that no file can be read with.
    """
    dialect = parse_dialect(**options.csv, max_expansion=options.max_expansion)
    return CsvFormat(dialect)


def parse_dialect(
    delimiter: str,
    encoding: str,
    null_values: tuple[str, ...],
    newlines_in_values: bool,
    max_expansion: int | None,
    quote: str | None = '"',
    escape: str | None = None,
    double_quote: bool = True,
    decimal: str = ".",
) -> CsvDialect:
    """Return what a job says of its CSV files.

    Args:
        delimiter: one ASCII character that separates fields.
        encoding: of the text, as Python calls it.
        null_values: unquoted texts that stand for null.
        newlines_in_values: whether a quoted value may hold a line break.
        max_expansion: None for the default.
        quote: one ASCII character that stands around fields; None for none.
        escape: one ASCII character that stands before a quote inside quotes; None for none.
        double_quote: whether two quotes inside quotes are one.
        decimal: the character before the fraction of a number.

    Raises:
        JobError: a delimiter, a quote, an escape or an encoding that no file can be read with.
    """
    meaningful = {"delimiter": delimiter, "quote": quote, "escape": escape}
    for name, character in meaningful.items():
        if character is None:
            continue
        # NUL stands in for what is left out of a record that is too long, so it must mean nothing.
        ends_lines = character in "\r\n\0"
        if ends_lines or not character.isascii():
            raise JobError(
                f"source.csv.{name} must be an ASCII character that no line ends with, "
                f"and no NUL, got {character!r}"
            )
    declared = [character for character in meaningful.values() if character is not None]
    if len(set(declared)) < len(declared):
        raise JobError(
            "source.csv.delimiter, quote and escape must be three characters; "
            "where a quote is escaped by another one, leave escape out: double_quote says so"
        )
    if quote is None and escape is not None:
        raise JobError("source.csv.escape means nothing without source.csv.quote; leave it out")
    # pyarrow is given texts in which another byte stands for NUL, and would not find these.
    if any("\0" in text for text in null_values):
        raise JobError("source.csv.null_values must hold no NUL")
    _check_encoding(encoding)
    return CsvDialect(
        delimiter=delimiter,
        null_values=null_values,
        encoding=encoding,
        max_expansion=max_expansion,
        newlines_in_values=newlines_in_values,
        quote=quote,
        escape=escape,
        double_quote=double_quote,
        decimal=decimal,
    )


def _check_encoding(encoding: str) -> None:
    # Refuses what Python does not know, and what it knows that is no text, such as base64.
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError) as error:
        raise JobError(
            f"source.csv.encoding {encoding!r} is no encoding of text; "
            "write for example utf-16 or latin-1"
        ) from error


def _to_piece(piece: CsvPiece) -> Piece:
    return Piece(
        span=(piece.header_bytes, piece.first_byte),
        first_row=piece.first_row,
        rows=piece.rows,
        bytes=piece.bytes,
    )


def _get_piece(unit: WorkUnit) -> CsvPiece | None:
    """Return the piece that a unit is; None for a whole file."""
    if not unit.span:
        return None
    header_bytes, first_byte = unit.span
    return CsvPiece(
        header_bytes=header_bytes,
        first_byte=first_byte,
        bytes=unit.bytes,
        first_row=unit.first_row,
        rows=unit.rows or 0,
    )


def _use_points(block: CsvRows, schema: Schema, decimal: str) -> CsvRows:
    fields = use_points(block.fields, schema, decimal)
    return replace(block, fields=fields)


def _cut_block(
    unit: WorkUnit,
    block: CsvRows,
    schema: Schema,
    rows_per_batch: int,
    record: RowRecord,
) -> Iterator[RawBatch]:
    """Yield a block in batches of at most `rows_per_batch` rows.

    Rows that are not in `fields` go with the batch that they precede.
    """
    broken = dict(block.broken)
    rows = block.fields.num_rows
    # At least one batch: a block may hold broken rows alone.
    for start in range(0, max(1, rows), rows_per_batch):
        stop = start + rows_per_batch
        fields = block.fields.slice(start, rows_per_batch)
        numbers = block.row_numbers[start:stop]
        is_final = stop >= rows
        broken_here = {}
        for number in sorted(broken):
            if is_final or number < numbers[-1]:
                broken_here[number] = broken.pop(number)
        yield _to_batch(unit, fields, numbers, broken_here, schema, record)


def _to_batch(
    unit: WorkUnit,
    fields: RecordBatch,
    numbers: np.ndarray,
    broken: dict[int, Exception],
    schema: Schema,
    record: RowRecord,
) -> RawBatch:
    """Convert fields to a typed batch.

    Rows that are malformed or of the wrong width, and rows with a malformed value, are rejected.
    """
    # A broken row may come before all others.
    first_numbers = [*numbers[:1].tolist(), *broken]
    first = min(first_numbers, default=unit.first_row)
    batch_id = BatchId(unit.shard, first)
    rejected_batches = []
    if broken:
        rejected_batches.append(_record_broken(batch_id, broken, schema, record))
    try:
        rows = convert_fields(fields, schema)
    except RejectedRows as rejected:
        malformed = _record_malformed(batch_id, fields, numbers, rejected, schema, record)
        rejected_batches.append(malformed)
        # Once more, without the rows that it refused.
        kept = find_kept(len(numbers), rejected)
        numbers = numbers[kept]
        kept_fields = fields.take(pa.array(kept))
        rows = convert_fields(kept_fields, schema)
    return RawBatch(
        unit,
        id=batch_id,
        rows=rows,
        row_numbers=numbers,
        last=False,
        rejected=tuple(rejected_batches),
    )


def _record_broken(
    batch_id: BatchId,
    broken: Mapping[int, Exception],
    schema: Schema,
    record: RowRecord,
) -> RejectedBatch:
    """Return the records of rows that are no row of the file's, of which no value can be told."""
    row_numbers = sorted(broken)
    count = len(row_numbers)
    unread_columns = [pa.nulls(count, type=column.type) for column in schema]
    return record_rows(
        id=batch_id,
        stage="read",
        row_numbers=np.array(row_numbers),
        reasons=[broken[number] for number in row_numbers],
        rows=RecordBatch.from_arrays(unread_columns, schema=schema),
        record=record,
    )


def _record_malformed(
    batch_id: BatchId,
    fields: RecordBatch,
    numbers: np.ndarray,
    rejected: RejectedRows,
    schema: Schema,
    record: RowRecord,
) -> RejectedBatch:
    """Return the records of rows with a malformed value, in which their other values stand."""
    positions = sorted(rejected.reasons)
    rejected_fields = fields.take(pa.array(positions))
    return record_rows(
        id=batch_id,
        stage="read",
        row_numbers=numbers[positions],
        reasons=[rejected.reasons[position] for position in positions],
        rows=convert_valid(rejected_fields, schema),
        record=record,
    )
