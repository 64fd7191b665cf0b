"""The Job that Beam makes of the graph, without a service: what does not depend on how much there is to score."""

from pathlib import Path
import shutil
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
import pytest

from configs.job import Job
from configs.load import load
from pipelines.plan import make_plan
from pipelines.runners import profile_of
from pipelines.score import build
from tests.dataflow.cloud import IMAGE

PLACE = ("--project=project", "--region=europe-west1", "--temp_location=gs://bucket/temp", f"--sdk_container_image={IMAGE}")
SHARD = Path("samples/breast_cancer/shards/part-00000.parquet")


def job_of(folder: Path, shards: int) -> Any:
    """The Job for so many shards, as `--runner=DataflowRunner` makes it."""
    folder.mkdir()
    for number in range(shards):
        shutil.copy(SHARD, folder / f"part-{number:05d}.parquet")
    plan = make_plan(
        load(Job, "configs/breast_cancer.yaml", [("source.paths", str(folder)), ("sink.path", str(folder / "scores"))])
    )
    assert len(plan.units) == shards
    profile = profile_of("DataflowRunner", PLACE)
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=DataflowRunner", "--dry_run=True", *profile.flags, *PLACE]))
    build(pipeline, plan, 1)
    return pipeline.run().job


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Jobs for 3 and for 300 shards."""
    folder = tmp_path_factory.mktemp("shards")
    return job_of(folder / "few", 3), job_of(folder / "many", 300)


def test_the_graph_does_not_grow_with_the_input(jobs: tuple[Any, Any]) -> None:
    """Pickled functions are compressed, and so differ by some bytes; 300 shards among them would be some 10 000."""
    few, many = (len(job.proto_pipeline.SerializeToString()) for job in jobs)
    assert abs(many - few) < 500
    assert many < 100_000


def test_the_graph_is_the_sentence(jobs: tuple[Any, Any]) -> None:
    labels = {t.unique_name.partition("/")[0] for t in jobs[0].proto_pipeline.components.transforms.values()}
    assert {"ReadShards", "Preprocess", "Predict", "Postprocess", "WriteShards", "PublishRun"} <= labels


def test_only_units_and_parts_are_shuffled(jobs: tuple[Any, Any]) -> None:
    """A shuffle of rows would be what costs: work units before the first row is read, and parts after the last is written."""
    transforms = jobs[0].proto_pipeline.components.transforms.values()
    shuffles = {t.unique_name.partition("/")[0] for t in transforms if t.spec.urn == "beam:transform:group_by_key:v1"}
    assert shuffles == {"ReadShards", "PublishRun"}


def test_every_worker_runs_the_image(jobs: tuple[Any, Any]) -> None:
    environments = jobs[0].proto_pipeline.components.environments.values()
    assert [beam_runner_api_pb2.DockerPayload.FromString(e.payload).container_image for e in environments] == [IMAGE]
    assert jobs[0].options.get_all_options()["save_main_session"] is False
