"""Units as the writer leaves them, read back."""

from collections.abc import Iterable
from dataclasses import replace
import hashlib
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import scored_batch
from transforms.batches import ScoredBatch, WorkUnit, WrittenPart
from transforms.formats.output import FileFormat
from transforms.write import _WriteUnits

SCHEMA = pa.schema(
    [("id", pa.int64()), ("p", pa.float32())], metadata={"model.name": "m", "model.digest": "d"}
)


def file_format(**changes: Any) -> FileFormat:
    return replace(FileFormat("parquet", SCHEMA, (), (), 1_000), **changes)


def write_units(
    run: RunFolder, batches: Iterable[ScoredBatch], how: FileFormat | None = None
) -> list[WrittenPart]:
    """One bundle: what process and finish_bundle give."""
    verb = _WriteUnits(run, how or file_format())
    verb.setup()
    verb.start_bundle()
    parts = [part for batch in batches for part in verb.process(batch)]
    return parts + [v.value for v in verb.finish_bundle()]


def stored(run: RunFolder, part: WrittenPart) -> list[pa.Table]:
    tables = []
    for file in part.scored:
        url = f"{run.attempts}/{file.path}"
        content = files.read(url)
        assert content is not None
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
        tables.append(
            pq.read_table(pa.BufferReader(content))
            if url.endswith("parquet")
            else pacsv.read_csv(pa.BufferReader(content))
        )
        assert tables[-1].num_rows == file.rows
    return tables


def rejected_rows(run: RunFolder, part: WrittenPart) -> pa.Table:
    (file,) = part.rejected
    return pq.read_table(pa.BufferReader(files.read(f"{run.attempts}/{file.path}") or b""))


def whole_unit(unit: WorkUnit, sizes: list[int]) -> list[ScoredBatch]:
    batches, first = [], unit.first_row
    for number, size in enumerate(sizes):
        batches.append(
            scored_batch(
                unit, first, list(range(first, first + size)), last=number == len(sizes) - 1
            )
        )
        first += size
    return batches
