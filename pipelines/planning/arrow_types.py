"""Arrow types as text, as a job and a model card write them.

For example `int64`, `timestamp[us, tz=UTC]`, `decimal128(38, 9)`.
"""

import re

import pyarrow as pa
from pyarrow import DataType

from configs.errors import JobError

# pyarrow has aliases for types without parameters alone.
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, *tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)?\((\d+), *(-?\d+)\)")
_DECIMALS = {"32": pa.decimal32, "64": pa.decimal64, "128": pa.decimal128, "256": pa.decimal256}
# The name of what is inside, which writers choose as they like, may be left out.
_LIST = re.compile(
    r"(large_list|list|fixed_size_list)<(?:\w+: )?(.+?)(?: not null)?>(?:\[(\d{1,9})\])?"
)
# A type within a type and so on is read by calls within calls.
_MOST_CHARACTERS = 200


def parse_type(text: str, place: str) -> DataType:
    """Return the Arrow type that `str(type)` would write as `text`.

    Args:
        text: the type.
        place: where it stands, for an error.

    >>> parse_type("timestamp[us, tz=UTC]", "source.types.at")
    TimestampType(timestamp[us, tz=UTC])
    >>> parse_type("list<fixed_size_list<item: float>[3]>", "source.types.path")
    ListType(list<item: fixed_size_list<item: float>[3]>)

    Raises:
        JobError: no such type.
    """
    length = len(text)
    if length > _MOST_CHARACTERS:
        raise JobError(f"{place}: a type of {length:,} letters is none that is taken")
    nested = _LIST.fullmatch(text)
    if nested is not None:
        kind, inside, size = nested.groups()
        return _parse_list(kind, inside, size, place)
    timestamp = _TIMESTAMP.fullmatch(text)
    if timestamp is not None:
        unit, zone = timestamp.groups()
        return pa.timestamp(unit, tz=zone)
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None:
        try:
            return _make_decimal(*decimal.groups())
        except ValueError as error:
            raise JobError(f"{place}: {text!r} is not a type: {error}") from error
    try:
        return pa.type_for_alias(text)
    except ValueError as error:
        raise JobError(
            f"{place}: {text!r} is not a type; write for example int64, double, string, binary, "
            "bool, date32[day], timestamp[us, tz=UTC], decimal128(38, 9), list<float>"
        ) from error


def _make_decimal(bits: str | None, precision: str, scale: str) -> DataType:
    make = _DECIMALS[bits or "128"]
    return make(int(precision), int(scale))


def _parse_list(
    kind: str,
    inside: str,
    size: str | None,
    place: str,
) -> DataType:
    inner = parse_type(inside, place)
    is_fixed = kind == "fixed_size_list"
    has_size = size is not None
    if is_fixed != has_size:
        raise JobError(
            f"{place}: {kind}<{inside}> is not a type; write list<float>, or "
            "fixed_size_list<float>[3] for lists of three"
        )
    if size is not None:
        return pa.list_(inner, int(size))
    if kind == "large_list":
        return pa.large_list(inner)
    return pa.list_(inner)
