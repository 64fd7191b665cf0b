"""Delta tables for tests: what the library reads of them, and what it does not write, by hand in the log."""

import json
from pathlib import Path
from typing import Any
import uuid
import zlib

import pyarrow as pa

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def read_with_deltalake(table: Path, query: str, version: int | None = None) -> list[Any]:
    """Return what a query gives of a table `t`, row by row, as the library's own engine reads it."""
    from deltalake import DeltaTable, QueryBuilder

    builder = QueryBuilder().register("t", DeltaTable(str(table), version=version))
    rows = pa.table(builder.execute(query)).to_pylist()
    return [tuple(row.values()) for row in rows]


def commit(table: Path, *actions: dict[str, Any]) -> int:
    """Write a commit behind the newest one; return its version."""
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    version = 1 + max((int(path.stem) for path in log.glob("*.json")), default=-1)
    text = "\n".join(json.dumps(action) for action in actions)
    (log / f"{version:020}.json").write_text(text + "\n")
    return version


def actions_of(table: Path, kind: str) -> list[dict[str, Any]]:
    """Return all actions of a kind in the commits of a log."""
    found = []
    for path in sorted((table / "_delta_log").glob("*.json")):
        for line in path.read_text().splitlines():
            action = json.loads(line)
            if kind in action:
                found.append(action[kind])
    return found


def encode_z85(content: bytes) -> str:
    text = ""
    for start in range(0, len(content), 4):
        number = int.from_bytes(content[start : start + 4], "big")
        letters = ""
        for _ in range(5):
            number, rest = divmod(number, 85)
            letters = _Z85[rest] + letters
        text += letters
    return text


def write_vector(table: Path, rows: list[int], inline: bool = False) -> dict[str, Any]:
    """Write a deletion vector, and return how the log names it."""
    from pyroaring import BitMap64

    content = (1681511377).to_bytes(4, "little") + BitMap64(rows).serialize()
    told: dict[str, Any] = {"sizeInBytes": len(content), "cardinality": len(rows)}
    if inline:
        padded = content + bytes(-len(content) % 4)
        return {"storageType": "i", "pathOrInlineDv": encode_z85(padded), **told}
    name = uuid.uuid4()
    framed = len(content).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
    (table / f"deletion_vector_{name}.bin").write_bytes(b"\1" + framed)
    return {"storageType": "u", "pathOrInlineDv": encode_z85(name.bytes), "offset": 1, **told}


def delete_rows(table: Path, rows: list[int], inline: bool = False) -> int:
    """Delete rows of the table's only file by a deletion vector; return the version."""
    (added,) = actions_of(table, "add")
    removed = {"path": added["path"], "dataChange": True, "deletionTimestamp": 1}
    vector = write_vector(table, rows, inline)
    again = {**added, "deletionVector": vector, "stats": json.dumps({"numRecords": 1_000_000})}
    return commit(table, {"remove": removed}, {"add": again})


_ADD = pa.struct(
    {
        "path": pa.string(),
        "partitionValues": pa.map_(pa.string(), pa.string()),
        "size": pa.int64(),
        "modificationTime": pa.int64(),
        "dataChange": pa.bool_(),
        "stats": pa.string(),
    }
)
_SIDECAR = pa.struct(
    {
        "path": pa.string(),
        "sizeInBytes": pa.int64(),
        "modificationTime": pa.int64(),
    }
)
_PROTOCOL = pa.struct(
    {
        "minReaderVersion": pa.int32(),
        "minWriterVersion": pa.int32(),
        "readerFeatures": pa.list_(pa.string()),
        "writerFeatures": pa.list_(pa.string()),
    }
)
_METADATA = pa.struct(
    {
        "id": pa.string(),
        "format": pa.struct(
            {"provider": pa.string(), "options": pa.map_(pa.string(), pa.string())}
        ),
        "schemaString": pa.string(),
        "partitionColumns": pa.list_(pa.string()),
        "configuration": pa.map_(pa.string(), pa.string()),
        "createdTime": pa.int64(),
    }
)
_KINDS = {
    "protocol": _PROTOCOL,
    "metaData": _METADATA,
    "add": _ADD,
    "sidecar": _SIDECAR,
    "checkpointMetadata": pa.struct({"version": pa.int64()}),
}
V2 = {"minReaderVersion": 3, "minWriterVersion": 7}
V2 |= {"readerFeatures": ["v2Checkpoint"], "writerFeatures": ["v2Checkpoint"]}


def write_rows(path: Path, actions: list[dict[str, Any]]) -> Path:
    """Write actions as a file of a checkpoint."""
    import pyarrow.parquet as pq

    path.parent.mkdir(exist_ok=True)
    columns = {}
    for kind, type_ in _KINDS.items():
        if any(kind in action for action in actions):
            values = [_with_maps(action.get(kind)) for action in actions]
            columns[kind] = pa.array(values, type_)
    pq.write_table(pa.table(columns), path)
    return path


def _with_maps(value: Any) -> Any:
    """Return an action with its objects as maps, where a checkpoint has such."""
    if not isinstance(value, dict):
        return value
    maps = {
        key: list(value[key].items())
        for key in ("partitionValues", "configuration")
        if key in value
    }
    return {**value, **maps}


def write_v2_checkpoint(table: Path, form: str, parts: int = 2) -> Path:
    """Write a checkpoint of the second version, with sidecars, of a table that only ever added files."""
    log = table / "_delta_log"
    adds = [{"add": added} for added in actions_of(table, "add")]
    version = max(int(path.stem) for path in log.glob("*.json"))
    *_, metadata = actions_of(table, "metaData")
    heads: list[dict[str, Any]] = [
        {"checkpointMetadata": {"version": version}},
        {"protocol": V2},
        {"metaData": metadata},
    ]
    for number in range(parts):
        name = f"{uuid.uuid4()}.parquet"
        path = write_rows(log / "_sidecars" / name, adds[number::parts])
        told = {"path": name, "sizeInBytes": path.stat().st_size, "modificationTime": 1}
        heads.append({"sidecar": told})
    name = f"{version:020}.checkpoint.{uuid.uuid4()}.{form}"
    if form == "json":
        text = "\n".join(json.dumps(action) for action in heads)
        (log / name).write_text(text + "\n")
        return log / name
    return write_rows(log / name, heads)
