"""Two small units of work, written as a worker writes them, and what stands in storage afterwards."""

import fsspec
import pyarrow as pa

from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from transforms.batches import ScoredBatch, WorkUnit, WrittenPart
from transforms.formats.output import FileFormat
from transforms.output.done_record import finish_unit
from transforms.output.part_writer import PartWriter

SCHEMA = pa.schema([("id", pa.int64()), ("p", pa.float32())])


def write(
    run: RunFolder, unit: WorkUnit, *batches: ScoredBatch, rows_per_file: int = 1_000
) -> WrittenPart:
    """Store one piece of a unit, and record the unit when the piece is all of it."""
    writer = PartWriter(
        run, unit, batches[0].id.first_row, FileFormat("parquet", SCHEMA, (), (), rows_per_file)
    )
    for batch in batches:
        writer.write(batch)
    part = writer.close(last=batches[-1].last)
    return finish_unit(run, unit, part)[0] if part.last else part


def two_units(output: str, run_id: str = "run1") -> tuple[RunFolder, list[WrittenPart]]:
    """Write unit 0: 4 scored, 1 filtered; and unit 1: 4 scored, 1 rejected."""
    units = [make_unit(0, 5, "a.parquet"), make_unit(1, 5, "b.parquet")]
    run = planned_run(output, units, run_id)
    parts = [
        write(
            run,
            units[0],
            scored_batch(units[0], 0, [0, 1, 2, 3], filtered=1, last=True),
            rows_per_file=3,
        ),
        write(run, units[1], scored_batch(units[1], 0, [0, 1, 2, 3], bad=(4,), last=True)),
    ]
    return run, parts


def tree(url: str) -> dict[str, bytes]:
    """Return the content of every file below, by path."""
    fs, root = fsspec.core.url_to_fs(url)
    return {p.removeprefix(root).lstrip("/"): fs.cat_file(p) for p in fs.find(root) if fs.isfile(p)}
