"""The gcloud commands that deploy/dataflow/commands.py prints."""

from functools import cache
import shlex
import subprocess
import sys

from tests.support.repository import REPOSITORY

PLACE = ("--project=project", "--region=europe-west1", "--bucket=bucket")
RUN = ("run", *PLACE, "--config=gs://bucket/job.yaml")


@cache
def printed(*arguments: str) -> str:
    """The very text."""
    command = [sys.executable, "deploy/dataflow/commands.py", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout


def words(*arguments: str) -> list[list[str]]:
    """The printed commands as a shell would split them."""
    return [shlex.split(line) for line in printed(*arguments).replace("\\\n", " ").splitlines()]


def parameters(command: list[str]) -> dict[str, str]:
    """What a command gives to the job."""
    given = [
        word.partition("=")[2].removeprefix("^~^")
        for word in command
        if word.startswith("--parameters=")
    ]
    return dict(text.split("=", 1) for text in given)
