"""A canary in the environment, in URLs and in options is in nothing that a run writes or says."""

from collections.abc import Callable
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.command_line import run_program
from pipelines.cli.log_format import JsonFormatter, TextFormatter, redacted
from pipelines.runners.checks import refuse_flags
from pipelines.score import main
from tests.support.builders import tiny_package
from tests.support.dataflow_job import dataflow_job

CANARY = "Canary0secret/with+signs=="
WORKER_PROCESS = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "DATABASE_PASSWORD",
    "GITHUB_TOKEN",
    "my_api_key",
)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(VARIABLES):
        monkeypatch.setenv(name, f"{CANARY}{number}")
    monkeypatch.setenv("HARMLESS", "plain words")


@pytest.fixture
def everything(
    shards: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Score with these flags: exit status, and all that was said and written, with every file that is left."""

    def run(*flags: str) -> tuple[int, str]:
        package = (
            tiny_package(tmp_path / "model")
            if not (tmp_path / "model").exists()
            else str(tmp_path / "model")
        )
        metrics = tmp_path / "metrics.prom"
        job = (
            {"paths": str(shards), "key": "id"},
            {"package": package},
            {"path": str(tmp_path / "scores")},
        )
        fields = dict(zip(("source", "model", "sink"), job, strict=True))
        (tmp_path / "job.yaml").write_text(json.dumps({"name": "canary", **fields}))
        capfd.readouterr()
        status = run_program(
            main, ["--config", str(tmp_path / "job.yaml"), "--metrics_file", str(metrics), *flags]
        )
        said = "".join(capfd.readouterr())
        written = [
            path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()
        ]
        assert metrics.exists() == ("--dry_run" not in flags)
        return status, "\n".join([said, *written])

    return run


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--log_format=json"],
        ["--debug", "--log_format=json"],
        ["--dry_run"],
    ],
    ids=str,
)
@pytest.mark.beam
def test_a_run_says_and_writes_nothing_of_the_environment(
    flags: list[str], everything: Any
) -> None:
    status, text = everything(*flags)
    assert status == 0
    assert "Canary" not in text


@pytest.mark.beam
@pytest.mark.program
@pytest.mark.usefixtures("forked_workers")
def test_a_worker_process_says_and_writes_nothing_of_the_environment(everything: Any) -> None:
    status, text = everything("--debug", *WORKER_PROCESS)
    assert status == 0
    assert "Canary" not in text


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
@pytest.mark.parametrize("log", [[], ["--log_format=json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    "flags",
    [
        ["--config", f"http://user:{CANARY}@127.0.0.1:9/job.yaml"],
        ["--config", f"http://127.0.0.1:9/job.yaml?sig={CANARY}"],
        ["--config", f"nosuch://user:{CANARY}@host/job.yaml"],
        ["--config", "configs/breast_cancer.yaml", "--input", f"s3://key:{CANARY}@bucket/shards"],
        [
            "--config",
            "configs/breast_cancer.yaml",
            "--input",
            f"https://host/a.parquet?sig={CANARY}",
        ],
        ["--config", "configs/breast_cancer.yaml", "--model", f"s3://key:{CANARY}@bucket/model"],
        ["--output", f"s3://key:{CANARY}@bucket/scores"],
        [
            "--set",
            f"sink.path=s3://key:{CANARY}@bucket/a/very/long/path/that/pydantic/would/cut/in/the/middle",
        ],
        ["--set", f"model.package=https://host/model?X-Amz-Signature={CANARY}"],
        [f"--s3_secret_access_key={CANARY}"],
        ["--s3_secret_access_key", CANARY],
        [f"--azure_connection_string=AccountKey={CANARY}"],
        [f"--s3_endpoint_url=http://user:{CANARY}@host"],
        [f"--password={CANARY}"],
        ['--environment_config={"env": {"DATABASE_PASSWORD": "' + CANARY + '"}}'],
    ],
    ids=lambda flags: "=".join(flags).partition("=")[0],
)
def test_a_refusal_does_not_repeat_a_secret(
    flags: list[str], log: list[str], debug: list[str], everything: Any
) -> None:
    status, text = everything(*flags, *log, *debug)
    assert status == 2
    assert "Canary" not in text


@pytest.mark.parametrize(
    "flag",
    [
        "--s3_endpoint_url=http://u:p@host",
        "--s3_session_token=x",
        '--environment_config={"password": "x"}',
    ],
)
def test_an_option_that_carries_a_secret_is_refused(flag: str) -> None:
    with pytest.raises(Exception, match="would be readable in the job's options"):
        refuse_flags([flag])


def test_the_job_that_dataflow_is_given_holds_nothing_of_the_environment(tmp_path: Path) -> None:
    job = dataflow_job(tmp_path / "shards", 1)
    assert b"Canary" not in job.proto_pipeline.SerializeToString()
    assert "Canary" not in json.dumps(job.options.get_all_options(), default=str)
    assert "Canary" not in str(job.proto)


@pytest.mark.parametrize(
    "text",
    [
        f"botocore: signature of {CANARY}0 does not match",
        f"https://bucket.s3/a?X-Amz-Credential=b&X-Amz-Signature={CANARY}",
        f"url='s3://key:{CANARY}@bucket/a'",
        f"Authorization: Bearer {CANARY}",
        f"AccountName=a;AccountKey={CANARY};EndpointSuffix=core",
        f'{{"access_token": "{CANARY}", "expires": 1}}',
        f"aws_secret_access_key = {CANARY}",
    ],
)
def test_what_clients_and_libraries_say_is_redacted(text: str) -> None:
    assert "Canary" not in redacted(text)
    for formatter in (TextFormatter(logging.BASIC_FORMAT), JsonFormatter()):
        try:
            raise OSError(text)
        except OSError as error:
            info = (OSError, error, error.__traceback__)
        record = logging.LogRecord("client", logging.INFO, "f", 1, "%s", (text,), info)
        said = formatter.format(record)
        assert "Canary" not in said
        assert "OSError" in said


def test_plain_words_stay() -> None:
    text = "plain words in source.key: AWS_SECRET_ACCESS_KEY is not set; no token here, s3://bucket/part-?.parquet"
    assert redacted(text) == text
