"""The plain form of a type, in which a contract names it."""

import pyarrow as pa

from model_zoo.steps.lists import is_list
from model_zoo.steps.moments import is_moment


def to_logical_type(dtype: pa.DataType) -> pa.DataType:
    """Return the plain form of a type that files hold in several.

    >>> [str(to_logical_type(t)) for t in (pa.large_string(), pa.dictionary(pa.int8(), pa.string()))]
    ['string', 'string']
    """
    if pa.types.is_dictionary(dtype):
        return to_logical_type(dtype.value_type)
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype) or pa.types.is_binary_view(dtype):
        return pa.binary()
    if is_list(dtype):
        return pa.list_(to_logical_type(dtype.value_type))
    if pa.types.is_decimal32(dtype) or pa.types.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    if is_moment(dtype):
        return _to_logical_moment(dtype)
    return dtype


def _to_logical_moment(dtype: pa.DataType) -> pa.DataType:
    """Return the type of the same moments in microseconds, or in nanoseconds where those are stored."""
    if pa.types.is_date(dtype):
        return pa.date32()
    unit = "ns" if dtype.unit == "ns" else "us"
    if pa.types.is_timestamp(dtype):
        return pa.timestamp(unit, tz=None if dtype.tz is None else "UTC")
    return pa.duration(unit) if pa.types.is_duration(dtype) else pa.time64(unit)
