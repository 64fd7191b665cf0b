"""What would fail only after the submission is refused before it, in one line, with the fix."""

import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from tests.dataflow.cloud import IMAGE

COMPLETE = {
    "project": "project",
    "region": "europe-west1",
    "temp_location": "gs://bucket/temp",
    "sdk_container_image": IMAGE,
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"project": None}, "--project"),
        ({"region": None}, "--region"),
        ({"temp_location": None}, "--temp_location"),
        ({"sdk_container_image": None}, "--setup_file"),
        ({"output": "/tmp/scores"}, "/tmp/scores"),  # noqa: S108 - refused before it is touched
        ({"output": "s3://bucket/scores"}, "samples/breast_cancer"),
        ({"s3_secret_access_key": "canary"}, "--s3_secret_access_key"),
        ({"sdk_container_imag": IMAGE}, "--sdk_container_image"),
    ],
)
def test_it_is_refused(
    changes: dict[str, str | None], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        f"--{name}={value}" for name, value in {**COMPLETE, **changes}.items() if value is not None
    ]
    assert run_program(score.main, ["--runner=DataflowRunner", "--quiet", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert named in error
    assert error.count("\n") == 1
    assert "canary" not in error
