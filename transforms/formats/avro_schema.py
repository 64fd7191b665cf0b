"""The schema of an Avro file: which columns it has, and in which Arrow types they come out.

A file's own schema is never handed on. Each type is looked at here and written anew, without logical
types, names and defaults, so that whatever decodes the rows is told what bytes there are and nothing
else (https://avro.apache.org/docs/1.12.0/specification/).

    {"type": "long", "logicalType": "timestamp-micros"}   read as "long", comes out as timestamp[us, UTC]
    ["null", {"type": "enum", "symbols": ["A", "B"]}]     read as ["null", "int"], comes out as string
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
import json
from typing import Any

import pyarrow as pa
from pyarrow import DataType, Schema

from configs.errors import InputError

# Deeper than tables are; what decodes rows calls itself once a level.
_DEEPEST = 32
# Types within types, each reference counted: names let a short schema stand for a huge one.
_MOST_TYPES = 50_000
# Of a decimal in Arrow.
_MOST_DIGITS = 76
_NARROW_DIGITS = 38
_UUID_BYTES = 16
_PRIMITIVES = {
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
_WIDENED = {
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


def read_schema(url: str, text: bytes) -> tuple[AvroField, ...]:
    """Return the columns of a file.

    Args:
        url: the file, for errors.
        text: its schema, as JSON.

    Raises:
        InputError: it is no schema of rows, or one that cannot be read safely.
    """
    try:
        schema = json.loads(text)
    # A text that is nested too deeply, and one that is no JSON or no UTF-8.
    except (RecursionError, ValueError) as error:
        raise _refuse(url, "its schema is no JSON") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise InputError(
            f"{url}: its schema is not a record, so it has no columns; write it with a record of a "
            "field for each column"
        )
    reader = _SchemaReader(url)
    fields = reader.read_fields(schema, "", 0)
    return tuple(AvroField(name, type_) for name, type_ in fields)


def make_schema(fields: Sequence[AvroField]) -> Schema:
    """Return columns in the types that they come out in."""
    return pa.schema([(column.name, column.type.arrow) for column in fields])


def count_row_bytes(fields: Sequence[AvroField]) -> int:
    """Return how many bytes a row takes, at least."""
    least_bytes = sum(column.type.least_bytes for column in fields)
    # How many rows of no byte there are would be a block's word alone.
    return max(1, least_bytes)


class _SchemaReader:
    """Reads the types of one schema, one inside the other.

    Args:
        url: the file, for errors.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._count = 0
        self._names = 0
        # By full name: the schema and the namespace that it stands in.
        self._named: dict[str, tuple[Mapping[str, Any], str]] = {}
        # Of the types that are being read: one that is met again holds itself.
        self._open: list[str] = []

    def read_fields(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> list[tuple[str, AvroType]]:
        """Return names and types of a record's fields.

        Args:
            schema: the record.
            namespace: that it stands in.
            depth: how many types it is inside of.

        Raises:
            InputError: they cannot be read safely.
        """
        full_name, inside = self._enter(schema, namespace)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise _refuse(self._url, "a record of its schema has no fields")
        found = []
        for part in fields:
            if not isinstance(part, dict) or not isinstance(part.get("name"), str):
                raise _refuse(self._url, "a field of its schema has no name")
            type_ = self._read(part.get("type"), inside, depth + 1)
            found.append((part["name"], type_))
        self._open.remove(full_name)
        return found

    def _enter(self, schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
        """Return the full name of a named type, and the namespace of what is in it."""
        name = schema.get("name")
        if not isinstance(name, str):
            raise _refuse(self._url, "a type of its schema has no name")
        own = schema.get("namespace", namespace)
        full_name = name
        if "." not in name and isinstance(own, str) and own:
            full_name = f"{own}.{name}"
        inside, _, _ = full_name.rpartition(".")
        if full_name in self._open:
            raise InputError(
                f"{self._url}: type {full_name!r} of its schema holds itself, so a row may be of any "
                "depth; write the file without it"
            )
        self._named[full_name] = (schema, namespace)
        self._open.append(full_name)
        return full_name, inside

    def _read(self, schema: Any, namespace: str, depth: int) -> AvroType:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST_TYPES:
            raise InputError(
                f"{self._url}: its schema has types nested deeper than {_DEEPEST} levels, or more "
                f"than {_MOST_TYPES:,} of them; write the file with fewer"
            )
        if isinstance(schema, list):
            return self._read_union(schema, namespace, depth)
        if isinstance(schema, str):
            return self._read_named(schema, namespace, depth)
        if not isinstance(schema, dict):
            raise _refuse(self._url, "a type of its schema is none")
        name = schema.get("type")
        # A type may be written inside a type, with nothing else to say.
        if not isinstance(name, str):
            return self._read(name, namespace, depth + 1)
        read = {
            "record": self._read_record,
            "error": self._read_record,
            "enum": self._read_enum,
            "fixed": self._read_fixed,
            "array": self._read_array,
            "map": self._read_map,
        }
        if name in read:
            return read[name](schema, namespace, depth)
        if name not in _PRIMITIVES:
            return self._read_named(name, namespace, depth)
        return _read_logical(_make_primitive(name), schema)

    def _read_named(self, name: str, namespace: str, depth: int) -> AvroType:
        if name in _PRIMITIVES:
            return _make_primitive(name)
        for full_name in (f"{namespace}.{name}", name):
            if full_name in self._named:
                schema, outside = self._named[full_name]
                # Read again, and counted again: its bytes stand in each row again, too.
                return self._read(schema, outside, depth)
        raise _refuse(self._url, f"its schema has no type {name!r}")

    def _read_union(
        self,
        branches: Sequence[Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        types = [self._read(branch, namespace, depth + 1) for branch in branches]
        if not types:
            raise _refuse(self._url, "a union of its schema is empty")
        # Behind the number of the branch.
        least_bytes = 1 + min(type_.least_bytes for type_ in types)
        raw = [type_.raw for type_ in types]
        valued = [type_ for type_ in types if type_.name != "null"]
        if not valued:
            return AvroType("null", raw, least_bytes, pa.null())
        first = valued[0]
        if len(valued) == 1:
            return replace(first, raw=raw, least_bytes=least_bytes)
        names = frozenset(type_.name for type_ in valued)
        wider = _WIDENED.get(names)
        is_plain = all(type_.arrow == _PRIMITIVES.get(type_.name) for type_ in valued)
        if wider is not None and is_plain:
            return AvroType(wider, raw, least_bytes, _PRIMITIVES[wider])
        listed = ", ".join(type_.name for type_ in valued)
        problem = f"is a union of {listed}, and a column has one type"
        return AvroType("union", raw, least_bytes, problem=problem)

    def _read_record(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        fields = self.read_fields(schema, namespace, depth)
        raw_fields = []
        least_bytes = 0
        for number, (_, type_) in enumerate(fields):
            raw_field = {"name": f"f{number}", "type": type_.raw}
            raw_fields.append(raw_field)
            least_bytes += type_.least_bytes
        raw = {"type": "record", "name": self._make_name(), "fields": raw_fields}
        problem = "is a record, and no step takes one; write its fields as columns of their own"
        return AvroType("record", raw, least_bytes, problem=problem)

    def _read_enum(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        full_name, _ = self._enter(schema, namespace)
        self._open.remove(full_name)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not all(isinstance(word, str) for word in symbols):
            raise _refuse(self._url, "an enum of its schema has no symbols")
        # Its number is looked up afterwards, where one that stands for nothing costs its row alone.
        return AvroType("enum", "int", 1, pa.string(), "", "enum", tuple(symbols))

    def _read_fixed(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        full_name, _ = self._enter(schema, namespace)
        self._open.remove(full_name)
        size = schema.get("size")
        # Arrow counts the bytes of a value in a C int.
        if type(size) is not int or not 0 <= size < 1 << 31:
            raise _refuse(self._url, "a fixed type of its schema has no size")
        raw = {"type": "fixed", "name": self._make_name(), "size": size}
        fixed = AvroType("fixed", raw, size, pa.binary(size))
        return _read_logical(fixed, schema)

    def _read_array(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        items = self._read(schema.get("items"), namespace, depth + 1)
        if items.least_bytes == 0:
            raise InputError(
                f"{self._url}: its schema has an array of values that take no byte, so a few bytes "
                "may stand for any number of them; write the file without it"
            )
        raw = {"type": "array", "items": items.raw}
        # The number of items, or the end.
        array = AvroType("array", raw, 1, conversion="list", items=(items,))
        if items.problem:
            return replace(array, problem=f"is an array whose item {items.problem}")
        return replace(array, arrow=pa.list_(items.arrow))

    def _read_map(
        self,
        schema: Mapping[str, Any],
        namespace: str,
        depth: int,
    ) -> AvroType:
        values = self._read(schema.get("values"), namespace, depth + 1)
        raw = {"type": "map", "values": values.raw}
        problem = "is a map, and no step takes one; write its values as columns of their own"
        return AvroType("map", raw, 1, problem=problem)

    def _make_name(self) -> str:
        # A name may be given once, and the same type may stand in several places.
        self._names += 1
        return f"t{self._names}"


def _make_primitive(name: str) -> AvroType:
    # A text is decoded later, where one that is none costs its row alone.
    is_text = name == "string"
    raw = "bytes" if is_text else name
    conversion = "text" if is_text else "plain"
    least_bytes = _FIXED_WIDTHS.get(name, 1)
    return AvroType(name, raw, least_bytes, _PRIMITIVES[name], conversion=conversion)


def _read_logical(plain: AvroType, schema: Mapping[str, Any]) -> AvroType:
    """Return a type as its logical type says; one that is not known says nothing."""
    logical = str(schema.get("logicalType"))
    if (plain.name, logical) in _MOMENTS:
        return replace(plain, arrow=_MOMENTS[plain.name, logical])
    if logical == "decimal" and plain.name in ("bytes", "fixed"):
        return _read_decimal(plain, schema)
    if logical == "duration" and plain.name == "fixed":
        problem = "is a duration of months, days and milliseconds, which no step takes"
        return replace(plain, arrow=pa.null(), problem=problem)
    if logical == "uuid" and plain.least_bytes == _UUID_BYTES:
        # As text, which it is where it is stored as such.
        return replace(plain, arrow=pa.string(), conversion="uuid")
    return plain


def _read_decimal(plain: AvroType, schema: Mapping[str, Any]) -> AvroType:
    digits: Any = schema.get("precision")
    scale: Any = schema.get("scale", 0)
    are_numbers = isinstance(digits, int) and isinstance(scale, int)
    if not are_numbers or not 0 <= scale <= digits or not 1 <= digits <= _MOST_DIGITS:
        problem = (
            f"is a decimal of {digits} digits, {scale} behind the point, which Arrow cannot hold"
        )
        return replace(plain, arrow=pa.null(), problem=problem)
    arrow = pa.decimal256(digits, scale)
    if digits <= _NARROW_DIGITS:
        arrow = pa.decimal128(digits, scale)
    return replace(plain, arrow=arrow, conversion="decimal")


def _refuse(url: str, why: str) -> InputError:
    return InputError(f"{url}: cannot be read as Avro: {why}; replace the file")
