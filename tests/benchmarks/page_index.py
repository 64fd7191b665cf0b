"""What a page index saves where `source.where` keeps a part of the rows: bytes, seconds of a core, and of the clock.

    python -m tests.benchmarks.page_index [ROWS] [COLUMNS]

The same rows, in the order of the column that the filter asks for, in row groups of two million and in one,
with a page index and without. What is measured is reading: all units of the file, one after the other.
"""

from pathlib import Path
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.planning.filtering import with_filter
from pipelines.planning.shard_inspection import read_shards
from pipelines.planning.shards import cut_into_units, list_shards
from transforms.batches import RowRecord
from transforms.formats.column import Column
from transforms.formats.format import InputOptions, find_input_format

# As jobs have them where they say nothing.
UNIT_ROWS = 1_000_000
BATCH_ROWS = 65_536
GROUP_ROWS = 2_000_000
# Of all rows, in per cent; the column counts rows.
KEPT = (1, 10, 50, 100)


class Cost(NamedTuple):
    """What it took to read the rows that a filter keeps."""

    rows: int
    read_bytes: int
    cpu_seconds: float
    seconds: float


def write_file(path: Path, rows: int, columns: int, group_rows: int, page_index: bool) -> None:
    """Write rows of numbers that hardly compress, in the order of the first column."""
    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(columns)]
    schema = pa.schema([("day", pa.int64()), *((name, pa.float64()) for name in names)])
    with pq.ParquetWriter(path, schema, write_page_index=page_index) as writer:
        for first in range(0, rows, group_rows):
            count = min(group_rows, rows - first)
            values = [rng.standard_normal(count) for _ in names]
            days = np.arange(first, first + count)
            table = pa.table([days, *values], schema=schema)
            writer.write_table(table, row_group_size=group_rows)


def read_kept(path: Path, where: str, columns: int) -> Cost:
    """Read what a filter keeps, and measure it."""
    listed, _ = list_shards([str(path)])
    wanted = [Column(f"x{number}", None) for number in range(columns)]
    reader = find_input_format("parquet", InputOptions({}))
    shards, found, _ = read_shards(listed, reader, [*wanted, Column("day", None)])
    filtered = with_filter(reader, where, found) if where else reader
    schema = pa.schema([found.field(column.name) for column in wanted])
    units = cut_into_units(shards, filtered, UNIT_ROWS)
    rows = 0
    bytes_before = count_read_bytes()
    cpu_before = time.process_time()
    before = time.perf_counter()
    for unit in units:
        for batch in filtered.read(unit, schema, BATCH_ROWS, RowRecord()):
            rows += batch.rows.num_rows
    return Cost(
        rows,
        count_read_bytes() - bytes_before,
        time.process_time() - cpu_before,
        time.perf_counter() - before,
    )


def count_read_bytes() -> int:
    """Return how much this process has asked its disks for, which Linux counts."""
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


def compare(folder: Path, rows: int, columns: int) -> list[str]:
    """Return a line for each file and filter."""
    lines = [
        f"{'row groups of':>14} {'page index':>10} {'kept':>6} {'MB read':>9} {'cpu s':>7} {'clock s':>8}"
    ]
    for group_rows in (GROUP_ROWS, rows):
        for page_index in (False, True):
            path = folder / "rows.parquet"
            write_file(path, rows, columns, group_rows, page_index)
            for percent in KEPT:
                first = rows * 2 // 5 if percent < 60 else 0
                kept = rows * percent // 100
                where = f"day >= {first} and day < {first + kept}"
                cost = read_kept(path, where, columns)
                assert cost.rows == kept, (cost, where)
                lines.append(
                    f"{group_rows:>14,} {'yes' if page_index else 'no':>10} {percent:>4} % "
                    f"{cost.read_bytes / 1e6:>9.1f} {cost.cpu_seconds:>7.2f} {cost.seconds:>8.2f}"
                )
    return lines


def main(arguments: list[str]) -> None:
    rows, columns = (int(text) for text in (*arguments, "8000000", "16")[:2])
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(compare(Path(folder), rows, columns)))


if __name__ == "__main__":
    main(sys.argv[1:])
