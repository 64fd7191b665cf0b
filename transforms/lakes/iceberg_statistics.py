"""What a manifest tells of the values in a data file: partitions, null counts, least and largest values.

https://iceberg.apache.org/spec/#manifests. What cannot be understood tells nothing, so that the file
is read.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
import math
import struct
from typing import Any

import pyarrow as pa
from pyarrow import DataType, Scalar
from pyarrow.types import (
    is_date,
    is_decimal,
    is_floating,
    is_int32,
    is_int64,
    is_timestamp,
)

from transforms.bounds import Bounds
from transforms.lakes.log_bounds import make_log_bounds, read_partition
from transforms.lakes.snapshot import TableColumn

_INT = "<i"
_LONG = "<q"
_FLOAT = "<f"
_DOUBLE = "<d"
_INT_BYTES = 4
_LONG_BYTES = 8
_MOST_DECIMAL_BYTES = 16


def read_statistics(
    file: Any,
    values: Mapping[str, str | None],
    columns: Sequence[TableColumn],
) -> dict[str, Bounds]:
    """Return what a manifest tells of a data file, by column.

    Args:
        file: pyiceberg's entry of it.
        values: by column, what partitions say of all of its rows.
        columns: those that are asked for.
    """
    told = {}
    for column in columns:
        if column.type is None:
            continue
        if column.name in values:
            known = read_partition(values[column.name], column.type)
        else:
            known = _read_bounds(file, column, column.type)
        if known is not None:
            told[column.name] = known
    return told


def _read_bounds(
    file: Any,
    column: TableColumn,
    dtype: DataType,
) -> Bounds:
    number = column.field_id
    least = _read_end(file.lower_bounds, number, dtype)
    most = _read_end(file.upper_bounds, number, dtype)
    null_counts = file.null_value_counts or {}
    nulls = null_counts.get(number)
    return make_log_bounds(least, most, nulls, file.record_count)


def _read_end(
    bounds: Mapping[int, bytes] | None,
    number: int | None,
    dtype: DataType,
) -> Scalar | None:
    if bounds is None or number is None:
        return None
    content = bounds.get(number)
    if content is None:
        return None
    # Whatever a stranger's manifest holds: what is none tells nothing.
    try:
        return _decode(content, dtype)
    except (struct.error, ValueError, OverflowError, ArithmeticError, pa.ArrowException):
        return None


def _decode(content: bytes, dtype: DataType) -> Scalar | None:
    """Return a bound; None where its type tells nothing.

    https://iceberg.apache.org/spec/#binary-single-value-serialization

    Args:
        content: the bound, as it is stored.
        dtype: the column's type today; the file may have a narrower one.

    Raises:
        struct.error, ValueError, OverflowError, ArrowException: it is no such value.
    """
    size_bytes = len(content)
    if is_int32(dtype) or is_int64(dtype):
        integer = _decode_integer(content)
        return pa.scalar(integer, dtype)
    if is_floating(dtype):
        form = _FLOAT if size_bytes == _INT_BYTES else _DOUBLE
        (number,) = struct.unpack(form, content)
        # Some writers call NaN the largest number, and others leave it out.
        is_end = math.isfinite(number)
        return pa.scalar(number, dtype) if is_end else None
    if is_decimal(dtype):
        return _decode_decimal(content, dtype)
    if dtype == pa.string():
        text = content.decode()
        return pa.scalar(text, dtype)
    # Moments of a file that had days when it was written have four bytes, too, and tell nothing.
    if is_date(dtype) and size_bytes == _INT_BYTES:
        days = pa.scalar(_decode_integer(content), pa.int32())
        return days.cast(dtype)
    if is_timestamp(dtype) and size_bytes == _LONG_BYTES:
        ticks = pa.scalar(_decode_integer(content), pa.int64())
        return ticks.cast(dtype)
    return None


def _decode_decimal(content: bytes, dtype: DataType) -> Scalar | None:
    # No decimal has more, and Python takes its time over a thousand digits.
    if len(content) > _MOST_DECIMAL_BYTES:
        return None
    unscaled = int.from_bytes(content, "big", signed=True)
    is_negative = int(unscaled < 0)
    whole = Decimal(abs(unscaled))
    digits = whole.as_tuple().digits
    # Put together, and not computed: Python's decimals are rounded to 28 digits by each operation.
    number = Decimal((is_negative, digits, -dtype.scale))
    return pa.scalar(number, dtype)


def _decode_integer(content: bytes) -> int:
    # A column may have been narrower when its file was written.
    form = _INT if len(content) == _INT_BYTES else _LONG
    (number,) = struct.unpack(form, content)
    return int(number)
