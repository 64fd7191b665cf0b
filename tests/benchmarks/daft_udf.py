"""Daft on the same rows, as its documentation shows batch inference: read_parquet, a class with a batch method, write_parquet.

Comes in: a workload, shards, a model package. Goes out: Parquet of id and scores, and a line `seconds <work>`: from the first read to
the last write, without the imports. What the class does with a batch is what the workload's plain loop does.
"""

import importlib
import os
from pathlib import Path

import daft
import pyarrow as pa

from tests.benchmarks.contender_program import told, work_timed


@daft.cls
class Score:
    """The workload's network, loaded once per instance."""

    def __init__(self, workload: str, package: str) -> None:
        self._loops = importlib.import_module(f"tests.benchmarks.{workload}_loops")
        self._score = self._loops.scorer(Path(package))

    @daft.method.batch(return_dtype=daft.DataType.float32())
    def probability(self, *columns: daft.Series) -> pa.Array:
        rows = pa.record_batch([c.to_arrow() for c in columns], names=list(self._loops.READ))
        return self._score(rows).column("probability")


def run_daft(workload: str, shards: Path, package: Path, output: Path) -> None:
    """Every option as it comes, but for the size of a batch."""
    loops = importlib.import_module(f"tests.benchmarks.{workload}_loops")
    frame = daft.read_parquet(f"{shards}/*.parquet").into_batches(loops.ENGINE_ROWS)
    score = Score(workload, str(package))
    scored = frame.select(
        daft.col("id"), score.probability(*map(daft.col, loops.READ)).alias("probability")
    )
    scored.write_parquet(str(output))


def main() -> None:
    arguments = told()
    os.environ["DAFT_PROGRESS_BAR"] = "0"
    with work_timed():
        run_daft(arguments.workload, arguments.shards, arguments.package, arguments.output)


if __name__ == "__main__":
    main()
