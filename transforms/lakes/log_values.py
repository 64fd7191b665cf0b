"""Values that the log of a table writes as texts, as Arrow has them."""

from datetime import time

import pyarrow as pa
from pyarrow import Array, DataType
from pyarrow.types import is_binary, is_boolean, is_floating, is_time, is_timestamp

_TRUE_OR_FALSE = {"true": True, "false": False}


def parse_value(text: str, dtype: DataType) -> Array:
    """Return a value of the log as an array of that one value.

    Args:
        text: the value.
        dtype: its type in the table.

    >>> parse_value("2026-01-31", pa.date32())[0].as_py()
    datetime.date(2026, 1, 31)

    Raises:
        ValueError, ArrowException: it is none of this type.
    """
    if is_boolean(dtype):
        if text not in _TRUE_OR_FALSE:
            raise ValueError("is neither true nor false")
        truth = _TRUE_OR_FALSE[text]
        return pa.array([truth], type=dtype)
    if is_binary(dtype):
        # Bytes that are no text are written as halves of letters, one by one.
        content = text.encode(errors="surrogateescape")
        return pa.array([content], type=dtype)
    # Arrow knows no "Infinity", as Spark writes it, and Python does.
    if is_floating(dtype):
        number = float(text)
        return pa.array([number], type=dtype)
    # Arrow reads no times of a day.
    if is_time(dtype):
        of_day = time.fromisoformat(text)
        return pa.array([of_day], type=dtype)
    texts = pa.array([text], type=pa.string())
    if is_timestamp(dtype) and dtype.tz is not None:
        return _parse_moment(texts, dtype)
    return texts.cast(dtype)


def _parse_moment(texts: Array, dtype: DataType) -> Array:
    """Return a moment: with its zone behind it, or, where it has none, of UTC."""
    (text,) = texts.to_pylist()
    if text.endswith("Z"):
        return texts.cast(dtype)
    # Arrow reads a text without a zone only as a time without one.
    local = texts.cast(pa.timestamp(dtype.unit))
    return local.cast(dtype)
