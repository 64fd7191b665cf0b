"""CSV files block by block, on pyarrow's parser.

Fields come as bytes, so that a malformed value costs its row only. An unquoted empty field is null,
a quoted one is an empty string; other texts become null only when the job lists them
(`null_values`). Types are declared, never guessed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from configs.errors import InputError, RowError
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import BLOCK_BYTES, CsvDialect
from transforms.formats.csv_text import CsvText

_BLOCK_BYTES = BLOCK_BYTES
# As much of a parser's message as fits into one of ours.
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class CsvRows:
    """Rows of one block.

    Attributes:
        fields: as bytes (`pa.binary()`), of the rows that have as many as the header.
        row_numbers: int64 (rows,), of each row in the file; the first data row is 0.
        broken: row number and reason of the rows before or among these that are not in `fields`.
    """

    fields: pa.RecordBatch
    row_numbers: np.ndarray
    broken: dict[int, Exception]


def read_csv_blocks(
    url: str,
    columns: Sequence[str],
    dialect: CsvDialect,
    piece: CsvPiece | None = None,
) -> Iterator[CsvRows]:
    """Read a CSV file, plain, `.gz` or `.zst`, or a piece of a plain one.

    Args:
        url: the file.
        columns: names of those to keep.
        dialect: what the file's text means.
        piece: which rows of it; None for all.

    Raises:
        InputError: the file is empty, is not CSV, or lacks a column; or a value of the piece holds
            a line break.
    """
    broken: dict[int, Exception] = {}
    rows = 0
    first_row = piece.first_row if piece is not None else 0
    next_row = first_row
    with CsvText(url, dialect, piece) as text:
        reader = _open(url, text, columns, dialect, broken, first_row)
        for block in _read_blocks(url, text, reader):
            # Nothing, or only broken rows: they go with the rows behind them.
            if block.num_rows == 0:
                continue
            numbers, next_row = _number_rows(next_row, block.num_rows, broken)
            broken_here = {}
            for number in sorted(broken):
                if number < next_row:
                    broken_here[number] = broken.pop(number)
            rows += block.num_rows + len(broken_here)
            yield CsvRows(block, numbers, broken_here)
        # 1 for the header.
        text.refuse_lost_rows(1 + rows + len(broken))
    if piece is not None:
        # The row that CsvText puts behind a piece is none of it.
        del broken[first_row + piece.rows]
    if broken:
        no_numbers = np.empty(0, dtype=np.int64)
        yield CsvRows(_make_no_rows(columns), no_numbers, broken)


def read_header(url: str, dialect: CsvDialect) -> list[str]:
    """Return the column names of a CSV file.

    Args:
        url: the file.
        dialect: what its text means.

    Raises:
        InputError: the file is empty or not CSV.
    """
    with CsvText(url, dialect) as text:
        reader = _open(url, text, None, dialect, {})
        try:
            return list(reader.schema.names)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{url}: its header is not UTF-8; name its encoding, "
                "for example --set source.csv.encoding=latin-1"
            ) from error


def _open(
    url: str,
    text: CsvText,
    columns: Sequence[str] | None,
    dialect: CsvDialect,
    broken: dict[int, Exception],
    first_row: int = 0,
) -> pacsv.CSVStreamingReader:
    """Begin to parse.

    Args:
        url: the file, for errors.
        text: its text.
        columns: names of those to keep; None for all.
        dialect: what the text means.
        broken: where rows of the wrong width are noted, by their numbers, while blocks are read.
        first_row: number of the first row behind the header.

    Raises:
        InputError: the text is empty, is not CSV, or lacks a column.
    """

    def note_wrong_width(row: pacsv.InvalidRow) -> str:
        # pyarrow counts from 1, and the header is a row.
        number = first_row + row.number - 2
        broken[number] = RowError(
            f"row has {row.actual_columns} fields, the header has {row.expected_columns}"
        )
        return "skip"

    convert = pacsv.ConvertOptions(
        # Fields stay bytes, and each value is checked when it gets its type.
        check_utf8=False,
        column_types=dict.fromkeys(columns or (), pa.binary()),
        include_columns=list(columns or ()),
        null_values=list(dialect.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pacsv.ParseOptions(
        delimiter=dialect.delimiter,
        # Also where the job says that there are none: a piece's last row shows when it is wrong.
        newlines_in_values=True,
        invalid_row_handler=note_wrong_width,
    )
    # Workers are threads already; and blocks that are parsed in turn keep the rows' numbers right.
    read = pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    try:
        return pacsv.open_csv(
            pa.PythonFile(text, mode="r"),
            read_options=read,
            parse_options=parse,
            convert_options=convert,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        # A quote that is not closed is the better reason, but a file that cannot be read tells none.
        if not isinstance(error, OSError):
            text.refuse_lost_rows(None)
        raise InputError(
            f"{url}: cannot be read as CSV: {_describe_error(error)}; "
            "check the file, its compression and source.csv"
        ) from error


def _read_blocks(
    url: str, text: CsvText, reader: pacsv.CSVStreamingReader
) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowInvalid, OSError) as error:
            # As for the first block.
            if not isinstance(error, OSError):
                text.refuse_lost_rows(None)
            raise InputError(
                f"{url}: stops being CSV on the way: {_describe_error(error)}; check that the file is whole"
            ) from error


def _number_rows(first: int, rows: int, broken: dict[int, Exception]) -> tuple[np.ndarray, int]:
    """Number `rows` good rows from `first` on, going around the broken ones.

    Returns:
        Their numbers, int64 (rows,), and the number behind the last one.
    """
    stop = first + rows
    # In order, as each broken row moves the end behind further ones.
    for number in sorted(broken):
        if first <= number < stop:
            stop += 1
    numbers = np.arange(first, stop, dtype=np.int64)
    broken_numbers = np.fromiter(broken, dtype=np.int64, count=len(broken))
    good_numbers = np.setdiff1d(numbers, broken_numbers, assume_unique=True)
    return good_numbers, stop


def _make_no_rows(columns: Sequence[str]) -> pa.RecordBatch:
    binary = pa.binary()
    schema = pa.schema([(name, binary) for name in columns])
    nothing = pa.array([], type=binary)
    return pa.RecordBatch.from_arrays([nothing] * len(columns), schema=schema)


def _describe_error(error: Exception) -> str:
    """Return a parser's message without the text of the row that it quotes."""
    if "CSV parse error" in str(error):
        return str(error).split(": ", 1)[0]
    message = str(error)[:_MOST_CHARACTERS]
    return f"{type(error).__name__}: {message}"
