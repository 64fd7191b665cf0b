"""What the tabular benchmark reads: Parquet shards of 32 float32 columns, and a package with the model 32-64-1.

Comes in: a folder and sizes. Goes out: `FOLDER/rows-<rows>-<shards>/part-00000.parquet ...`, `FOLDER/package-<in>-<hidden>`. What is
there already is kept. It runs as a process of its own, so that the memory of making data is not in anybody's measurement.
"""

import argparse
from pathlib import Path
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    # What starts the contenders imports this file, and never torch.
    import torch

COLUMNS = tuple(f"f{i:02d}" for i in range(32))
HIDDEN = 64
ROW_GROUP_ROWS = 131_072
_PARAMETERS = {"in_features": len(COLUMNS), "hidden": [HIDDEN], "out_features": 1}
_SCHEMA = pa.schema([("id", pa.int64()), *((name, pa.float32()) for name in COLUMNS)])


def shards_folder(folder: Path, rows: int, shards: int) -> Path:
    """Where `shards` files with `rows` rows in total lie."""
    return folder / f"rows-{rows}-{shards}"


def package_folder(folder: Path) -> Path:
    """Where the model package lies."""
    return folder / f"package-{len(COLUMNS)}-{HIDDEN}"


def shard_rows(rows: int, shards: int) -> list[int]:
    """Rows of each shard, as even as they can be: the first ones hold one more.

    >>> shard_rows(10, 4)
    [3, 3, 2, 2]
    """
    return [rows // shards + (number < rows % shards) for number in range(shards)]


def make_shards(folder: Path, rows: int, shards: int) -> None:
    """Write the shards, one row group in memory at a time; ids count from 0 through all of them."""
    target = shards_folder(folder, rows, shards)
    if target.exists():
        return
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    first_id = 0
    for number, count in enumerate(shard_rows(rows, shards)):
        _write_shard(partial / f"part-{number:05d}.parquet", number, first_id, count)
        first_id += count
    partial.rename(target)


def _write_shard(path: Path, number: int, first_id: int, rows: int) -> None:
    random = np.random.default_rng([3, number])
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        for start in range(0, rows, ROW_GROUP_ROWS):
            count = min(ROW_GROUP_ROWS, rows - start)
            ids = np.arange(first_id + start, first_id + start + count)
            values = random.standard_normal(
                (count, len(COLUMNS)), dtype=np.float32
            ).T  # same first rows at any size
            writer.write_batch(
                pa.record_batch([pa.array(ids), *map(pa.array, values)], schema=_SCHEMA)
            )


def make_package(folder: Path) -> None:
    """Write the model package, with seeded weights and a smoke batch of 8 rows."""
    from safetensors.torch import save

    from model_zoo.package.package import SMOKE, write_package
    from model_zoo.steps.stack import Stack
    from tests.benchmarks.graphs import add_graph

    target = package_folder(folder)
    if (target / "model.yaml").exists():
        return
    shutil.rmtree(target, ignore_errors=True)
    network = _network()
    card = {
        "name": "benchmark",
        "version": "1",
        "builder": "mlp",
        "parameters": _PARAMETERS,
        "columns": [
            {"name": name, "type": str(pa.float32()), "missing": "error"} for name in COLUMNS
        ],
        "inputs": {"x": {"dtype": "float32", "shape": [len(COLUMNS)]}},
        "outputs": {"logit": {"dtype": "float32", "shape": []}},
        "activation": "sigmoid",
        "labels": ["no", "yes"],
    }
    stack = Stack(step="stack", columns=COLUMNS, into="x")
    files = {"weights.safetensors": save(network.state_dict()), SMOKE: _smoke(network)}
    add_graph(card, files, network, {"x": _smoke_rows()})
    write_package(str(target), card, (stack,), files)


def _network() -> "torch.nn.Module":
    import torch

    from model_zoo.architectures.builders import build

    torch.manual_seed(3)
    return build("mlp", _PARAMETERS).eval()


def _smoke_rows() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((8, len(COLUMNS)), dtype=np.float32)


def _smoke(network: "torch.nn.Module") -> bytes:
    import torch

    x = _smoke_rows()
    with torch.inference_mode():
        logit = network(x=torch.from_numpy(x))["logit"].numpy()
    columns = dict(zip(COLUMNS, x.T, strict=True))
    sink = pa.BufferOutputStream()
    stacked = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), len(COLUMNS))
    pq.write_table(pa.table({**columns, "input.x": stacked, "output.logit": logit}), sink)
    return sink.getvalue().to_pybytes()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", required=True, metavar="ROWS/SHARDS")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        rows, shards = map(int, size.split("/"))
        make_shards(arguments.folder, rows, shards)
    make_package(arguments.folder)


if __name__ == "__main__":
    main()
