"""Avro's types as columns: what each is decoded as, how its values become Arrow's, and how many bytes it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import DataType, Schema

# Of a decimal in Arrow.
_MOST_DIGITS = 76
_NARROW_DIGITS = 38
_UUID_BYTES = 16
# Arrow counts the bytes of a value in a C int.
MOST_FIXED_BYTES = 2**31 - 1
# As JSON has it.
Fields: TypeAlias = Mapping[str, Any]
PRIMITIVES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_FIXED_WIDTHS = {"float": 4, "double": 8, "null": 0}
# By the type below and the logical one.
_MOMENTS = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}
# Unions of numbers each of which is one of the last kind exactly.
WIDENED = {
    frozenset(["int", "long"]): "long",
    frozenset(["float", "double"]): "double",
}


@dataclass(frozen=True)
class AvroType:
    """A type of a file's schema.

    Attributes:
        name: what Avro calls it.
        raw: the schema that its bytes are decoded with.
        least_bytes: what a value takes, at least.
        arrow: the type of a column; null where no column can be of it.
        problem: why not; empty where one can.
        conversion: how decoded values become a column: "plain", "text", "enum", "decimal", "uuid",
            "list".
        symbols: of an enum.
        items: the one type of a list's.
    """

    name: str
    raw: Any
    least_bytes: int
    arrow: DataType = field(default_factory=pa.null)
    problem: str = ""
    conversion: str = "plain"
    symbols: tuple[str, ...] = ()
    items: tuple["AvroType", ...] = ()


@dataclass(frozen=True)
class AvroField:
    """A column of a file."""

    name: str
    type: AvroType


def make_schema(fields: Sequence[AvroField]) -> Schema:
    """Return columns in the types that they come out in."""
    arrow_fields = []
    for column in fields:
        arrow_field = pa.field(column.name, column.type.arrow)
        arrow_fields.append(arrow_field)
    return pa.schema(arrow_fields)


def make_raw_field(
    number: int,
    type_: AvroType,
) -> Any:
    """Return a field as it is decoded, with a name of ours: those of a file may be anything.

    Args:
        number: of the field in its record.
        type_: its type.
    """
    return {"name": f"f{number}", "type": type_.raw}


def count_row_bytes(fields: Sequence[AvroField]) -> int:
    """Return how many bytes a row takes, at least."""
    least_bytes = sum(column.type.least_bytes for column in fields)
    # How many rows of no byte there are would be a block's word alone.
    return max(1, least_bytes)


def holds_items(raw: Any) -> bool:
    """Tell whether values that are decoded so hold any number of others: arrays or maps do."""
    if isinstance(raw, list):
        return any(map(holds_items, raw))
    if not isinstance(raw, dict):
        return False
    if raw["type"] in ("array", "map"):
        return True
    fields = raw.get("fields", ())
    return any(holds_items(field["type"]) for field in fields)


def is_plain(type_: AvroType) -> bool:
    """Tell whether a type is a primitive one, without a logical type."""
    return type_.arrow == PRIMITIVES.get(type_.name)


def make_primitive(name: str) -> AvroType:
    """Return a primitive type by its name."""
    # A text is decoded later, where one that is none costs its row alone.
    is_text = name == "string"
    raw = "bytes" if is_text else name
    conversion = "text" if is_text else "plain"
    least_bytes = _FIXED_WIDTHS.get(name, 1)
    return AvroType(name, raw, least_bytes, PRIMITIVES[name], conversion=conversion)


def read_logical(
    plain: AvroType,
    schema: Fields,
) -> AvroType:
    """Return a type as its logical type says; one that is not known says nothing.

    Args:
        plain: the type below.
        schema: with the logical type.
    """
    logical = str(schema.get("logicalType"))
    both = (plain.name, logical)
    if both in _MOMENTS:
        moment = _MOMENTS[both]
        return replace(plain, arrow=moment)
    if logical == "decimal" and plain.name in ("bytes", "fixed"):
        return _read_decimal(plain, schema)
    if both == ("fixed", "duration"):
        problem = "is a duration of months, days and milliseconds, which no step takes"
        return replace(plain, arrow=pa.null(), problem=problem)
    if logical == "uuid" and plain.least_bytes == _UUID_BYTES:
        # As text, which it is where it is stored as such.
        return replace(plain, arrow=pa.string(), conversion="uuid")
    return plain


def _read_decimal(
    plain: AvroType,
    schema: Fields,
) -> AvroType:
    digits = schema.get("precision")
    scale = schema.get("scale", 0)
    if not isinstance(digits, int) or not isinstance(scale, int):
        return _refuse_decimal(plain)
    # The specification has it ignored then; but whoever wants the column wants no bytes.
    if not 0 <= scale <= digits or not 1 <= digits <= _MOST_DIGITS:
        return _refuse_decimal(plain)
    arrow = pa.decimal256(digits, scale)
    if digits <= _NARROW_DIGITS:
        arrow = pa.decimal128(digits, scale)
    return replace(plain, arrow=arrow, conversion="decimal")


def _refuse_decimal(plain: AvroType) -> AvroType:
    problem = (
        f"is a decimal without a precision of 1 to {_MOST_DIGITS} digits and a scale within it"
    )
    return replace(plain, arrow=pa.null(), problem=problem)
