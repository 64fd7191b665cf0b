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
