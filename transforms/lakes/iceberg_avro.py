"""Manifests of an Iceberg table, written anew before pyiceberg decodes them.

Its decoder believes what a file says: a length that is too large is read behind the end of the memory,
a packed block is unpacked however large, and a file that was cut is taken for a shorter one. Here each
block is unpacked within limits and decoded by fastavro, which looks at every length, and encoded again,
plainly, so that what pyiceberg meets are bytes that were read to their end once.
"""

from collections.abc import Iterator
from io import BytesIO
import json
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from configs.errors import InputError
from transforms.formats.avro_blocks import (
    BrokenBlock,
    find_blocks,
    read_block,
    read_head,
    unpack_block,
)
from transforms.formats.avro_schema import read_schema
from transforms.formats.avro_types import make_raw_field
from transforms.formats.csv_bytes import StoredBytes

_MAGIC = b"Obj\x01"
_MARK = bytes(16)
# A bomb is more than this, decoded, and more than so many times its size.
_SMALL_BYTES = 16 << 20
_MOST_EXPANSION = 100
# An entry names a file, which takes some bytes however well it is packed.
_FEW_ENTRIES = 4_096
_LEAST_BYTES_OF_ENTRY = 4
_UUID_BYTES = 16
_MOST_DIGITS = 38
# Of a stranger's word, in an error.
_MOST_LETTERS = 20
_HINT = "restore the file, or rewrite the table's manifests"


def rewrite_manifest(url: str, stored: StoredBytes) -> bytes:
    """Return a manifest, or a list of them, as a plain Avro file that is what it says.

    Args:
        url: the file, for errors.
        stored: its bytes.

    Raises:
        InputError: it is none, is cut or broken, or would take far more memory than it has bytes.
    """
    head = read_head(url, stored)
    raw = _read_raw_schema(url, head.schema)
    written = BytesIO()
    _write_head(written, head.schema)
    most_bytes = _SMALL_BYTES + _MOST_EXPANSION * stored.size
    most_entries = _FEW_ENTRIES + stored.size // _LEAST_BYTES_OF_ENTRY
    for content, rows in _unpack(url, stored):
        most_bytes -= len(content)
        most_entries -= rows
        if most_bytes < 0 or most_entries < 0:
            raise InputError(
                f"{url}: is {stored.size:,} bytes and holds far more than so few bytes can, so it may "
                f"be a bomb; {_HINT}"
            )
        # pyiceberg takes a block without an entry for the end.
        if rows:
            _write_block(url, written, raw, content, rows)
    return written.getvalue()


def _read_raw_schema(url: str, text: bytes) -> Any:
    """Return the schema that entries are decoded with, of which no name is the file's own."""
    fields = read_schema(url, text)
    schema = json.loads(text)
    _refuse_foreign(url, schema)
    raw_fields = []
    for number, field in enumerate(fields):
        raw_field = make_raw_field(number, field.type)
        raw_fields.append(raw_field)
    record = {"type": "record", "name": "entry", "fields": raw_fields}
    return parse_schema(record)


def _unpack(
    url: str,
    stored: StoredBytes,
) -> Iterator[tuple[bytes, int]]:
    """Yield the blocks of a file, unpacked, and how many entries each promises."""
    head = read_head(url, stored)
    for found in find_blocks(url, stored, head):
        block, packed = read_block(url, stored, found.start)
        try:
            content = unpack_block(url, block, packed, head.codec)
        except BrokenBlock as error:
            why = str(error)
            raise _refuse(url, why) from error
        yield content, block.rows


def _write_head(written: BytesIO, schema: bytes) -> None:
    names = {"avro.schema": schema, "avro.codec": b"null"}
    schema_of_names = {"type": "map", "values": "bytes"}
    written.write(_MAGIC)
    schemaless_writer(written, schema_of_names, names)
    written.write(_MARK)


def _write_block(
    url: str,
    written: BytesIO,
    raw: Any,
    content: bytes,
    rows: int,
) -> None:
    """Write a block, of which each entry was decoded."""
    source = BytesIO(content)
    block = BytesIO()
    try:
        for _ in range(rows):
            entry = schemaless_reader(source, raw, None)
            schemaless_writer(block, raw, entry)
    # What fastavro raises of bytes that are no entries.
    except (EOFError, IndexError, ValueError, OverflowError, TypeError, KeyError) as error:
        raise _refuse(url, "its bytes are not entries of its schema") from error
    # Where one entry ends, the next one begins: a wrong length anywhere moves the end.
    if source.tell() != len(content):
        raise _refuse(url, "its entries do not end where its block ends")
    encoded = block.getvalue()
    schemaless_writer(written, "long", rows)
    schemaless_writer(written, "bytes", encoded)
    written.write(_MARK)


def _refuse_foreign(url: str, schema: Any) -> None:
    """Refuse types that pyiceberg would take for others, of another number of bytes.

    Raises:
        InputError: the first one.
    """
    # Not by calls within calls: how deep it may be is told by what has read the schema.
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            if not _is_optional(found):
                raise _refuse(url, "its schema has a union that is more than an optional value")
            waiting.append(found[1])
        if not isinstance(found, dict):
            continue
        logical = found.get("logicalType")
        if logical is not None and not _is_known(found, logical):
            name = str(logical)[:_MOST_LETTERS]
            raise _refuse(url, f"its schema has a {name} that Iceberg does not write")
        waiting += [found[key] for key in ("type", "items", "values") if key in found]
        fields = found.get("fields", ())
        waiting += [field["type"] for field in fields]


def _is_optional(union: list[Any]) -> bool:
    """Tell whether a union is null or one type: pyiceberg looks at no other branch."""
    if len(union) != 2:
        return False
    first, second = union
    return first == "null" and not isinstance(second, list)


def _is_known(schema: dict[str, Any], logical: Any) -> bool:
    """Tell whether a type with a second meaning takes the same bytes in both."""
    from pyiceberg.utils.decimal import decimal_required_bytes

    kind = schema.get("type")
    size_bytes = schema.get("size")
    if logical == "decimal":
        digits = schema.get("precision")
        is_number = isinstance(digits, int) and 0 < digits <= _MOST_DIGITS
        if kind != "fixed" or not is_number:
            return False
        # pyiceberg computes the size, whatever the schema says of it.
        return bool(size_bytes == decimal_required_bytes(digits))
    if logical == "uuid":
        return kind == "fixed" and size_bytes == _UUID_BYTES
    if logical == "map":
        # Of keys that are no texts: an array of pairs.
        items = schema.get("items")
        fields = items.get("fields") if isinstance(items, dict) else None
        are_pairs = isinstance(fields, list) and len(fields) == 2
        return kind == "array" and are_pairs
    # Days and moments are whole numbers.
    return kind in ("int", "long")


def _refuse(url: str, why: str) -> InputError:
    return InputError(f"{url}: is no manifest of an Iceberg table: {why}; {_HINT}")
