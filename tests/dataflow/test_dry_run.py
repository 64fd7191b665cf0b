"""The Job that Beam makes of the graph, without a service: what does not depend on how much there is to score."""

from collections.abc import Callable, Iterator
from typing import Any

from apache_beam.portability.api import beam_runner_api_pb2
import pytest

from tests.dataflow.cloud import write_account
from tests.dataflow.service import Service
from tests.support.dataflow_job import IMAGE, dataflow_job


@pytest.fixture(scope="module")
def make_job(
    _service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], Any]]:
    """Make the job for so many shards; without an account Beam would look for one on the network."""
    folder = tmp_path_factory.mktemp("shards")
    write_account(folder / "key.json", _service)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "key.json"))
        yield lambda shards: dataflow_job(folder / str(shards), shards)


@pytest.fixture(scope="module")
def job(make_job: Callable[[int], Any]) -> Any:
    return make_job(3)


@pytest.mark.slow
def test_the_graph_does_not_grow_with_the_input(job: Any, make_job: Callable[[int], Any]) -> None:
    """Pickled functions are compressed, and so differ by some bytes; 300 shards among them would be some 10 000."""
    few = len(job.proto_pipeline.SerializeToString())
    many = len(make_job(300).proto_pipeline.SerializeToString())
    assert abs(many - few) < 500
    assert many < 100_000


def test_the_graph_is_the_sentence(job: Any) -> None:
    labels = {
        t.unique_name.partition("/")[0] for t in job.proto_pipeline.components.transforms.values()
    }
    assert {
        "ReadShards",
        "Preprocess",
        "Predict",
        "Postprocess",
        "WriteShards",
        "PublishRun",
    } <= labels


def test_only_units_and_parts_are_shuffled(job: Any) -> None:
    """A shuffle of rows would be what costs: work units before the first row is read, and parts after the last is written."""
    transforms = job.proto_pipeline.components.transforms.values()
    shuffles = {
        t.unique_name.partition("/")[0]
        for t in transforms
        if t.spec.urn == "beam:transform:group_by_key:v1"
    }
    assert shuffles == {"ReadShards", "PublishRun"}


def test_every_worker_runs_the_image(job: Any) -> None:
    environments = job.proto_pipeline.components.environments.values()
    assert [
        beam_runner_api_pb2.DockerPayload.FromString(e.payload).container_image
        for e in environments
    ] == [IMAGE]
    assert job.options.get_all_options()["save_main_session"] is False
