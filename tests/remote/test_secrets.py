"""A token reaches the server and nothing else: no file of the run, no line, also where the server says it back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.remote.oip_grpc_server import OipGrpcServer, fail, make, serve, tensor
from tests.support.jobs import run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam

TOKEN = "kfG7-not-for-anybody"  # noqa: S105 - of a server that this test starts


def add_up(request: Any, context: Any) -> Any:
    """Answer with the sum of each row."""
    answer = make(
        "ModelInferResponse",
        model_name=request.model_name,
        model_version=request.model_version,
        id=request.id,
    )
    rows = np.frombuffer(request.raw_input_contents[0], "<f4").reshape(-1, 3)
    answer.outputs.add(name="sum", datatype="FP32", shape=[len(rows)])
    answer.raw_output_contents.append(rows.sum(axis=1).tobytes())
    return answer


@pytest.fixture
def sums() -> Iterator[OipGrpcServer]:
    model = make("ModelMetadataResponse", name="sums", versions=["3"])
    model.inputs.append(tensor("x", "FP32", -1, 3))
    model.outputs.append(tensor("sum", "FP32", -1))
    with serve(OipGrpcServer(add_up, model=model)) as server:
        yield server


@pytest.fixture
def job(tmp_path: Path, sums: OipGrpcServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_without_beam(monkeypatch)
    monkeypatch.setenv("SUMS_TOKEN", TOKEN)
    write_parquet(tmp_path / "shards" / "a.parquet", small_table(40))
    model = {
        "engine": "remote",
        "protocol": "oip-grpc",
        "url": sums.url,
        "name": "sums",
        "columns": dict.fromkeys("abc", "float"),
        "server": {"token_variable": "SUMS_TOKEN"},
    }
    job = write_job(tmp_path, "", model=model)
    job.write_text(job.read_text().replace('"package": "", ', ""))
    return job


def test_a_token_is_in_no_file_and_no_line(sums: OipGrpcServer, job: Path) -> None:
    run = run_job(job, "--debug")
    assert run.scored().num_rows == 40
    assert [given["authorization"] for given in sums.metadata] == [f"Bearer {TOKEN}"]
    written = [path for path in job.parent.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in run.said + run.error


def test_a_server_that_says_it_back_is_not_quoted(sums: OipGrpcServer, job: Path) -> None:
    sums.infer = fail(grpc.StatusCode.PERMISSION_DENIED, f"{TOKEN} may not")
    run = run_job(job)
    run.refused("PERMISSION_DENIED", status=5)
    assert TOKEN not in run.error


def test_without_the_token_the_variable_is_named(
    sums: OipGrpcServer, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUMS_TOKEN")
    run_job(job).refused("environment variable SUMS_TOKEN", status=2)
