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
from pipelines.cli.command_line import run_program
from tests.dataflow.cloud import BUCKET, IMAGE, Cloud
from tests.dataflow.dockerfile import instructions
from tests.dataflow.printed import RUN, parameters, words
from tests.dataflow.service import JOB_ID, Service
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

JOB_FILE = f"staging/template_launches/{JOB_ID}/job_object"
DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=project",
    "--region=europe-west1",
    "--temp_location=gs://bucket/temp",
)
# What the image sets for the program.
IMAGE_VARIABLES = dict(text.split("=", 1) for name, text in instructions() if name == "ENV")


def launcher_flags(service: Service, output: str) -> list[str]:
    """What the launcher gives to the program for the printed command, and where the stand-in is."""
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
    return [f"--{name}={value}" for name, value in sorted(flags.items())]


def left(cloud: Cloud, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The job that a launched program leaves."""
    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = json.loads(cloud.objects(JOB_FILE)[f"bucket/{JOB_FILE}"])
    return job


@dataclass(frozen=True)
class Launched:
    """A launch, and what it left behind."""

    printed: str
    job: dict[str, Any]
    created: int


@pytest.fixture(scope="module")
def launched(
    cloud: Cloud,
    _service: Service,
    image: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Launched:
    """A real start: the program, installed as in the image, run by its file from a folder of its own."""
    python, template = image
    before = len(_service.jobs)
    command = [
        str(python),
        str(template / "pipelines/score.py"),
        *launcher_flags(_service, "launched"),
    ]
    done = cloud.run(command, tmp_path_factory.mktemp("launcher"), IMAGE_VARIABLES)
    return Launched(done.stdout, left(cloud, done), len(_service.jobs) - before)


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
    launched: Launched,
    cloud: Cloud,
    service: Service,
    image: tuple[Path, Path],
    programs: Programs,
    tmp_path: Path,
) -> None:
    """A real start of the worker. And a launch of the same work again still hands a job over, which the launcher needs; it finds nothing to do."""
    python, _ = image
    staged = launched.job["environment"]["sdkPipelineOptions"]["options"][
        "pipelineUrl"
    ].removeprefix("gs://")
    (tmp_path / "pipeline.pb").write_bytes(cloud.objects(staged.removeprefix("bucket/"))[staged])
    program = str(REPOSITORY / "tests/dataflow/worker.py")
    worked = cloud.run([str(python), program, "pipeline.pb"], tmp_path)
    assert worked.returncode == 0, worked.stderr
    places = json.loads(worked.stdout.splitlines()[-1])["places"]
    assert [
        place for place in places.values() if place.startswith(str(python.parent.parent))
    ] == list(places.values())
    assert "bucket/launched/CURRENT" in cloud.objects("launched")
    flags, variables = launcher_flags(service, "launched"), cloud.environment(IMAGE_VARIABLES)
    again = programs.run("pipelines.score", *flags, env=variables, cwd=tmp_path)
    assert left(cloud, again)["clientRequestId"] != launched.job["clientRequestId"]


def test_a_classic_template_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same flag outside the image makes a classic template, which would freeze the inputs of today."""
    monkeypatch.delenv("FLEX_TEMPLATE_PYTHON_PY_FILE", raising=False)
    assert run_program(score.main, [*DATAFLOW, "--template_location=gs://bucket/template"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --template_location: ")
    assert "classic template" in error
    assert error.count("\n") == 1
