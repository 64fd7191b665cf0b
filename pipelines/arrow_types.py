"""Arrow types as text, as a job and a model card write them: `int64`, `timestamp[us, tz=UTC]`, `decimal128(38, 9)`."""

import re

import pyarrow as pa

from configs.errors import JobError

_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, *tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal(128|256)?\((\d+), *(-?\d+)\)")


def parse_type(text: str, where: str) -> pa.DataType:
    """The Arrow type that `str(type)` would write as `text`; `where` names the place in an error.

    >>> parse_type("timestamp[us, tz=UTC]", "source.types.at")
    TimestampType(timestamp[us, tz=UTC])

    Raises:
        JobError: no such type.
    """
    if match := _TIMESTAMP.fullmatch(text):
        return pa.timestamp(match.group(1), tz=match.group(2))
    if match := _DECIMAL.fullmatch(text):
        make = pa.decimal256 if match.group(1) == "256" else pa.decimal128
        return make(int(match.group(2)), int(match.group(3)))
    try:
        return pa.type_for_alias(text)
    except ValueError as error:
        raise JobError(
            f"{where}: {text!r} is not a type; write for example int64, double, string, binary, bool, date32[day], timestamp[us, tz=UTC], decimal128(38, 9)"
        ) from error
