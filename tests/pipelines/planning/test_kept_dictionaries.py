"""Which texts a run reads as a dictionary and numbers."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from model_zoo.steps.encode import OneHot
from pipelines.planning.kept_dictionaries import keep_dictionaries
from storage.input_file import InputFile
from tests.pipelines.planning.cards import make_job
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.format import Shard
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_split import RowGroup

STEPS = (
    OneHot(
        step="one_hot",
        columns=("text", "number", "id"),
        unknown="zeros",
        categories=(("a",), (1,), ("x",)),
    ),
)
SCHEMA = pa.schema(
    {"id": pa.string(), "text": pa.string(), "number": pa.int64(), "other": pa.string()}
)


def make_shard(*group_rows: int) -> Shard:
    groups = tuple(RowGroup(rows, bytes=1, most_parts=1) for rows in group_rows)
    return Shard(InputFile("s.parquet", 1, "v"), sum(group_rows), groups)


@pytest.mark.parametrize(
    ("reader", "shards", "sections", "kept"),
    [
        (ParquetFormat(), [make_shard(8192, 8192)], {}, ["text"]),
        # The last row group of a file may be a small one.
        (ParquetFormat(), [make_shard(16_000, 384), make_shard(0)], {}, []),
        (ParquetFormat(), [make_shard(20_000, 384)], {}, ["text"]),
        (ParquetFormat(), [make_shard(8191)], {}, []),
        (ArrowIpcFormat(), [make_shard(8192)], {}, []),
        # Records, profiles and checks have the types of the files.
        (ParquetFormat(), [make_shard(8192)], {"errors": {"store_values": True}}, []),
        (ParquetFormat(), [make_shard(8192)], {"monitor": {"summaries": ["profile"]}}, []),
        (
            ParquetFormat(),
            [make_shard(8192)],
            {"checks": {"text": {"not_null": True, "on_failure": "warn"}}},
            [],
        ),
    ],
)
def test_texts_of_categories_are_kept_in_dictionaries_where_row_groups_are_large(
    reader: Any, shards: list[Shard], sections: dict[str, Any], kept: list[str], tmp_path: Path
) -> None:
    job = make_job(tmp_path, **sections)
    schema = keep_dictionaries(job, SCHEMA, reader, shards, STEPS)
    assert [field.name for field in schema if pa.types.is_dictionary(field.type)] == kept
    assert schema.names == SCHEMA.names
