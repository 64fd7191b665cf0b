"""A whole CSV file as one table, for programs that score nothing: with scoring's reader.

So they see the records, values and missing values that scoring sees, under the same dialect. What costs
scoring a row refuses the file here: there are no books that a rejected row would stand in.
"""

from collections.abc import Sequence

import pyarrow as pa
from pyarrow import RecordBatch, Schema, Table

from configs.errors import InputError, RejectedRows
from transforms.formats.column import Column
from transforms.formats.columns import check_columns
from transforms.formats.csv_blocks import CsvRows, read_csv_blocks, read_header
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_marks import use_points
from transforms.formats.csv_values import (
    convert_fields,
    convert_valid,
    refuse_unreadable_types,
)

# More than any preview shows.
_FIRST_ROWS = 100


def read_csv_table(url: str, schema: Schema, dialect: CsvDialect) -> Table:
    """Return some columns of a CSV file, plain or compressed.

    Args:
        url: the file.
        schema: names and types of the columns.
        dialect: what its text means.

    Raises:
        InputError: the file cannot be read, lacks a column, or has a row that is malformed.
        JobError: a type that no text has.
    """
    refuse_unreadable_types(schema)
    names = read_header(url, dialect)
    texts = _make_text_schema(names)
    text = pa.string()
    wanted = [Column(name, text) for name in schema.names]
    check_columns(url, texts, wanted)
    blocks = read_csv_blocks(url, schema.names, dialect)
    batches = [_convert_block(url, block, schema, dialect.decimal) for block in blocks]
    return Table.from_batches(batches, schema=schema)


def read_first_texts(url: str, dialect: CsvDialect) -> Table:
    """Return the first rows of a CSV file, all columns as their text, so that nothing is guessed.

    Args:
        url: the file.
        dialect: what its text means.

    Raises:
        InputError: the file cannot be read.
    """
    names = read_header(url, dialect)
    schema = _make_text_schema(names)
    blocks = read_csv_blocks(url, names, dialect)
    # Of a block, or of no row at all.
    first = next(blocks, None)
    if first is None:
        return schema.empty_table()
    fields = first.fields.slice(0, _FIRST_ROWS)
    rows = convert_valid(fields, schema)
    return Table.from_batches([rows])


def _make_text_schema(names: Sequence[str]) -> Schema:
    # Not of a mapping: a header may hold a name twice.
    text = pa.string()
    fields = [(name, text) for name in names]
    return pa.schema(fields)


def _convert_block(
    url: str,
    block: CsvRows,
    schema: Schema,
    decimal: str,
) -> RecordBatch:
    reasons = dict(block.broken)
    fields = use_points(block.fields, schema, decimal)
    try:
        rows = convert_fields(fields, schema)
    except RejectedRows as rejected:
        for position, reason in rejected.reasons.items():
            number = int(block.row_numbers[position])
            reasons[number] = reason
    if not reasons:
        return rows
    first = min(reasons)
    raise InputError(
        f"{url}: row {first}: {reasons[first]}; scoring would reject it; "
        "mend the row, or leave it out of the file"
    )
