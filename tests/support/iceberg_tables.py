"""Iceberg tables for tests: what pyiceberg does not write, by hand: files by buckets and days, and deletions of every kind."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Any
import uuid
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

_MAGIC = b"PFA1"
_PATH_ID, _POSITION_ID = 2147483546, 2147483545


@contextmanager
def open_catalog(folder: Path) -> Iterator[Any]:
    from pyiceberg.catalog.sql import SqlCatalog

    uri = f"sqlite:///{folder}/catalog.db"
    catalog = SqlCatalog("mine", uri=uri, warehouse=str(folder / "warehouse"))
    catalog.create_namespace_if_not_exists("db")
    try:
        yield catalog
    finally:
        catalog.close()


def place(table: Any) -> Path:
    """Return the table's newest metadata file."""
    return Path(str(table.metadata_location).removeprefix("file://"))


def append_in_parts(table: Any, rows: pa.Table) -> None:
    """Append rows in a file for each partition, whatever the partition is made of."""
    from pyiceberg.io.pyarrow import write_file
    from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
    from pyiceberg.table import WriteTask

    spec, schema = table.spec(), table.schema()
    by_part: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows.to_pylist()):
        values = []
        for field in spec.fields:
            source = schema.find_field(field.source_id)
            value = to_iceberg(row[source.name], source.field_type)
            values.append(field.transform.transform(source.field_type)(value))
        by_part[tuple(values)].append(number)
    tasks = []
    for number, (values, positions) in enumerate(by_part.items()):
        pairs = zip(spec.fields, values, strict=True)
        parts = [PartitionFieldValue(field, value) for field, value in pairs]
        key = PartitionKey(parts, spec, schema) if parts else None
        batches = rows.take(positions).to_batches()
        tasks.append(WriteTask(uuid.uuid4(), number, schema, batches, partition_key=key))
    with table.transaction() as change, change.update_snapshot().fast_append() as appended:
        for file in write_file(table.io, table.metadata, iter(tasks)):
            appended.append_data_file(file)


def to_iceberg(value: Any, kind: Any) -> Any:
    from pyiceberg.partitioning import _to_partition_representation

    return None if value is None else _to_partition_representation(kind, value)


def list_data_files(table: Any) -> list[str]:
    return [task.file.file_path for task in table.scan().plan_files()]


def delete_by_positions(table: Any, rows: Mapping[str, Sequence[int]], columns: int = 2) -> Path:
    """Delete rows of data files by one Parquet file of paths and positions; return the new metadata file."""
    pairs = sorted((path, position) for path in rows for position in rows[path])
    names = ("file_path", "pos")
    types = (pa.string(), pa.int64())
    numbers = (_PATH_ID, _POSITION_ID)
    fields = [
        pa.field(name, kind, metadata={"PARQUET:field_id": str(number)})
        for name, kind, number in zip(names, types, numbers, strict=True)
    ]
    arrays = [
        pa.array(values, kind) for values, kind in zip(zip(*pairs, strict=True), types, strict=True)
    ]
    content = pa.table(arrays, schema=pa.schema(fields)).select(range(columns))
    path = place(table).parents[1] / f"data/{uuid.uuid4()}-deletes.parquet"
    pq.write_table(content, path)
    return add_deletes(table, [describe_deletes(path, len(pairs))])


