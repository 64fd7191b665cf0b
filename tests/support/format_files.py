"""The same rows as files of each format that is neither Parquet nor CSV, and what a job says of them."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import feather, ipc, orc

from tests.support.avro_files import write_avro

TYPES = {"id": "int64", "s": "string"}


def write_lines(path: Path, rows: pa.Table) -> None:
    lines = [json.dumps(row) for row in rows.to_pylist()]
    path.write_text("\n".join(lines) + "\n")


def write_stream(path: Path, rows: pa.Table) -> None:
    with ipc.new_stream(str(path), rows.schema) as sink:
        sink.write_table(rows, max_chunksize=7)


def write_feather(path: Path, rows: pa.Table) -> None:
    feather.write_feather(rows, str(path))


def write_orc(path: Path, rows: pa.Table) -> None:
    orc.write_table(rows, str(path))


# By kind of file: the format, and what writes a table.
WRITERS: dict[str, tuple[str, Callable[[Path, pa.Table], None]]] = {
    "lines": ("jsonl", write_lines),
    "feather": ("arrow", write_feather),
    "stream": ("arrow", write_stream),
    "orc": ("orc", write_orc),
    "avro": ("avro", write_avro),
}
KINDS = sorted(WRITERS)


def source_of(kind: str) -> dict[str, Any]:
    """The fields of `source` for files of this kind whose key is `id`."""
    name, _ = WRITERS[kind]
    types = {"types": {"id": "int64"}} if name == "jsonl" else {}
    return {"format": name, **types}


def write_shard(folder: Path, number: int, kind: str, rows: pa.Table) -> Path:
    """Write one shard into a folder, which is made."""
    name, write = WRITERS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:05d}.{name}"
    write(path, rows)
    return path
