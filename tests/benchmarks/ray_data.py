"""Ray Data on the same rows, as its documentation shows batch inference: read_parquet, map_batches with a class, write_parquet.

Comes in: a workload, shards, a model package. Goes out: Parquet of id and scores, and a line `seconds <work>`: from the first read to
the last write, without the imports and without starting Ray. What the class does with a batch is what the workload's plain loop does.
"""

import importlib
import os
from pathlib import Path

import pyarrow as pa
import ray
import ray.data

from tests.benchmarks.contender_program import told, work_timed

ROOT = Path(__file__).parents[2]


class Score:
    """The workload's network, loaded once per actor."""

    def __init__(self, workload: str, package: Path) -> None:
        self._score = importlib.import_module(f"tests.benchmarks.{workload}_loops").scorer(package)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = batch.combine_chunks().to_batches()
        return pa.Table.from_batches([self._score(r) for r in rows])


def run_ray(workload: str, shards: Path, package: Path, output: Path) -> None:
    """One actor: of two cores, reading and writing need the other."""
    loops = importlib.import_module(f"tests.benchmarks.{workload}_loops")
    (
        ray.data.read_parquet(str(shards), columns=list(loops.READ))
        .map_batches(
            Score,
            fn_constructor_args=(workload, package),
            batch_format="pyarrow",
            batch_size=loops.ENGINE_ROWS,
            concurrency=max(1, (os.cpu_count() or 1) // 2),
        )
        .write_parquet(str(output))
    )


def main() -> None:
    arguments = told()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    with work_timed():
        run_ray(arguments.workload, arguments.shards, arguments.package, arguments.output)


if __name__ == "__main__":
    main()
