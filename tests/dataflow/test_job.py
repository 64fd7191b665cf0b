"""A real submission to the stand-in: what the service would get, and how the program ends."""

import base64
import bz2
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

from apache_beam.portability.api import beam_runner_api_pb2
import pytest

from tests.dataflow import submission
from tests.dataflow.cloud import IMAGE, Cloud
from tests.dataflow.service import JOB_ID, Outcome, Service
from tests.support.programs import Programs

MACHINES = (
    "--worker_machine_type=g2-standard-4",
    "--num_workers=2",
    "--max_num_workers=10",
    "--disk_size_gb=50",
)
L4 = "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver:5xx"

CHANGED_INPUT = (
    'Error message from worker: Traceback (most recent call last):\n  File "read.py", line 1\n'
    "configs.errors.InputError: gs://bucket/shards/part-00000.parquet: changed after the run was planned "
    "[while running 'ReadShards/Rows-ptransform-12']\n"
)


@dataclass(frozen=True)
class Submitted:
    """A job as the service got it, and what its client left."""

    job: dict[str, Any]
    text: str
    staged: dict[str, bytes]
    printed: str

    @property
    def pool(self) -> dict[str, Any]:
        (pool,) = self.job["environment"]["workerPools"]
        return pool

    @property
    def options(self) -> dict[str, Any]:
        return self.job["environment"]["sdkPipelineOptions"]["options"]

    @property
    def graph(self) -> beam_runner_api_pb2.Pipeline:
        (content,) = [c for path, c in self.staged.items() if path.endswith("/pipeline.pb")]
        return beam_runner_api_pb2.Pipeline.FromString(content)


def functions(graph: beam_runner_api_pb2.Pipeline) -> bytes:
    """The pickled functions of a graph, as they are before Beam packs them, so that a text in them can be found."""
    payloads = [
        t.spec.payload
        for t in graph.components.transforms.values()
        if t.spec.urn == "beam:transform:pardo:v1"
    ]
    packed = [beam_runner_api_pb2.ParDoPayload.FromString(p).do_fn.payload for p in payloads]
    return b"".join(bz2.decompress(base64.b64decode(p)) for p in packed)


@pytest.fixture(scope="module")
def submitted(cloud: Cloud, _service: Service, programs: Programs) -> Submitted:
    """A job for machines with a GPU, whose launcher does not wait."""
    asked = (
        *MACHINES,
        f"--sdk_container_image={IMAGE}",
        f"--dataflow_service_options={L4}",
        "--set=model.device=cuda",
    )
    flags = submission.flags(_service, "submitted", *asked, "--no_wait_until_finish")
    done = programs.run("pipelines.score", *flags, env=cloud.environment())
    assert done.returncode == 0, done.stderr
    return Submitted(
        _service.jobs[-1],
        _service.texts[-1],
        cloud.objects("submitted-temp"),
        done.stdout + done.stderr,
    )


def test_the_launcher_says_the_job_and_returns(submitted: Submitted) -> None:
    assert f"job {JOB_ID}" in submitted.printed


def test_the_worker_pool_is_the_one_asked_for(submitted: Submitted) -> None:
    pool = submitted.pool
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert [image["containerImage"] for image in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert (pool["machineType"], pool["numWorkers"], pool["diskSizeGb"]) == ("g2-standard-4", 2, 50)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 10


def test_the_gpu_is_asked_for_by_a_service_option(submitted: Submitted) -> None:
    assert submitted.job["environment"]["serviceOptions"] == [L4]


def test_one_process_per_machine_and_no_main_session(submitted: Submitted) -> None:
    experiments = submitted.job["environment"]["experiments"]
    assert "no_use_multiple_sdk_containers" in experiments
    assert "use_multiple_sdk_containers" not in experiments
    assert not submitted.options.get("save_main_session")
    assert not [path for path in submitted.staged if "main_session" in path]


def test_only_the_graph_and_a_list_of_packages_are_staged(submitted: Submitted) -> None:
    names = sorted(path.rpartition("/")[2] for path in submitted.staged)
    assert names == ["pipeline.pb", "submission_environment_dependencies.txt"]


def test_no_secret_is_in_the_job_nor_in_the_bucket(submitted: Submitted, cloud: Cloud) -> None:
    everything = {"job": submitted.text, "printed": submitted.printed}
    everything |= {path: content.decode("latin-1") for path, content in cloud.objects("").items()}
    everything["functions"] = functions(submitted.graph).decode("latin-1")
    assert "gs://bucket/submitted" in everything["functions"]
    assert len(everything) > len(submitted.staged)
    for secret in cloud.secrets:
        assert not [where for where, text in everything.items() if secret in text]


def test_every_worker_runs_the_image(submitted: Submitted) -> None:
    environments = submitted.graph.components.environments.values()
    assert {e.urn for e in environments} == {"beam:env:docker:v1"}
    assert {
        beam_runner_api_pb2.DockerPayload.FromString(e.payload).container_image
        for e in environments
    } == {IMAGE}


@pytest.fixture(scope="module")
def ended(cloud: Cloud, _service: Service, programs: Programs) -> dict[str, CompletedProcess[str]]:
    """Three launchers that waited for jobs that come to nothing, at the same time."""
    outcomes = {
        "nothing": Outcome(),
        "changed": Outcome("JOB_STATE_FAILED", CHANGED_INPUT),
        "failed": Outcome(
            "JOB_STATE_FAILED", "The job failed because a work item has failed 4 times."
        ),
    }
    _service.run = lambda job: outcomes[job["name"]]
    image = f"--sdk_container_image={IMAGE}"
    launchers = {
        name: programs.start(
            "tests.dataflow.impatient",
            *submission.flags(_service, name, image, f"--job_name={name}"),
            env=cloud.environment(),
        )
        for name in outcomes
    }
    return {
        name: CompletedProcess([name], launcher.wait(), *launcher.communicate())
        for name, launcher in launchers.items()
    }


def test_a_job_that_published_nothing_is_no_success(
    ended: dict[str, CompletedProcess[str]],
) -> None:
    """The stand-in says DONE, and nobody scored anything."""
    done = ended["nothing"]
    assert done.returncode == 5, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "gs://bucket/nothing" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [
        (
            "changed",
            3,
            "error: gs://bucket/shards/part-00000.parquet: changed after the run was planned",
        ),
        ("failed", 1, "a work item has failed"),
    ],
)
def test_a_failed_job_ends_with_one_line(
    name: str, status: int, line: str, ended: dict[str, CompletedProcess[str]]
) -> None:
    done = ended[name]
    errors = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert (done.returncode, len(errors)) == (status, 1), done.stderr
    assert line in errors[0]
    assert "Traceback" not in done.stderr
