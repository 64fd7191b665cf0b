"""A server that is killed in the middle of a job: the run waits for it, or ends and resumes, and publishes the bytes of a quiet night."""

from pathlib import Path

import pytest

from tests.faults.counts import full_or
from tests.remote.jobs import once_some_are_done, write_remote_job, write_rows
from tests.remote.servers import RealServer
from tests.support.jobs import Outcome, run_job
from tests.support.runs import published
from tests.support.without_beam import run_without_beam

pytestmark = pytest.mark.program

ROWS = full_or(8_000, 1_000_000)
SHARDS = 10
BATCH_ROWS = full_or(16, 1_024)


@pytest.fixture
def job(request: pytest.FixtureRequest, mlserver: RealServer, tmp_path: Path) -> Path:
    """A job by the protocol that the test names."""
    write_rows(tmp_path, ROWS, SHARDS)
    server = {"patience_seconds": 60, "max_in_flight": 8}
    return write_remote_job(
        tmp_path, mlserver, request.param, version="3", batch_rows=BATCH_ROWS, server=server
    )


@pytest.fixture
def quiet_night(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The published files of a run that nothing happened to, without Beam."""
    with monkeypatch.context() as patch:
        run_without_beam(patch)
        return _files(run_job(job, output=tmp_path / "quiet"))


@pytest.mark.parametrize("job", ["oip-grpc"], indirect=True)
def test_a_run_waits_for_a_server_that_is_killed_and_started_again(
    mlserver: RealServer,
    job: Path,
    tmp_path: Path,
    quiet_night: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Through Beam where there are as many rows as a night has.
    if not full_or(False, True):
        run_without_beam(monkeypatch)
    output = tmp_path / "disturbed"

    def restart() -> None:
        mlserver.kill()
        mlserver.start()

    with once_some_are_done(output, restart) as done:
        outcome = run_job(job, output=output)
    assert 2 <= done[0] < SHARDS, "the server was not killed in the middle"
    assert _files(outcome) == quiet_night
    assert outcome.scored().num_rows == ROWS


@pytest.mark.parametrize("job", ["oip-http"], indirect=True)
def test_a_run_that_does_not_wait_ends_in_one_line_and_the_same_command_resumes(
    mlserver: RealServer,
    job: Path,
    tmp_path: Path,
    quiet_night: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_without_beam(monkeypatch)
    output = tmp_path / "disturbed"
    impatient = {"model.server.patience_seconds": 0.5}
    with once_some_are_done(output, mlserver.kill) as done:
        ended = run_job(job, output=output, settings=impatient)
    assert 2 <= done[0] < SHARDS, "the server was not killed in the middle"
    try:
        ended.refused(mlserver.http_url, status=5)
    finally:
        # Other tests need it, too.
        mlserver.start()
    resumed = run_job(job, output=output, settings=impatient)
    assert _files(resumed) == quiet_night


def _files(outcome: Outcome) -> dict[str, bytes]:
    assert outcome.status == 0, outcome.error
    return published(outcome.output)
