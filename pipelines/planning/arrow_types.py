"""Arrow types as text, as a job and a model card write them.

For example `int64`, `timestamp[us, tz=UTC]`, `decimal128(38, 9)`.
"""

import re

import pyarrow as pa

from configs.errors import JobError

# pyarrow has aliases for types without parameters alone.
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, *tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal(128|256)?\((\d+), *(-?\d+)\)")


def parse_type(text: str, place: str) -> pa.DataType:
    """Return the Arrow type that `str(type)` would write as `text`.

    Args:
        text: the type.
        place: where it stands, for an error.

    >>> parse_type("timestamp[us, tz=UTC]", "source.types.at")
    TimestampType(timestamp[us, tz=UTC])

    Raises:
        JobError: no such type.
    """
    timestamp = _TIMESTAMP.fullmatch(text)
    if timestamp is not None:
        unit, zone = timestamp.groups()
        return pa.timestamp(unit, tz=zone)
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None:
        bits, precision, scale = decimal.groups()
        make = pa.decimal128
        if bits == "256":
            make = pa.decimal256
        return make(int(precision), int(scale))
    try:
        return pa.type_for_alias(text)
    except ValueError as error:
        raise JobError(
            f"{place}: {text!r} is not a type; write for example int64, double, string, binary, "
            "bool, date32[day], timestamp[us, tz=UTC], decimal128(38, 9)"
        ) from error
