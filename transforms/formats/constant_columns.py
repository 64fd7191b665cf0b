"""Columns that have one value in all rows of a file, which the file itself does not hold.

The names of folders tell it, or the log of a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from pyarrow import Array, RecordBatch, Schema

from transforms.batches import RejectedBatch, RowRecord

# One value of each column, by its name, as an array of that one value.
Values = Mapping[str, Array]


def add_values(
    rows: RecordBatch,
    schema: Schema,
    values: Values,
) -> RecordBatch:
    """Return rows in a schema, with the same values in all of them.

    Args:
        rows: as a file has them.
        schema: the columns of file and values.
        values: those that the file lacks.
    """
    columns = _list_with_values(rows, schema.names, values)
    return RecordBatch.from_arrays(columns, schema=schema)


def add_to_records(
    records: RejectedBatch,
    schema: Schema,
    values: Values,
    record: RowRecord,
) -> RejectedBatch:
    """Return records of rejected rows as if the values had stood in the file.

    Args:
        records: as the file's format made them.
        schema: the columns that are read, in files and elsewhere.
        values: of the columns that the file lacks.
        record: what is kept of a rejected row.
    """
    columns: dict[str, Array] = {}
    rows = records.rows
    key = None
    # None, too, where the key is a column of the file: the format has added that.
    if record.key is not None:
        key = values.get(record.key)
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        columns[name] = column
        # In the order in which the file has them.
        if name == "row" and key is not None:
            (value,) = key
            columns["key"] = pa.repeat(value, rows.num_rows)
    if record.values:
        given = columns["values"]
        stored = RecordBatch.from_struct_array(given)
        # Not in the schema's types: where a list of a fixed size may be missing, it is any list.
        names = schema.names
        together = _list_with_values(stored, names, values)
        columns["values"] = pa.StructArray.from_arrays(together, names)
    complete = RecordBatch.from_pydict(columns)
    return replace(records, rows=complete)


def _list_with_values(
    rows: RecordBatch,
    names: Sequence[str],
    values: Values,
) -> list[Array]:
    """Return the named columns in their order: of the rows, or of values that all of them have."""
    count = rows.num_rows
    columns = []
    for name in names:
        if name in values:
            (value,) = values[name]
            column = pa.repeat(value, count)
        else:
            column = rows.column(name)
        columns.append(column)
    return columns
