"""Where the columns of a table are in one of its data files: found by name or by number, or told by the log alone."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from pyarrow import Array, DataType, Field, Schema
from pyarrow.types import is_timestamp

from configs.errors import InputError
from transforms.formats.constant_columns import Values
from transforms.joined_types import join_types
from transforms.lakes.log_values import parse_value
from transforms.lakes.snapshot import DataFile, TableColumn
from transforms.logical_types import cast_exactly
from transforms.model_types import fits_exactly, widens

# What Parquet calls the number that a table knows a column by.
_FIELD_ID = b"PARQUET:field_id"


class Layout(NamedTuple):
    """Where the columns of a data file are: in the file, by the table's name, or not in it."""

    stored: dict[str, tuple[Field, TableColumn]]
    lacking: dict[str, tuple[TableColumn, str | None]]


def lay_out(
    data_file: DataFile,
    schema: Schema,
    columns: Sequence[TableColumn],
) -> Layout:
    """Return where each column is, and whatever column tells how many rows there are.

    Args:
        data_file: the file, with what the log says of it.
        schema: of the file.
        columns: those of the table that are wanted.

    Raises:
        InputError: the file has a column otherwise than its table.
    """
    url = data_file.url
    by_number = _number_fields(url, schema)
    layout = Layout({}, {})
    for column in columns:
        field = None
        if column.field_id is not None and by_number:
            field = by_number.get(column.field_id)
        elif column.field_id is not None:
            field = _find_by_name(url, schema, column)
        elif column.stored_name in schema.names:
            field = schema.field(column.stored_name)
        # A value of the log counts: the file may hold an older one, or nothing.
        is_told = column.name in data_file.values and column.field_id is None
        if field is None or is_told:
            value = data_file.values.get(column.name)
            layout.lacking[column.name] = (column, value)
            continue
        _refuse_other_type(url, column, field.type)
        layout.stored[column.name] = (field, column)
    if not layout.stored:
        field = _choose_narrow(url, schema)
        # By a name that no column of a table has.
        nameless = TableColumn("", field.type, "", field.name)
        layout.stored[""] = (field, nameless)
    return layout


def _number_fields(url: str, schema: Schema) -> dict[int, Field]:
    """Return a file's columns by the numbers that it gives them."""
    found: dict[int, Field] = {}
    for field in schema:
        metadata = field.metadata or {}
        if _FIELD_ID not in metadata:
            continue
        number = int(metadata[_FIELD_ID])
        if number in found:
            raise InputError(f"{url}: gives two columns the number {number}; replace the file")
        found[number] = field
    return found


def _find_by_name(url: str, schema: Schema, column: TableColumn) -> Field | None:
    """Return a column of a file that numbers none, as one that was added to a table as it was."""
    if not column.names:
        raise InputError(
            f"{url}: does not number its columns, and its table does not say what such files call "
            f"{column.name!r}; write it into the table again, or set schema.name-mapping.default"
        )
    found = [name for name in column.names if name in schema.names]
    if not found:
        return None
    return schema.field(found[0])


def _choose_narrow(url: str, schema: Schema) -> Field:
    """Return a column that is read for the number of its rows alone."""
    for field in schema:
        if field.type.num_fields == 0:
            return field
    raise InputError(
        f"{url}: has no plain column, so its rows cannot be counted; name another file"
    )


def refuse_unreadable(url: str, column: TableColumn) -> DataType:
    """Return a column's type; refuse one that Arrow has none for.

    Args:
        url: the data file, for errors.
        column: the column.

    Raises:
        InputError: it has none.
    """
    if column.type is None:
        raise InputError(
            f"{url}: column {column.name!r} of its table is {column.kind}, which is not read; "
            "leave it out of the job, or write its table with a type that is"
        )
    return column.type


def _refuse_other_type(url: str, column: TableColumn, actual: DataType) -> None:
    """Refuse a file's column that is not the table's, nor a narrower one of an older version."""
    dtype = refuse_unreadable(url, column)
    is_same = join_types(dtype, actual) is not None
    # Times are compared once it is known what an old file's are in.
    are_moments = is_timestamp(dtype) and is_timestamp(actual)
    if is_same or are_moments or widens(actual, dtype) or fits_exactly(actual, dtype):
        return
    raise InputError(
        f"{url}: column {column.name!r} is {actual}, and {dtype} in its table, which does not hold "
        "every such value; write the table's files again with the types that it has today"
    )


def find_values(layout: Layout, schema: Schema) -> Values:
    """Return the value of each column that a file lacks, in the type in which it comes out.

    Args:
        layout: as `lay_out` gives it.
        schema: the columns that are wanted, in these types.

    Raises:
        InputError: the log's value is not of its type.
    """
    values: dict[str, Array] = {}
    for name, (column, text) in layout.lacking.items():
        if name not in schema.names:
            continue
        dtype = schema.field(name).type
        if text is None:
            values[name] = pa.nulls(1, dtype)
            continue
        table_type = column.type or dtype
        try:
            value = parse_value(text, table_type)
            values[name] = cast_exactly(value, dtype)
        except (ValueError, pa.ArrowException) as error:
            raise InputError(
                f"column {name!r}: its value in the table's log is not of type {table_type}; "
                "mend the table's log"
            ) from error
    return values
