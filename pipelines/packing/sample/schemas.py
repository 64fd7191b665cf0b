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
        names = table.column_names
        if len(set(names)) < len(names):
            raise InputError("sample: a file has two columns of one name; give each its own")

    fields = []
    for name in first.column_names:
        found = [table.schema.field(name).type for table in tables if name in table.column_names]
        joined = _join(found)
        if joined is None or len(found) < len(tables):
            kinds = ", ".join(dict.fromkeys(map(str, found)))
            raise InputError(
                f"sample: its files differ in column {name!r}: it is {kinds}, or missing; write the "
                "files with the same columns and types"
            )
        fields.append(pa.field(name, joined))

    schema = pa.schema(fields)
    one_schema = []
    for table in tables:
        # Sorted, so that a message names the same one each time.
        others = sorted(set(table.column_names).difference(first.column_names))
        if others:
            raise InputError(
                f"sample: its files differ in columns: {others[0]!r} is not in the first; write the "
                "files with the same columns"
            )
        columns = [cast_column(table.column(field.name), field.type) for field in fields]
        joined_table = pa.Table.from_arrays(columns, schema=schema)
        one_schema.append(joined_table)
    return one_schema


def _join(found: Sequence[pa.DataType]) -> pa.DataType | None:
    """Return a type that holds the values of all; None where they differ logically."""
    joined: pa.DataType | None = found[0]
    for dtype in found[1:]:
        if joined is None:
            return None
        # pandas gives each file the digits of its largest value.
        if pa.types.is_decimal(joined) and pa.types.is_decimal(dtype):
            joined = join_decimals([joined, dtype])
            continue
        plain = to_logical_type(joined)
        # Moments in other units, lists of a fixed size and others.
        is_same = plain == to_logical_type(dtype)
        joined = join_types(joined, dtype) or (plain if is_same else None)
    return joined
