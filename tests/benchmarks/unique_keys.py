"""What it takes to find keys that stand twice in a run: `python -m tests.benchmarks.unique_keys --values 100000000 --files 100`.

Files are written as units leave them, of whole numbers each of which is there once; then they are merged as a run is published. Printed are
the seconds of the merge and the process's largest memory before and after it.
"""

import argparse
from pathlib import Path
import resource
import shutil
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.checks.column_check import ColumnCheck
from transforms.checks.unique_values import UniqueValues

_UNIQUE = UniqueValues(ColumnCheck("id", "unique", True, "hold"), 0)


def write_file(path: Path, first: int, count: int) -> None:
    """Write the digests of some numbers as a unit does."""
    values = pa.array(np.arange(first, first + count))
    table = _UNIQUE.write(_UNIQUE.of("input", {"id": values}))
    with pq.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=False) as writer:
        for chunk in table.to_batches():
            writer.write_batch(chunk)


def peak_megabytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=10)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    of_each = arguments.values // arguments.files
    urls = []
    for number in range(arguments.files):
        path = folder / f"{number}.parquet"
        write_file(path, number * of_each, of_each)
        urls.append(str(path))
    before = peak_megabytes()
    began = time.perf_counter()
    (record,) = _UNIQUE.merge_stored(urls).to_pylist()
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    print(f"{record['rows']:,} values in {arguments.files} files, {record['repeated']} repeated")
    print(
        f"  merged in {seconds:.1f} s; peak memory {before} MB before, {peak_megabytes()} MB after"
    )


if __name__ == "__main__":
    main()
