"""A job whose rows can be spoilt one by one: column `a` holds the row's number, `id` the same as text."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import write_job, write_parquet

COLUMNS = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]


def make_job(folder: Path) -> Path:
    """Write a package of the network `spoilt` (see networks.py) and a job for it; return the job's file."""
    package = tiny_package(folder / "model", builder="spoilt", parameters={}, columns=COLUMNS)
    return write_job(folder, package, source={"passthrough": ["id"]}, model={"batch_rows": 64})


def write_shard(path: Path, numbers: np.ndarray, **columns: pa.Array) -> None:
    """Write a shard whose rows are numbered; `columns` replace its own."""
    a = numbers.astype(np.float32)
    names = pa.array([f"k{n}" for n in numbers.tolist()], pa.string())
    own = {"id": names, "a": pa.array(a), "b": pa.array(a / 7 % 1), "c": pa.array(-a / 3 % 1)}
    write_parquet(path, pa.table({**own, **columns}))


def write_hundreds(folder: Path, shards: int = 4) -> None:
    """Write shards of 100 rows each, with nothing wrong in them."""
    for shard in range(shards):
        write_shard(folder / f"shards/{shard}.parquet", np.arange(100) + 100 * shard)
