"""Plan and publish very many small shards of a simulated store: `python -m tests.benchmarks.many_shards --shards 1000000`.

Simulated are the store, which lists objects that it does not have and gives each the same content, at
once, and the scoring, of which there are only the records. Listing, footers, units, the run's id, the
plan's file, the books and the manifest are the program's own. Told of each phase: CPU seconds of all
threads, and the memory that is held at its end more than before the first one.
"""

import argparse
from collections.abc import Callable, Sequence
import io
from pathlib import Path
import sys
import tempfile
import time
from typing import Any, NamedTuple, TypeVar

import fsspec
from fsspec.spec import AbstractFileSystem
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.planning.identity import make_run_id
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import choose_rows_per_unit, cut_into_units, list_shards
from pipelines.planning.small_shards import put_together
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.formats.column import Column
from transforms.formats.format import Shard
from transforms.formats.parquet import ParquetFormat
from transforms.output.books import balance
from transforms.output.manifest import encode_manifest, list_unit_books
from transforms.output.plan_file import StoredPlan, encode_plan, read_plan

FOLDER = "simulated://bucket/in"
ROWS = 100
COLUMNS = tuple(f"f{number:02d}" for number in range(32))
ROWS_PER_FILE = 1_000_000
BATCH_ROWS = 4_096
MODEL_BYTES = 10_000
T = TypeVar("T")


class Phase(NamedTuple):
    """What a part of the work took.

    Attributes:
        seconds: of the CPU, of all threads.
        kept_bytes: memory that is held more than before the first phase.
    """

    name: str
    seconds: float
    kept_bytes: int


class SimulatedStore(AbstractFileSystem):
    """Lists as many objects as it is told, all with the same content; it answers as S3 does."""

    # Its first name is that of its URLs; by the second one it is taken for a store.
    protocol = ("simulated", "s3")
    shards = 0
    content = b""

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        if self._strip_protocol(path) != self._strip_protocol(FOLDER):
            return []
        return [self._describe(number) for number in range(self.shards)]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        if self._strip_protocol(path) != self._strip_protocol(FOLDER):
            raise FileNotFoundError(path)
        return {"name": path, "size": 0, "type": "directory"}

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        return self.content[start:end]

    def _describe(self, number: int) -> dict[str, Any]:
        name = f"bucket/in/part-{number:07d}.parquet"
        return {
            "name": name,
            "size": len(self.content),
            "type": "file",
            "ETag": f'"{number:032x}"',
        }


class Measured:
    """Runs phases, and keeps what they took."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss

    def run(self, name: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        seconds = time.process_time() - began
        kept = self._process.memory_info().rss - self._before
        self.phases.append(Phase(name, seconds, kept))
        return result


def plan_and_publish(shards: int, folder: Path) -> tuple[list[Phase], dict[str, int]]:
    """Return what each phase took, and the totals of the rows that the manifest tells.

    Args:
        shards: how many.
        folder: where the plan and the manifest are written.
    """
    fsspec.register_implementation("simulated", SimulatedStore, clobber=True)
    SimulatedStore.shards = shards
    SimulatedStore.content = make_shard()
    measured = Measured()
    reader = ParquetFormat()
    wanted = [Column("id", None), *(Column(name, pa.float32()) for name in COLUMNS)]
    listed = measured.run("list", lambda: list_shards([FOLDER]))
    inspected, _ = measured.run("footers", lambda: read_shards(listed.files, reader, wanted))
    units = measured.run("units", lambda: make_units(inspected, reader))
    measured.run("run id", lambda: make_run_id({}, "model", {}, inspected, units=units))
    plan_file = folder / "plan.json"
    measured.run("plan written", lambda: plan_file.write_bytes(encode(inspected, units)))
    plan = measured.run("plan read", lambda: read_plan(str(plan_file)))
    parts = [make_part(unit) for unit in plan.units]
    totals = measured.run("books", lambda: balance(parts))
    measured.run("manifest written", lambda: write_manifest(folder, plan, parts))
    return measured.phases, totals


def make_shard() -> bytes:
    """Return a Parquet file of a hundred rows of an id and 32 numbers."""
    numbers = pa.array(range(ROWS))
    columns = {name: numbers.cast(pa.float32()) for name in COLUMNS}
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": numbers, **columns}), sink)
    return sink.getvalue()


def make_units(shards: Sequence[Shard], reader: ParquetFormat) -> tuple[WorkUnit, ...]:
    """Return the units of work, as a plan has them."""
    rows = choose_rows_per_unit(shards, ROWS_PER_FILE, BATCH_ROWS, MODEL_BYTES)
    pieces = cut_into_units(shards, reader, rows)
    return put_together(pieces, ROWS_PER_FILE)


def encode(shards: Sequence[Shard], units: tuple[WorkUnit, ...]) -> bytes:
    """Return the plan's file."""
    inputs = [
        {
            "url": shard.file.url,
            "bytes": shard.file.bytes,
            "version": shard.file.version,
            "rows": shard.rows,
        }
        for shard in shards
    ]
    return encode_plan(StoredPlan(units, tuple(inputs), ()))


def make_part(unit: WorkUnit) -> WrittenPart:
    """Return the record that a worker would have left of a unit."""
    rows = unit.rows or 0
    name = f"{unit.index:07d}-simulated.parquet"
    file = WrittenFile(name, rows, rows * 12, f"{unit.index:064x}")
    counts = tuple(
        (number, member.rows or 0, member.rows or 0, 0, 0, 0)
        for number, member in enumerate(unit.members)
    )
    return WrittenPart(
        unit=unit.index,
        attempt="simulated",
        first_row=0,
        rows_in=rows,
        rows_scored=rows,
        rows_filtered=0,
        rows_rejected=0,
        last=True,
        scored=(file,),
        rejected=(),
        shards=counts,
    )


def write_manifest(folder: Path, plan: StoredPlan, parts: Sequence[WrittenPart]) -> None:
    """Write what grows of a manifest with the shards: the inputs and the books."""
    books = list_unit_books(plan, parts)
    content = encode_manifest({"inputs": plan.inputs, "units": books})
    (folder / "manifest.json").write_bytes(content)


def main(argv: Sequence[str]) -> None:
    """Print a table of the phases."""
    parser = argparse.ArgumentParser("tests.benchmarks.many_shards")
    parser.add_argument("--shards", type=int, default=100_000)
    shards: int = parser.parse_args(argv).shards
    with tempfile.TemporaryDirectory() as folder:
        phases, totals = plan_and_publish(shards, Path(folder))
        sizes = [path.stat().st_size for path in sorted(Path(folder).iterdir())]
    print(f"{shards:,} shards, {totals['in']:,} rows; manifest, plan: {sizes} bytes")
    print("| phase | CPU seconds | microseconds a shard | MB held |")
    print("|---|---:|---:|---:|")
    for phase in phases:
        each = phase.seconds / shards * 1e6
        print(f"| {phase.name} | {phase.seconds:.1f} | {each:.0f} | {phase.kept_bytes / 1e6:.0f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
