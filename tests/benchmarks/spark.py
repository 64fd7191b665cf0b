"""Spark on the same rows, as its documentation shows batch inference: predict_batch_udf, on all cores of this machine.

Comes in: a workload, shards, a model package. Goes out: Parquet of id and probability, and a line `seconds <work>`: from the first
read to the last write, without the imports and without starting Spark.
"""

from collections.abc import Callable
import os
from pathlib import Path
import sys

import numpy as np
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import SparkSession
from pyspark.sql.functions import array
from pyspark.sql.types import FloatType

from tests.benchmarks.contender_program import told, work_timed
from tests.benchmarks.tabular_loops import COLUMNS, ENGINE_ROWS, load_network

ROOT = Path(__file__).parents[2]


def predictor(package: Path) -> Callable[[], Callable[[np.ndarray], np.ndarray]]:
    """What predict_batch_udf wants: a function that loads the network in a worker and returns one that scores (rows, 32)."""

    def load() -> Callable[[np.ndarray], np.ndarray]:
        import torch

        network = load_network(package)

        def predict(x: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return torch.sigmoid(network(torch.from_numpy(x)))[:, 0].numpy()

        return predict

    return load


def run_spark(spark: SparkSession, shards: Path, package: Path, output: Path) -> None:
    """Every option as it comes, but for the size of a batch."""
    udf = predict_batch_udf(
        predictor(package),
        return_type=FloatType(),
        batch_size=ENGINE_ROWS,
        input_tensor_shapes=[[len(COLUMNS)]],
    )
    rows = spark.read.parquet(str(shards))
    scored = rows.select("id", udf(array(*COLUMNS)).alias("probability"))
    scored.write.mode("append").parquet(str(output))


def main() -> None:
    arguments = told()
    os.environ.update(
        PYTHONPATH=str(ROOT), PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1"
    )
    cores = os.cpu_count() or 1
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    spark = SparkSession.builder.master(f"local[{cores}]").config(map=settings).getOrCreate()
    with work_timed():
        run_spark(spark, arguments.shards, arguments.package, arguments.output)
    spark.stop()


if __name__ == "__main__":
    main()
