"""CSV shards as typed record batches, on pyarrow's parser; types are declared, never guessed.

Fields are read as bytes and converted column by column, so that one malformed value costs its row and not its block. An unquoted
empty field is null, a quoted one is an empty string; other texts become null only when the job lists them (`null_values`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from configs.errors import InputError, RowError
from transforms.batches import BadRows, WorkUnit, isolate
from transforms.csv_text import BLOCK_BYTES, CsvText
from transforms.csv_text import CsvFormat as CsvFormat

_BLOCK_BYTES = BLOCK_BYTES
_CHECKED_ROWS = 1_000
_INFINITE = r"(?i)^[-+]?inf(inity)?$"


@dataclass(frozen=True)
class CsvRows:
    """Rows of one block: fields as bytes (`pa.binary()`), the number of each row in the file, and rows of the wrong width.

    Attributes:
        row_numbers: int64 (rows,); the first data row is 0.
        broken: row number and reason of the rows before or among these that are not in `fields`.
    """

    fields: pa.RecordBatch
    row_numbers: np.ndarray
    broken: dict[int, Exception]


def read_csv_blocks(url: str, columns: Sequence[str], csv: CsvFormat, piece: WorkUnit | None = None) -> Iterator[CsvRows]:
    """Read a CSV file, plain, `.gz` or `.zst`, or a piece of a plain one, block by block, keeping to the named columns.

    Raises:
        InputError: the file is empty, is not CSV, or lacks a column; or a value of the piece holds a line break.
    """
    broken: dict[int, Exception] = {}
    rows = 0
    first = first_row = piece.first_row if piece is not None else 0
    with CsvText(url, csv, piece) as text:
        reader = _open(url, text, columns, csv, broken, first_row)
        for block in _blocks(url, text, reader):
            if block.num_rows == 0:  # nothing, or only broken rows: they go with the rows behind them
                continue
            numbers, first = _row_numbers(first, block.num_rows, broken)
            here = {n: broken.pop(n) for n in sorted(broken) if n < first}
            rows += block.num_rows + len(here)
            yield CsvRows(block, numbers, here)
        text.refuse_lost_rows(1 + rows + len(broken))
    if piece is not None:
        del broken[first_row + (piece.rows or 0)]  # the last row, which is none of the piece
    if broken:
        yield CsvRows(_no_rows(columns), np.empty(0, dtype=np.int64), broken)


def convert_fields(fields: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Fields as bytes to the declared types.

    Raises:
        BadRows: rows with a value that is not of its column's type.
        InputError: a column in which no value is.
    """
    columns, bad = [], dict[int, Exception]()
    for field in schema:
        texts = fields.column(field.name)
        try:
            columns.append(_convert(texts, field.type))
        except (pa.ArrowInvalid, UnicodeDecodeError):
            bad.update(_bad_values(texts, field))
    if bad:
        raise BadRows(bad)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def convert_valid(fields: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Fields as bytes to the declared types, null where a value is not of its type."""
    return pa.RecordBatch.from_arrays([_convert_valid(fields.column(f.name), f.type) for f in schema], schema=schema)


def _convert_valid(texts: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return _convert(texts, dtype)
    except pa.ArrowInvalid:
        return pa.concat_arrays([_convert_one(texts.slice(row, 1), dtype) for row in range(len(texts))])


def csv_header(url: str, csv: CsvFormat) -> list[str]:
    """Column names of a CSV file.

    Raises:
        InputError: the file is empty or not CSV.
    """
    with CsvText(url, csv) as text:
        reader = _open(url, text, None, csv, {})
        try:
            return list(reader.schema.names)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{url}: its header is not UTF-8; name its encoding, for example --set source.csv.encoding=latin-1"
            ) from error


def check_csv(url: str, schema: pa.Schema, csv: CsvFormat) -> None:
    """Look at a file's first rows for a column that is of another type than declared altogether.

    Raises:
        InputError: a column none of whose first values is of its type.
    """
    block = next(read_csv_blocks(url, schema.names, csv), None)
    if block is None:
        return
    try:
        convert_fields(block.fields.slice(0, _CHECKED_ROWS), schema)
    except BadRows:
        return
    except InputError as error:
        raise InputError(f"{url}: {error}") from error


def _open(
    url: str, text: CsvText, columns: Sequence[str] | None, csv: CsvFormat, broken: dict[int, Exception], first_row: int = 0
) -> pacsv.CSVStreamingReader:
    def on_invalid_row(row: pacsv.InvalidRow) -> str:
        broken[first_row + row.number - 2] = RowError(f"row has {row.actual_columns} fields, the header has {row.expected_columns}")
        return "skip"

    convert = pacsv.ConvertOptions(
        check_utf8=False,
        column_types={name: pa.binary() for name in columns or ()},
        include_columns=list(columns or ()),
        null_values=list(csv.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        return pacsv.open_csv(
            pa.PythonFile(text, mode="r"),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(delimiter=csv.delimiter, newlines_in_values=True, invalid_row_handler=on_invalid_row),
            convert_options=convert,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        if not isinstance(error, OSError):
            text.refuse_lost_rows(None)
        raise InputError(
            f"{url}: cannot be read as CSV: {_plain(error)}; check the file, its compression and source.csv"
        ) from error


def _blocks(url: str, text: CsvText, reader: pacsv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowInvalid, OSError) as error:
            if not isinstance(error, OSError):
                text.refuse_lost_rows(None)
            raise InputError(f"{url}: stops being CSV on the way: {_plain(error)}; check that the file is whole") from error


def _row_numbers(first: int, rows: int, broken: dict[int, Exception]) -> tuple[np.ndarray, int]:
    """Numbers of `rows` good rows from `first` on, going around the broken ones, and the number after the last."""
    stop = first + rows
    for number in sorted(broken):
        if first <= number < stop:
            stop += 1
    numbers = np.arange(first, stop, dtype=np.int64)
    return np.setdiff1d(numbers, np.fromiter(broken, dtype=np.int64, count=len(broken)), assume_unique=True), stop


def _convert(texts: pa.Array, dtype: pa.DataType) -> pa.Array:
    if dtype == pa.binary():
        return texts
    strings = texts.cast(pa.string())
    if dtype == pa.string():
        return strings
    values = strings.cast(dtype)
    if pa.types.is_floating(dtype) and _overflowed(strings, values):
        raise pa.ArrowInvalid(f"a number is too large for {dtype}")
    return values


def _overflowed(texts: pa.Array, values: pa.Array) -> bool:
    """Whether a finite number became infinite: pyarrow reads 1e400 so."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.to_numpy(zero_copy_only=False).sum()):  # the usual case, seen in one pass
            return False
    infinite = pc.is_inf(values)
    return pc.all(pc.match_substring_regex(texts.filter(infinite), _INFINITE)).as_py() is False


def _convert_one(text: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return _convert(text, dtype)
    except pa.ArrowInvalid:
        return pa.nulls(1, type=dtype)


def _bad_values(texts: pa.Array, field: pa.Field) -> dict[int, Exception]:
    reason = RowError(f"column {field.name!r}: not a valid {field.type}")
    try:
        bad = isolate(len(texts), lambda at: _convert(texts.take(pa.array(at)), field.type))
    except pa.ArrowInvalid as error:
        raise InputError(
            f"column {field.name!r} does not hold values of type {field.type}, which the contract or source.types declares"
        ) from error
    return dict.fromkeys(bad.reasons if bad else (), reason)


def _no_rows(columns: Sequence[str]) -> pa.RecordBatch:
    schema = pa.schema([(name, pa.binary()) for name in columns])
    return pa.RecordBatch.from_arrays([pa.array([], type=pa.binary()) for _ in columns], schema=schema)


def _plain(error: Exception) -> str:
    """A parser's message without the text of the row that it quotes."""
    return str(error).split(": ", 1)[0] if "CSV parse error" in str(error) else type(error).__name__ + ": " + str(error)[:200]
