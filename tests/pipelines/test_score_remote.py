"""A job whose model is in a server: the rows, the books, the run's id, and what ends it."""

from contextlib import redirect_stderr
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.arrays import Arrays
from model_zoo.remote.failures import GoneError, RefusedError, RemoteError, WrongError
from pipelines import tune
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import (
    Outcome,
    run_job,
    set_flags,
    small_table,
    write_job,
    write_parquet,
)
from tests.support.memory_server import URL, MemoryServer, remote_package, start_server


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryServer:
    return start_server(monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    write_parquet(tmp_path / "shards" / "a.parquet", small_table(40))
    package = remote_package(tmp_path / "model")
    # What fails is not tried again: these failures do not pass.
    server = {"patience_seconds": 0}
    return write_job(
        tmp_path, package, model={"engine": "remote", "batch_rows": 16, "server": server}
    )


def test_a_servers_scores_are_those_of_the_same_network_here(
    memory: MemoryServer, job: Path, tmp_path: Path
) -> None:
    remote = run_job(job).scored()
    here = write_job(tmp_path, tiny_package(tmp_path / "here"), model={"batch_rows": 16})
    local = run_job(here, output=tmp_path / "local").scored()
    assert remote["id"] == local["id"]
    np.testing.assert_allclose(remote["probability"], local["probability"], rtol=1e-6)
    assert remote["label"] == local["label"]
    # Its own smoke batch, and three mini-batches, of which the last is filled up.
    assert memory.asked[-3:] == [16, 16, 16]


def test_workers_of_one_process_have_all_requests_of_a_run_together(
    memory: MemoryServer, job: Path
) -> None:
    run_job(job, "--direct_num_workers=4")
    # Who asks last is the worker.
    assert memory.targets[-1].max_in_flight == 16


def test_the_manifest_says_who_computed(memory: MemoryServer, job: Path) -> None:
    manifest = run_job(job).manifest
    assert manifest["served_by"] == {
        "protocol": "oip-grpc",
        "url": URL,
        "name": "churn",
        "version": "3",
        "server": "memory 1.0",
    }
    assert manifest["engine"]["name"] == "remote"
    assert list(manifest["computed_by"]) == [f"churn version 3 at {URL}, oip-grpc, memory 1.0"]


def test_rows_that_the_server_refuses_are_rejected_alone(memory: MemoryServer, job: Path) -> None:
    def refuse(inputs: Arrays) -> RemoteError | None:
        # The row with id 21, alone or with others.
        is_bad = (inputs["x"][:, 0] == 21).any()
        return RefusedError("the server refuses it") if is_bad else None

    memory.fail = refuse
    outcome = run_job(job, settings={"errors.max_rejected_rows": 1})
    assert outcome.rows()["id"].to_pylist() == [row for row in range(40) if row != 21]
    [record] = outcome.rejected()
    assert (record["key"], record["stage"]) == (21, "predict")
    assert "the server refuses it" in record["message"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (GoneError("grpc://churn:8001: nobody answers"), 5),
        (WrongError("grpc://churn:8001: fewer rows than asked"), 3),
    ],
)
def test_a_server_that_goes_away_ends_the_run_and_the_same_command_resumes(
    memory: MemoryServer, job: Path, tmp_path: Path, failure: RemoteError, status: int
) -> None:
    write_parquet(tmp_path / "shards" / "b.parquet", small_table(40, first=40, a=_from(40)))
    # Its smoke batch is scored, and one of the two shards.
    memory.fail = lambda inputs: failure if len(memory.asked) > 4 else None
    run_job(job).refused(str(failure), status=status)
    memory.fail = lambda inputs: None
    memory.asked.clear()
    resumed = run_job(job)
    assert resumed.rows()["id"].to_pylist() == list(range(80))
    # The smoke batch, and the other shard alone.
    assert memory.asked[-4:] == [8, 16, 16, 16]
    # And what was still on its way when the first run ended.
    assert len(memory.asked) < 7
    undisturbed = run_job(job, output=tmp_path / "again")
    assert _read(resumed) == _read(undisturbed)


def _read(outcome: Outcome) -> list[bytes]:
    return [path.read_bytes() for path in outcome.parts]


def _from(first: int) -> pa.Array:
    return pa.array(np.arange(first, first + 40, dtype=np.float32))


