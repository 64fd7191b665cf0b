"""Fields of CSV files as bytes -> columns of the declared types; a bad value costs its row."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, RejectedRows, RowError
from model_zoo.halving import find_rejected

# What pyarrow reads as infinite because the text says so.
_INFINITE = r"(?i)^[-+]?inf(inity)?$"


def convert_fields(fields: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Convert fields to the declared types.

    Args:
        fields: columns of `pa.binary()`, null where a value is missing.
        schema: names and types of the columns that come out.

    Raises:
        RejectedRows: rows with a value that is not of its column's type.
        InputError: a column in which no value is.
    """
    columns: list[pa.Array] = []
    reasons: dict[int, Exception] = {}
    for field in schema:
        texts = fields.column(field.name)
        try:
            columns.append(_convert(texts, field.type))
        # Only now value by value: that takes far longer than the whole column.
        except (pa.ArrowInvalid, UnicodeDecodeError):
            reasons.update(_find_malformed(texts, field))
    if reasons:
        raise RejectedRows(reasons)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def convert_valid(fields: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Convert fields to the declared types, null where a value is not of its type.

    Args:
        fields, schema: as for `convert_fields`.
    """
    columns: list[pa.Array] = []
    for field in schema:
        texts = fields.column(field.name)
        columns.append(_convert_valid(texts, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _convert(texts: pa.Array, dtype: pa.DataType) -> pa.Array:
    if dtype == pa.binary():
        return texts
    # Checks that the bytes are UTF-8: the parser did not.
    strings = texts.cast(pa.string())
    if dtype == pa.string():
        return strings
    values = strings.cast(dtype)
    if pa.types.is_floating(dtype) and _has_overflowed(strings, values):
        raise pa.ArrowInvalid(f"a number is too large for {dtype}")
    return values


def _has_overflowed(texts: pa.Array, values: pa.Array) -> bool:
    """Tell whether a finite number became infinite: pyarrow reads 1e400 so."""
    numbers = values.to_numpy(zero_copy_only=False)
    # The sum of infinities of both signs is NaN, and numpy would warn.
    with np.errstate(invalid="ignore", over="ignore"):
        total = numbers.sum()
    # The usual case, seen in one pass.
    if np.isfinite(total):
        return False
    infinite = texts.filter(pc.is_inf(values))
    says_so = pc.match_substring_regex(infinite, _INFINITE)
    return pc.all(says_so).as_py() is False


def _find_malformed(texts: pa.Array, field: pa.Field) -> dict[int, Exception]:
    """Return the rows with a value that is not of the field's type, and why.

    Raises:
        InputError: no value is.
    """

    def convert_some(positions: np.ndarray) -> pa.Array:
        some = texts.take(pa.array(positions))
        return _convert(some, field.type)

    try:
        rejected = find_rejected(len(texts), convert_some)
    # It gives up where nothing at all can be converted.
    except pa.ArrowInvalid as error:
        raise InputError(
            f"column {field.name!r} does not hold values of type {field.type}, "
            "which the contract or source.types declares"
        ) from error
    if rejected is None:
        return {}
    # One for all: its message holds no value.
    reason = RowError(f"column {field.name!r}: not a valid {field.type}")
    return dict.fromkeys(rejected.reasons, reason)


def _convert_valid(texts: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return _convert(texts, dtype)
    except pa.ArrowInvalid:
        single_texts = [texts.slice(row, 1) for row in range(len(texts))]
        converted = [_convert_one(text, dtype) for text in single_texts]
        return pa.concat_arrays(converted)


def _convert_one(text: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        return _convert(text, dtype)
    except pa.ArrowInvalid:
        return pa.nulls(1, type=dtype)
