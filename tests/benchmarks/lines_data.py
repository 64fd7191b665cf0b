"""What the benchmarks of CSV and JSON lines read: the rows of the tabular one, as lines of text.

Comes in: a folder whose name is that of the format, and sizes. Goes out: `FOLDER/rows-<rows>-<files>/part-00000.<format> ...`, and the
tabular benchmark's package. A process of its own, so that the memory of making data is not in anybody's measurement.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from tests.benchmarks.made_data import make, whole_folder
from tests.benchmarks.tabular_data import COLUMNS, make_package, shard_rows, shards_folder

_ROWS_AT_ONCE = 1 << 16
# As many as a float32 holds: more would be work for readers that no file of measurements has.
_DIGITS = 7


def make_shards(folder: Path, rows: int, files: int) -> None:
    """Write the files, some thousand rows in memory at a time; ids count from 0 through all of them."""
    first_id = 0
    with whole_folder(shards_folder(folder, rows, files)) as target:
        for number, count in enumerate(shard_rows(rows, files)):
            path = target / f"part-{number:05d}.{folder.name}"
            _write_file(path, number, first_id, count)
            first_id += count


def _write_file(path: Path, number: int, first_id: int, rows: int) -> None:
    random = np.random.default_rng([3, number])
    with path.open("wb") as file:
        for start in range(0, rows, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, rows - start)
            values = random.standard_normal((count, len(COLUMNS)))
            ids = np.arange(first_id + start, first_id + start + count)
            rounded = np.round(values, _DIGITS)
            if path.suffix == ".csv":
                _write_csv(file, ids, rounded, has_header=start == 0)
            else:
                _write_json_lines(file, ids, rounded)


def _write_csv(file: object, ids: np.ndarray, values: np.ndarray, has_header: bool) -> None:
    columns = dict(zip(COLUMNS, values.T, strict=True))
    table = pa.table({"id": ids, **columns})
    pacsv.write_csv(table, file, pacsv.WriteOptions(include_header=has_header))


def _write_json_lines(file: object, ids: np.ndarray, values: np.ndarray) -> None:
    lines = []
    for row_id, row in zip(ids.tolist(), values.tolist(), strict=True):
        record = {"id": row_id, **dict(zip(COLUMNS, row, strict=True))}
        lines.append(json.dumps(record))
    text = "\n".join(lines) + "\n"
    file.write(text.encode())  # type: ignore[attr-defined]


def make_shared_package(folder: Path) -> None:
    """Write the tabular benchmark's package where this one's programs look for it."""
    make_package(folder)


if __name__ == "__main__":
    make(make_shards, make_shared_package)
