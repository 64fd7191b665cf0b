"""Files of one sample -> tables of one schema, in whatever form each file has its columns."""

from collections.abc import Sequence

import pyarrow as pa

from configs.errors import InputError
from pipelines.packing.contract.logical_types import to_logical_type
from transforms.joined_types import join_types
from transforms.logical_types import cast_column
from transforms.model_types import join_decimals


def to_one_schema(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Return tables with the columns of the first in one type each, whatever form their files have.

    Raises:
        InputError: their columns or logical types differ.
    """
    first = tables[0]
    # Nearly always.
    if all(table.schema.equals(first.schema) for table in tables):
        return list(tables)
    for table in tables:
        _refuse_namesakes(table)
    fields = []
    for name in first.column_names:
        joined = _find_type(tables, name)
        field = pa.field(name, joined)
        fields.append(field)
    schema = pa.schema(fields)
    return [_cast(table, schema) for table in tables]


def _refuse_namesakes(table: pa.Table) -> None:
    names = table.column_names
    different = set(names)
    if len(different) < len(names):
        raise InputError("sample: a file has two columns of one name; give each its own")


def _find_type(tables: Sequence[pa.Table], name: str) -> pa.DataType:
    """Return the type of a column that holds what it has in all tables.

    Raises:
        InputError: one lacks it, or their logical types differ.
    """
    found = []
    for table in tables:
        if name in table.column_names:
            field = table.schema.field(name)
            found.append(field.type)
    joined = _join(found)
    if joined is None or len(found) < len(tables):
        different = dict.fromkeys(map(str, found))
        kinds = ", ".join(different)
        raise InputError(
            f"sample: its files differ in column {name!r}: it is {kinds}, or missing; write the "
            "files with the same columns and types"
        )
    return joined


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in the schema of the first one.

    Raises:
        InputError: it has a column that the first has not.
    """
    names = set(table.column_names)
    others = names.difference(schema.names)
    if others:
        # The first by name, so that a message names the same one each time.
        other = min(others)
        raise InputError(
            f"sample: its files differ in columns: {other!r} is not in the first; write the "
            "files with the same columns"
        )
    columns = []
    for field in schema:
        column = table.column(field.name)
        cast = cast_column(column, field.type)
        columns.append(cast)
    return pa.Table.from_arrays(columns, schema=schema)


def _join(found: Sequence[pa.DataType]) -> pa.DataType | None:
    """Return a type that holds the values of all; None where they differ logically."""
    joined: pa.DataType | None = found[0]
    for dtype in found[1:]:
        if joined is None:
            return None
        joined = _join_two(joined, dtype)
    return joined


def _join_two(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    is_decimal = pa.types.is_decimal
    # pandas gives each file the digits of its largest value.
    if is_decimal(one) and is_decimal(other):
        return join_decimals([one, other])
    joined = join_types(one, other)
    if joined is not None:
        return joined
    # Moments in other units, lists of a fixed size and others.
    plain = to_logical_type(one)
    if plain == to_logical_type(other):
        return plain
    return None
