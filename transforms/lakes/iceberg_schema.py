"""An Iceberg table's columns, with the numbers by which its data files know them."""

from collections.abc import Mapping, Sequence
import re
from typing import Any

import pyarrow as pa
from pyarrow import DataType
from pyarrow.types import is_date, is_floating, is_time, is_timestamp

from transforms.lakes.snapshot import TableColumn

_PLAIN = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "timestamp_ns": pa.timestamp("ns"),
    "timestamptz_ns": pa.timestamp("ns", tz="UTC"),
    "string": pa.string(),
    "binary": pa.binary(),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_LIST = re.compile(r"list<(.+)>")


def list_columns(
    fields: Sequence[Any],
    mapped: Mapping[int, Sequence[str]],
) -> list[TableColumn]:
    """Return the columns of a schema.

    Args:
        fields: pyiceberg's, of the schema.
        mapped: by a column's number, what files without numbers call it.
    """
    columns = []
    for field in fields:
        kind = str(field.field_type)
        names = mapped.get(field.field_id, ())
        column = TableColumn(
            field.name,
            type=find_type(kind),
            kind=kind,
            stored_name=field.name,
            field_id=field.field_id,
            names=tuple(names),
        )
        columns.append(column)
    return columns


def find_type(kind: str) -> DataType | None:
    """Return the Arrow type of an Iceberg type; None where it is not read.

    Parts of structs have names of their own, which may have changed since a file was written.

    >>> find_type("list<decimal(9, 2)>"), find_type("struct<1: a: optional int>")
    (ListType(list<element: decimal128(9, 2)>), None)
    """
    decimal = _DECIMAL.fullmatch(kind)
    if decimal is not None:
        precision = int(decimal[1])
        scale = int(decimal[2])
        return pa.decimal128(precision, scale)
    nested = _LIST.fullmatch(kind)
    if nested is not None:
        inner = find_type(nested[1])
        if inner is None:
            return None
        # As files call it.
        element = pa.field("element", inner)
        return pa.list_(element)
    return _PLAIN.get(kind)


def write_value(value: Any, dtype: DataType | None) -> str | None:
    """Return a value of a manifest or a schema as `log_values` reads it.

    Args:
        value: as pyiceberg gives it.
        dtype: of its column.
    """
    if value is None:
        return None
    # Before whole numbers, of which truth is one to Python.
    if isinstance(value, bool):
        return "true" if value else "false"
    # Bytes that are no text become halves of letters, which are bytes again when they are read.
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if dtype is not None and isinstance(value, int):
        # Days and microseconds since 1970, or of a day.
        if is_date(dtype):
            days = pa.array([value], type=pa.int32())
            return _print(days, dtype)
        ticks = pa.array([value], type=pa.int64())
        if is_timestamp(dtype):
            # Without a zone, as a log writes moments of UTC.
            plain = pa.timestamp(dtype.unit)
            return _print(ticks, plain)
        if is_time(dtype):
            return _print(ticks, dtype)
    # With all of its digits.
    if dtype is not None and is_floating(dtype):
        number = float(value)
        return repr(number)
    return str(value)


def _print(numbers: pa.Array, dtype: DataType) -> str:
    values = numbers.cast(dtype)
    (text,) = values.cast(pa.string()).to_pylist()
    return str(text)
