"""Manifests that nobody's writer wrote: each ends in one line, whatever it says of itself, and in bounded memory."""

from collections.abc import Callable, Iterator
import gzip
from io import BytesIO
import json
from pathlib import Path
import resource
from typing import Any
import zlib

import fastavro
import pytest

from tests.support.iceberg_tables import open_catalog, place
from tests.support.jobs import Outcome, small_table

pytest.importorskip("pyiceberg")
pytest.importorskip("sqlalchemy")
Score = Callable[..., Outcome]
ICEBERG = {"source.format": "iceberg"}
MARK = bytes(16)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Any]:
    with open_catalog(tmp_path) as catalog:
        rows = small_table(3)
        made = catalog.create_table("db.t", rows.schema)
        made.append(rows)
        yield made


def find_manifest(table: Any) -> Path:
    (path,) = place(table).parent.glob("*-m0.avro")
    return path


def number(value: int) -> bytes:
    written = BytesIO()
    fastavro.schemaless_writer(written, "long", value)
    return written.getvalue()


def avro(
    schema: Any, *blocks: tuple[int, bytes], codec: str = "null", size: int | None = None
) -> bytes:
    """Return a file of blocks, each of so many entries, as nobody's writer would write it."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    head = BytesIO(b"Obj\x01")
    head.seek(4)
    names = {"avro.schema": text, "avro.codec": codec.encode()}
    fastavro.schemaless_writer(head, {"type": "map", "values": "bytes"}, names)
    content = head.getvalue() + MARK
    for rows, packed in blocks:
        content += number(rows) + number(len(packed) if size is None else size) + packed + MARK
    return content


def split(path: Path) -> tuple[Any, bytes]:
    """Return a manifest's schema, and its first block, unpacked."""
    with path.open("rb") as source:
        reader = fastavro.block_reader(source)
        schema = json.loads(reader.metadata["avro.schema"])
        block = next(reader)
        return schema, block.bytes_.getvalue()


def record(*fields: Any) -> dict[str, Any]:
    listed = [
        {"name": f"f{at}", "type": kind, "field-id": at + 1} for at, kind in enumerate(fields)
    ]
    return {"type": "record", "name": "manifest_entry", "fields": listed}


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def spoil(table: Any) -> Iterator[tuple[str, bytes]]:
    path = find_manifest(table)
    whole = path.read_bytes()
    schema, entry = split(path)
    yield "cut", whole[:-20]
    yield "empty", b""
    yield "no Avro", b"PAR1" * 10
    yield "another mark", whole[:-1] + b"x"
    yield "a bomb", avro(schema, (1, deflate(bytes(200 << 20))), codec="deflate")
    yield "many small bombs", avro(schema, *[(1, deflate(bytes(60 << 20)))] * 8, codec="deflate")
    yield "many entries", avro(record(), (10**12, b""))
    yield "gigabytes declared", avro(schema, (1, entry), size=1 << 40)
    yield "negative size", avro(schema, (1, entry), size=-5)
    yield "negative count", avro(schema, (-1, entry))
    yield "more entries than there are", avro(schema, (2, entry))
    yield "bytes behind the entry", avro(schema, (1, entry + b"x"))
    yield "a longer text", avro(record("string"), (1, number(1 << 40) + b"x"))
    yield "a negative text", avro(record("string"), (1, number(-3) + b"x"))
    longs = {"type": "array", "items": "long", "element-id": 9}
    yield "a longer list", avro(record(longs), (1, number(1 << 40) + b"\2"))
    skips = number(-1) + number(1 << 30) + number(1)
    yield "a list that skips", avro(record(longs), (1, skips))
    nothing = {"type": "array", "items": "null", "element-id": 9}
    yield "a list of nothing", avro(record(nothing), (1, number(1 << 60) + b"\0"))
    yield "schema is no JSON", avro(b"{", (1, entry))
    yield "deep schema", avro(b"[" * 100_000, (1, entry))
    yield "schema within itself", avro(record("manifest_entry"), (1, entry))
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0}
    yield "decimal", avro(record(decimal), (1, b"\2x"))
    short = {"type": "fixed", "name": "u", "size": 1, "logicalType": "uuid"}
    yield "uuid", avro(record(short), (1, b"x"))
    yield "union", avro(record(["long"]), (1, b"\0\2"))
    yield "unions", avro(record(["null", "long", "string"]), (1, b"\2\2"))
    yield "unknown codec", avro(schema, (1, entry), codec="rot13")


