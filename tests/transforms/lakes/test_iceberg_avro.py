"""Manifests that are written anew: plain, of the same entries, and of no more than so few bytes can hold."""

from io import BytesIO
from pathlib import Path
from typing import Any
import zlib

import pytest

from configs.errors import InputError
from tests.support.avro_files import encode_block, encode_head, encode_rows, record_of
from transforms.formats.csv_bytes import StoredBytes
from transforms.lakes import iceberg_avro
from transforms.lakes.iceberg_avro import _refuse_foreign, rewrite_manifest

pytest.importorskip("pyiceberg")
fastavro = pytest.importorskip("fastavro")

SCHEMA = record_of(a="bytes")
ROWS = [{"a": bytes(1_000)}, {"a": b"abc"}, {"a": b""}]


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def write(folder: Path) -> StoredBytes:
    """Write three entries in two packed blocks, and one without an entry between them."""
    blocks = [encode_block(encode_rows(SCHEMA, ROWS[:2]), 2, deflate)]
    blocks.append(encode_block(b"", 0, deflate))
    blocks.append(encode_block(encode_rows(SCHEMA, ROWS[2:]), 1, deflate))
    path = folder / "m.avro"
    path.write_bytes(encode_head(SCHEMA, "deflate") + b"".join(blocks))
    return StoredBytes(str(path))


# An entry begins with the length of its bytes.
DECODED_BYTES = 2 + 1_000 + 1 + 3 + 1


def test_a_manifest_is_plain_and_has_the_same_entries(tmp_path: Path) -> None:
    written = rewrite_manifest("m", write(tmp_path))
    reader = fastavro.block_reader(BytesIO(written))
    blocks = list(reader)
    assert reader.codec == "null"
    # One without an entry is the end to pyiceberg.
    assert [block.num_records for block in blocks] == [2, 1]
    assert [entry for block in blocks for entry in block] == ROWS


def test_entries_come_to_no_more_bytes_than_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = write(tmp_path)
    assert (iceberg_avro._SMALL_BYTES, iceberg_avro._MOST_EXPANSION) == (16 * 1024**2, 100)
    monkeypatch.setattr(iceberg_avro, "_MOST_EXPANSION", 2)
    monkeypatch.setattr(iceberg_avro, "_SMALL_BYTES", DECODED_BYTES - 2 * stored.size)
    rewrite_manifest("m", stored)
    monkeypatch.setattr(iceberg_avro, "_SMALL_BYTES", DECODED_BYTES - 2 * stored.size - 1)
    with pytest.raises(InputError, match=f"m: is {stored.size} bytes .* so it may be a bomb"):
        rewrite_manifest("m", stored)


def test_there_are_no_more_entries_than_so_few_bytes_can_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = write(tmp_path)
    monkeypatch.setattr(iceberg_avro, "_FEW_ENTRIES", 3 - stored.size // 4)
    rewrite_manifest("m", stored)
    monkeypatch.setattr(iceberg_avro, "_FEW_ENTRIES", 2 - stored.size // 4)
    with pytest.raises(InputError, match="so it may be a bomb"):
        rewrite_manifest("m", stored)


def fixed(size: int, **told: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "f", "size": size, **told}


def decimal(size: int, digits: Any) -> dict[str, Any]:
    return fixed(size, logicalType="decimal", precision=digits)


def pairs(*names: str) -> dict[str, Any]:
    return {
        "type": "array",
        "logicalType": "map",
        "items": record_of(**dict.fromkeys(names, "int")),
    }


@pytest.mark.parametrize(
    "schema",
    [
        "long",
        ["null", "long"],
        ["null", {"type": "long", "logicalType": "timestamp-micros"}],
        {"type": "int", "logicalType": "date"},
        fixed(5),
        fixed(16, logicalType="uuid"),
        decimal(1, 1),
        decimal(4, 9),
        decimal(16, 38),
        pairs("key", "value"),
        {"type": "map", "values": decimal(4, 9)},
    ],
)
def test_what_iceberg_writes_is_taken(schema: Any) -> None:
    _refuse_foreign("m", record_of(a=schema))


@pytest.mark.parametrize(
    "schema",
    [
        ["long", "null"],
        ["null"],
        ["null", "long", "int"],
        ["null", ["null", "long"]],
        {"type": "string", "logicalType": "timestamp-micros"},
        fixed(15, logicalType="uuid"),
        {"type": "string", "logicalType": "uuid"},
        decimal(5, 9),
        decimal(1, 0),
        decimal(17, 39),
        decimal(4, "9"),
        {"type": "bytes", "logicalType": "decimal", "precision": 9},
        pairs("key"),
        pairs("key", "value", "more"),
        {"type": "array", "logicalType": "map", "items": "int"},
        {"type": "map", "values": ["long", "null"]},
        {"type": "array", "items": ["long", "null"]},
        {"type": "fixed", "name": "f", "size": 9, "logicalType": "n" * 30},
    ],
)
def test_what_it_does_not_write_is_refused(schema: Any) -> None:
    with pytest.raises(InputError, match=r"m: is no manifest of an Iceberg table: its schema"):
        _refuse_foreign("m", record_of(a=schema))


def test_of_a_strangers_word_twenty_letters_are_told() -> None:
    with pytest.raises(InputError, match=f"has a {'n' * 20} that"):
        _refuse_foreign("m", fixed(9, logicalType="n" * 30))
