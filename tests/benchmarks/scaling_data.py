"""What the scaling benchmark reads: shards of 8 float32 columns and an int64 id, and a package with the model 8-64-1.

    package FOLDER               the model package
    rows FOLDER ROWS SHARDS      shards of random numbers, one row group in memory at a time
    tiny FOLDER SHARDS           the same 20 rows in every shard
    scored CONFIG                the state of a run that was killed just before publishing, made without scoring
    graph CONFIG                 print the bytes of the graph that a runner would be given

Each is a process of its own, so that its memory is not in anybody's measurement.
"""

from dataclasses import asdict, replace
import json
import os
from pathlib import Path
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pipelines.planning.plan import Plan
    from transforms.batches import WrittenPart

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


def leave_scored(config: str) -> None:
    """Store the plan, and for every unit an attempt and a done-record, as a run does that is killed before it publishes.

    The project's own writer writes the first attempt; all shards being alike, the others are copies of it under names of their own.
    """
    from configs.load import load
    from pipelines.planning.jobs import ScoringJob
    from pipelines.planning.make_plan import make_plan
    from pipelines.planning.plan import store_plan
    from storage import files

    plan = make_plan(load(ScoringJob, config, []))
    store_plan(plan)
    part = _first_part(plan)
    content = files.read(files.join(plan.run.attempts, part.scored[0].path)) or b""
    for unit in plan.units:
        assert unit.rows == part.rows_in
        name = part.scored[0].path.replace(f"{part.unit:07d}", f"{unit.index:07d}", 1)
        copy = replace(part, unit=unit.index, scored=(replace(part.scored[0], path=name),))
        files.put(files.join(plan.run.attempts, name), content)
        files.create(
            plan.run.done_record(unit.index), json.dumps(asdict(copy)).encode(), synced=False
        )
    os.sync()  # a real run synced its attempts; else publishing would be charged for it


def _first_part(plan: "Plan") -> "WrittenPart":
    from transforms.batches import BatchId, ScoredBatch
    from transforms.output.part_writer import PartWriter

    unit = plan.units[0]
    rows = _made_up(plan.output_plan.file_format.schema, unit.rows or 0)
    writer = PartWriter(plan.run, unit, unit.first_row, plan.output_plan.file_format)
    writer.write(
        ScoredBatch(
            unit, BatchId(unit.shard, unit.first_row), rows, rows.num_rows, 0, (), True, "made up"
        )
    )
    return writer.close(last=True)


def _made_up(schema: pa.Schema, rows: int) -> pa.RecordBatch:
    numbers = np.arange(rows)
    return pa.record_batch(
        [pa.array(numbers).cast(field.type) for field in schema], schema=schema.remove_metadata()
    )


def graph_bytes(config: str) -> int:
    """Size of the graph as a runner gets it."""
    import apache_beam as beam

    from configs.load import load
    from pipelines.planning.jobs import ScoringJob
    from pipelines.planning.make_plan import make_plan
    from pipelines.scoring.graph import build

    pipeline = beam.Pipeline()
    build(pipeline, make_plan(load(ScoringJob, config, [])), 1)
    return len(pipeline.to_runner_api().SerializeToString())


def main(what: str, *arguments: str) -> None:
    match what, arguments:
        case "package", (folder,):
            make_package(Path(folder))
        case "rows", (folder, rows, shards):
            make_shards(Path(folder), int(rows), int(shards))
        case "tiny", (folder, shards):
            make_tiny_shards(Path(folder), int(shards))
        case "scored", (config,):
            leave_scored(config)
        case "graph", (config,):
            print(graph_bytes(config))
        case _:
            sys.exit(f"unknown: {what} {' '.join(arguments)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
