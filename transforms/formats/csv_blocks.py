"""CSV files block by block: every record with its number, as fields or with the reason why not.

Fields come as bytes, so that a malformed value costs its row only. An unquoted empty field is null, a
quoted one is an empty string; other texts become null only when the job lists them (`null_values`).
Types are declared, never guessed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import RecordBatch

from configs.errors import InputError
from transforms.formats.csv_bytes import CsvFile, CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_fields import FieldParser
from transforms.formats.csv_numbers import NumberTypes
from transforms.formats.csv_record_reader import RecordReader
from transforms.formats.csv_records import Records
from transforms.formats.csv_text import CsvText


@dataclass(frozen=True)
class CsvRows:
    """Rows of one block.

    Attributes:
        fields: as bytes (`pa.binary()`), or as numbers, of the rows that are well formed and have as
            many as the header.
        row_numbers: int64 (rows,), of each row in the file; the first data row is 0.
        broken: row number and reason of the rows before, among or behind these that are not in
            `fields`.
    """

    fields: RecordBatch
    row_numbers: np.ndarray
    broken: dict[int, Exception]


def read_csv_blocks(
    url: str,
    columns: Sequence[str],
    dialect: CsvDialect,
    piece: CsvPiece | None = None,
    numbers: NumberTypes | None = None,
) -> Iterator[CsvRows]:
    """Read a CSV file, plain or compressed, or a piece of a plain one.

    Args:
        url: the file.
        columns: names of those to keep.
        dialect: what the file's text means.
        piece: which rows of it; None for all.
        numbers: types of the columns that may come as numbers; one with a malformed value comes as
            bytes all the same.

    Raises:
        InputError: the file is empty, is not CSV, lacks a column, or ends inside quotes.
    """
    first_row = 0
    if piece is not None:
        first_row = piece.first_row
    next_row = first_row
    with CsvFile(url, piece) as file:
        text = CsvText(url, dialect, file)
        reader = RecordReader(url, text, dialect, first_row)
        first = reader.read_header()
        header = _parse_header(url, first)
        width = len(header)
        wanted = [_find_column(url, header, name) for name in columns]
        number_types = {}
        for name, dtype in (numbers or {}).items():
            position = _find_column(url, header, name)
            number_types[position] = dtype
        parser = FieldParser(width, wanted, dialect, number_types)
        blocks = reader.read_blocks(is_column=width == 1)
        for records in blocks:
            rows = _parse_block(url, parser, records, next_row, columns)
            next_row += len(records)
            yield rows
    rows_read = next_row - first_row
    # Pieces were counted when the run was planned.
    if piece is not None and rows_read != piece.rows:
        raise InputError(
            f"{url}: has {rows_read} rows from row {first_row} on where "
            f"{piece.rows} were counted; start the run again"
        )


def read_header(url: str, dialect: CsvDialect) -> list[str]:
    """Return the column names of a CSV file.

    Args:
        url: the file.
        dialect: what its text means.

    Raises:
        InputError: the file is empty or not CSV.
    """
    with CsvFile(url) as file:
        text = CsvText(url, dialect, file)
        reader = RecordReader(url, text, dialect, first_row=0)
        header = reader.read_header()
    return _parse_header(url, header)


def _parse_block(
    url: str,
    parser: FieldParser,
    records: Records,
    next_row: int,
    columns: Sequence[str],
) -> CsvRows:
    try:
        fields, positions, broken = parser.parse(records)
    except pa.ArrowInvalid as error:
        reason = _describe_error(error)
        raise InputError(
            f"{url}: from row {next_row} on, {len(records)} records cannot be parsed: "
            f"{reason}; check source.csv"
        ) from error
    # The parser calls them by their positions.
    named = fields.rename_columns(list(columns))
    row_numbers = next_row + positions
    broken_rows = {}
    for position, why in broken.items():
        broken_rows[next_row + position] = why
    return CsvRows(named, row_numbers, broken_rows)


def _parse_header(url: str, header: Records) -> list[str]:
    """Return the column names."""
    if header.malformed:
        raise InputError(
            f"{url}: the header: {header.malformed[0]}; "
            "mend the file, or declare its quotes in source.csv"
        )
    widths = header.count_fields()
    width = int(widths[0])
    all_columns = range(width)
    parser = FieldParser(width, all_columns, header.dialect)
    parsed = parser.parse(header)
    columns = parsed.fields.columns
    names = [column[0].as_py() for column in columns]
    try:
        return [name.decode() for name in names]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{url}: its header is not UTF-8; name its encoding, "
            "for example --set source.csv.encoding=latin-1"
        ) from error


def _find_column(url: str, header: Sequence[str], name: str) -> int:
    if name not in header:
        raise InputError(f"{url}: has no column {name!r}; it changed since the run was planned")
    return header.index(name)


def _describe_error(error: Exception) -> str:
    """Return a parser's message without the text of the row that it quotes."""
    message = str(error)
    # What is behind the first colon may quote the row.
    if "CSV parse error" in message:
        kind, _, _ = message.partition(": ")
        return kind
    name = type(error).__name__
    return f"{name}: {message[:200]}"
