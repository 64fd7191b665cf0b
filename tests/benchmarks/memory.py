"""Peak memory of scoring shards of wide rows, beside a small run of the same job.

    python -m tests.benchmarks.memory [--bytes 2_000_000_000] [NAME ...]

Each shard is one row group, or one CSV file, of so many bytes decoded; its texts are carried to the output, and the
network takes three numbers. What counts is the resident memory of the program and of what it starts, pages that they share once, looked at
every 20 ms.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import write_job
from tests.support.repository import REPOSITORY

# What a shard may take more than a small one.
MOST_BYTES = 1_000_000_000
_LOOKED_AT_SECONDS = 0.02
_SMALL_ROWS = 100
# Made at a time.
_MADE_BYTES = 32 << 20


@dataclass(frozen=True)
class Shape:
    """A shard and a job.

    Attributes:
        row_bytes: of all texts of a row.
        columns: how many texts a row has.
        texts: `random`, `repeated` (a dictionary makes them small in the file), or `late`: repeated, and long only
            behind many short ones.
        source, sink: formats of input and output.
        sort_by: the column that the output is sorted by; None for none.
    """

    row_bytes: int
    columns: int = 1
    texts: str = "random"
    source: str = "parquet"
    sink: str = "parquet"
    sort_by: str | None = None

    @property
    def names(self) -> list[str]:
        """Return the names of the texts."""
        return [f"s{number}" for number in range(self.columns)]


SHAPES = {
    "16kB": Shape(16_000),
    "16kB-many": Shape(16_000, columns=100),
    "16kB-sorted": Shape(16_000, sort_by="probability"),
    "16kB-many-sorted": Shape(16_000, columns=100, sort_by="probability"),
    "100kB": Shape(100_000),
    "100kB-repeated": Shape(100_000, texts="repeated"),
    "100kB-late": Shape(100_000, texts="late"),
    "100kB-many-repeated": Shape(100_000, columns=20, texts="repeated"),
    "100kB-sorted": Shape(100_000, sort_by="probability"),
    "100kB-repeated-sorted": Shape(100_000, texts="repeated", sort_by="probability"),
    "100kB-sorted-by-text": Shape(100_000, sort_by="s0"),
    "100kB-repeated-csv-out": Shape(100_000, texts="repeated", sink="csv"),
    "100kB-csv": Shape(100_000, source="csv"),
    "100kB-csv-sorted-csv-out": Shape(100_000, source="csv", sink="csv", sort_by="probability"),
    "5MB": Shape(5_000_000),
    "5MB-repeated": Shape(5_000_000, texts="repeated"),
    "5MB-sorted": Shape(5_000_000, sort_by="probability"),
    "5MB-many": Shape(5_000_000, columns=50),
    "5MB-csv": Shape(5_000_000, source="csv"),
    "5MB-csv-csv-out": Shape(5_000_000, source="csv", sink="csv"),
    "5MB-csv-many-sorted": Shape(5_000_000, columns=50, source="csv", sort_by="probability"),
}


def measure(shape: Shape, folder: Path, shard_bytes: int) -> tuple[int, int, float]:
    """Score a small shard and a large one; return the peak memory of both, in bytes, and the seconds of the second.

    Args:
        shape: the shard and the job.
        folder: an empty one.
        shard_bytes: of the large shard's texts.
    """
    rows = max(1, shard_bytes // shape.row_bytes)
    package = tiny_package(folder / "model")
    small, _ = _score(shape, folder / "small", package, _SMALL_ROWS, row_bytes=shape.columns * 10)
    large, seconds = _score(shape, folder / "large", package, rows, shape.row_bytes)
    return small, large, seconds


def write_shard(shape: Shape, path: Path, rows: int, row_bytes: int) -> None:
    """Write a shard."""
    schema = pa.schema(
        [("id", pa.int64()), *((name, pa.float32()) for name in FEATURES)]
        + [(name, pa.string()) for name in shape.names]
    )
    batches = _make_batches(shape, schema, rows, row_bytes)
    if shape.source == "csv":
        with pacsv.CSVWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    repeating = shape.names if shape.texts != "random" else False
    # All in one row group, for which all must be there.
    table = pa.Table.from_batches(batches, schema=schema)
    pq.write_table(table, path, use_dictionary=repeating, row_group_size=table.num_rows)


def _make_batches(
    shape: Shape, schema: pa.Schema, rows: int, row_bytes: int
) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(0)
    text_bytes = row_bytes // shape.columns
    if shape.texts == "late":
        # As many rows again, with texts of three letters.
        yield from _make_part(shape, schema, random, rows, 3)
    at_once = max(1, _MADE_BYTES // row_bytes)
    for first in range(0, rows, at_once):
        count = min(at_once, rows - first)
        yield from _make_part(shape, schema, random, count, text_bytes)


def _make_part(
    shape: Shape, schema: pa.Schema, random: np.random.Generator, rows: int, text_bytes: int
) -> Iterator[pa.RecordBatch]:
    columns: list[pa.Array] = [pa.array(random.integers(0, 1 << 40, rows))]
    columns += [pa.array(random.random(rows, dtype=np.float32)) for _ in FEATURES]
    for _ in shape.names:
        texts = rows if shape.texts == "random" else min(rows, 3)
        letters = random.integers(97, 123, (texts, text_bytes), dtype=np.uint8)
        if shape.texts != "random":
            # The same in every part, so that the dictionary has three texts.
            letters[:] = np.arange(97, 97 + texts, dtype=np.uint8)[:, None]
        offsets = pa.py_buffer(np.arange(texts + 1, dtype=np.int32) * np.int32(text_bytes))
        buffers = [None, offsets, pa.py_buffer(letters.reshape(-1))]
        column = pa.Array.from_buffers(pa.string(), texts, buffers)
        columns.append(column.take(pa.array(np.arange(rows) % texts)))
    yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _score(
    shape: Shape, folder: Path, package: str, rows: int, row_bytes: int
) -> tuple[int, float]:
    """Score a shard that is made for it; return the peak memory in bytes, and the seconds."""
    (folder / "shards").mkdir(parents=True)
    write_shard(shape, folder / "shards" / f"p.{shape.source}", rows, row_bytes)
    source: dict[str, Any] = {"passthrough": shape.names, "format": shape.source}
    # Repeated texts are a thousandth of themselves in the file, and no bomb.
    source["max_expansion"] = 1_000_000
    if shape.source == "csv":
        source["types"] = {"id": "int64", **dict.fromkeys(shape.names, "string")}
    sections: dict[str, Any] = {"source": source}
    sections["source"] |= {"paths": f"{folder}/shards/*", "key": "id"}
    sections["sink"] = {"path": f"{folder}/scores", "format": shape.sink}
    if shape.sort_by is not None:
        sections["postprocess"] = {"sort_by": [shape.sort_by]}
    job = write_job(folder, package, **sections)
    command = [sys.executable, "-m", "pipelines.score", "--config", str(job), "--quiet"]
    started = time.perf_counter()
    peak_bytes = _watch(command)
    return peak_bytes, time.perf_counter() - started


def _watch(command: list[str]) -> int:
    """Run a program to its end, and return the most memory that it and all that it started took at once."""
    peak_bytes = 0
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak_bytes = max(peak_bytes, _count_memory(root))
            time.sleep(_LOOKED_AT_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"status {process.returncode}: {' '.join(command)}")
    return peak_bytes


def _count_memory(root: psutil.Process) -> int:
    total = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            # Pages that several share count once: what was just forked has all of its parent's.
            total += process.memory_full_info().pss
        # It may end while it is looked at.
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    """Print a table of shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SHAPES), metavar="NAME")
    parser.add_argument("--bytes", type=int, default=2_000_000_000)
    arguments = parser.parse_args()
    print("| shard | small run, MB | this shard, MB | more, MB | s |\n|---|---|---|---|---|")
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            small, large, seconds = measure(SHAPES[name], Path(folder), arguments.bytes)
        more = large - small
        cells = [name, *(f"{size / 1e6:,.0f}" for size in (small, large, more)), f"{seconds:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
