"""The job that Beam makes of the graph for Dataflow, without the service."""

from pathlib import Path
import shutil
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from configs.job import Job
from configs.load import load
from pipelines.planning.make_plan import make_plan
from pipelines.planning.workers import Workers
from pipelines.runners.profiles import profile_of
from pipelines.scoring.graph import build
from transforms.unit_members import list_pieces

IMAGE = "example.org/image"
_PLACE = (
    "--project=project",
    "--region=europe-west1",
    "--temp_location=gs://bucket/temp",
    f"--sdk_container_image={IMAGE}",
)
_SHARD = Path("samples/breast_cancer/shards/part-00000.parquet")


def dataflow_job(folder: Path, shards: int) -> Any:
    """Return the job that `--runner=DataflowRunner` makes for so many copies of a shard of the sample; `folder` is made for them."""
    folder.mkdir()
    for number in range(shards):
        shutil.copy(_SHARD, folder / f"part-{number:05d}.parquet")
    fields = [("source.paths", str(folder)), ("sink.path", f"{folder}-scores")]
    plan = make_plan(load(Job, "configs/breast_cancer.yaml", fields))
    assert len(list_pieces(plan.units)) == shards
    profile = profile_of("DataflowRunner", _PLACE)
    pipeline = beam.Pipeline(
        options=PipelineOptions(
            ["--runner=DataflowRunner", "--dry_run=True", *profile.flags, *_PLACE]
        )
    )
    build(pipeline, plan, Workers(1, 1))
    return pipeline.run().job
