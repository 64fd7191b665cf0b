"""What the scaling benchmark reads: shards of 8 float32 columns and an int64 id, and a package with the model 8-64-1.

    package FOLDER               the model package
    rows FOLDER ROWS SHARDS      shards of random numbers, one row group in memory at a time
    tiny FOLDER SHARDS           the same 20 rows in every shard
    scored CONFIG                the state of a run that was killed just before publishing, made without scoring;
                                 prints the bytes of the graph that a runner would be given

Each is a process of its own, so that its memory is not in anybody's measurement.
"""

import os
from pathlib import Path
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pipelines.planning.plan import Plan
    from transforms.batches import WorkUnit, WrittenPart

COLUMNS = tuple(f"f{i}" for i in range(8))
HIDDEN = 64
TINY_ROWS = 20
ROW_GROUP_ROWS = 131_072
_SCHEMA = pa.schema([("id", pa.int64()), *((name, pa.float32()) for name in COLUMNS)])


def make_package(folder: Path) -> None:
    """Write the model package, with seeded weights."""
    from tests.support.builders import tiny_package

    tiny_package(folder, features=COLUMNS, hidden=HIDDEN)


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write `rows` rows in `shards` files, as even as they can be; ids count from 0 through all of them."""
    folder.mkdir(parents=True)
    first_id = 0
    for number in range(shards):
        count = rows // shards + (number < rows % shards)
        with pq.ParquetWriter(
            folder / f"part-{number:05d}.parquet", _SCHEMA, compression="none", use_dictionary=False
        ) as writer:
            for start in range(0, count, ROW_GROUP_ROWS):
                writer.write_batch(
                    _random_rows(first_id + start, min(ROW_GROUP_ROWS, count - start))
                )
        first_id += count


def make_tiny_shards(folder: Path, shards: int) -> None:
    """Write as many copies of one small file: what is measured is the cost of a file, not of its rows."""
    folder.mkdir(parents=True)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches([_random_rows(0, TINY_ROWS)]), sink)
    content = sink.getvalue().to_pybytes()
    for number in range(shards):
        (folder / f"part-{number:06d}.parquet").write_bytes(content)


def _random_rows(first_id: int, rows: int) -> pa.RecordBatch:
    values = np.random.default_rng([3, first_id]).standard_normal(
        (len(COLUMNS), rows), dtype=np.float32
    )
    return pa.record_batch(
        [pa.array(np.arange(first_id, first_id + rows)), *map(pa.array, values)], schema=_SCHEMA
    )


def leave_scored(plan: "Plan") -> None:
    """Store the plan, and for every unit an attempt and a done-record, as a run does that is killed before it publishes.

    The project's own writer writes them, of scores that are made up.
    """
    from pipelines.planning.plan import store_plan
    from transforms.output.done_record import finish_unit

    store_plan(plan)
    for unit in plan.units:
        finish_unit(plan.run, unit, _write_part(plan, unit))
    # The inputs are new, too: else the runs would be charged for what the disk has not written yet.
    os.sync()


def _write_part(plan: "Plan", unit: "WorkUnit") -> "WrittenPart":
    """Write one attempt at a unit, of one shard or of several that are put together."""
    from transforms.batches import BatchId, ScoredBatch
    from transforms.output.part_writer import PartWriter

    file_format = plan.output_plan.file_format
    rows = _make_up(file_format.schema, unit.rows or 0)
    # Publishing balances the books of each shard: all of its rows were scored.
    rows_of_shards = [member.rows or 0 for member in unit.members]
    counts = [(number, count, count, 0, 0, 0) for number, count in enumerate(rows_of_shards)]
    batch = ScoredBatch(
        unit=unit,
        id=BatchId(unit.shard, unit.first_row),
        rows=rows,
        rows_in=rows.num_rows,
        rows_filtered=0,
        rejected=(),
        last=True,
        computed_by="made up",
        shards=tuple(counts),
    )
    writer = PartWriter(plan.run, unit, unit.first_row, file_format)
    writer.write(batch)
    return writer.close(last=True)


def _make_up(schema: pa.Schema, rows: int) -> pa.RecordBatch:
    numbers = pa.array(np.arange(rows))
    columns = [numbers.cast(field.type) for field in schema]
    return pa.record_batch(columns, schema=schema.remove_metadata())


def graph_bytes(plan: "Plan") -> int:
    """Return the size of the graph as a runner gets it."""
    import apache_beam as beam

    from pipelines.planning.workers import Workers
    from pipelines.scoring.graph import build

    pipeline = beam.Pipeline()
    build(pipeline, plan, Workers(1, 1))
    return len(pipeline.to_runner_api().SerializeToString())


def plan_job(config: str) -> "Plan":
    """Plan a job."""
    from configs.load import load
    from pipelines.planning.jobs import ScoringJob
    from pipelines.planning.make_plan import make_plan

    return make_plan(load(ScoringJob, config, []))


def main(what: str, *arguments: str) -> None:
    match what, arguments:
        case "package", (folder,):
            make_package(Path(folder))
        case "rows", (folder, rows, shards):
            make_shards(Path(folder), int(rows), int(shards))
        case "tiny", (folder, shards):
            make_tiny_shards(Path(folder), int(shards))
        case "scored", (config,):
            # Both of one plan, as making it is most of the work.
            plan = plan_job(config)
            leave_scored(plan)
            print(graph_bytes(plan))
        case _:
            sys.exit(f"unknown: {what} {' '.join(arguments)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
