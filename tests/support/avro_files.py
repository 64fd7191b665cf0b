"""Avro files byte by byte: what a writer packs, and what no writer would write."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa

MARK = bytes(range(16))


def encode_number(value: int) -> bytes:
    sink = BytesIO()
    fastavro.schemaless_writer(sink, "long", value)
    return sink.getvalue()


def encode_rows(schema: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as they stand in a block."""
    parsed = fastavro.parse_schema(dict(schema))
    sink = BytesIO()
    for row in rows:
        fastavro.schemaless_writer(sink, parsed, row)
    return sink.getvalue()


def encode_head(schema: Any, codec: str = "null", mark: bytes = MARK) -> bytes:
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    meta = {"avro.schema": text, "avro.codec": codec.encode()}
    sink = BytesIO()
    fastavro.schemaless_writer(sink, {"type": "map", "values": "bytes"}, meta)
    return b"Obj\x01" + sink.getvalue() + mark


def encode_block(
    content: bytes,
    rows: int,
    pack: Callable[[bytes], bytes] = bytes,
    mark: bytes = MARK,
) -> bytes:
    packed = pack(content)
    return encode_number(rows) + encode_number(len(packed)) + packed + mark


def record_of(**types: Any) -> dict[str, Any]:
    """The schema of rows with these fields."""
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    return {"type": "record", "name": "row", "fields": fields}


def write_avro(path: Path, rows: pa.Table, codec: str = "deflate") -> None:
    """Write a table of numbers and texts, as a writer does, some rows a block."""
    kinds = {"int64": "long", "double": "double", "float": "float", "string": "string"}
    schema = record_of(**{f.name: ["null", kinds[str(f.type)]] for f in rows.schema})
    with path.open("wb") as sink:
        fastavro.writer(sink, schema, rows.to_pylist(), codec=codec, sync_interval=100)