@pytest.mark.slow
def test_a_manifest_that_is_none_ends_in_one_line(table: Any, score_it: Score) -> None:
    path = find_manifest(table)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for what, content in spoil(table):
        path.write_bytes(content)
        outcome = score_it(place(table), settings=ICEBERG)
        outcome.refused(str(path))
        assert outcome.error.count("\n") <= 1, what
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < 600 << 10


def test_a_list_of_manifests_is_looked_at_too(table: Any, score_it: Score) -> None:
    (path,) = place(table).parent.glob("snap-*.avro")
    schema, _ = split(path)
    for content in (b"", path.read_bytes()[:-1], avro(schema, (1, number(1 << 40)))):
        path.write_bytes(content)
        score_it(place(table), settings=ICEBERG).refused(str(path))


@pytest.mark.slow
def test_packed_metadata_is_no_bomb(table: Any, score_it: Score) -> None:
    path = place(table)
    packed = path.with_name("1.gz.metadata.json")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert score_it(packed, settings=ICEBERG).rows()["id"].to_pylist() == [0, 1, 2]
    packed.write_bytes(gzip.compress(path.read_bytes() + b" " * (200 << 20)))
    score_it(packed, settings=ICEBERG).refused("has more than 134,217,728 bytes")
    packed.write_bytes(gzip.compress(path.read_bytes()) + gzip.compress(b" "))
    score_it(packed, settings=ICEBERG).refused("or several parts")


def test_a_data_file_that_is_named_twice_is_refused(table: Any, score_it: Score) -> None:
    path = find_manifest(table)
    schema, entry = split(path)
    path.write_bytes(avro(schema, (1, entry), (0, b""), (1, entry)))
    score_it(place(table), settings=ICEBERG).refused(
        "names", "twice", "rewrite the table's manifests"
    )


@pytest.mark.parametrize(
    "where", ["/etc/passwd", "../../x", "s3://other/x", "data/../../../x", "file:///x"]
)
def test_places_outside_of_the_table_are_refused(where: str, table: Any, score_it: Score) -> None:
    """Of manifests as of data files."""
    path = place(table)
    metadata = json.loads(path.read_text())
    metadata["snapshots"][0]["manifest-list"] = where
    path.write_text(json.dumps(metadata))
    outcome = score_it(path, settings=ICEBERG)
    outcome.refused("names")
    assert "internal" not in outcome.error


def test_what_a_table_names_is_neither_imported_nor_asked(
    table: Any, score_it: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code for its files, its catalog, its places, and a server: none of it is the table's to choose."""
    (tmp_path / "stranger.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})")
    monkeypatch.syspath_prepend(tmp_path)
    path = place(table)
    metadata = json.loads(path.read_text())
    metadata["properties"] |= {
        "py-io-impl": "stranger.Io",
        "py-catalog-impl": "stranger.Catalog",
        "write.py-location-provider.impl": "stranger.Places",
        "uri": "http://127.0.0.1:9/",
        "rest.signing-name": "x",
        "scan-planning-mode": "server",
        "s3.endpoint": "http://127.0.0.1:9/",
        "s3.signer": "stranger.sign",
        "s3.signer.uri": "http://127.0.0.1:9/",
    }
    path.write_text(json.dumps(metadata))
    assert score_it(path, settings=ICEBERG).rows()["id"].to_pylist() == [0, 1, 2]
    assert not (tmp_path / "ran").exists()
