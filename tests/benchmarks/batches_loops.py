"""The graph's own functions in a loop, without the graph: read, preprocess, predict, postprocess, write."""

from collections.abc import Callable
import os
from pathlib import Path
import shutil

from model_zoo.scoring.loading import load_model
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import store_plan
from pipelines.planning.scoring import scoring_of
from pipelines.planning.workers import Workers
from tests.benchmarks.sizes import MANY
from transforms.batches import RowRecord
from transforms.output.part_writer import PartWriter
from transforms.postprocess import postprocess_batch
from transforms.predict import predict_batch
from transforms.preprocess import preprocess_batch
from transforms.read_unit import read_unit


def many(shards: list[Path], package: Path, output: Path) -> None:
    """In batches of few rows."""
    _score(shards, package, output, {"rows_per_batch": MANY})


def few(shards: list[Path], package: Path, output: Path) -> None:
    """In batches as large as the pipeline makes them."""
    _score(shards, package, output, {})


def _score(shards: list[Path], package: Path, output: Path, source: dict[str, int]) -> None:
    job = ScoringJob.model_validate(
        {
            "name": "benchmark",
            "source": {"paths": [str(shard) for shard in shards], "key": "id", **source},
            "model": {"package": str(package), "device": "cpu", "batch_rows": MANY},
            "postprocess": {"keep": ["probability"]},
            "sink": {"path": str(output / "run")},
        }
    )
    plan = make_plan(job)
    store_plan(plan)
    card, output_plan = plan.package.card, plan.output_plan
    scoring = scoring_of(plan, Workers(count=os.cpu_count() or 1, processes=1))
    scorer = load_model(scoring)
    for unit in plan.units:
        writer = PartWriter(plan.run, unit, unit.first_row, output_plan.file_format)
        for batch in read_unit(
            unit, plan.schema, plan.format, plan.rows_per_batch, RowRecord("id")
        ):
            features = preprocess_batch(batch, card.columns, plan.steps, card.inputs)
            prediction = predict_batch(scorer, features, job.model.not_finite)
            writer.write(postprocess_batch(prediction, plan.written_columns))
        for file in writer.close(last=True).scored:
            shutil.copy(Path(plan.run.attempts) / file.path, output)


LOOPS: dict[str, Callable[[list[Path], Path, Path], None]] = {
    "functions, many": many,
    "functions, few": few,
}
