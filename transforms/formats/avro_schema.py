"""The schema of an Avro file: which columns it has, and in which Arrow types they come out.

A file's own schema is never handed on. Each type is looked at here and written anew, without logical
types, names and defaults, so that whatever decodes the rows is told what bytes there are and nothing
else (https://avro.apache.org/docs/1.12.0/specification/).

    {"type": "long", "logicalType": "timestamp-micros"}   read as "long", comes out as timestamp[us, UTC]
    ["null", {"type": "enum", "symbols": ["A", "B"]}]     read as ["null", "int"], comes out as string
"""

from collections.abc import Sequence
from dataclasses import replace
import json
from typing import Any, NamedTuple

import pyarrow as pa

from configs.errors import InputError
from transforms.formats.avro_types import (
    MOST_FIXED_BYTES,
    PRIMITIVES,
    WIDENED,
    AvroField,
    AvroType,
    Fields,
    is_plain,
    make_primitive,
    make_raw_field,
    read_logical,
)

# Deeper than tables are; what decodes rows calls itself once a level.
_DEEPEST = 32
# Types within types, each reference counted: names let a short schema stand for a huge one.
_MOST_TYPES = 50_000


def read_schema(
    url: str,
    text: bytes,
) -> tuple[AvroField, ...]:
    """Return the columns of a file.

    Args:
        url: the file, for errors.
        text: its schema, as JSON.

    Raises:
        InputError: it is no schema of rows, or one that cannot be read safely.
    """
    try:
        schema = json.loads(text)
        # Of halves of letters, which JSON can write, Arrow makes no names and no symbols.
        json.dumps(schema, ensure_ascii=False).encode()
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
    return tuple(fields)


class _Named(NamedTuple):
    """A named type's schema, and the namespace that it stands in."""

    schema: Fields
    namespace: str


class _SchemaReader:
    """Reads the types of one schema, one inside the other.

    Args:
        url: the file, for errors.
    """

    def __init__(
        self,
        url: str,
    ) -> None:
        self._url = url
        self._count = 0
        self._names = 0
        # By full name.
        self._named: dict[str, _Named] = {}
        # Of the types that are being read: one that is met again holds itself.
        self._open: list[str] = []

    def read_fields(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> list[AvroField]:
        """Return a record's fields.

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
            name = part.get("name") if isinstance(part, dict) else None
            if not isinstance(name, str):
                raise _refuse(self._url, "a field of its schema has no name")
            schema_of_field = part.get("type")
            type_ = self._read(schema_of_field, inside, depth + 1)
            read_field = AvroField(name, type_)
            found.append(read_field)
        self._open.remove(full_name)
        return found

    def _enter(
        self,
        schema: Fields,
        namespace: str,
    ) -> tuple[str, str]:
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
        self._named[full_name] = _Named(schema, namespace)
        self._open.append(full_name)
        return full_name, inside

    def _read(
        self,
        schema: Any,
        namespace: str,
        depth: int,
    ) -> AvroType:
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
        if name not in PRIMITIVES:
            return self._read_named(name, namespace, depth)
        plain = make_primitive(name)
        return read_logical(plain, schema)

    def _read_named(
        self,
        name: str,
        namespace: str,
        depth: int,
    ) -> AvroType:
        if name in PRIMITIVES:
            return make_primitive(name)
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
        shortest = min(type_.least_bytes for type_ in types)
        least_bytes = 1 + shortest
        raw = [type_.raw for type_ in types]
        valued = [type_ for type_ in types if type_.name != "null"]
        if not valued:
            return AvroType("null", raw, least_bytes, pa.null())
        first = valued[0]
        if len(valued) == 1:
            return replace(first, raw=raw, least_bytes=least_bytes)
        names = [type_.name for type_ in valued]
        wider = WIDENED.get(frozenset(names))
        # A logical type beside a plain one counts something else.
        are_plain = all(map(is_plain, valued))
        if wider is not None and are_plain:
            arrow = PRIMITIVES[wider]
            return AvroType(wider, raw, least_bytes, arrow)
        listed = ", ".join(names)
        problem = f"is a union of {listed}, and a column has one type"
        return AvroType("union", raw, least_bytes, problem=problem)

    def _read_record(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> AvroType:
        fields = self.read_fields(schema, namespace, depth)
        raw_fields = []
        least_bytes = 0
        for number, part in enumerate(fields):
            type_ = part.type
            raw_field = make_raw_field(number, type_)
            raw_fields.append(raw_field)
            least_bytes += type_.least_bytes
        name = self._make_name()
        raw = {"type": "record", "name": name, "fields": raw_fields}
        problem = "is a record, and no step takes one; write its fields as columns of their own"
        return AvroType("record", raw, least_bytes, problem=problem)

    def _read_enum(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> AvroType:
        full_name, _ = self._enter(schema, namespace)
        self._open.remove(full_name)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not all(map(_is_text, symbols)):
            raise _refuse(self._url, "an enum of its schema has no symbols")
        return AvroType(
            "enum",
            # It is looked up afterwards, where one that stands for nothing costs its row alone.
            raw="int",
            least_bytes=1,
            arrow=pa.string(),
            conversion="enum",
            symbols=tuple(symbols),
        )

    def _read_fixed(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> AvroType:
        full_name, _ = self._enter(schema, namespace)
        self._open.remove(full_name)
        size = schema.get("size")
        if not isinstance(size, int) or not 0 <= size <= MOST_FIXED_BYTES:
            raise _refuse(self._url, "a fixed type of its schema has no size")
        name = self._make_name()
        raw = {"type": "fixed", "name": name, "size": size}
        fixed = AvroType("fixed", raw, size, pa.binary(size))
        return read_logical(fixed, schema)

    def _read_array(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> AvroType:
        of_items = schema.get("items")
        items = self._read(of_items, namespace, depth + 1)
        if items.least_bytes == 0:
            raise InputError(
                f"{self._url}: its schema has an array of values that take no byte, so a few bytes "
                "may stand for any number of them; write the file without it"
            )
        raw = {"type": "array", "items": items.raw}
        # The number of items, or the end.
        array = AvroType("array", raw, 1, conversion="list", items=(items,))
        if items.problem:
            problem = f"is an array whose item {items.problem}"
            return replace(array, problem=problem)
        arrow = pa.list_(items.arrow)
        return replace(array, arrow=arrow)

    def _read_map(
        self,
        schema: Fields,
        namespace: str,
        depth: int,
    ) -> AvroType:
        of_values = schema.get("values")
        values = self._read(of_values, namespace, depth + 1)
        raw = {"type": "map", "values": values.raw}
        problem = "is a map, and no step takes one; write its values as columns of their own"
        return AvroType("map", raw, 1, problem=problem)

    def _make_name(self) -> str:
        # A name may be given once, and the same type may stand in several places.
        self._names += 1
        return f"t{self._names}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _refuse(
    url: str,
    why: str,
) -> InputError:
    return InputError(f"{url}: cannot be read as Avro: {why}; replace the file")
