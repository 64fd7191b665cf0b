"""The printed gcloud commands: what gcloud itself makes of them, offline."""

import json
import os
from pathlib import Path
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.dataflow.cloud import IMAGE
from tests.dataflow.printed import PLACE, RUN, parameters, printed, words
from tests.dataflow.service import Service
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.program

L4 = "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver:5xx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of gcloud's own, so that nobody's are read or changed."""
    return tmp_path_factory.mktemp("gcloud")


@pytest.fixture
def gcloud(folder: Path, service: Service) -> dict[str, str]:
    """Variables with which gcloud talks to the stand-in alone."""
    if shutil.which("gcloud") is None:
        pytest.skip("there is no gcloud on PATH")
    return {
        **os.environ,
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAFLOW": f"{service.address}/",
    }


def test_a_run_names_the_image_and_the_job() -> None:
    (command,) = words(*RUN)
    assert parameters(command) == {
        "config": "gs://bucket/job.yaml",
        "sdk_container_image": IMAGE,
        "disk_size_gb": "50",
    }
    assert "--worker-machine-type=n2-standard-4" in command


def test_a_gpu_run_asks_for_an_l4_and_for_cuda() -> None:
    (command,) = words(*RUN, "--gpu")
    assert "--worker-machine-type=g2-standard-4" in command
    assert parameters(command)["dataflow_service_options"] == L4
    assert parameters(command)["set"] == "model.device=cuda"


def test_the_template_is_built_from_the_image_that_runs() -> None:
    *_, submit, build = words("template", *PLACE)
    assert f"--substitutions=_IMAGE={IMAGE}" in submit
    assert f"--image={IMAGE}" in build
    (run,) = words(*RUN)
    assert f"--template-file-gcs-location={build[4]}" in run


@pytest.mark.parametrize(
    "flag",
    ["--project=", "--region=europe", "--bucket=gs://bucket", "--config=job.yaml", "--input=/data"],
)
def test_what_would_not_work_is_refused(flag: str) -> None:
    command = [sys.executable, "deploy/dataflow/commands.py", *RUN, flag]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert flag.partition("=")[0] in done.stderr


@pytest.mark.parametrize(
    "arguments", [("template", *PLACE), RUN, (*RUN, "--gpu", "--input=gs://bucket/{a,b}/*.parquet")]
)
def test_gcloud_knows_every_command_and_flag(
    arguments: tuple[str, ...], gcloud: dict[str, str]
) -> None:
    for command in words(*arguments):
        lint = ["gcloud", "meta", "lint-gcloud-commands", f"--command-string={shlex.join(command)}"]
        found = json.loads(
            subprocess.run(lint, env=gcloud, capture_output=True, text=True, check=True).stdout
        )
        assert [(f["success"], f["error_message"]) for f in found] == [(True, None)], command


def test_gcloud_takes_the_metadata(gcloud: dict[str, str]) -> None:
    build = [*words("template", *PLACE)[-1], "--print-only", "--format=json"]
    done = subprocess.run(
        build, cwd=REPOSITORY, env=gcloud, capture_output=True, text=True, check=True
    )
    template = (
        json.loads(json.loads(done.stdout))
        if done.stdout.startswith('"')
        else json.loads(done.stdout)
    )
    declared = json.loads((REPOSITORY / "deploy/dataflow/metadata.json").read_text())
    assert template["image"] == IMAGE
    assert template["sdkInfo"] == {"language": "PYTHON"}
    assert template["metadata"] == declared


@pytest.mark.parametrize(
    "more", [(), ("--gpu",), ("--input=gs://bucket/{a,b}/*.parquet", "--output=gs://bucket/scores")]
)
def test_gcloud_sends_what_is_printed(
    more: tuple[str, ...], gcloud: dict[str, str], service: Service
) -> None:
    """The very text goes through a shell and gcloud to the stand-in: quotes, semicolons and commas survive."""
    text = printed(*RUN, *more)
    subprocess.run(["sh", "-c", text], env=gcloud, cwd=REPOSITORY, capture_output=True, check=True)
    (launch,) = service.launches
    (command,) = words(*RUN, *more)
    assert launch["parameters"] == parameters(command)
    assert launch["containerSpecGcsPath"] == "gs://bucket/templates/batch-prediction-0.1.0.json"
    assert launch["environment"] == {
        "enableStreamingEngine": False,
        "launcherMachineType": "n1-standard-2",
        "machineType": "g2-standard-4" if "--gpu" in more else "n2-standard-4",
        "maxWorkers": 10,
        "numWorkers": 2,
        "stagingLocation": "gs://bucket/staging",
        "tempLocation": "gs://bucket/temp",
    }
