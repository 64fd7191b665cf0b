"""A file that has other rows than were counted when the run was planned is refused, and never scored as far as it goes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
from pyarrow import feather, orc
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.transforms.formats.decoded_here import decode_here
from tests.transforms.formats.spans import describe
from transforms.batches import RowRecord
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.avro import AvroFormat
from transforms.formats.format import make_unit
from transforms.formats.orc import OrcFormat
from transforms.formats.parquet import ParquetFormat
from transforms.read_unit import read_unit

ROWS = pa.table({"id": range(1_000)})


def write_avro(rows: pa.Table, path: Path) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows.to_pylist())


FORMATS: dict[str, tuple[Any, Any]] = {
    "arrow": (ArrowIpcFormat(), feather.write_feather),
    "avro": (AvroFormat(), write_avro),
    "orc": (OrcFormat(), orc.write_table),
    "parquet": (ParquetFormat(), pq.write_table),
}


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("name", FORMATS)
def test_it_is_refused(
    name: str, more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_here(monkeypatch)
    reader, write = FORMATS[name]
    path = tmp_path / f"a.{name}"
    write(ROWS, path)
    shard, schema = reader.inspect(describe(path), [])
    (piece,) = reader.split(shard, 10_000)
    unit = make_unit(0, shard, piece)
    assert unit.rows == len(ROWS)
    planned = replace(unit, rows=len(ROWS) + more)
    with pytest.raises(InputError, match=f"{len(ROWS) + more} rows .* but there are 1000"):
        list(read_unit(planned, schema, reader, 300, RowRecord()))
