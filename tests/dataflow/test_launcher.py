"""The contract of the flex template's launcher: it runs the program as a file, and takes the job from `--template_location`.

What the launcher passes is known from its logs: every parameter and every setting of the launch as --name=value, and where to put
the job's description, from which the service then starts the job.
"""

from dataclasses import dataclass
import json
from pathlib import Path
import subprocess
from typing import Any

import pytest

from pipelines import score
from pipelines.command_line import run_program
from tests.conftest import REPOSITORY
from tests.dataflow.cloud import BUCKET, IMAGE, Cloud
from tests.dataflow.dockerfile import instructions
from tests.dataflow.service import JOB_ID, Service
from tests.dataflow.test_commands import RUN, parameters, words

JOB_FILE = f"staging/template_launches/{JOB_ID}/job_object"
DATAFLOW = ("--runner=DataflowRunner", "--project=project", "--region=europe-west1", "--temp_location=gs://bucket/temp")


def command_line(service: Service, python: Path, template: Path, output: str) -> list[str]:
    """What the launcher runs for the printed command, and where the stand-in is."""
    flags = {
        **parameters(words(*RUN, f"--output={BUCKET}/{output}")[0]),
        "dataflow_endpoint": service.address,
        "job_name": "batch-prediction-20260131-010203",
        "machine_type": "n2-standard-4",
        "max_num_workers": "10",
        "num_workers": "2",
        "project": "project",
        "region": "europe-west1",
        "runner": "DataflowRunner",
        "staging_location": f"{BUCKET}/staging",
        "temp_location": f"{BUCKET}/temp",
        "template_location": f"{BUCKET}/{JOB_FILE}",
    }
    return [str(python), str(template / "pipelines/score.py"), *(f"--{name}={value}" for name, value in sorted(flags.items()))]


def launch(cloud: Cloud, command: list[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the program as the launcher does, with the image's variables; what it printed, and the job that it left."""
    variables = dict(text.split("=", 1) for name, text in instructions() if name == "ENV")
    done = Cloud({**cloud.variables, **variables}, cloud.private_key).run(command, folder)
    assert done.returncode == 0, done.stderr
    return done, json.loads(cloud.objects(JOB_FILE)[f"bucket/{JOB_FILE}"])


@dataclass(frozen=True)
class Launched:
    """A launch, and what it left behind."""

    printed: str
    job: dict[str, Any]
    created: int


@pytest.fixture(scope="module")
def launched(cloud: Cloud, _service: Service, image: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """The program, installed as in the image, run by its file from a folder of its own."""
    before = len(_service.jobs)
    done, job = launch(cloud, command_line(_service, *image, "launched"), tmp_path_factory.mktemp("launcher"))
    return Launched(done.stdout, job, len(_service.jobs) - before)


def test_the_job_is_handed_over_as_a_file(launched: Launched) -> None:
    """The launcher submits; a program that did too would start the job twice."""
    assert launched.created == 0
    (pool,) = launched.job["environment"]["workerPools"]
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert (pool["machineType"], pool["numWorkers"], pool["diskSizeGb"]) == ("n2-standard-4", 2, 50)
    assert launched.job["name"] == "batch-prediction-20260131-010203"


def test_the_launcher_does_not_claim_that_rows_were_scored(launched: Launched) -> None:
    assert f"{BUCKET}/launched" in launched.printed
    assert "published" not in launched.printed


def test_a_worker_of_the_image_scores_the_job(
    launched: Launched, cloud: Cloud, service: Service, image: tuple[Path, Path], tmp_path: Path
) -> None:
    """And a launch of the same work again still hands a job over, which the launcher needs; it finds nothing to do."""
    python, _ = image
    staged = launched.job["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"].removeprefix("gs://")
    (tmp_path / "pipeline.pb").write_bytes(cloud.objects(staged.removeprefix("bucket/"))[staged])
    program = str(REPOSITORY / "tests/dataflow/worker.py")
    worked = cloud.run([str(python), program, "pipeline.pb"], tmp_path)
    assert worked.returncode == 0, worked.stderr
    places = json.loads(worked.stdout.splitlines()[-1])["places"]
    assert [place for place in places.values() if place.startswith(str(python.parent.parent))] == list(places.values())
    assert "bucket/launched/CURRENT" in cloud.objects("launched")
    _, again = launch(cloud, command_line(service, *image, "launched"), tmp_path)
    assert again["clientRequestId"] != launched.job["clientRequestId"]


def test_a_classic_template_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same flag outside the image makes a classic template, which would freeze the inputs of today."""
    monkeypatch.delenv("FLEX_TEMPLATE_PYTHON_PY_FILE", raising=False)
    assert run_program(score.main, [*DATAFLOW, "--template_location=gs://bucket/template"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --template_location: ")
    assert "classic template" in error
    assert error.count("\n") == 1