def delete_by_vectors(
    table: Any, rows: Mapping[str, Sequence[int]], told: Mapping[str, Any] | None = None
) -> Path:
    """Delete rows by deletion vectors in one Puffin file; return the new metadata file."""
    from pyroaring import BitMap64

    content = bytearray(_MAGIC)
    blobs = []
    entries = []
    path = place(table).parents[1] / f"data/{uuid.uuid4()}-deletes.puffin"
    for target, positions in rows.items():
        vector = (0x6439D3D1).to_bytes(4, "little") + BitMap64(positions).serialize()
        framed = len(vector).to_bytes(4, "big") + vector + zlib.crc32(vector).to_bytes(4, "big")
        blob = {
            "type": "deletion-vector-v1",
            "fields": [],
            "snapshot-id": -1,
            "sequence-number": -1,
        }
        properties = {"referenced-data-file": target, "cardinality": str(len(positions))}
        blob |= {"offset": len(content), "length": len(framed), "properties": properties}
        blobs.append(blob | dict(told or {}))
        place_told = {"content_offset": len(content), "content_size_in_bytes": len(framed)}
        content += framed
        bounds = {_PATH_ID: target.encode()}
        entries.append(
            describe_deletes(
                path,
                len(positions),
                kind="PUFFIN",
                referenced_data_file=target,
                lower_bounds=bounds,
                upper_bounds=bounds,
                **place_told,
            )
        )
    footer = json.dumps({"blobs": blobs, "properties": {}}).encode()
    content += _MAGIC + footer + len(footer).to_bytes(4, "little") + bytes(4) + _MAGIC
    path.write_bytes(content)
    return add_deletes(table, entries)


def delete_by_values(table: Any, rows: pa.Table) -> Path:
    """Delete rows by the values of a column; return the new metadata file."""
    path = place(table).parents[1] / f"data/{uuid.uuid4()}-deletes.parquet"
    pq.write_table(rows, path)
    return add_deletes(table, [describe_deletes(path, len(rows), equality_ids=[1])])


def describe_deletes(path: Path, rows: int, kind: str = "PARQUET", **more: Any) -> Any:
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    content = DataFileContent.POSITION_DELETES
    if "equality_ids" in more:
        content = DataFileContent.EQUALITY_DELETES
    return DataFile.from_args(
        content=content,
        file_path=str(path),
        file_format=FileFormat[kind],
        partition=Record(),
        record_count=rows,
        file_size_in_bytes=path.stat().st_size if path.exists() else 1,
        **more,
    )


def add_deletes(table: Any, entries: Sequence[Any]) -> Path:
    """Write a snapshot behind the newest one that has some delete files more; return its metadata file."""
    from pyiceberg.manifest import (
        ManifestContent,
        ManifestEntry,
        ManifestEntryStatus,
        ManifestWriterV2,
        write_manifest_list,
    )

    class DeleteWriter(ManifestWriterV2):
        def content(self) -> ManifestContent:
            return ManifestContent.DELETES

    before = place(table)
    metadata = json.loads(before.read_text())
    snapshot = next(
        entry
        for entry in metadata["snapshots"]
        if entry["snapshot-id"] == metadata["current-snapshot-id"]
    )
    number = snapshot["snapshot-id"] + 1
    sequence = metadata["last-sequence-number"] + 1
    output = table.io.new_output(str(before.parent / f"{uuid.uuid4()}-m0.avro"))
    with DeleteWriter(table.spec(), table.schema(), output, number, "deflate") as writer:
        for entry in entries:
            added = ManifestEntry.from_args(
                status=ManifestEntryStatus.ADDED, snapshot_id=number, data_file=entry
            )
            writer.add_entry(added)
    manifest = writer.to_manifest_file()
    older = table.current_snapshot().manifests(table.io)
    listed = before.parent / f"snap-{uuid.uuid4()}.avro"
    target = table.io.new_output(str(listed))
    parent = snapshot["snapshot-id"]
    with write_manifest_list(2, target, number, parent, sequence, "deflate") as lists:
        lists.add_manifests([*older, manifest])
    following = {
        "snapshot-id": number,
        "parent-snapshot-id": parent,
        "sequence-number": sequence,
        "timestamp-ms": metadata["last-updated-ms"] + 1,
        "manifest-list": str(listed),
        "summary": {"operation": "delete"},
        "schema-id": metadata["current-schema-id"],
    }
    metadata["snapshots"].append(following)
    metadata["current-snapshot-id"] = number
    metadata["last-sequence-number"] = sequence
    metadata["last-updated-ms"] += 1
    metadata["refs"] = {"main": {"snapshot-id": number, "type": "branch"}}
    path = before.parent / f"99999-{uuid.uuid4()}.metadata.json"
    path.write_text(json.dumps(metadata))
    return path
