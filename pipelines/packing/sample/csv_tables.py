"""A CSV sample: scoring's own reader takes its rows, and each column is of the narrowest type that fits."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from configs.errors import InputError
from transforms.formats.csv_blocks import CsvRows, read_csv_blocks, read_header
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_marks import POINT, exchange_marks, has_mark, use_points
from transforms.formats.csv_values import convert_fields, find_type

# What a job's `source.csv` is that says nothing.
AS_JOBS_READ = CsvDialect()
_DELIMITERS = ";\t|"
# As Arrow's own reader guesses; unsigned before floats, which would round a large number of a key.
_TYPES = (
    pa.int64(),
    pa.uint64(),
    pa.float64(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("us"),
    pa.string(),
    pa.binary(),
)


class CsvFields(NamedTuple):
    """The first rows of a file.

    Attributes:
        fields: columns of `pa.binary()`, null where a value is missing.
        broken: why a row among them is none, by its number in the file.
    """

    fields: pa.Table
    broken: Mapping[int, Exception]


def read_fields(
    url: str,
    most_rows: int,
    dialect: CsvDialect = AS_JOBS_READ,
) -> CsvFields:
    """Return the first rows of a file as scoring reads them, and read no further.

    Args:
        url: the file, plain or compressed.
        most_rows: how many.
        dialect: of the file.

    Raises:
        InputError: it is no CSV file, or its columns are not separated by commas.
    """
    names = read_header(url, dialect)
    if dialect == AS_JOBS_READ:
        _refuse_other_delimiters(url, names)
    _refuse_namesakes(url, names)
    batches = []
    broken: dict[int, Exception] = {}
    rows = 0
    for block in read_csv_blocks(url, names, dialect):
        left = most_rows - rows
        batch = block.fields.slice(0, left)
        batches.append(batch)
        rows += batch.num_rows
        broken |= _take_before(block, left)
        if rows >= most_rows:
            break
    columns = [(name, pa.binary()) for name in names]
    # Also of a file without rows, which has no batch to tell it.
    schema = pa.schema(columns)
    fields = pa.Table.from_batches(batches, schema)
    return CsvFields(fields, broken)


def _take_before(block: CsvRows, most_rows: int) -> dict[int, Exception]:
    """Return the block's broken rows, without those behind its first rows."""
    if block.fields.num_rows < most_rows:
        return block.broken
    last = block.row_numbers[most_rows - 1]
    broken = block.broken.items()
    return {number: reason for number, reason in broken if number < last}


def convert_sample(
    fields: pa.Table,
    key: str | None,
    decimal: str = POINT,
) -> pa.Table:
    """Return rows with the type of each column that fits all of its values; null where there is none.

    Args:
        fields: of all files of the sample, as bytes.
        key: the column that names a row, whose values are kept to the letter.
        decimal: the mark before the fraction of a number.
    """
    whole = fields.combine_chunks()
    batch, *_ = whole.to_batches()
    columns = []
    for name in batch.schema.names:
        values = _convert_column(batch, name, decimal)
        if name == key:
            texts = batch.column(name)
            values = _keep_letters(values, texts)
        columns.append(values)
    return pa.table(columns, batch.schema.names)


def _convert_column(batch: pa.RecordBatch, name: str, decimal: str) -> pa.Array:
    texts = batch.column(name)
    rows = len(texts)
    if texts.null_count == rows:
        return pa.nulls(rows)
    dtype = _find_type(texts, decimal)
    schema = pa.schema([(name, dtype)])
    column = batch.select([name])
    written = use_points(column, schema, decimal)
    converted = convert_fields(written, schema)
    (values,) = converted.columns
    return values


def _find_type(texts: pa.Array, decimal: str) -> pa.DataType:
    """Return the narrowest type that every value is of, if numbers have this mark."""
    dtype = find_type(texts, _TYPES)
    if decimal == POINT:
        return dtype
    # With a point it may be a date of three numbers, or a thousand: a text, as far as is known.
    if has_mark(dtype):
        return pa.string()
    if dtype != pa.string():
        return dtype
    exchanged = exchange_marks(texts)
    return find_type(exchanged, (pa.float64(), dtype))


def _keep_letters(keys: pa.Array, texts: pa.Array) -> pa.Array:
    """Return keys as texts where numbers would be written in another way: 007 is no 7 to its reader."""
    is_whole = pa.types.is_integer(keys.type)
    is_number = is_whole or pa.types.is_floating(keys.type)
    if not is_number:
        return keys
    text = pa.string()
    written = texts.cast(text)
    as_numbers = keys.cast(text)
    if as_numbers.equals(written):
        return keys
    return written


def _refuse_namesakes(url: str, names: list[str]) -> None:
    """Refuse a header with one name for several columns."""
    counts = Counter(names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        listed = ", ".join(map(repr, twice))
        raise InputError(
            f"sample {url}: has several columns called {listed}; give each its own name"
        )


def _refuse_other_delimiters(url: str, names: list[str]) -> None:
    if len(names) > 1:
        return
    header = names[0]
    for delimiter in _DELIMITERS:
        if delimiter in header:
            raise InputError(
                f"sample {url}: its columns are separated by {delimiter!r}; write the sample with "
                "commas, or as Parquet (a job's own files may have any delimiter, source.csv)"
            )
