"""The plain form of a type, in which a contract names it."""

import pyarrow as pa
from pyarrow import types

from model_zoo.steps.lists import is_list
from model_zoo.steps.moments import is_moment


def to_logical_type(dtype: pa.DataType) -> pa.DataType:
    """Return the plain form of a type that files hold in several.

    >>> [str(to_logical_type(t)) for t in (pa.large_string(), pa.dictionary(pa.int8(), pa.string()))]
    ['string', 'string']
    """
    if types.is_dictionary(dtype):
        return to_logical_type(dtype.value_type)
    if types.is_large_string(dtype) or types.is_string_view(dtype):
        return pa.string()
    if types.is_large_binary(dtype) or types.is_binary_view(dtype):
        return pa.binary()
    if is_list(dtype):
        item_type = to_logical_type(dtype.value_type)
        return pa.list_(item_type)
    if types.is_decimal32(dtype) or types.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    if is_moment(dtype):
        return _to_logical_moment(dtype)
    return dtype


def _to_logical_moment(dtype: pa.DataType) -> pa.DataType:
    """Return the type of the same moments in microseconds, or in nanoseconds where those are stored."""
    if types.is_date(dtype):
        return pa.date32()
    unit = "ns" if dtype.unit == "ns" else "us"
    if types.is_timestamp(dtype):
        is_local = dtype.tz is None
        # The moments of all zones are the same ones.
        zone = None if is_local else "UTC"
        return pa.timestamp(unit, zone)
    if types.is_duration(dtype):
        return pa.duration(unit)
    return pa.time64(unit)
