"""What each Arrow type is in a file of JSON lines, and how values become it, exactly.

JSON has texts, numbers, true, false, null and lists. A date or time is a text as CSV has it; a
number of seconds might be one of milliseconds. There are no bytes: what a text stands for, base64 or
itself, no file tells.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import Array, DataType, Field, RecordBatch, Schema
import pyarrow.compute as pc
from pyarrow.types import (
    is_boolean,
    is_date,
    is_decimal,
    is_dictionary,
    is_duration,
    is_fixed_size_list,
    is_float16,
    is_float32,
    is_floating,
    is_integer,
    is_large_list,
    is_large_string,
    is_list,
    is_null,
    is_string,
    is_string_view,
    is_time,
    is_timestamp,
)

from configs.errors import JobError, RejectedRows
from transforms.formats.broken_texts import blank_broken_texts
from transforms.formats.checked_rows import CheckedRows
from transforms.formats.csv_values import convert_fields
from transforms.formats.parquet_casts import cast_column
from transforms.logical_types import holds, passes_any

# As Arrow's parser reads them.
_PARSED = (
    is_null,
    is_boolean,
    is_integer,
    is_floating,
    is_decimal,
    is_string,
    is_large_string,
    is_string_view,
)
_MOMENTS = (is_date, is_time, is_timestamp)
_LISTS = (is_list, is_large_list, is_fixed_size_list)


class _Column(NamedTuple):
    values: Array
    reasons: Mapping[int, Exception]


def parsed_schema(schema: Schema) -> Schema:
    """Return the types that Arrow's parser reads columns as, from which `convert` makes the others.

    Raises:
        JobError: the first column whose type no JSON has.
    """
    fields = []
    for field in schema:
        dtype = _find_parsed(field.type)
        if dtype is None:
            raise JobError(
                f"column {field.name!r}: JSON lines cannot be read as {field.type}; declare "
                "another type in source.types or the contract, or use Parquet"
            )
        fields.append(field.with_type(dtype))
    return pa.schema(fields)


def with_doubles(dtype: DataType) -> DataType:
    """Return a type that Arrow's parser reads, with doubles in place of floats."""
    if is_list(dtype):
        items = with_doubles(dtype.value_type)
        return pa.list_(items)
    if is_float32(dtype):
        return pa.float64()
    return dtype


def holds_infinite_float(column: Array) -> bool:
    """Tell whether a column of floats, or of lists of them, has an infinite one."""
    if not holds(column.type, is_float32):
        return False
    values = column
    while is_list(values.type):
        values = values.flatten()
    numbers = values.to_numpy(zero_copy_only=False)
    # A sum, seen in one pass, is finite where all are; a missing value is NaN here.
    with np.errstate(invalid="ignore", over="ignore"):
        total = numbers.sum()
    if np.isfinite(total):
        return False
    return bool(np.isinf(numbers).any())


def convert(parsed: RecordBatch, schema: Schema) -> CheckedRows:
    """Return rows in a schema.

    Args:
        parsed: the columns as the parser read them.
        schema: the same columns with the types that they must come out in.
    """
    columns = []
    reasons: dict[int, Exception] = {}
    for field in schema:
        given = parsed.column(field.name)
        column = _convert_column(given, field)
        columns.append(column.values)
        reasons.update(column.reasons)
    rows = RecordBatch.from_arrays(columns, schema=schema)
    # Arrow's parser counts digits before it writes zeros behind them: 99 has two, and as 99.00 four.
    if any(holds(dtype, is_decimal) for dtype in schema.types):
        rows, too_long = blank_broken_texts(rows)
        reasons = {**too_long, **reasons}
    return CheckedRows(rows, reasons)


def _find_parsed(dtype: DataType) -> DataType | None:
    """Return the type that the parser reads a type as; None for what no JSON has."""
    if is_float16(dtype):
        return pa.float64()
    if passes_any(dtype, _PARSED):
        return dtype
    if passes_any(dtype, _MOMENTS):
        return pa.string()
    # A whole number of its unit.
    if is_duration(dtype):
        return pa.int64()
    if is_dictionary(dtype):
        return _find_parsed(dtype.value_type)
    if not passes_any(dtype, _LISTS):
        return None
    # Texts that must become something else are looked at one by one, and only as whole columns.
    item_type = dtype.value_type
    if holds(item_type, _is_moment):
        return None
    items = _find_parsed(item_type)
    if items is None:
        return None
    return pa.list_(items)


def _is_moment(dtype: DataType) -> bool:
    return passes_any(dtype, _MOMENTS)


def _convert_column(given: Array, field: Field) -> _Column:
    if given.type == field.type:
        return _Column(given, {})
    if _is_moment(field.type):
        return _convert_texts(given, field)
    cast = cast_column(given, field)
    return _Column(cast.column, cast.reasons)


def _convert_texts(texts: Array, field: Field) -> _Column:
    """Convert texts as those of a CSV file, with nulls for those that are not of the type."""
    stored = texts.cast(pa.binary())
    schema = pa.schema([field])
    fields = RecordBatch.from_arrays([stored], [field.name])
    reasons: Mapping[int, Exception] = {}
    try:
        converted = convert_fields(fields, schema)
    except RejectedRows as rejected:
        reasons = rejected.reasons
        is_bad = np.zeros(len(stored), dtype=bool)
        is_bad[list(reasons)] = True
        mask = pa.array(is_bad)
        valid = pc.if_else(mask, None, stored)
        fields = RecordBatch.from_arrays([valid], [field.name])
        converted = convert_fields(fields, schema)
    return _Column(converted.column(0), reasons)
