"""Beam's own row-wise RunInference on the same rows, as its documentation shows it.

Comes in: shards and a model package. Goes out: Parquet of id and probability, and a line `seconds <work>`: building and running the
graph, without the imports.
"""

from pathlib import Path
import tempfile

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, PredictionResult, RunInference
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.options.pipeline_options import PipelineOptions
import torch

from tests.benchmarks.contender_program import told, work_timed
from tests.benchmarks.tabular_data import COLUMNS, HIDDEN
from tests.benchmarks.tabular_loops import SCHEMA, load_network


class Mlp(torch.nn.Sequential):
    """The same layers, built without arguments, as PytorchModelHandlerTensor wants its class."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Linear(len(COLUMNS), HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1)
        )


def example(row: dict[str, float]) -> tuple[float, torch.Tensor]:
    """One row as key and vector."""
    return row["id"], torch.tensor([row[name] for name in COLUMNS], dtype=torch.float32)


def scored(keyed: tuple[int, PredictionResult]) -> dict[str, float]:
    """One prediction as a row of the output."""
    key, result = keyed
    return {"id": key, "probability": torch.sigmoid(result.inference)[0].item()}


def run_stock(shards: Path, package: Path, output: Path) -> None:
    """Score with every option of RunInference as it comes; a missing Prism keeps the runner from looking for one on the network."""
    options = PipelineOptions(["--runner=DirectRunner", "--prism_location=/nonexistent"])
    with (
        tempfile.NamedTemporaryFile(suffix=".pt") as weights,
        beam.Pipeline(options=options) as pipeline,
    ):
        torch.save(load_network(package).state_dict(), weights.name)
        handler = PytorchModelHandlerTensor(
            state_dict_path=weights.name, model_class=Mlp, model_params={}, device="CPU"
        )
        (
            pipeline
            | "Read" >> beam.io.ReadFromParquet(f"{shards}/*.parquet")
            | "Example" >> beam.Map(example)
            | "Predict" >> RunInference(KeyedModelHandler(handler))
            | "Score" >> beam.Map(scored)
            | "Write"
            >> beam.io.WriteToParquet(
                f"{output}/scores", SCHEMA, codec="zstd", file_name_suffix=".parquet"
            )
        )


def main() -> None:
    arguments = told()
    with work_timed():
        run_stock(arguments.shards, arguments.package, arguments.output)


if __name__ == "__main__":
    main()