def test_another_address_is_another_run_and_so_is_another_version(
    memory: MemoryServer, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_job(job).run
    staging = start_server(monkeypatch, "grpc://staging:8001")
    second = run_job(job, settings={"model.url": "grpc://staging:8001"})
    assert second.status == 0
    assert second.run != first
    assert staging.asked
    # The same again is published already, and nobody is asked for scores.
    staging.asked.clear()
    again = run_job(job, settings={"model.url": "grpc://staging:8001"})
    assert (again.status, staging.asked) == (0, [])


def test_a_version_that_nobody_named_is_held_for_the_run(
    memory: MemoryServer, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "shards" / "a.parquet")
    remote = {"protocol": "oip-grpc", "url": URL, "name": "churn"}
    package = remote_package(tmp_path / "model", remote=remote)
    job = write_job(tmp_path, package, model={"engine": "remote"})
    first = run_job(job)
    first_run = first.run
    assert first.manifest["served_by"]["version"] == "3"
    assert memory.targets[-1].version == "3"
    memory.says(model_version="4")
    second = run_job(job)
    assert second.manifest["served_by"]["version"] == "4"
    assert second.run != first_run


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        ({"model.engine": "auto"}, 2, "set model.engine to remote to allow that"),
        ({"model.engine": "torch"}, 2, "set model.engine to remote to allow that"),
        ({"model.device": "cuda"}, 2, "model.device cuda: a server computes the model"),
        ({"model.dtype": "bfloat16"}, 2, "model.dtype bfloat16: a server computes"),
        ({"model.url": "http://churn"}, 2, "model.url must begin with grpc:// or grpcs://"),
        ({"model.name": "other"}, 2, "name: the package says it; leave it out"),
        ({"model.timeout_seconds": 29}, 2, "model.timeout_seconds 29: must be more than"),
        ({"model.url": "grpc://nobody:1"}, 5, "nobody listens there"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_row_is_read(
    memory: MemoryServer, job: Path, settings: dict[str, Any], status: int, words: str
) -> None:
    run_job(job, settings=settings).refused(words, status=status)
    assert memory.asked == []


def test_another_version_than_the_packages_is_refused(memory: MemoryServer, job: Path) -> None:
    memory.says(model_version="4")
    run_job(job).refused("answers as version '4', and this run is of version '3'")


def test_another_model_under_the_same_version_is_found_by_the_smoke_batch(
    memory: MemoryServer, job: Path
) -> None:
    memory.compute = lambda inputs: {"logit": inputs["x"][:, 0].copy()}
    run_job(job).refused("smoke output logit differs")


def test_mini_batches_are_no_larger_than_the_server_takes(memory: MemoryServer, job: Path) -> None:
    memory.says(most_rows=10)
    run_job(job).refused("model.batch_rows 16: the server takes 10 rows at once", status=2)
    run_job(job, settings={"model.batch_rows": None}).scored()
    assert max(memory.asked) == 10


def test_as_many_requests_are_open_as_the_job_allows(memory: MemoryServer, job: Path) -> None:
    run_job(job, settings={"model.batch_rows": 4, "model.server.max_in_flight": 2}).scored()
    assert 1 <= memory.most_busy <= 2
    assert memory.targets[-1].max_in_flight <= 2


def test_a_package_that_holds_its_model_takes_no_address(
    memory: MemoryServer, tmp_path: Path
) -> None:
    write_parquet(tmp_path / "shards" / "a.parquet")
    job = write_job(tmp_path, tiny_package(tmp_path / "model"))
    run_job(job, settings={"model.url": URL}).refused(
        "holds its model, and no server computes it", status=2
    )


def test_a_dry_run_scores_some_rows_and_names_the_server(
    memory: MemoryServer, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome: Outcome = run_job(job, "--dry_run")
    assert outcome.status == 0
    assert f"churn version 3 at {URL}" in outcome.said
    assert not outcome.is_published()


DIRECT = {
    "engine": "remote",
    "protocol": "oip-grpc",
    "url": URL,
    "name": "churn",
    "columns": dict.fromkeys("abc", "float"),
}


def direct_job(folder: Path, **model: Any) -> Path:
    job = write_job(folder, "", model={**DIRECT, **model}, postprocess={"activation": "sigmoid"})
    job.write_text(job.read_text().replace('"package": "", ', ""))
    write_parquet(folder / "shards" / "a.parquet", small_table(40))
    return job


def test_a_job_may_name_a_server_and_no_package(
    memory: MemoryServer, job: Path, tmp_path: Path
) -> None:
    packaged = run_job(job).scored()
    direct = run_job(direct_job(tmp_path / "direct"))
    assert direct.scored()["probability"] == packaged["probability"]
    assert direct.manifest["served_by"]["version"] == "3"
    assert direct.manifest["model"]["version"] == "3"
    # The same again is published already; another version is another run.
    memory.asked.clear()
    first = direct.run
    assert run_job(tmp_path / "direct" / "job.yaml").run == first
    assert memory.asked == []
    memory.says(model_version="4")
    assert run_job(tmp_path / "direct" / "job.yaml").run != first


@pytest.mark.slow
@pytest.mark.beam
def test_a_model_without_a_package_reaches_workers(memory: MemoryServer, tmp_path: Path) -> None:
    assert run_job(direct_job(tmp_path / "direct")).scored().num_rows == 40


def test_a_job_without_a_package_must_say_what_the_model_sees(
    memory: MemoryServer, tmp_path: Path
) -> None:
    outcome = run_job(direct_job(tmp_path / "direct", columns={}))
    outcome.refused("engine: remote without a package needs columns too", status=2)
    strange = run_job(direct_job(tmp_path / "direct", columns={"a": "number"}))
    strange.refused("number", status=2)


def test_tuning_is_a_matter_of_the_server(memory: MemoryServer, job: Path) -> None:
    with redirect_stderr(io.StringIO()) as error:
        flags = set_flags({"model.tuning_report": str(job.parent / "report.json")})
        status = run_program(tune.main, ["--config", str(job), *flags])
    assert status == 2
    assert "a server computes the model, and its settings are the server's" in error.getvalue()
    assert memory.asked == []


def test_units_of_another_version_are_not_reused(memory: MemoryServer, tmp_path: Path) -> None:
    write_parquet(tmp_path / "shards" / "a.parquet")
    remote = {"protocol": "oip-grpc", "url": URL, "name": "churn"}
    package = remote_package(tmp_path / "model", remote=remote)
    job = write_job(tmp_path, package, model={"engine": "remote"})
    assert run_job(job).status == 0
    write_parquet(tmp_path / "shards" / "b.parquet", small_table(4, first=40))
    memory.says(model_version="4")
    other = run_job(job, "--reuse_from", "current")
    assert other.status == 2
    assert "that run had another server or model there" in other.error
    memory.says(model_version="3")
    assert run_job(job, "--reuse_from", "current").scored().num_rows == 8
