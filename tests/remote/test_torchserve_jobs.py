"""Jobs through TorchServe, beside the same rows and the same network in our own engine: `make servers` installs it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.remote.jobs import once_some_are_done
from tests.remote.servers import RealServer, running
from tests.remote.torchserve_server import make_torchserve
from tests.support.builders import FEATURES, tiny_network, tiny_package
from tests.support.jobs import Outcome, run_job, write_job, write_parquet
from tests.support.memory_server import remote_package
from tests.support.without_beam import run_without_beam

pytestmark = [pytest.mark.program, pytest.mark.slow]

SHARDS = 10
ROWS = 200
BATCH_ROWS = 16
BAD_ROW = 777


@dataclass
class Side:
    """The same job twice: through the server, and without it."""

    server: RealServer
    remote: Path
    local: Path


@pytest.fixture(scope="module")
def torchserve(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder = tmp_path_factory.mktemp("torchserve")
    with running(make_torchserve(folder, fitted)) as server:
        yield server


@pytest.fixture
def jobs(torchserve: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    run_without_beam(monkeypatch)
    for folder in ("remote", "local"):
        _write_rows(tmp_path / folder / "shards")
    url = torchserve.http_url
    target = {"protocol": "torchserve-http", "url": url, "name": "tiny", "version": "3"}
    package = remote_package(tmp_path / "served", remote=target)
    model = {"batch_rows": BATCH_ROWS}
    # It loads its models for as long as a busy machine takes.
    asked = {**model, "engine": "remote", "server": {"patience_seconds": 300}}
    remote = write_job(tmp_path / "remote", package, model=asked)
    local = write_job(tmp_path / "local", tiny_package(tmp_path / "here"), model=model)
    return Side(torchserve, remote, local)


def _write_rows(folder: Path) -> None:
    """Write shards of random rows, one of which has no score: the server fails on it, and here it overflows."""
    features = np.random.default_rng(7).normal(size=(SHARDS * ROWS, len(FEATURES)))
    features = features.astype(np.float32)
    features[BAD_ROW] = 3e38 * _find_signs()
    for shard, places in enumerate(np.split(np.arange(SHARDS * ROWS), SHARDS)):
        columns = {name: features[places, at] for at, name in enumerate(FEATURES)}
        write_parquet(folder / f"{shard}.parquet", pa.table({"id": places, **columns}))


def _find_signs() -> np.ndarray:
    """Return the signs of large numbers that add up in one of the network's hidden numbers."""
    weights, *_ = tiny_network().state_dict().values()
    largest = weights.abs().sum(axis=1).argmax()
    return weights[largest].sign().numpy()


def _run(job: Path, name: str = "scores") -> Outcome:
    return run_job(job, output=job.parent / name, settings={"errors.max_rejected_rows": 1})


def test_a_job_gives_the_bits_and_the_books_of_our_own_engine(jobs: Side) -> None:
    remote, local = _run(jobs.remote), _run(jobs.local)
    assert remote.scored().num_rows == SHARDS * ROWS - 1
    # Files name their package, too.
    assert remote.scored().equals(local.scored())
    assert remote.manifest["rows"] == local.manifest["rows"]
    # Alone, and each in its own words.
    for outcome in (remote, local):
        [record] = outcome.rejected()
        assert (record["key"], record["stage"]) == (BAD_ROW, "predict")
    assert remote.manifest["served_by"]["url"] == jobs.server.http_url


def test_a_server_that_is_killed_in_the_middle_changes_no_byte(jobs: Side) -> None:
    quiet = _run(jobs.remote, "quiet")

    def restart() -> None:
        jobs.server.kill()
        jobs.server.start()

    with once_some_are_done(jobs.remote.parent / "disturbed", restart) as done:
        disturbed = _run(jobs.remote, "disturbed")
    assert 2 <= done[0] < SHARDS, "the server was not killed in the middle"
    assert disturbed.read_files() == quiet.read_files()
    assert [record["key"] for record in disturbed.rejected()] == [BAD_ROW]
